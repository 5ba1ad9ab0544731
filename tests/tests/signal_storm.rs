//! Signals at every moment from just before a process acquires a pidfile until just after it
//! releases it. Each process is terminated by the signal that it was sent, and leaves no stale
//! pidfile.
//!
//! Only one storm runs at a time. On a busy machine a process can do all its work in one time
//! slice, so that all signals arrive before or after it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use pidlock_core::PidFile;
use pidlock_tests::length::by_length;
use pidlock_tests::{Program, skip, text};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, kill_process_group};
use tempfile::TempDir;

fn signal_target(arguments: &[&str], path: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signal_target"));
    // A process group of its own, so that a signal can be sent to its children as well.
    Program::start(command.args(arguments).arg(path).process_group(0))
}

fn pid(program: &Program) -> Pid {
    i32::try_from(program.pid())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a PID is positive")
}

/// When to send each signal: moments that are spread evenly over a span of time. The span adapts to
/// the load of the machine, so that some signals arrive before the first step of a process, some
/// after the last one, and most in between.
struct Moments {
    /// In nanoseconds.
    span: AtomicU64,
}

impl Moments {
    fn wait(&self, n: u32) {
        // The fractional parts of multiples of the golden section are spread evenly.
        let part = (f64::from(n) * 0.618_033_988_749_895).fract();
        let span = self.span.load(Ordering::Relaxed) as f64;
        thread::sleep(Duration::from_nanos((part * span) as u64));
    }

    /// Shortens the span if the process had done all its work before the signal, and otherwise
    /// extends it.
    fn learn(&self, last_step: &str) {
        let span = self.span.load(Ordering::Relaxed);
        let span = match last_step {
            "" => (span + span / 16).min(20_000_000),
            "done" => span - span / 8,
            // Slowly, so that some signals arrive after the last step.
            _ => (span + span / 64).min(20_000_000),
        };
        // If two threads store at once, one update is lost, which does no harm.
        self.span.store(span, Ordering::Relaxed);
    }
}

/// Waits until no other test of this program holds the returned guard. The tests that call this
/// need the machine for themselves.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Processes that run with the same arguments until a signal terminates them.
struct Storm<'a> {
    number: u32,
    arguments: &'a [&'a str],
    /// Returns the path of the pidfile of the process with this index.
    path: &'a (dyn Fn(u32) -> PathBuf + Sync),
    /// Sends the signal.
    send: fn(&Program),
    /// Returns what a terminated process has left and should not have left.
    left: &'a (dyn Fn(&Path, &Program) -> Option<String> + Sync),
}

/// The results of a storm.
#[derive(Debug, Default)]
struct Tally {
    /// The number of processes that were terminated after each step.
    after: BTreeMap<String, u32>,
    /// The number of processes with each wait status, which is the number of the signal.
    ends: BTreeMap<i32, u32>,
    left: Vec<String>,
}

impl Tally {
    fn add(&mut self, last_step: String, end: ExitStatus, left: Option<String>) {
        self.left
            .extend(left.map(|left| format!("{left}, by a process killed after {last_step:?}")));
        *self.after.entry(last_step).or_default() += 1;
        *self.ends.entry(end.into_raw()).or_default() += 1;
    }

    fn assert_clean(&self, signals: &[Signal]) {
        let by_signal = |end: &i32| signals.iter().any(|signal| signal.as_raw() == *end);
        assert!(self.ends.keys().all(by_signal), "{self:#?}");
        assert!(self.left.is_empty(), "{self:#?}");
    }
}

impl Storm<'_> {
    fn run(&self) -> Tally {
        let _turn = turn();
        let span = AtomicU64::new(400_000);
        let (moments, tally) = (Moments { span }, Mutex::new(Tally::default()));
        thread::scope(|scope| {
            for first in 0..2 {
                let (moments, tally) = (&moments, &tally);
                scope.spawn(move || {
                    for n in (first..self.number).step_by(2) {
                        let (last_step, end, left) = self.kill_one(n, moments);
                        let mut tally = tally.lock().expect("not poisoned");
                        tally.add(last_step, end, left);
                    }
                });
            }
        });
        let tally = tally.into_inner().expect("not poisoned");
        println!("{:?}: {tally:?}", self.arguments);
        tally
    }

    fn kill_one(&self, n: u32, moments: &Moments) -> (String, ExitStatus, Option<String>) {
        let path = (self.path)(n);
        let mut program = signal_target(self.arguments, &path);
        program.expect("ready");
        program.go_on();
        moments.wait(n);
        (self.send)(&program);
        let (end, said) = program.finish();
        let last_step = said.lines().last().unwrap_or_default().to_owned();
        moments.learn(&last_step);
        let left = (self.left)(&path, &program);
        (last_step, end, left)
    }
}

