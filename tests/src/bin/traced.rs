//! Acquires and releases a pidfile under ptrace. It makes a mark (see
//! `pidlock_tests::ptrace::mark`) before it acquires (1), after that (2), before it releases (3),
//! after that (4), and before it exits (5). After the marks 2 and 4 it prints the outcome. SIGALRM
//! kills it if it takes longer than a minute, because a test waits for it without a time limit.
//!
//! `traced WHAT [OPTION..] PATH`, where WHAT is
//! - `close`, `drop`: acquires, and releases in this way
//! - `second`: acquires a file that this process already holds
//! - `share`: acquires with `reentrant(true)` a file that this process already holds
//! - `reserve`: reserves and commits
//! - `parent`, `child`: reserves, forks and commits in the child; the named process makes the marks
//! - `status`, `holder`: queries the status, or the holder
//! - `stop`: stops the holder
//!
//! The options are
//! - `--no-lock`, `--keep`, `--reentrant`: settings of the pidfile
//! - `--owner`: sets another owner, which only root can do
//! - `--mode`: sets a mode
//! - `--timeout`: waits 20 ms for a holder
//! - `--wait`: waits 20 s for a holder
//! - `--async`: acquires with a future, on an executor that only parks the thread
//! - `--helper`: before it exits, waits until the helper thread of the future has ended
//! - `--beside`: when PATH with the extension `other` exists, a second thread acquires that file;
//!   the outcome is printed at the end
//! - `--leaving`: a second thread holds PATH without a lock, and releases it when PATH with the
//!   extension `other` exists; the outcome is printed at the end
//! - `--files N`: limits the number of descriptors
//! - `--no-writing`: limits the size of files to 0
//! - `--ignored`: ignores SIGXFSZ, the signal that `--no-writing` causes

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use pidlock_core::{PidFile, PidFileError, PidGuard};
    use pidlock_tests::block_on;
    use pidlock_tests::ptrace::{mark, stop_for_tracer};
    use rustix::process::{Resource, Rlimit, setrlimit};

    /// Far longer than it takes a holder to end.
    const LONG: Duration = Duration::from_secs(20);

    pub(crate) fn main() {
        nix::unistd::alarm::set(60);
        let mut arguments = std::env::args().skip(1);
        let what = arguments
            .next()
            .expect("usage: traced WHAT [OPTION..] PATH");
        let mut file = PidFile::default();
        let mut settings: Vec<fn(PidFile) -> PidFile> = Vec::new();
        let mut limits = Vec::new();
        let (mut beside, mut leaving) = (false, false);
        let (mut by_future, mut outlasts_helper) = (false, false);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--no-lock" => settings.push(|file| file.lock(false)),
                "--keep" => settings.push(|file| file.keep(true)),
                "--owner" => settings.push(|file| file.uid(12).gid(34)),
                "--timeout" => {
                    settings.push(|file| file.timeout(Duration::from_millis(20)));
                }
                "--wait" => settings.push(|file| file.timeout(LONG)),
                "--async" => by_future = true,
                "--helper" => outlasts_helper = true,
                "--mode" => settings.push(|file| file.mode(0o600)),
                "--reentrant" => settings.push(|file| file.reentrant(true)),
                "--beside" => beside = true,
                "--leaving" => leaving = true,
                "--files" => {
                    let number = arguments.next().expect("--files has a value");
                    limits.push((
                        Resource::Nofile,
                        number.parse().expect("parse a number of files"),
                    ));
                }
                "--no-writing" => limits.push((Resource::Fsize, 0)),
                "--ignored" => ignore_end_of_writing(),
                path => file = PidFile::at(path),
            }
        }
        let file = settings.iter().fold(file, |file, setting| setting(file));
        let first = match what.as_str() {
            "second" => Some(file.acquire().expect("acquire the pidfile")),
            "share" => Some(
                file.clone()
                    .reentrant(true)
                    .acquire()
                    .expect("acquire the pidfile"),
            ),
            _ => None,
        };
        let second = (beside || leaving).then(|| {
            let held = leaving.then(|| {
                file.clone()
                    .lock(false)
                    .acquire()
                    .expect("acquire without a lock")
            });
            let other = file
                .path()
                .expect("the pidfile has a path")
                .with_extension("other");
            thread::spawn(move || {
                while !other.exists() {
                    thread::sleep(Duration::from_millis(1));
                }
                match held {
                    Some(held) => held.close().map(|()| None),
                    None => PidFile::at(other).acquire().map(Some),
                }
            })
        });
        stop_for_tracer();
        for (resource, limit) in limits {
            let limit = Rlimit {
                current: Some(limit),
                maximum: Some(limit),
            };
            setrlimit(resource, limit).expect("set a resource limit");
        }
        match what.as_str() {
            "parent" | "child" => return fork(&file, what == "child"),
            "status" | "holder" | "stop" => {
                mark();
                let found = match what.as_str() {
                    "status" => file.status().map(|status| format!("{status:?}")),
                    "stop" => file.stop(LONG).map(|stopped| format!("{stopped}")),
                    _ => file
                        .holder()
                        .map(|it| format!("{:?}", it.map(|it| it.pid()))),
                };
                mark();
                match found {
                    Ok(found) => say(&format!("status: {found}")),
                    Err(error) => say(&format!("failed: {error}")),
                }
                mark();
                mark();
                say("looked");
            }
            _ => {
                mark();
                let taken = match what.as_str() {
                    "reserve" => file.reserve().and_then(|reservation| reservation.commit()),
                    "share" => file.reentrant(true).acquire(),
                    _ if by_future => block_on(file.acquire_async()),
                    _ => file.acquire(),
                };
                mark();
                let guard = inside(taken);
                mark();
                release(guard, what == "drop");
            }
        }
        if let Some(second) = second {
            let hold = second.join().expect("the second thread does not panic");
            match hold.and_then(|hold| hold.map_or(Ok(()), PidGuard::close)) {
                Ok(()) => say("second sound"),
                Err(error) => say(&format!("second unsound: {error}")),
            }
        }
        if let Some(first) = &first {
            match first.verify() {
                Ok(()) => say("first sound"),
                Err(error) => say(&format!("first unsound: {error}")),
            }
        }
        mark();
        drop(first);
        while outlasts_helper && has_threads() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn has_threads() -> bool {
        let threads = std::fs::read_dir("/proc/self/task").expect("read the directory");
        threads.count() > 1
    }

    fn inside(taken: Result<PidGuard, PidFileError>) -> Option<PidGuard> {
        match taken {
            Ok(guard) => {
                say("in");
                Some(guard)
            }
            Err(error) if error.is_contention() => {
                say(&format!("refused: {error}"));
                None
            }
            Err(error) => {
                say(&format!("failed: {error}"));
                None
            }
        }
    }

    /// Calls `verify` before the release, because `verify` must report a file that was removed.
    fn release(guard: Option<PidGuard>, by_drop: bool) {
        let verified = guard.as_ref().map(PidGuard::verify);
        let closed = match by_drop {
            true => {
                drop(guard);
                None
            }
            false => guard.map(PidGuard::close),
        };
        mark();
        match (verified, closed) {
            (Some(Err(error)), _) => say(&format!("unsound: {error}")),
            (_, Some(Err(error))) => say(&format!("not closed: {error}")),
            (_, Some(Ok(()))) => say("closed"),
            (Some(_), None) => say("dropped"),
            (None, None) => say("nothing to give back"),
        }
    }

    /// Reserves, forks, and commits in the child. If the parent makes the marks, the child holds
    /// the pidfile until the parent exits, and then prints whether the guard is still valid.
    fn fork(file: &PidFile, child_marks: bool) {
        let (to_parent, to_child) = UnixStream::pair().expect("create a socket pair");
        mark();
        let reservation = match file.reserve() {
            Ok(reservation) => reservation,
            Err(error) => {
                mark();
                inside(Err(error));
                mark();
                release(None, false);
                return mark();
            }
        };
        // SAFETY: this program has one thread, so the child can call any function.
        #[allow(unsafe_code)]
        let child = unsafe { libc::fork() };
        match (child, child_marks) {
            (-1, _) => panic!("fork: {}", std::io::Error::last_os_error()),
            (0, true) => {
                let taken = reservation.commit();
                mark();
                let guard = inside(taken);
                mark();
                release(guard, false);
                mark();
                exit();
            }
            (0, false) => {
                drop(to_child);
                let guard = reservation.commit().expect("commit the reservation");
                let _ = (&to_parent).write_all(b"in"); // the parent may have been killed
                wait_for_end_of(&to_parent);
                match guard.verify().and_then(|()| guard.close()) {
                    Ok(()) => say("child sound"),
                    Err(error) => say(&format!("child unsound: {error}")),
                }
                exit();
            }
            (child, true) => {
                wait_for_child(child);
                drop(reservation);
            }
            (_, false) => {
                drop(to_parent);
                (&to_child)
                    .read_exact(&mut [0; 2])
                    .expect("wait until the child has committed");
                drop(reservation);
                mark();
                say("in");
                mark();
                mark();
                say("closed");
                mark();
            }
        }
    }

    fn ignore_end_of_writing() {
        // SAFETY: `SIG_IGN` runs no code of this program.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN)
        };
    }

    fn wait_for_child(child: libc::pid_t) {
        let mut status = 0;
        // SAFETY: `status` is valid for writes during the call.
        #[allow(unsafe_code)]
        unsafe {
            libc::waitpid(child, &mut status, 0)
        };
    }

    fn wait_for_end_of(mut stream: &UnixStream) {
        let _ = stream.read_to_end(&mut Vec::new());
    }

    fn exit() -> ! {
        // SAFETY: `_exit` has no preconditions.
        #[allow(unsafe_code)]
        unsafe {
            libc::_exit(0)
        }
    }

    fn say(line: &str) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").expect("write to stdout");
        out.flush().expect("flush stdout");
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() {
    linux::main();
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {}
