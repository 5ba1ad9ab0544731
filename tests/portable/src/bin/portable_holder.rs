//! `portable_holder PATH [OPTION]...`: holds a file until the input ends, and then ends in one of several ways.
//!
//! - `unlocked`, `keep`, `reentrant`: the settings of these names (`unlocked`: `lock(false)`)
//! - `timeout=MILLISECONDS`: waits for a holder
//! - `alone`: does not wait for the input, but checks that no other process is inside, and exits with status 5
//!   if there is one. A process inside has created the file `PATH.inside`.
//! - `end=HOW`: `drop` (the default), `panic`, `exit`: `process::exit`, `thread`: the same in another thread,
//!   `return`: returns from `main` with the guard in a static, `abort`
//!
//! The exit status is 3 if the start is refused, and 1 for another error.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use pidlock_core::{PidFile, PidGuard};
use pidlock_portable::visible;

static GUARD: OnceLock<PidGuard> = OnceLock::new();

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(
        arguments
            .next()
            .expect("usage: portable_holder PATH [OPTION]..."),
    );
    let mut file = PidFile::at(&path);
    let (mut end, mut is_checked) = ("drop".to_owned(), false);
    for option in arguments {
        match option.split_once('=').unwrap_or((&option, "")) {
            ("unlocked", _) => file = file.lock(false),
            ("keep", _) => file = file.keep(true),
            ("reentrant", _) => file = file.reentrant(true),
            ("timeout", time) => {
                let time = time.parse().expect("a number of milliseconds");
                file = file.timeout(Duration::from_millis(time));
            }
            ("alone", _) => is_checked = true,
            ("end", how) => end = how.to_owned(),
            _ => panic!("unknown option '{option}'"),
        }
    }
    let guard = match file.acquire() {
        Ok(guard) => guard,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(if error.is_contention() { 3 } else { 1 });
        }
    };
    match is_checked {
        true if !is_alone(&path) => return ExitCode::from(5),
        true if end == "drop" => {}
        _ => pidlock_portable::stay_inside(),
    }
    match end.as_str() {
        "drop" => match guard.close() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        },
        "panic" => std::panic::resume_unwind(Box::new("without a message")),
        "exit" => std::process::exit(7),
        "thread" => {
            let _ = thread::spawn(|| std::process::exit(7)).join();
            unreachable!("the process has ended")
        }
        "return" => {
            let _ = GUARD.set(guard);
            ExitCode::from(7)
        }
        "abort" => std::process::abort(),
        other => panic!("unknown end '{other}'"),
    }
}

/// Returns `true` if no other process is inside.
fn is_alone(path: &Path) -> bool {
    let marker = path.with_extension("inside");
    let is_alone = File::create_new(&marker).is_ok();
    let own_record = visible(std::process::id()).map(|pid| format!("{pid}\n"));
    let is_named = fs::read_to_string(path).ok() == own_record;
    thread::sleep(Duration::from_micros(200));
    // Removed before the pidfile is released, also by a process that is about to be killed.
    is_alone && fs::remove_file(&marker).is_ok() && is_named
}
