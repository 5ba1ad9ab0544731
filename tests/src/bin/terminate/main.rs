//! Holds pidfiles in a given way and ends in a given way.
//!
//! `terminate [SETTING..] WAY HOW PATH..`, or `terminate reserve PARENT CHILD PATH` (see
//! `reserve.rs`). It prints `held` when it holds the pidfiles. With most values of HOW it then
//! waits until its input ends.
//!
//! WAY says what holds the pidfiles:
//! - `guard`: guards in a local variable
//! - `function`: functions with the attribute
//! - `leak`: leaked guards
//! - `static`, `thread_local`: guards in such a variable
//! - `threads`, `annotated_threads`: one thread for each path, with a guard or with the attribute;
//!   the first thread panics
//! - `busy`: a static guard for the first path; threads acquire and release the others in a loop
//!
//! HOW says how the process ends:
//! - `return`, `error`, `panic`: `main` returns, returns an error or panics
//! - `exit`, `_exit`, `abort`: calls this function
//! - `exit_elsewhere`: calls `exit` in another thread
//! - `graceful`: returns when a signal handler notifies it
//! - `child METHOD END`: forks a child first (see `child.rs`)
//! - `spawn`, `spawn_exit`: releases or exits while a child is between fork and exec

mod child;
mod handlers;
mod os;
mod reserve;

use std::cell::RefCell;
use std::error::Error;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

use pidlock_core::{OnSignal, PidFile, PidFileError, PidGuard, pidfile};

use handlers::Handler;

type End = Result<(), Box<dyn Error>>;

#[derive(Default)]
struct Settings {
    keep: bool,
    no_lock: bool,
    on_signal: OnSignal,
    no_at_exit: bool,
    /// `on_signal` and `no_at_exit` apply to the first pidfile only.
    first_differs: bool,
    handler_after: Option<String>,
    become_user: Option<u32>,
    chroot: Option<PathBuf>,
    lose_to: Option<PathBuf>,
}

/// What to do while the pidfiles are held.
struct Run {
    settings: Settings,
    handler: Option<Handler>,
    how: Vec<String>,
}

/// What to do after the pidfiles are released.
static AFTERWARDS: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

fn main() -> ExitCode {
    os::end_before_long();
    let mut arguments = std::env::args().skip(1).peekable();
    let mut settings = Settings::default();
    let mut handler = None;
    let mut as_init = false;
    let mut default_signals = true;
    let mut ignored = Vec::new();
    let mut handler_before = None;
    while let Some(flag) = arguments.next_if(|argument| argument.starts_with("--")) {
        let mut value = || arguments.next().expect("the flag has a value");
        match flag.as_str() {
            "--signals-as-started" => default_signals = false,
            "--ignore" => ignored.push(value().parse().expect("parse a signal")),
            "--handler-before" => handler_before = Some(value()),
            "--handler-after" => settings.handler_after = Some(value()),
            "--as-init" => as_init = true,
            "--keep" => settings.keep = true,
            "--no-lock" => settings.no_lock = true,
            "--force" => settings.on_signal = OnSignal::Force,
            "--ignore-signals" => settings.on_signal = OnSignal::Off,
            "--first-only" => settings.first_differs = true,
            "--no-at-exit" => settings.no_at_exit = true,
            "--become" => settings.become_user = Some(value().parse().expect("parse a uid")),
            "--lose-to" => settings.lose_to = Some(value().into()),
            "--chroot" => settings.chroot = Some(value().into()),
            _ => panic!("unknown flag {flag}"),
        }
    }
    // The parent may have ignored these signals, as a shell does for programs in its background.
    if default_signals {
        for signal in handlers::SIGNALS {
            os::handle(signal, libc::SIG_DFL);
        }
    }
    for signal in ignored {
        os::handle(signal, libc::SIG_IGN);
    }
    if as_init {
        stand_by_init();
    }
    if let Some(kind) = handler_before {
        handler = Some(handlers::install(&kind));
    }
    let arguments: Vec<String> = arguments.collect();
    let end = match &arguments[..] {
        [way, parent, child, path] if way == "reserve" => {
            reserve::reserve(Path::new(path), parent, child)
        }
        [way, how @ ..] => {
            let words = how.iter().take_while(|word| !word.starts_with('/')).count();
            let (how, paths) = how.split_at(words);
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            let how = how.to_vec();
            let run = Run {
                settings,
                handler,
                how,
            };
            hold(way, run, &paths)
        }
        [] => panic!("usage: terminate [SETTING..] WAY HOW PATH.."),
    };
    if let Some(afterwards) = AFTERWARDS.lock().expect("the mutex is not poisoned").take() {
        afterwards();
    }
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => match error.downcast_ref::<PidFileError>() {
            None => ExitCode::from(1),
            Some(error) => {
                say(&format!("refused: {error}"));
                ExitCode::from(if error.is_contention() { 3 } else { 4 })
            }
        },
    }
}

