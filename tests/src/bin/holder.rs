//! Acquires a pidfile with the given settings, and holds it until its input ends.
//!
//! `holder [OPTION..]`, where the options are
//! - `--at PATH`: the path of the pidfile, before its settings
//! - `--name NAME`, `--dir DIR`, `--no-lock`, `--keep`, `--reentrant`, `--mode OCTAL`, `--uid UID`,
//!   `--gid GID`: settings of the pidfile
//! - `--remapped UID`: changes to this user, acquires and releases another file, and then enters a
//!   user namespace where this user is root; only root can do this
//! - `--kind`: if the start is refused, also prints `kind: KIND`, the kind of the `io::Error`
//! - `--replace`: stops the holder, instead of being refused
//! - `--then ACTION`: what to do while it holds the pidfile
//!
//! ACTION is
//! - `fork`: forks a child that drops the guard and exits
//! - `inherit`: forks a child that keeps the guard until the input ends
//! - `respawn`: starts a program that outlives this one
//! - `lose`: closes the pidfile's descriptor and opens another file with the same descriptor
//!   number, as a careless daemonizer would
//! - `close`: closes all descriptors except the standard ones
//! - `exec`: executes `sleep`
//! - `serve`: prints `asked` for each SIGTERM, releases the pidfile after a line of input, prints
//!   `released`, and exits when the input ends
//!
//! It prints `held PATH`; or it prints `refused: WHY` and exits with 3 for contention and with 4
//! for any other error.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidGuard};
use rustix::process::{DumpableBehavior, Uid, set_dumpable_behavior};
use rustix::thread::{UnshareFlags, set_thread_res_uid, unshare_unsafe};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

fn main() -> ExitCode {
    let mut file = PidFile::default();
    let mut then = String::new();
    let (mut reports_kind, mut replaces) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        file = match flag.as_str() {
            "--at" => {
                let untouched = format!("{:?}", PidFile::default());
                assert_eq!(format!("{file:?}"), untouched, "--at drops these settings");
                PidFile::at(value())
            }
            "--name" => file.name(value()),
            "--dir" => file.dir(value()),
            "--no-lock" => file.lock(false),
            "--keep" => file.keep(true),
            "--reentrant" => file.reentrant(true),
            "--mode" => file.mode(u32::from_str_radix(&value(), 8).expect("parse an octal mode")),
            "--uid" => file.uid(value().parse().expect("parse a uid")),
            "--gid" => file.gid(value().parse().expect("parse a gid")),
            "--remapped" => {
                remap(&file, value().parse().expect("parse a uid"));
                file
            }
            "--kind" => {
                reports_kind = true;
                file
            }
            "--replace" => {
                replaces = true;
                file
            }
            "--then" => {
                then = value();
                file
            }
            "" => file,
            _ => panic!("unknown flag {flag}"),
        };
    }
    let acquired = match replaces {
        true => file.replace(Duration::from_secs(60)),
        false => file.acquire(),
    };
    let guard = match acquired {
        Ok(guard) => guard,
        Err(error) => {
            say(&format!("refused: {error}"));
            let code = if error.is_contention() { 3 } else { 4 };
            if reports_kind {
                say(&format!("kind: {:?}", io::Error::from(error).kind()));
            }
            return ExitCode::from(code);
        }
    };
    if then == "serve" {
        report_signals();
    }
    say(&format!("held {}", guard.path().display()));
    let guard = match then.as_str() {
        "" => Some(guard),
        "fork" => fork(guard, |guard| {
            let verified = guard.verify().is_err();
            drop(guard);
            verified
        }),
        "inherit" => fork(guard, |guard| {
            wait_for_end_of_input();
            drop(guard);
            true
        }),
        "respawn" => {
            let started = Command::new("sleep")
                .arg("1000")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn();
            say(&format!("started {}", started.expect("start sleep").id()));
            Some(guard)
        }
        "lose" => {
            lose_descriptor(guard.path());
            Some(guard)
        }
        "close" => {
            // SAFETY: closes a descriptor that the guard owns. This is what the test is about: the
            // guard must detect it.
            #[allow(unsafe_code)]
            let answer = unsafe { libc::close_range(LOST as u32, u32::MAX, 0) };
            assert_eq!(answer, 0, "{}", io::Error::last_os_error());
            say("closed all");
            wait_for_end_of_input();
            return ExitCode::SUCCESS;
        }
        "serve" => {
            io::stdin()
                .read_line(&mut String::new())
                .expect("read a line");
            guard.close().expect("release the pidfile");
            say("released");
            wait_for_end_of_input();
            return ExitCode::SUCCESS;
        }
        "exec" => panic!("sleep: {}", Command::new("sleep").arg("1000").exec()),
        _ => panic!("unknown action {then}"),
    };
    let Some(guard) = guard else {
        return ExitCode::SUCCESS;
    };
    if let Err(error) = guard.verify() {
        say(&format!("unsound: {error}"));
    }
    wait_for_end_of_input();
    match guard.close() {
        Ok(()) => say("closed"),
        Err(error) => say(&format!("closed, but {error}")),
    }
    if then == "lose" {
        let whole = std::fs::metadata(format!("/proc/self/fd/{LOST}"))
            .is_ok_and(|m| m.is_file() && m.len() > 0);
        say(if whole {
            "and the other file is whole"
        } else {
            "and the other file was closed too"
        });
    }
    ExitCode::SUCCESS
}