fn terminate(program: &Program) {
    kill_process(pid(program), Signal::TERM).expect("the process exists until it is waited for");
}

/// Creates a directory for the pidfile of each process.
fn own(dir: &TempDir) -> impl Fn(u32) -> PathBuf + Sync {
    |n| {
        let dir = dir.path().join(n.to_string());
        fs::create_dir(&dir).expect("create a directory");
        dir.join("app.pid")
    }
}

/// Returns the names and contents of all files in the pidfile's directory, if there are any.
fn everything(path: &Path) -> Option<String> {
    let entries =
        fs::read_dir(path.parent().expect("an absolute path")).expect("read the directory");
    let found: Vec<_> = entries
        .map(|entry| entry.expect("read an entry"))
        .map(|entry| format!("{:?} with {:?}", entry.file_name(), text(&entry.path())))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn acquire_and_release(file: &PidFile) {
    let guard = file.acquire().expect("acquire after the storm");
    guard.verify().expect("the file is held");
    guard.close().expect("release after the storm");
}

/// Returns the files that a terminated process has left, and asserts that the next start succeeds.
fn nothing_left(path: &Path, _: &Program) -> Option<String> {
    let left = everything(path);
    acquire_and_release(&PidFile::at(path));
    left
}

fn nothing_but_an_empty_file(path: &Path, _: &Program) -> Option<String> {
    let left = everything(path).filter(|left| left != "\"app.pid\" with \"\"");
    acquire_and_release(&PidFile::at(path).keep(true));
    left
}

#[test]
fn terminated_processes_leave_no_stale_file() {
    let part = by_length(5, 1);
    let (mut before, mut meanwhile, mut after) = (0, 0, 0);
    // Repeated until signals have arrived in all phases, because on a busy machine many processes
    // do all their work in one time slice.
    for _ in 0..10 {
        for (what, how, number) in [
            ("once", "locked", 300),
            ("once", "twice", 100),
            ("once", "unlocked", 150),
            ("once", "kept", 100),
            ("again", "locked", 150),
            ("again", "twice", 50),
            ("again", "unlocked", 100),
            ("again", "kept", 50),
        ] {
            let number = number / part;
            let tally = terminate_each(number, what, how);
            let killed = |step: &str| tally.after.get(step).copied().unwrap_or_default();
            before += killed("");
            after += killed("done");
            meanwhile += number - killed("") - killed("done");
        }
        println!("{before} before, {meanwhile} meanwhile, {after} after");
        if before > 10 / part && meanwhile > 100 / part && after > 10 / part {
            return;
        }
    }
    panic!("too few signals arrived in one of the phases");
}

/// Terminates `number` processes, each with a pidfile of its own.
fn terminate_each(number: u32, what: &str, how: &str) -> Tally {
    let dir = tempfile::tempdir().expect("create a directory");
    let left = match how {
        "kept" => nothing_but_an_empty_file,
        _ => nothing_left,
    };
    let tally = Storm {
        number,
        arguments: &[what, how],
        path: &own(&dir),
        send: terminate,
        left: &left,
    }
    .run();
    tally.assert_clean(&[Signal::TERM]);
    tally
}

/// Checks that a storm can find a stale file: its processes have no signal handler.
#[test]
fn processes_without_signal_handler_leave_stale_files() {
    let dir = tempfile::tempdir().expect("create a directory");
    let tally = Storm {
        number: 100,
        arguments: &["again", "ignoring"],
        path: &own(&dir),
        send: terminate,
        left: &nothing_left,
    }
    .run();
    assert!(!tally.left.is_empty(), "{tally:#?}");
}

/// All processes use one path, beside holders that keep checking that the file is still theirs.
#[test]
fn terminating_process_never_removes_successors_file() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = own(&dir)(0);
    let oracle = dir.path().join("oracle");
    let named = |path: &Path, dead: &Program| {
        Some(text(path)).filter(|record| record.trim_end() == dead.pid().to_string())
    };
    let over = AtomicBool::new(false);
    let (tally, holders) = thread::scope(|scope| {
        let holders: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| hold_repeatedly(&path, &oracle, &over)))
            .collect();
        let tally = Storm {
            number: 400,
            arguments: &["again", "locked"],
            path: &|_| path.clone(),
            send: terminate,
            left: &named,
        }
        .run();
        over.store(true, Ordering::Relaxed);
        let held = holders
            .into_iter()
            .map(|holder| holder.join().expect("no holder loses its file"));
        (tally, held.sum::<u32>())
    });
    println!("{holders} later holders");
    tally.assert_clean(&[Signal::TERM]);
    assert!(holders > 20, "too few later holders: {holders}");
    assert_eq!(everything(&path), None);
    acquire_and_release(&PidFile::at(&path));
}