/// Forks, and continues in the child as PID 1 of a new PID namespace. The parent prints the PID
/// that the child has outside, waits for the child and exits with its status.
fn stand_by_init() {
    let (told, mut tell) = std::os::unix::net::UnixStream::pair().expect("create a socket pair");
    os::new_pid_namespace();
    let Some(init) = os::fork() else {
        drop(told);
        // Waits until the parent has printed its line and closed its end.
        let _ = tell.read(&mut [0]);
        assert_eq!(std::process::id(), 1);
        return;
    };
    drop(tell);
    say(&format!("init {init}"));
    drop(told);
    let status = os::wait(init);
    match status.strip_prefix("exited ") {
        Some(code) => std::process::exit(code.parse().expect("parse the exit code")),
        None => {
            say(&format!("init {status}"));
            std::process::exit(99)
        }
    }
}

fn hold(way: &str, run: Run, paths: &[PathBuf]) -> End {
    static HELD: Mutex<Vec<PidGuard>> = Mutex::new(Vec::new());
    thread_local!(static OURS: RefCell<Vec<PidGuard>> = const { RefCell::new(Vec::new()) });
    match way {
        "guard" => {
            let guards = acquire(&run.settings, paths)?;
            let with_children = run.how[0] == "child";
            held(run)?;
            if with_children && !child::is_this() {
                guards.iter().try_for_each(PidGuard::verify)?;
            }
            Ok(())
        }
        "function" => annotated(run, paths),
        "leak" => {
            std::mem::forget(acquire(&run.settings, paths)?);
            held(run)
        }
        "static" => {
            *HELD.lock()? = acquire(&run.settings, paths)?;
            held(run)
        }
        "thread_local" => {
            OURS.set(acquire(&run.settings, paths)?);
            held(run)
        }
        "threads" => threads(paths, |path, stay| {
            let _guard = PidFile::at(path).acquire()?;
            stay();
            Ok(())
        }),
        "annotated_threads" => threads(paths, |path, stay| {
            #[pidfile(path = path)]
            fn annotated(path: &Path, stay: &dyn Fn()) -> Result<(), PidFileError> {
                stay();
                Ok(())
            }
            annotated(path, stay)
        }),
        "busy" => {
            let (own, others) = paths.split_at(1);
            *HELD.lock()? = acquire(&run.settings, own)?;
            keep_busy(others);
            held(run)
        }
        _ => panic!("unknown way {way}"),
    }
}

fn acquire(settings: &Settings, paths: &[PathBuf]) -> Result<Vec<PidGuard>, PidFileError> {
    let acquire = |(n, path)| {
        let file = PidFile::at(path)
            .keep(settings.keep)
            .lock(!settings.no_lock);
        if n > 0 && settings.first_differs {
            return file.acquire();
        }
        file.on_signal(settings.on_signal)
            .at_exit(!settings.no_at_exit)
            .acquire()
    };
    paths.iter().enumerate().map(acquire).collect()
}

