//! Takes a pidfile and gives it back, led from system call to system call: it marks where taking
//! begins (1) and ends (2), then says how it went; where giving back begins (3) and ends (4), and
//! says how that went; and marks once more (5) before it ends.
//!
//! `traced WHAT [--no-lock] [--keep] [--owner] [--mode] [--reentrant] [--beside] [--leaving]
//! [--files N] [--no-writing [--ignored]] PATH`: WHAT is
//! `close`, `drop`: acquires, and gives back in this way;
//! `second`, `share`: the same where this process already holds the file, without and with
//! `reentrant(true)`;
//! `reserve`: reserves and commits; `parent`, `child`: reserves, forks, and the child commits; the
//! one named is the one that marks;
//! `status`: looks. `--owner`: asks for another owner, as only root can; `--mode`: asks for a mode. Once there is
//! PATH with the extension `other`, a second thread takes that file (`--beside`) or gives PATH back,
//! which it held without a lock (`--leaving`), and it is said at the end how that went. `--files` and
//! `--no-writing` set limits first; `--ignored`: the signal is, that comes with the latter.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod linux {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    use std::thread;
    use std::time::Duration;

    use pidlock_core::{PidFile, PidFileError, PidGuard};
    use pidlock_tests::ptrace::{be_led, mark};
    use rustix::process::{Resource, Rlimit, setrlimit};

    pub(crate) fn main() {
        let mut arguments = std::env::args().skip(1);
        let what = arguments.next().expect("what to do");
        let mut file = PidFile::default();
        let mut settings: Vec<fn(PidFile) -> PidFile> = Vec::new();
        let mut limits = Vec::new();
        let (mut beside, mut leaving) = (false, false);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--no-lock" => settings.push(|file| file.lock(false)),
                "--keep" => settings.push(|file| file.keep(true)),
                "--owner" => settings.push(|file| file.uid(12).gid(34)),
                "--mode" => settings.push(|file| file.mode(0o600)),
                "--reentrant" => settings.push(|file| file.reentrant(true)),
                "--beside" => beside = true,
                "--leaving" => leaving = true,
                "--files" => {
                    let number = arguments.next().expect("a number");
                    limits.push((Resource::Nofile, number.parse().expect("a number")));
                }
                "--no-writing" => limits.push((Resource::Fsize, 0)),
                "--ignored" => ignore_end_of_writing(),
                path => file = PidFile::at(path),
            }
        }
        let file = settings.iter().fold(file, |file, setting| setting(file));
        let first = match what.as_str() {
            "second" => Some(file.acquire().expect("a start")),
            "share" => Some(file.clone().reentrant(true).acquire().expect("a start")),
            _ => None,
        };
        let second = (beside || leaving).then(|| {
            let held = leaving.then(|| file.clone().lock(false).acquire().expect("a start"));
            let other = file.path().expect("a path").with_extension("other");
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
        be_led();
        for (resource, limit) in limits {
            let limit = Rlimit {
                current: Some(limit),
                maximum: Some(limit),
            };
            setrlimit(resource, limit).expect("a limit");
        }
        match what.as_str() {
            "parent" | "child" => return fork(&file, what == "child"),
            "status" => {
                mark();
                let status = file.status();
                mark();
                match status {
                    Ok(status) => say(&format!("status: {status:?}")),
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
                    _ => file.acquire(),
                };
                mark();
                let guard = inside(taken);
                mark();
                give_back(guard, what == "drop");
            }
        }
        if let Some(second) = second {
            let hold = second.join().expect("it ends");
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

    /// Verifies first: a holder whose file went is told.
    fn give_back(guard: Option<PidGuard>, by_drop: bool) {
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

    /// The child commits. Where it is the parent that marks, the child holds for as long as the parent
    /// lives, and then says whether all is well.
    fn fork(file: &PidFile, child_marks: bool) {
        let (to_parent, to_child) = UnixStream::pair().expect("a pair");
        mark();
        let reservation = match file.reserve() {
            Ok(reservation) => reservation,
            Err(error) => {
                mark();
                inside(Err(error));
                mark();
                give_back(None, false);
                return mark();
            }
        };
        // SAFETY: this program has one thread, so the child may do whatever its parent may.
        #[allow(unsafe_code)]
        let child = unsafe { libc::fork() };
        match (child, child_marks) {
            (-1, _) => panic!("fork: {}", std::io::Error::last_os_error()),
            (0, true) => {
                let taken = reservation.commit();
                mark();
                let guard = inside(taken);
                mark();
                give_back(guard, false);
                mark();
                exit();
            }
            (0, false) => {
                drop(to_child);
                let guard = reservation.commit().expect("a start");
                let _ = (&to_parent).write_all(b"in"); // it may be dead
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
                    .expect("the child is in");
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
        // SAFETY: changes what a signal does to this process.
        #[allow(unsafe_code)]
        unsafe {
            libc::signal(libc::SIGXFSZ, libc::SIG_IGN)
        };
    }

    fn wait_for_child(child: libc::pid_t) {
        let mut status = 0;
        // SAFETY: waits for our own child; the place for its status is ours.
        #[allow(unsafe_code)]
        unsafe {
            libc::waitpid(child, &mut status, 0)
        };
    }

    fn wait_for_end_of(mut stream: &UnixStream) {
        let _ = stream.read_to_end(&mut Vec::new());
    }

    fn exit() -> ! {
        // SAFETY: ends a forked child at once.
        #[allow(unsafe_code)]
        unsafe {
            libc::_exit(0)
        }
    }

    fn say(line: &str) {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}").expect("stdout");
        out.flush().expect("stdout");
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() {
    linux::main();
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {}