/// Starts contenders until `over`. Returns the number of holders. Panics if a holder lost its file.
fn hold_repeatedly(path: &Path, oracle: &Path, over: &AtomicBool) -> u32 {
    let mut held = 0;
    while !over.load(Ordering::Relaxed) {
        let mut contender = Command::new(env!("CARGO_BIN_EXE_contender"));
        let end = contender
            .args([Path::new("locked"), path, oracle])
            .args(["-", "2000"])
            .status()
            .expect("run a contender");
        match end.code() {
            Some(0) => held += 1,
            Some(3) => {} // refused
            _ => panic!("a holder found its file changed: {end}"),
        }
    }
    held
}

#[test]
fn two_simultaneous_signals_terminate_process_by_one_of_them() {
    let dir = tempfile::tempdir().expect("create a directory");
    let tally = Storm {
        number: 200,
        arguments: &["threads", "2", "locked"],
        path: &own(&dir),
        send: |program| {
            let both = Barrier::new(2);
            let mut signals = [Signal::TERM, Signal::INT];
            // On a busy machine, the thread that starts first also sends its signal first.
            signals.rotate_left(program.pid() as usize % 2);
            thread::scope(|scope| {
                for signal in signals {
                    let both = &both;
                    scope.spawn(move || {
                        both.wait();
                        kill_process(pid(program), signal).expect("send the signal");
                    });
                }
            });
        },
        left: &|path, _| everything(path),
    }
    .run();
    tally.assert_clean(&[Signal::TERM, Signal::INT]);
}

#[test]
fn pending_signal_is_not_starved() {
    for how in ["locked", "unlocked"] {
        let dir = tempfile::tempdir().expect("create a directory");
        Storm {
            number: 50,
            arguments: &["threads", "8", how],
            path: &own(&dir),
            send: terminate,
            left: &|path, _| everything(path),
        }
        .run()
        .assert_clean(&[Signal::TERM]);
    }
}

#[test]
fn terminated_process_that_forks_leaves_at_most_a_blank_file() {
    let dir = tempfile::tempdir().expect("create a directory");
    Storm {
        number: 150,
        arguments: &["forks", "locked"],
        path: &own(&dir),
        // To the process and its children, as a terminal does.
        send: |program| kill_process_group(pid(program), Signal::TERM).expect("signal the group"),
        // If a child shares the lock for longer than the release waits, the file stays, blank.
        left: &nothing_but_an_empty_file,
    }
    .run()
    .assert_clean(&[Signal::TERM]);
}

#[test]
fn one_thousand_held_files_are_all_removed_by_a_signal() {
    let dir = tempfile::tempdir().expect("create a directory");
    let held = dir.path().join("held");
    let mut holder = signal_target(&["hold", "1000", "locked"], dir.path());
    holder.expect("ready");
    assert_eq!(
        fs::read_dir(&held).expect("read the directory").count(),
        1000
    );
    terminate(&holder);
    assert_eq!(holder.wait().signal(), Some(Signal::TERM.as_raw()));
    assert_eq!(fs::read_dir(&held).expect("read the directory").count(), 0);
}

/// Compares the least of many durations, because other work of the machine can only add to them.
#[test]
fn cost_of_a_hold_does_not_grow_with_the_number_of_held_files() {
    const MANY: u32 = 10_000;
    if getrlimit(Resource::Nofile)
        .maximum
        .is_some_and(|most| most < u64::from(MANY) + 100)
    {
        return skip("needs 10,000 open files");
    }
    let _turn = turn();
    let least = |number: u32| -> u64 {
        // In memory, because an operation on a disk's file system takes from 30 to 1,000
        // microseconds.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let dir = dir.expect("create a directory");
        let mut program = signal_target(&["cost", &number.to_string(), "locked"], dir.path());
        let nanoseconds = program.line();
        nanoseconds.parse().expect(&nanoseconds)
    };
    let mut costs = [1, 100, MANY].map(|number| (number, u64::MAX));
    let grows = |costs: &[(u32, u64); 3]| costs[2].1 > 2 * costs[0].1;
    for _ in 0..5 {
        for (number, cost) in &mut costs {
            *cost = least(*number).min(*cost);
        }
        if !grows(&costs) {
            break;
        }
    }
    println!("numbers of held files, and nanoseconds for one more: {costs:?}");
    assert!(!grows(&costs), "{costs:?}");
}
