//! Storms of contenders that release, crash, or are killed at any moment, beside tools that probe
//! the pidfile. They also measure how long it takes from a crash to the next holder.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_tests::has_tool;
use pidlock_tests::length;
use pidlock_tests::tally::Figures;
use rustix::fs::{FlockOperation, flock};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use super::arena::{Arena, Tally};

/// How a contender ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Well,
    /// By a signal that it sends to itself while it holds the file.
    By(&'static str),
    /// By a signal from the test, at a moment that does not depend on its progress.
    Killed(Signal),
}

impl End {
    fn of(n: u64) -> Self {
        match n % 8 {
            0 => Self::By("crash"),
            1 => Self::By("term"),
            2 => Self::Killed(Signal::TERM),
            3 => Self::Killed(Signal::KILL),
            _ => Self::Well,
        }
    }
}

/// Returns the time in nanoseconds, of the clock that contenders use.
fn now() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// A storm, and what the test records of it.
pub(crate) struct Storm<'a> {
    arena: &'a Arena,
    /// The PIDs of the contenders that were sent SIGTERM, and the times.
    terminated: Mutex<HashMap<i32, i128>>,
    number: AtomicU64,
    looks: AtomicU64,
}

impl<'a> Storm<'a> {
    pub(crate) fn new(arena: &'a Arena) -> Self {
        File::create(arena.path("log")).expect("create the log");
        Self {
            arena,
            terminated: Mutex::default(),
            number: AtomicU64::new(0),
            looks: AtomicU64::new(0),
        }
    }

    fn contender(&self, gate: &Path, n: u64, end: End) -> Command {
        let hold = match end {
            End::By(how) => how.to_owned(),
            _ => (n * 37 % 331).to_string(),
        };
        let mut command = self.arena.contender(gate, &hold);
        command.arg(self.arena.path("log"));
        command
    }

    /// Kills a contender after at most `within` nanoseconds, if `end` asks for it.
    fn kill(&self, child: &Child, n: u64, end: End, within: f64) {
        let End::Killed(signal) = end else { return };
        // The fractional parts of multiples of the golden section are spread evenly: the moments
        // range from before the first step of a contender to after its last.
        let part = (n as f64 * 0.618_033_988_749_895).fract();
        thread::sleep(Duration::from_nanos((part * within) as u64));
        let pid = child.id() as i32;
        if signal == Signal::TERM {
            let mut terminated = self.terminated.lock().expect("not poisoned");
            terminated.insert(pid, now());
        }
        // The contender may have exited, but its PID is not reused until the test waits for it.
        let _ = kill_process(Pid::from_raw(pid).expect("a PID is not 0"), signal);
    }

