//! Storms with all there is in them: contenders that end well, crash, or are killed at any moment,
//! and tools that look. And how long it takes until somebody is in again after a crash.

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
use pidlock_tests::tally::Figures;
use rustix::fs::{FlockOperation, flock};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

use super::arena::{Arena, Tally};

/// How a contender is to end.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Well,
    /// By itself, inside.
    By(&'static str),
    /// By us, at a moment that has nothing to do with what it is doing.
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

/// In nanoseconds, of the clock that contenders use.
fn now() -> i128 {
    let now = clock_gettime(ClockId::Monotonic);
    i128::from(now.tv_sec) * 1_000_000_000 + i128::from(now.tv_nsec)
}

/// A storm, and what is known of it afterwards.
pub(crate) struct Storm<'a> {
    arena: &'a Arena,
    /// Which contender was sent SIGTERM, and when.
    terminated: Mutex<HashMap<i32, i128>>,
    number: AtomicU64,
    looks: AtomicU64,
}

impl<'a> Storm<'a> {
    pub(crate) fn new(arena: &'a Arena) -> Self {
        File::create(arena.path("log")).expect("a log");
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

    /// Kills it if it is to be, within so many nanoseconds.
    fn kill(&self, child: &Child, n: u64, end: End, within: f64) {
        let End::Killed(signal) = end else { return };
        // Multiples of the golden section, less their whole part, fill a line evenly: from before
        // its first step to after its last.
        let part = (n as f64 * 0.618_033_988_749_895).fract();
        thread::sleep(Duration::from_nanos((part * within) as u64));
        let pid = child.id() as i32;
        if signal == Signal::TERM {
            let mut terminated = self.terminated.lock().expect("no panic before");
            terminated.insert(pid, now());
        }
        // It may be gone, but as long as nobody waits for it its number is its own.
        let _ = kill_process(Pid::from_raw(pid).expect("a number"), signal);
    }

    /// So many at any time, new ones for as long as `time`, and tools that look beside them.
    /// On a busy machine they go on until two have met.
    pub(crate) fn churn(&self, slots: u32, time: Duration) -> Tally {
        let begin = Instant::now();
        let met = AtomicBool::new(false);
        let going_on = || {
            let wait = if met.load(Ordering::Relaxed) { 1 } else { 40 };
            begin.elapsed() < wait * time
        };
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| self.look_with_status(&over));
            scope.spawn(|| self.look_with_pgrep(&over));
            let slots: Vec<_> = (0..slots)
                .map(|_| {
                    scope.spawn(|| {
                        let mut tally = Tally::default();
                        while going_on() {
                            let n = self.number.fetch_add(1, Ordering::Relaxed);
                            let how = End::of(n);
                            let mut command = self.contender(Path::new("-"), n, how);
                            let mut child = command.spawn().expect("a contender starts");
                            self.kill(&child, n, how, 4e6);
                            tally.count(child.wait().expect("a contender ends"));
                            if tally.refused > 0 && tally.inside > 0 {
                                met.store(true, Ordering::Relaxed);
                            }
                        }
                        tally
                    })
                })
                .collect();
            let tally = slots
                .into_iter()
                .map(|slot| slot.join().expect("a slot ends"))
                .fold(Tally::default(), |sum, tally| sum.add(&tally));
            over.store(true, Ordering::Relaxed);
            tally
        })
    }

    /// So many at the very same time; on a busy machine again until somebody was killed among them.
    pub(crate) fn wave(&self, number: u64) -> Tally {
        let mut tally = self.one_wave(number);
        for _ in 0..20 {
            if tally.inside > 0 && tally.crashed + tally.terminated > 0 {
                break;
            }
            tally = tally.add(&self.one_wave(number));
        }
        tally
    }

    fn one_wave(&self, number: u64) -> Tally {
        let gate = self.arena.path("gate");
        let closed = File::create(&gate).expect("a gate");
        flock(&closed, FlockOperation::LockExclusive).expect("a closed gate");
        // One pipe for all, as two for each would be more files than many a user may open.
        let (read, write) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
        let contenders: Vec<_> = (0..number)
            .map(|_| {
                let n = self.number.fetch_add(1, Ordering::Relaxed);
                let end = End::of(n);
                let mut command = self.contender(&gate, n, end);
                command.stdin(Stdio::null());
                command.stdout(write.try_clone().expect("a descriptor"));
                (command.spawn().expect("a contender starts"), n, end)
            })
            .collect();
        drop(write);
        let ready = BufReader::new(File::from(read))
            .lines()
            .map_while(Result::ok)
            .filter(|line| line == "ready")
            .take(number as usize)
            .count();
        assert_eq!(ready as u64, number, "all start");
        drop(closed);
        let mut tally = Tally::default();
        for (child, n, end) in &contenders {
            self.kill(child, *n, *end, 2e5);
        }
        for (mut child, ..) in contenders {
            tally.count(child.wait().expect("a contender ends"));
        }
        tally
    }

    fn look_with_status(&self, over: &AtomicBool) {
        let file = self.arena.settings();
        while !over.load(Ordering::Relaxed) {
            file.status().expect("a look");
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn look_with_pgrep(&self, over: &AtomicBool) {
        if !has_tool("pgrep") {
            return pidlock_tests::skip("there is no pgrep");
        }
        while !over.load(Ordering::Relaxed) {
            let mut pgrep = Command::new("pgrep");
            pgrep.arg("-L").arg("-F").arg(self.arena.pidfile());
            // Whatever it finds, or finds not.
            pgrep.stdout(Stdio::null()).stderr(Stdio::null());
            pgrep.status().expect("pgrep runs");
            self.looks.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What the log says, in the order of time.
    fn log(&self) -> Vec<(i128, String, i32)> {
        let log = fs::read_to_string(self.arena.path("log")).expect("a log");
        let mut events: Vec<_> = log
            .lines()
            .map(|line| {
                let words: Vec<_> = line.split(' ').collect();
                let [what, time, pid] = words[..] else {
                    panic!("no line of a log: {line}");
                };
                let number = |word: &str| word.parse().expect(line);
                let pid = pid.parse().expect(line);
                (number(time), what.to_owned(), pid)
            })
            .collect();
        events.sort();
        events
    }

    /// Meetings, but for those with somebody who was dying of SIGTERM by then: the handler removes the
    /// pidfile, and only the end that follows gives the oracle back. It runs nothing of the program
    /// any more.
    fn meetings(&self, events: &[(i128, String, i32)]) -> u32 {
        let mut terminated = self.terminated.lock().expect("no panic before").clone();
        for (time, _, pid) in events.iter().filter(|(_, what, _)| what == "term") {
            terminated.insert(*pid, *time);
        }
        let dying = |time, pid| terminated.get(&pid).is_some_and(|&sent| sent < time);
        events
            .iter()
            .filter(|(time, what, pid)| what == "conflict" && !dying(*time, *pid))
            .count() as u32
    }

    /// Checks what came of it, and tells.
    pub(crate) fn conclude(&self, what: &str, mut tally: Tally) {
        let events = self.log();
        // From the log, for some who met somebody were killed before they could tell by their end.
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
            "{what}: {tally:?}, {looks} looks; microseconds from a crash inside to the next holder: \
             median {:?}, longest {:?}, of {}",
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
        assert!(holds > 0, "{what}: nobody got in: {tally:?}");
        assert!(faults > 0, "{what}: nobody was killed: {tally:?}");
        self.arena.assert_free_afterwards();
    }
}