fn remap(file: &PidFile, uid: u32) {
    let user = Uid::from_raw(uid);
    set_thread_res_uid(user, user, user).expect("change the uids as root");
    // After a change of the uids, the /proc files of this process belong to root, so it could not
    // write its uid map. This gives the files back to the user.
    set_dumpable_behavior(DumpableBehavior::Dumpable).expect("make the process dumpable");
    let other = file
        .path()
        .expect("the pidfile has a path")
        .with_extension("other");
    for _ in 0..2 {
        drop(
            PidFile::at(&other)
                .acquire()
                .expect("acquire the other file"),
        );
    }
    // SAFETY: `NEWUSER` does not affect the descriptor table.
    #[allow(unsafe_code)]
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.expect("enter a user namespace");
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).expect("write the uid map");
}

/// The number of the first descriptor that this program opens, which is the pidfile's.
const LOST: i32 = 3;

fn lose_descriptor(path: &std::path::Path) {
    let link = std::fs::read_link(format!("/proc/self/fd/{LOST}"))
        .expect("read the path of the descriptor");
    assert_eq!(
        link, path,
        "the pidfile is the first file that this program opened"
    );
    let other = std::fs::File::open("/proc/self/exe").expect("open the file of this program");
    // SAFETY: replaces a descriptor that the guard owns. This is what the test is about: the guard
    // must detect it.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&other), LOST) };
    assert_eq!(answer, LOST);
}

/// Forks. The child calls `child` with its copy of the guard and exits. Returns the guard in the
/// parent.
fn fork(guard: PidGuard, child: fn(PidGuard) -> bool) -> Option<PidGuard> {
    // SAFETY: this program has one thread, so the child can call any function.
    #[allow(unsafe_code)]
    match unsafe { libc::fork() } {
        -1 => panic!("fork: {}", std::io::Error::last_os_error()),
        0 => {
            let as_expected = child(guard);
            say(if as_expected {
                "child done"
            } else {
                "child found the guard sound"
            });
            // SAFETY: `_exit` has no preconditions.
            unsafe { libc::_exit(0) }
        }
        number => {
            say(&format!("forked {number}"));
            Some(guard)
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Handles SIGTERM from here on.
fn report_signals() {
    let mut signals = Signals::new([SIGTERM]).expect("handle SIGTERM");
    thread::spawn(move || signals.forever().for_each(|_| say("asked")));
}

fn wait_for_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
