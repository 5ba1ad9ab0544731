//! Acquires a pidfile and hands it over to another instance of itself, as a program that is upgraded.
//!
//! `upgrader PATH [OPTION..] STEP..`, where the options are
//! - `--keep`, `--no-lock`: settings of the pidfile
//! - `--traced`: lets its parent trace it, makes a mark before it acquires, and another one after that
//! - `--timeout MILLISECONDS`: how long it waits for the successor; without limit by default
//! - `--as UID`: starts the successor as this user, as only root can
//! - `--linger`: goes on after a hand-over until the input ends
//!
//! A STEP is what one process does once it holds the pidfile. A successor gets the steps that are left.
//! - `spawn`, `exec`: hands the pidfile over to a successor, or to itself
//! - `nothing`: names a successor that does not exist, in both ways
//! - `retry`: as `spawn` with a command that has failed before
//! - `stay`: holds the pidfile until PATH with the extension `go` exists, or the pidfile does not
//! - `work`: forks a worker that tries to acquire, too
//!
//! or what it does instead of acquiring:
//! - `exit`, `never`, `other`, `reserve`: exits, waits for the end of the input, acquires another path,
//!   reserves
//! - `background`: forks, and goes on in the child
//!
//! Without a step it holds the pidfile until the input ends. Each line that it prints begins with the PID.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::thread;
use std::time::Duration;

use pidlock_core::{HandOverError, PidFile, PidGuard};

struct Options {
    path: String,
    flags: Vec<String>,
    timeout: Duration,
    uid: Option<u32>,
    steps: Vec<String>,
}

impl Options {
    fn parse() -> Self {
        let mut arguments = std::env::args().skip(1);
        let path = arguments.next().expect("usage: upgrader PATH STEP..");
        let (mut flags, mut steps) = (Vec::new(), Vec::new());
        let (mut timeout, mut uid) = (Duration::MAX, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--timeout" => {
                    let number = arguments.next().expect("--timeout has a value");
                    timeout = Duration::from_millis(number.parse().expect("parse a number"));
                }
                "--as" => {
                    let number = arguments.next().expect("--as has a value");
                    uid = Some(number.parse().expect("parse a uid"));
                }
                flag if flag.starts_with("--") => flags.push(argument),
                _ => steps.push(argument),
            }
        }
        Self {
            path,
            flags,
            timeout,
            uid,
            steps,
        }
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|it| it == flag)
    }

    fn file(&self) -> PidFile {
        PidFile::at(&self.path)
            .keep(self.has("--keep"))
            .lock(!self.has("--no-lock"))
    }

    /// A command that starts this program with the steps that are left.
    fn successor(&self) -> Command {
        let program = std::env::current_exe().expect("this program has a path");
        let mut command = Command::new(program);
        command.arg(&self.path).args(&self.flags).args(&self.steps);
        if let Some(uid) = self.uid {
            command.uid(uid);
        }
        command
    }
}

fn main() -> ExitCode {
    let mut options = Options::parse();
    let next = |options: &mut Options| match options.steps.is_empty() {
        true => String::new(),
        false => options.steps.remove(0),
    };
    let is_first = std::env::var_os("PIDLOCK_HAND_OVER").is_none();
    if options.has("--traced") && is_first {
        tracer::stop();
    }
    let mut step = next(&mut options);
    match step.as_str() {
        "exit" => return ExitCode::SUCCESS,
        "never" => {
            wait_for_end_of_input();
            return ExitCode::SUCCESS;
        }
        "other" => options.path += ".other",
        "reserve" => {
            let reserved = options.file().reserve();
            say(&format!(
                "refused: {}",
                reserved.expect_err("the file is held")
            ));
            return ExitCode::from(3);
        }
        // SAFETY: this program has one thread, so the child can call any function.
        #[allow(unsafe_code)]
        "background" if unsafe { libc::fork() } != 0 => return ExitCode::SUCCESS,
        _ => {}
    }
    if ["other", "background"].contains(&step.as_str()) {
        step = next(&mut options);
    }
    if options.has("--traced") {
        tracer::mark();
    }
    let acquired = options.file().acquire();
    if options.has("--traced") {
        tracer::mark();
    }
    let guard = match acquired {
        Ok(guard) => guard,
        Err(error) => {
            say(&format!("refused: {error}"));
            return ExitCode::from(3);
        }
    };
    say("held");
    let mut successor = options.successor();
    let guard = match step.as_str() {
        "" => Some(guard),
        "spawn" => spawn(guard, &mut successor, &options),
        "exec" => Some(kept(guard.exec_successor(&mut successor))),
        "nothing" => {
            let mut nothing = Command::new("/no/such/program");
            let guard = spawn(guard, &mut nothing, &options).expect("the hand-over fails");
            Some(kept(guard.exec_successor(&mut nothing)))
        }
        "retry" => {
            let mut command = Command::new("./upgrader");
            command.current_dir("/no/such/directory");
            let guard = spawn(guard, &mut command, &options).expect("the hand-over fails");
            let program = std::env::current_exe().expect("this program has a path");
            command.current_dir(program.parent().expect("a program is in a directory"));
            command.arg(&options.path);
            spawn(guard, &mut command, &options)
        }
        "stay" => {
            let path = Path::new(&options.path);
            while path.exists() && !path.with_extension("go").exists() {
                thread::sleep(Duration::from_millis(1));
            }
            Some(guard)
        }
        "work" => {
            work(&options);
            Some(guard)
        }
        _ => panic!("unknown step {step}"),
    };
    if options.has("--linger") || guard.is_some() {
        wait_for_end_of_input();
    }
    if let Some(guard) = guard {
        let verified = guard.verify();
        match verified.and_then(|()| guard.close()) {
            Ok(()) => say("closed"),
            Err(error) => say(&format!("unsound: {error}")),
        }
    }
    ExitCode::SUCCESS
}

/// `None` if the pidfile is the successor's.
fn spawn(guard: PidGuard, command: &mut Command, options: &Options) -> Option<PidGuard> {
    match guard.hand_over(command, options.timeout) {
        Ok(child) => {
            say(&format!("handed over to {}", child.id()));
            None
        }
        Err(failed) => Some(kept(failed)),
    }
}

fn kept(failed: HandOverError) -> PidGuard {
    say(&format!("kept: {failed}"));
    if let Some(mut child) = failed.child {
        child.kill().expect("kill the successor");
        child.wait().expect("wait for the successor");
    }
    failed.guard
}

/// A worker is a forked child: it shares everything with its parent but is not the holder.
fn work(options: &Options) {
    // SAFETY: this program has one thread, so the child can call any function.
    #[allow(unsafe_code)]
    let child = unsafe { libc::fork() };
    if child == 0 {
        let acquired = options.file().acquire();
        match acquired {
            Ok(_) => say("worker got in"),
            Err(error) => say(&format!("worker refused: {error}")),
        }
        // SAFETY: `_exit` has no preconditions.
        #[allow(unsafe_code)]
        unsafe {
            libc::_exit(0)
        }
    }
    let mut status = 0;
    // SAFETY: `status` is valid for writes during the call.
    #[allow(unsafe_code)]
    unsafe {
        libc::waitpid(child, &mut status, 0)
    };
}

/// In one write, because several processes share the output.
fn say(what: &str) {
    let line = format!("{} {what}\n", std::process::id());
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

fn wait_for_end_of_input() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer {
    pub(crate) use pidlock_tests::ptrace::{mark, stop_for_tracer as stop};
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod tracer {
    pub(crate) fn stop() {}
    pub(crate) fn mark() {}
}
