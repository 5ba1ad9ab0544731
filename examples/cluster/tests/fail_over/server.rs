//! A PostgreSQL server of the test.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use pidlock_tests::{ORDINARY_UID, is_root, run, said};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// A server in a directory of its own, in which its socket is, too.
pub(crate) struct Server {
    directory: TempDir,
    process: Option<Child>,
}

impl Server {
    /// The directory of the newest installed server's programs, which is not in `PATH` on Debian.
    pub(crate) fn programs() -> Option<PathBuf> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let folders = versions.filter_map(|version| Some(version.ok()?.path().join("bin")));
        folders.filter(|bin| bin.join("initdb").exists()).max()
    }

    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().expect("create a directory");
        if is_root() {
            let owner = Some(ORDINARY_UID);
            chown(directory.path(), owner, owner).expect("change the owner");
        }
        let mut server = Self {
            directory,
            process: None,
        };
        let mut init = server.command("initdb");
        let output = run(init.args(["--no-sync", "--auth=trust", "--username=cluster"]));
        assert!(output.status.success(), "{}", said(&output));
        server.run();
        server
    }

    /// A program of PostgreSQL. The server refuses to run as root.
    fn command(&self, name: &str) -> Command {
        let program = Self::programs().expect("it is installed").join(name);
        let mut command = match is_root() {
            false => Command::new(program),
            true => {
                let mut setpriv = Command::new("setpriv");
                let id = ORDINARY_UID;
                setpriv.args([format!("--reuid={id}"), format!("--regid={id}")]);
                setpriv.arg("--clear-groups").arg(program);
                setpriv
            }
        };
        command.current_dir(self.directory.path());
        command.arg("-D").arg(self.directory.path().join("data"));
        command
    }

    /// Starts the server, and waits until it answers.
    pub(crate) fn run(&mut self) {
        let mut command = self.command("postgres");
        command
            .args(["-c", "listen_addresses=", "-k"])
            .arg(self.directory.path());
        let child = command
            .stderr(Stdio::null())
            .spawn()
            .expect("start the server");
        self.process = Some(child);
        let mut ready = Command::new(Self::programs().expect("installed").join("pg_isready"));
        ready
            .arg("--quiet")
            .arg("--host")
            .arg(self.directory.path());
        while !run(&mut ready).status.success() {
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops the server: in order by SIGINT, as in a crash by SIGQUIT.
    pub(crate) fn stop(&mut self, signal: Signal) {
        if let Some(mut process) = self.process.take() {
            kill_process(Pid::from_child(&process), signal).expect("signal the server");
            process.wait().expect("wait for the server");
        }
    }

    /// Where the server's socket is.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The process of the server that has the advisory lock in its session.
    pub(crate) fn process_with_lock(&self) -> Pid {
        let mut query = Command::new(Self::programs().expect("installed").join("psql"));
        query.arg("--host").arg(self.directory.path());
        query.args([
            "--username=cluster",
            "--dbname=postgres",
            "-At",
            "--command",
        ]);
        let output = run(query.arg("SELECT pid FROM pg_locks WHERE locktype = 'advisory'"));
        let pid = said(&output)
            .trim_end()
            .parse()
            .ok()
            .and_then(Pid::from_raw);
        pid.unwrap_or_else(|| panic!("{}", said(&output)))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Signal::QUIT);
    }
}
