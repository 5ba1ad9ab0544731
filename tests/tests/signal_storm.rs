//! Signals at every moment between just before acquiring and just after releasing. Each process
//! dies of the signal it was sent, and no pidfile is left that belongs to nobody.
//!
//! One storm at a time: a machine that is too busy lets a process do all it does in one go, and the
//! signals come before or after.

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
use pidlock_tests::{Program, skip, text};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, kill_process_group};
use tempfile::TempDir;

fn signal_target(arguments: &[&str], path: &Path) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_signal_target"));
    // A group of its own, for a signal that its children get too.
    Program::start(command.args(arguments).arg(path).process_group(0))
}

fn pid(program: &Program) -> Pid {
    i32::try_from(program.pid())
        .ok()
        .and_then(Pid::from_raw)
        .expect("a number")
}

/// When to send the signal: moments spread evenly over a span of time that adjusts itself, whatever
/// else the machine is doing, so that some come before the first step, some after the last one, and
/// most in between.
struct Moments {
    /// In nanoseconds.
    span: AtomicU64,
}

impl Moments {
    fn wait(&self, n: u32) {
        // Multiples of the golden section, less their whole part, fill a line evenly.
        let part = (f64::from(n) * 0.618_033_988_749_895).fract();
        let span = self.span.load(Ordering::Relaxed) as f64;
        thread::sleep(Duration::from_nanos((part * span) as u64));
    }

    /// Draws in the next moments, or puts them off.
    fn learn(&self, last_step: &str) {
        let span = self.span.load(Ordering::Relaxed);
        let span = match last_step {
            "" => (span + span / 16).min(20_000_000),
            "done" => span - span / 8,
            // Slowly, so that some come after the last step, too.
            _ => (span + span / 64).min(20_000_000),
        };
        // Of two at once one is lost, which does no harm.
        self.span.store(span, Ordering::Relaxed);
    }
}

/// For who needs the machine, as far as this program goes.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Processes that are all killed while they do the same.
struct Storm<'a> {
    number: u32,
    arguments: &'a [&'a str],
    /// Where the pidfile of each is.
    path: &'a (dyn Fn(u32) -> PathBuf + Sync),
    /// How the signal is sent.
    send: fn(&Program),
    /// What is there after the end that should not be.
    left: &'a (dyn Fn(&Path, &Program) -> Option<String> + Sync),
}

/// What became of them.
#[derive(Debug, Default)]
struct Tally {
    /// How many were killed after which step.
    after: BTreeMap<String, u32>,
    /// How many ended with which status, as wait(2) gives it: the number of the signal.
    ends: BTreeMap<i32, u32>,
    left: Vec<String>,
}

impl Tally {
    fn add(&mut self, last_step: String, end: ExitStatus, left: Option<String>) {
        self.left
            .extend(left.map(|left| format!("{left}, by one killed after {last_step:?}")));
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
                        let mut tally = tally.lock().expect("no panic before");
                        tally.add(last_step, end, left);
                    }
                });
            }
        });
        let tally = tally.into_inner().expect("no panic before");
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
    kill_process(pid(program), Signal::TERM).expect("it is there until it is waited for");
}

/// A directory for each.
fn own(dir: &TempDir) -> impl Fn(u32) -> PathBuf + Sync {
    |n| {
        let dir = dir.path().join(n.to_string());
        fs::create_dir(&dir).expect("a directory");
        dir.join("app.pid")
    }
}

/// All that is beside the pidfile, and itself.
fn everything(path: &Path) -> Option<String> {
    let entries = fs::read_dir(path.parent().expect("a directory")).expect("a directory");
    let found: Vec<_> = entries
        .map(|entry| entry.expect("an entry"))
        .map(|entry| format!("{:?} with {:?}", entry.file_name(), text(&entry.path())))
        .collect();
    (!found.is_empty()).then(|| found.join(", "))
}

fn start_and_end(file: &PidFile) {
    let guard = file.acquire().expect("the next start");
    guard.verify().expect("it holds");
    guard.close().expect("its end");
}

/// Nothing of its own, and the way is free for the next.
fn nothing_left(path: &Path, _: &Program) -> Option<String> {
    let left = everything(path);
    start_and_end(&PidFile::at(path));
    left
}

fn nothing_but_an_empty_file(path: &Path, _: &Program) -> Option<String> {
    let left = everything(path).filter(|left| left != "\"app.pid\" with \"\"");
    start_and_end(&PidFile::at(path).keep(true));
    left
}