#[pidfile(path = &paths[0], keep = run.settings.keep, lock = !run.settings.no_lock)]
fn annotated(run: Run, paths: &[PathBuf]) -> End {
    match &paths[1..] {
        [] => held(run),
        rest => annotated(run, rest),
    }
}

/// Starts one thread for each path. When every thread holds its pidfile, the first thread panics.
/// The others return when the input ends.
fn threads(paths: &[PathBuf], hold: fn(&Path, &dyn Fn()) -> Result<(), PidFileError>) -> End {
    std::panic::set_hook(Box::new(|_| {}));
    let (tell, told) = mpsc::channel();
    let mut threads = Vec::new();
    for (n, path) in paths.iter().cloned().enumerate() {
        let (go_on, wait) = mpsc::channel::<()>();
        let tell = tell.clone();
        let thread = thread::spawn(move || {
            hold(&path, &|| {
                tell.send(()).expect("the main thread waits");
                let _ = wait.recv();
                assert!(n > 0, "the first thread panics");
            })
        });
        threads.push((go_on, thread));
    }
    for _ in paths {
        told.recv()?;
    }
    for (n, (go_on, thread)) in threads.into_iter().enumerate() {
        if n == 1 {
            say("one panicked");
            wait_for_end_of_input();
        }
        drop(go_on);
        assert_eq!(thread.join().is_err(), n == 0);
    }
    Ok(())
}

/// Starts one thread for each path, which acquires and releases it in a loop. Returns after as many
/// releases as there are paths.
fn keep_busy(paths: &[PathBuf]) {
    let (tell, told) = mpsc::channel();
    for path in paths {
        let (path, tell) = (path.clone(), tell.clone());
        thread::spawn(move || {
            loop {
                drop(
                    PidFile::at(&path)
                        .acquire()
                        .expect("acquire a path of this thread"),
                );
                let _ = tell.send(());
            }
        });
    }
    drop(tell);
    for _ in paths {
        told.recv().expect("the threads do not exit");
    }
}

/// Does HOW while the pidfiles are held.
fn held(mut run: Run) -> End {
    if let Some(kind) = &run.settings.handler_after {
        run.handler = Some(handlers::install(kind));
    }
    if let Some(file) = &run.settings.lose_to {
        os::lose_pidfiles(file)?;
    }
    if let Some(directory) = &run.settings.chroot {
        rustix::process::chroot(directory)?;
        std::env::set_current_dir("/")?;
    }
    if let Some(uid) = run.settings.become_user {
        os::become_user(uid);
    }
    say("held");
    let how: Vec<&str> = run.how.iter().map(String::as_str).collect();
    match how[..] {
        ["graceful"] => {
            run.handler.expect("graceful needs a handler")();
            say("ending");
            wait_for_end_of_input();
            return Ok(());
        }
        ["spawn"] => {
            let go_on = child::between_fork_and_exec();
            *AFTERWARDS.lock()? = Some(Box::new(|| {
                say("released");
                wait_for_end_of_input();
                go_on();
            }));
            return Ok(());
        }
        ["child", method, end] => return child::child(method, end),
        _ => wait_for_end_of_input(),
    }
    match how[..] {
        ["return"] => Ok(()),
        ["error"] => Err("this program fails".into()),
        ["panic"] => {
            std::panic::set_hook(Box::new(|_| {}));
            panic!("this program panics")
        }
        ["exit"] => std::process::exit(7),
        ["exit_elsewhere"] => {
            let other: thread::JoinHandle<()> = thread::spawn(|| std::process::exit(7));
            let _ = other.join();
            Ok(())
        }
        ["_exit"] => os::end_at_once(7),
        ["abort"] => std::process::abort(),
        ["spawn_exit"] => {
            std::mem::forget(child::between_fork_and_exec());
            std::process::exit(7)
        }
        _ => panic!("unknown end {how:?}"),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_all(format!("{line}\n").as_bytes())
        .and_then(|()| out.flush());
}

fn wait_for_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
