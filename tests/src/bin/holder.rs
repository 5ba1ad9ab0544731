//! Acquires a pidfile with the given settings, says so, and holds it until its input ends.
//!
//! `holder [--at PATH | --name NAME] [--dir DIR] [--no-lock] [--keep] [--reentrant] [--mode OCTAL]
//! [--uid UID] [--gid GID] [--remapped UID] [--kind] [--then WHAT]`. With `--remapped`, as root only, it first
//! holds another file as that user, and then goes to a user namespace where that user is root. Says
//! `held PATH`, or `refused: WHY` (with `--kind`, also `kind: KIND`, of the `io::Error`) and ends with 3 (contention) or 4. With `--then`, before it waits:
//! `fork` forks a child that drops the guard and exits, `inherit` one that lives on, `respawn`
//! starts a program that lives on, `lose` closes the pidfile's descriptor and opens another file
//! in its place, as a careless daemonizer would, `close` closes all descriptors but the standard ones,
//! and `exec` becomes `sleep`.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

use pidlock_core::{PidFile, PidGuard};
use rustix::process::{DumpableBehavior, Uid, set_dumpable_behavior};
use rustix::thread::{UnshareFlags, set_thread_res_uid, unshare_unsafe};

fn main() -> ExitCode {
    let mut file = PidFile::default();
    let mut then = String::new();
    let mut reports_kind = false;
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        file = match flag.as_str() {
            "--at" => PidFile::at(value()),
            "--name" => file.name(value()),
            "--dir" => file.dir(value()),
            "--no-lock" => file.lock(false),
            "--keep" => file.keep(true),
            "--reentrant" => file.reentrant(true),
            "--mode" => file.mode(u32::from_str_radix(&value(), 8).expect("an octal number")),
            "--uid" => file.uid(value().parse().expect("a number")),
            "--gid" => file.gid(value().parse().expect("a number")),
            "--remapped" => {
                remap(&file, value().parse().expect("a number"));
                file
            }
            "--kind" => {
                reports_kind = true;
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
    let guard = match file.acquire() {
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
            say(&format!("started {}", started.expect("sleep starts").id()));
            Some(guard)
        }
        "lose" => {
            lose_descriptor(guard.path());
            Some(guard)
        }
        "close" => {
            // SAFETY: takes the lock away from the guard, which must notice: that is what is tested.
            #[allow(unsafe_code)]
            let answer = unsafe { libc::close_range(LOST as u32, u32::MAX, 0) };
            assert_eq!(answer, 0, "{}", io::Error::last_os_error());
            say("closed all");
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
    set_thread_res_uid(user, user, user).expect("root may");
    // Its files in /proc become its own again.
    set_dumpable_behavior(DumpableBehavior::Dumpable).expect("it may");
    let other = file.path().expect("a path").with_extension("other");
    for _ in 0..2 {
        drop(PidFile::at(&other).acquire().expect("a start"));
    }
    // SAFETY: takes no open files away from anybody.
    #[allow(unsafe_code)]
    unsafe { unshare_unsafe(UnshareFlags::NEWUSER) }.expect("a user namespace");
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1")).expect("it is root there");
}

/// The first descriptor that a program opens for itself.
const LOST: i32 = 3;

fn lose_descriptor(path: &std::path::Path) {
    let link = std::fs::read_link(format!("/proc/self/fd/{LOST}")).expect("a descriptor");
    assert_eq!(link, path, "the pidfile is what this program opened first");
    let other = std::fs::File::open("/proc/self/exe").expect("this program's file");
    // SAFETY: takes the number away from the guard, who must notice: that is what is tested.
    #[allow(unsafe_code)]
    let answer = unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&other), LOST) };
    assert_eq!(answer, LOST);
}

/// Forks; the child does something with its copy of the guard and leaves by `_exit`.
fn fork(guard: PidGuard, child: fn(PidGuard) -> bool) -> Option<PidGuard> {
    // SAFETY: this program has one thread, so the child may do whatever its parent may.
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
            // SAFETY: ends the process at once.
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

fn wait_for_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