#[test]
fn a_thousand_that_are_killed_leave_nothing() {
    let (mut before, mut meanwhile, mut after) = (0, 0, 0);
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
        let dir = tempfile::tempdir().expect("a directory");
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
        let killed = |step: &str| tally.after.get(step).copied().unwrap_or_default();
        before += killed("");
        after += killed("done");
        meanwhile += number - killed("") - killed("done");
    }
    // The signals came when they should.
    println!("{before} before, {meanwhile} meanwhile, {after} after");
    assert_eq!(before + meanwhile + after, 1000);
    assert!(before > 10 && meanwhile > 100 && after > 10);
}

/// The same without our handler: were nothing left then, the test above would prove nothing.
#[test]
fn the_storm_sees_what_the_handler_prevents() {
    let dir = tempfile::tempdir().expect("a directory");
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

/// On one path, among holders that look all the time whether the file is still theirs.
#[test]
fn terminating_process_never_removes_successors_file() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = own(&dir)(0);
    let oracle = dir.path().join("oracle");
    let named = |path: &Path, dead: &Program| {
        Some(text(path)).filter(|record| record.trim_end() == dead.pid().to_string())
    };
    let over = AtomicBool::new(false);
    let (tally, holders) = thread::scope(|scope| {
        let holders: Vec<_> = (0..2)
            .map(|_| scope.spawn(|| hold_again_and_again(&path, &oracle, &over)))
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
            .map(|holder| holder.join().expect("sound holders"));
        (tally, held.sum::<u32>())
    });
    println!("{holders} later holders");
    tally.assert_clean(&[Signal::TERM]);
    assert!(holders > 20, "hardly anybody held: {holders}");
    assert_eq!(everything(&path), None);
    start_and_end(&PidFile::at(&path));
}

/// How many held, and found the file theirs all the time.
fn hold_again_and_again(path: &Path, oracle: &Path, over: &AtomicBool) -> u32 {
    let mut held = 0;
    while !over.load(Ordering::Relaxed) {
        let mut contender = Command::new(env!("CARGO_BIN_EXE_contender"));
        let end = contender
            .args([Path::new("locked"), path, oracle])
            .args(["-", "2000"])
            .status()
            .expect("a contender starts");
        match end.code() {
            Some(0) => held += 1,
            Some(3) => {} // refused
            _ => panic!("a holder found its file changed: {end}"),
        }
    }
    held
}

#[test]
fn of_two_signals_at_once_to_two_threads_one_is_died_of() {
    let dir = tempfile::tempdir().expect("a directory");
    let tally = Storm {
        number: 200,
        arguments: &["threads", "2", "locked"],
        path: &own(&dir),
        send: |program| {
            let both = Barrier::new(2);
            let mut signals = [Signal::TERM, Signal::INT];
            // The one whose thread starts first is the first where the machine is busy.
            signals.rotate_left(program.pid() as usize % 2);
            thread::scope(|scope| {
                for signal in signals {
                    let both = &both;
                    scope.spawn(move || {
                        both.wait();
                        kill_process(pid(program), signal).expect("it is there");
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
        let dir = tempfile::tempdir().expect("a directory");
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
fn children_that_come_and_go_change_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    Storm {
        number: 150,
        arguments: &["forks", "locked"],
        path: &own(&dir),
        // To all of them, as a terminal does.
        send: |program| kill_process_group(pid(program), Signal::TERM).expect("they are there"),
        // A child that shares the lock for longer than the release waits keeps the file, which is blank.
        left: &nothing_but_an_empty_file,
    }
    .run()
    .assert_clean(&[Signal::TERM]);
}

#[test]
fn a_thousand_that_are_held_are_all_removed() {
    let dir = tempfile::tempdir().expect("a directory");
    let held = dir.path().join("held");
    let mut holder = signal_target(&["hold", "1000", "locked"], dir.path());
    holder.expect("ready");
    assert_eq!(fs::read_dir(&held).expect("a directory").count(), 1000);
    terminate(&holder);
    assert_eq!(holder.wait().signal(), Some(Signal::TERM.as_raw()));
    assert_eq!(fs::read_dir(&held).expect("a directory").count(), 0);
}

/// The least of many times, each time side by side: only the machine's other work can add to it.
#[test]
fn a_hold_costs_the_same_however_many_are_held() {
    const MANY: u32 = 10_000;
    if getrlimit(Resource::Nofile)
        .maximum
        .is_some_and(|most| most < u64::from(MANY) + 100)
    {
        return skip("needs 10,000 open files");
    }
    let _turn = turn();
    let least = |number: u32| -> u64 {
        // In memory: a disk's file system takes now 30 and now 1,000 microseconds, whoever asks.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
        let dir = dir.expect("a directory");
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
    println!("held, and nanoseconds for one more: {costs:?}");
    assert!(!grows(&costs), "{costs:?}");
}
