//! Shows, stops or waits for the program that holds a pidfile.
//!
//! `pidctl [--json] status|stop|wait PIDFILE [SECONDS]`, where PIDFILE is a path, or the name of a
//! pidfile in the default directory. SECONDS limits the time for `stop` (default: 10) and `wait`
//! (default: no limit). Windows has no `stop`.
//!
//! The exit status of `status` is that of an LSB init script: 0 if the program runs, 1 if it is dead
//! and has left its pidfile, 3 if it does not run, 4 if that is unknown. `stop` and `wait` exit with
//! 0 if the program is gone, and with 1 otherwise. The exit status is 2 for a wrong usage.

use std::process::ExitCode;
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError, Status};
use serde_json::{Value, json};

const USAGE: &str = "usage: pidctl [--json] status|stop|wait PIDFILE [SECONDS]";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let is_json = arguments.first().is_some_and(|first| first == "--json");
    arguments.drain(..usize::from(is_json));
    let (command, pidfile, seconds) = match &arguments[..] {
        [command, pidfile] => (command, pidfile, None),
        [command, pidfile, seconds] => (command, pidfile, Some(seconds)),
        _ => return usage(),
    };
    let limit = match seconds.map(|seconds| seconds.parse()).transpose() {
        Ok(seconds) => seconds.map(Duration::from_secs),
        Err(_) => return usage(),
    };
    let file = match pidfile.contains('/') {
        true => PidFile::at(pidfile),
        false => PidFile::new(pidfile),
    };
    let (failure, done) = match command.as_str() {
        "status" => (4, status(&file)),
        #[cfg(unix)]
        "stop" => (1, stop(&file, limit.unwrap_or(Duration::from_secs(10)))),
        "wait" => (1, wait(&file, limit.unwrap_or(Duration::MAX))),
        _ => return usage(),
    };
    let (code, words, mut answer) = done.unwrap_or_else(|error| {
        let answer = json!({ "pid": error.pid() });
        (failure, error.to_string(), answer)
    });
    match is_json {
        true => {
            answer["path"] = json!(file.path().ok());
            answer["message"] = json!(words);
            println!("{answer}");
        }
        false => println!("{words}"),
    }
    ExitCode::from(code)
}

fn usage() -> ExitCode {
    eprintln!("{USAGE}");
    ExitCode::from(2)
}

/// The exit status, the words for people, and what is only for programs.
type Done = Result<(u8, String, Value), PidFileError>;

fn status(file: &PidFile) -> Done {
    let status = file.status()?;
    let (code, name) = match status {
        Status::NoFile => (3, "no-file"),
        Status::Empty => (3, "empty"),
        Status::Stale { .. } => (1, "stale"),
        Status::RunningUnlocked { .. } => (0, "running-unlocked"),
        _ => (0, "locked"),
    };
    let answer = json!({ "status": name, "running": code == 0, "pid": status.pid() });
    Ok((code, status.to_string(), answer))
}

#[cfg(unix)]
fn stop(file: &PidFile, limit: Duration) -> Done {
    let was_running = file.stop(limit)?;
    let words = if was_running {
        "stopped"
    } else {
        "was not running"
    };
    Ok((0, words.into(), json!({ "stopped": was_running })))
}

fn wait(file: &PidFile, limit: Duration) -> Done {
    let Some(holder) = file.holder()? else {
        return Ok((0, "was not running".into(), json!({ "gone": true })));
    };
    let pid = holder.pid();
    let answer = |gone| json!({ "gone": gone, "pid": pid });
    Ok(match holder.wait_gone(limit)? {
        true => (0, format!("process {pid} is gone"), answer(true)),
        false => (1, format!("process {pid} is still running"), answer(false)),
    })
}
