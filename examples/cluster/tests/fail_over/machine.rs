//! A machine of the cluster.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::server::Server;

/// A directory with a pidfile, a service manager and a connection to the server.
pub(crate) struct Machine {
    shared: Arc<Shared>,
    manager: JoinHandle<()>,
}

struct Shared {
    directory: PathBuf,
    resource: PathBuf,
    server: PathBuf,
    state: Mutex<State>,
    /// Notified when the state changes.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    program: Option<Child>,
    hangs: bool,
    stops: bool,
}

impl Machine {
    pub(crate) fn start(directory: &Path, server: &Server, resource: &Path) -> Self {
        fs::create_dir(directory).expect("create a directory");
        let shared = Arc::new(Shared {
            directory: directory.to_owned(),
            resource: resource.to_owned(),
            server: server.directory().join(".s.PGSQL.5432"),
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let socket = directory.join(".s.PGSQL.5432");
        let listener = UnixListener::bind(socket).expect("create a socket");
        let network = Arc::clone(&shared);
        thread::spawn(move || network.accept(&listener));
        let service = Arc::clone(&shared);
        let manager = thread::spawn(move || service.manage());
        Self { shared, manager }
    }

    /// The command that the service manager runs.
    pub(crate) fn program(&self) -> Command {
        self.shared.program()
    }

    /// The process of the service.
    pub(crate) fn pid(&self) -> Option<i32> {
        let state = self.shared.state.lock().expect("no thread has panicked");
        state.program.as_ref().map(|child| child.id() as i32)
    }

    /// Lets the connections to the server hang, or go on.
    pub(crate) fn hang(&self, hangs: bool) {
        self.shared
            .state
            .lock()
            .expect("no thread has panicked")
            .hangs = hangs;
        self.shared.changed.notify_all();
    }

    /// Waits until the service has another process than this one.
    pub(crate) fn wait_restarted(&self, old: i32) {
        while self.pid().is_none_or(|pid| pid == old) {
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Stops the service.
    pub(crate) fn stop(self) {
        {
            let mut state = self.shared.state.lock().expect("no thread has panicked");
            state.stops = true;
            if let Some(program) = &mut state.program {
                program.kill().expect("kill the program");
            }
        }
        self.manager
            .join()
            .expect("the service manager has not failed");
    }
}

impl Shared {
    fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pidlock-cluster"));
        let database = format!(
            "host={} user=cluster dbname=postgres",
            self.directory.display()
        );
        command.arg(database).arg(&self.resource);
        command.env("RUNTIME_DIRECTORY", &self.directory);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    /// Starts the program again whenever it ends.
    fn manage(&self) {
        loop {
            {
                let mut state = self.state.lock().expect("no thread has panicked");
                if state.stops {
                    return;
                }
                let mut command = self.program();
                let child = command
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("start the program");
                state.program = Some(child);
            }
            loop {
                thread::sleep(Duration::from_millis(5));
                let mut state = self.state.lock().expect("no thread has panicked");
                let child = state.program.as_mut().expect("it was started");
                if child.try_wait().expect("look at the program").is_some() {
                    state.program = None;
                    break;
                }
            }
            // A pause, as service managers make.
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Passes the connections of this machine on to the server.
    fn accept(self: &Arc<Self>, listener: &UnixListener) {
        for client in listener.incoming().map_while(Result::ok) {
            let network = Arc::clone(self);
            thread::spawn(move || {
                // While the server is down, the connection is closed.
                let server = UnixStream::connect(&network.server)?;
                let (from, to) = (client.try_clone()?, server.try_clone()?);
                let back = Arc::clone(&network);
                thread::spawn(move || back.pass_on(server, client));
                network.pass_on(from, to)
            });
        }
    }

    fn pass_on(&self, mut from: UnixStream, mut to: UnixStream) -> io::Result<()> {
        let mut bytes = [0; 4096];
        loop {
            let len = from.read(&mut bytes)?;
            let state = self.state.lock().expect("no thread has panicked");
            drop(self.changed.wait_while(state, |state| state.hangs));
            if len == 0 {
                return to.shutdown(std::net::Shutdown::Both);
            }
            to.write_all(&bytes[..len])?;
        }
    }
}