    /// Runs one contender after the other in each of `slots` threads, beside tools that probe the
    /// pidfile, until `time` has passed. On a busy machine, it continues until a contender has held
    /// the file, a start was refused and a contender was killed.
    pub(crate) fn churn(&self, slots: u32, time: Duration) -> Tally {
        let begin = Instant::now();
        let tally = Mutex::new(Tally::default());
        let tally_now = || tally.lock().expect("not poisoned");
        let going_on = || {
            let wait = match tally_now().has_everything() {
                true => time,
                false => length::PATIENCE,
            };
            begin.elapsed() < wait
        };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.look_with_status(&over));
            scope.spawn(|| self.look_with_pgrep(&over));
            let slots: Vec<_> = (0..slots)
                .map(|_| {
                    scope.spawn(|| {
                        while going_on() {
                            let n = self.number.fetch_add(1, Ordering::Relaxed);
                            let how = End::of(n);
                            let mut command = self.contender(Path::new("-"), n, how);
                            let mut child = command.spawn().expect("start a contender");
                            self.kill(&child, n, how, 4e6);
                            let status = child.wait().expect("wait for a contender");
                            tally_now().count(status);
                        }
                    })
                })
                .collect();
            for slot in slots {
                slot.join().expect("no slot panics");
            }
            over.store(true, Ordering::Relaxed);
        });
        tally.into_inner().expect("not poisoned")
    }

    /// Starts `number` contenders at once. On a busy machine, it does so again, up to 20 times,
    /// until a contender has held the file, a start was refused and a contender was killed.
    pub(crate) fn wave(&self, number: u64) -> Tally {
        let mut tally = self.one_wave(number);
        for _ in 0..20 {
            if tally.has_everything() {
                break;
            }
            tally = tally.add(&self.one_wave(number));
        }
        tally
    }

    fn one_wave(&self, number: u64) -> Tally {
        let gate = self.arena.path("gate");
        let closed = File::create(&gate).expect("create a gate");
        flock(&closed, FlockOperation::LockExclusive).expect("close the gate");
        // One pipe for all, because two for each can exceed the limit of open files.
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).expect("create a pipe");
        let contenders: Vec<_> = (0..number)
            .map(|_| {
                let n = self.number.fetch_add(1, Ordering::Relaxed);
                let end = End::of(n);
                let mut command = self.contender(&gate, n, end);
                command.stdin(Stdio::null());
                command.stdout(write.try_clone().expect("duplicate a file descriptor"));
                (command.spawn().expect("start a contender"), n, end)
            })
            .collect();
        drop(write);
        let ready = BufReader::new(File::from(read))
            .lines()
            .map_while(Result::ok)
            .filter(|line| line == "ready")
            .take(number as usize)
            .count();
        assert_eq!(ready as u64, number, "all contenders are ready");
        drop(closed);
        let mut tally = Tally::default();
        for (child, n, end) in &contenders {
            self.kill(child, *n, *end, 2e5);
        }
        for (mut child, ..) in contenders {
            tally.count(child.wait().expect("wait for a contender"));
        }
        tally
    }

    fn look_with_status(&self, over: &AtomicBool) {
        let file = self.arena.settings();
        while !over.load(Ordering::Relaxed) {
            file.status().expect("probe the pidfile");
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn look_with_pgrep(&self, over: &AtomicBool) {
        if !has_tool("pgrep") {
            return pidlock_tests::skip("pgrep is not installed");
        }
        while !over.load(Ordering::Relaxed) {
            let mut pgrep = Command::new("pgrep");
            pgrep.arg("-L").arg("-F").arg(self.arena.pidfile());
            pgrep.stdout(Stdio::null()).stderr(Stdio::null());
            pgrep.status().expect("run pgrep");
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the events in the log in the order of time.
    fn log(&self) -> Vec<(i128, String, i32)> {
        let log = fs::read_to_string(self.arena.path("log")).expect("read the log");
        let mut events: Vec<_> = log
            .lines()
            .map(|line| {
                let words: Vec<_> = line.split(' ').collect();
                let [what, time, pid] = words[..] else {
                    panic!("not a line of the log: {line}");
                };
                let number = |word: &str| word.parse().expect(line);
                let pid = pid.parse().expect(line);
                (number(time), what.to_owned(), pid)
            })
            .collect();
        events.sort();
        events
    }

    /// Counts the conflicts between two holders. A contender that SIGTERM is terminating does not
    /// count as a holder: its handler has removed the pidfile, and only its exit releases the
    /// oracle. It runs no code of the program in between.
    fn meetings(&self, events: &[(i128, String, i32)]) -> u32 {
        let mut terminated = self.terminated.lock().expect("not poisoned").clone();
        for (time, _, pid) in events.iter().filter(|(_, what, _)| what == "term") {
            terminated.insert(*pid, *time);
        }
        let dying = |time, pid| terminated.get(&pid).is_some_and(|&sent| sent < time);
        events
            .iter()
            .filter(|(time, what, pid)| what == "conflict" && !dying(*time, *pid))
            .count() as u32
    }

    /// Checks, prints and records the results.
    pub(crate) fn conclude(&self, what: &str, mut tally: Tally) {
        let events = self.log();
        // From the log, because a contender can be killed before its exit code reports a conflict.
        tally.not_alone = self.meetings(&events);
        let mut waits: Vec<_> = events
            .iter()
            .enumerate()
            .filter(|(_, (_, what, _))| what == "crash")
            .filter_map(|(n, (crash, ..))| {
                let mut later = events[n..].iter();
                let (next, ..) = later.find(|(_, what, _)| what == "inside")?;
                Some((next - crash) / 1000)
            })
            .collect();
        waits.sort_unstable();
        let looks = self.looks.load(Ordering::Relaxed);
        println!(
            "{what}: {tally:?}, {looks} probes; microseconds from a crash inside to the next \
             holder: median {:?}, longest {:?}, of {}",
            waits.get(waits.len() / 2),
            waits.last(),
            waits.len()
        );
        let holds = events.iter().filter(|(_, what, _)| what == "inside");
        let holds = holds.count() as u64;
        let faults = u64::from(tally.crashed + tally.terminated);
        Figures {
            holds,
            faults,
            survived: faults - u64::from(tally.violations()).min(faults),
            overlaps: u64::from(tally.not_alone),
            harmed: 0,
        }
        .record(what);
        assert_eq!(tally.violations(), 0, "{what}: {tally:?}");
        assert!(holds > 0, "{what}: no start succeeded: {tally:?}");
        assert!(faults > 0, "{what}: no contender was killed: {tally:?}");
        self.arena.assert_free_afterwards();
    }
}
