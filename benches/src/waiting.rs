//! How long a start that waits takes to acquire the pidfile after its holder has gone, and what it costs
//! until then.
//!
//! The waiters are processes of their own, and tell by the clock of the machine when they have acquired.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidGuard};
use pidlock_tests::{Program, block_on};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::place::{self, Place};
use crate::report::{ratio, time};
use crate::rounds::{Samples, in_turns};

/// The ways to wait. `floor` is the least that a correct start can do: a blocking `flock(2)`, after which
/// it checks the path and writes its PID. `flock` is that call alone, and `flock(1)` the program; they wait
/// for a process that only unlocks the file, and the others for pidlock. `blind` is without inotify.
const HOW: [&str; 6] = ["floor", "flock", "flock(1)", "sync", "async", "blind"];

const ROUNDS: usize = 200;

/// The time on the clock that all processes share.
#[must_use]
pub fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).expect("the clock is not negative")
}

/// For each line of input waits for the file, says when it has acquired it, and releases it. In a
/// crowd, it holds the file for a millisecond.
///
/// # Panics
///
/// If the file cannot be acquired.
pub fn wait(how: &str, path: &Path) {
    let (how, manner) = how.split_once('-').unwrap_or((how, ""));
    if how == "blind" {
        // One descriptor is left for the pidfile, and none for an inotify instance.
        let limit = Some(4);
        let limit = Rlimit {
            current: limit,
            maximum: limit,
        };
        setrlimit(Resource::Nofile, limit).expect("limit the descriptors");
    }
    let file = PidFile::at(path).wait(true).keep(manner == "keep");
    for line in std::io::stdin().lines() {
        line.expect("read a line");
        say("waiting");
        let (time, _held): (_, Box<dyn std::any::Any>) = match how {
            "flock" => {
                let file = lock(path);
                (now(), Box::new(file))
            }
            "floor" => {
                let file = start(path);
                (now(), Box::new(file))
            }
            "async" => {
                let guard = block_on(file.acquire_async()).expect("acquire");
                (now(), Box::new(guard))
            }
            _ => {
                let guard = file.acquire().expect("acquire");
                (now(), Box::new(guard))
            }
        };
        if manner == "crowd" {
            thread::sleep(Duration::from_millis(1));
        }
        if how == "floor" {
            fs::remove_file(path).expect("remove the file");
        }
        say(&time.as_nanos().to_string());
    }
}

/// Holds the file until it is killed.
///
/// # Panics
///
/// If the file is held.
pub fn hold(how: &str, path: &Path) {
    let _held: Result<File, PidGuard> = match how {
        "flock" | "flock(1)" => Ok(lock(path)),
        _ => Err(PidFile::at(path).wait(true).acquire().expect("acquire")),
    };
    say("held");
    loop {
        thread::park();
    }
}

fn lock(path: &Path) -> File {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .expect("open the file");
    flock(&file, FlockOperation::LockExclusive).expect("lock the file");
    file
}

/// A start that waits in `flock(2)`, locks the file that the path refers to, and writes its PID.
fn start(path: &Path) -> File {
    loop {
        let mut file = lock(path);
        let locked = file.metadata().expect("inspect the file");
        let is_named = |there: fs::Metadata| there.ino() == locked.ino();
        if fs::symlink_metadata(path).is_ok_and(is_named) {
            writeln!(file, "{}", std::process::id()).expect("write the PID");
            return file;
        }
    }
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("flush stdout");
}

/// Starts this program in another role.
fn start_as(role: &str, how: &str, path: &Path) -> Program {
    let mut command = Command::new(place::built().join("waiting"));
    Program::start(command.args([role, how]).arg(path))
}

/// The waiters of one table, each with a file of its own.
struct Waiters<'a> {
    place: &'a Place,
    keep: bool,
    how: &'a [&'static str],
    processes: Vec<Option<Program>>,
    rounds: u32,
}

impl<'a> Waiters<'a> {
    fn new(place: &'a Place, keep: bool, how: &'a [&'static str]) -> Self {
        let suffix = if keep { "-keep" } else { "" };
        let start = |how: &&str| {
            let path = place.path().join(how);
            (*how != "flock(1)").then(|| start_as("wait", &format!("{how}{suffix}"), &path))
        };
        Self {
            place,
            keep,
            how,
            processes: how.iter().map(start).collect(),
            rounds: 0,
        }
    }

    /// The time from the end of a holder to the acquisition.
    fn measure(&mut self, index: usize, by_kill: bool) -> Duration {
        let how = self.how[index];
        let path = self.place.path().join(how);
        let is_flock = how.starts_with("flock");
        let mut killed = by_kill.then(|| {
            let mut holder = start_as("hold", how, &path);
            holder.expect("held");
            holder
        });
        let file = (!by_kill && is_flock).then(|| lock(&path));
        let pidfile = PidFile::at(&path).keep(self.keep).wait(true); // for the last waiter
        let guard = (!by_kill && !is_flock).then(|| pidfile.acquire().expect("acquire"));
        let mut once = None;
        let waiter = match &mut self.processes[index] {
            Some(waiter) => {
                waiter.tell("");
                waiter.expect("waiting");
                waiter
            }
            None => {
                let mut command = Command::new("flock");
                command.arg(&path).arg(place::built().join("waiting"));
                once.insert(Program::start(command.arg("now")))
            }
        };
        // Until it sleeps; and without inotify, until its pauses are the longest, and at any point of one.
        self.rounds += 1;
        let time = if how == "blind" {
            60 + self.rounds % 20
        } else {
            5
        };
        thread::sleep(Duration::from_millis(time.into()));
        let gone = now();
        if let Some(holder) = &mut killed {
            holder.kill();
        }
        drop((guard, file));
        let acquired: u64 = waiter.line().parse().expect("parse a time");
        Duration::from_nanos(acquired) - gone
    }

    fn table(mut self, title: &str, by_kill: bool) -> String {
        eprintln!("{title}");
        let samples = in_turns(self.how.len(), ROUNDS, |index| self.measure(index, by_kill));
        let mut text = format!("| {title} | median | 99 of 100 |\n|---|---|---|\n");
        for (how, it) in self.how.iter().zip(&samples) {
            text.push_str(&row(name(how), it, &samples[0]));
        }
        text
    }
}

/// A row of a table: the median and the 99th percentile, each beside those of the floor.
fn row(name: &str, samples: &Samples, floor: &Samples) -> String {
    let beside = |value: fn(&Samples) -> Duration| {
        let (value, base) = (value(samples), value(floor));
        let ratio = ratio(value.as_secs_f64() / base.as_secs_f64());
        format!("{}, {ratio}", time(value))
    };
    let (median, most) = (beside(Samples::median), beside(Samples::percentile_99));
    format!("| {name} | {median} | {most} |\n")
}

fn name(how: &str) -> &str {
    match how {
        "floor" => "floor: `flock(2)` blocks, then the path is checked and the PID written",
        "flock" => "`flock(2)` blocks, nothing else",
        "flock(1)" => "`flock(1)`, with the start of its command",
        "sync" => "**`acquire`**",
        "async" => "**`acquire_async`**",
        _ => "`acquire` without inotify",
    }
}

/// The time from a release until the last of many waiters has acquired the file.
fn crowd(place: &Place) -> String {
    const WAITERS: usize = 200;
    const HOW: [&str; 3] = ["floor", "sync", "async"];
    eprintln!("crowd");
    let samples = in_turns(HOW.len(), 5, |index| {
        let how = HOW[index];
        let path = place.path().join(how);
        let guard = PidFile::at(&path).acquire().expect("acquire");
        let start = |_| start_as("wait", &format!("{how}-crowd"), &path);
        let mut waiters: Vec<Program> = (0..WAITERS).map(start).collect();
        for waiter in &mut waiters {
            waiter.tell("");
            waiter.expect("waiting");
        }
        thread::sleep(Duration::from_millis(200)); // until all sleep
        let gone = now();
        drop(guard);
        let acquired = waiters.iter_mut().map(|it| it.line().parse());
        let last = acquired.map(|time| time.expect("parse a time")).max();
        Duration::from_nanos(last.expect("there are waiters")) - gone
    });
    let mut text = format!("| the last of {WAITERS} waiters | median |\n|---|---|\n");
    for (how, it) in HOW.iter().zip(&samples) {
        let ratio = ratio(it.ratio(&samples[0]));
        let _ = writeln!(text, "| {} | {}, {ratio} |", name(how), time(it.median()));
    }
    text
}

/// The time on a processor of all threads.
fn processor_time(process: &Program) -> Duration {
    let tasks = format!("/proc/{}/task", process.pid());
    let tasks = fs::read_dir(tasks).expect("list the threads").flatten();
    let time = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).expect("read schedstat");
        let time = text.split(' ').next().and_then(|time| time.parse().ok());
        Duration::from_nanos(time.expect("parse a time"))
    };
    tasks.map(time).sum()
}

/// The share of a processor that a waiter uses in its first ten seconds.
fn idle(place: &Place) -> String {
    const TIME: Duration = Duration::from_secs(10);
    eprintln!("idle");
    let mut text = "| while it waits | share of a processor |\n|---|---|\n".to_owned();
    for how in ["sync", "async", "blind"] {
        let path = place.path().join("idle");
        let guard = PidFile::at(&path).acquire().expect("acquire");
        let mut waiter = start_as("wait", how, &path);
        let before = processor_time(&waiter);
        waiter.tell("");
        thread::sleep(TIME);
        let used = processor_time(&waiter) - before;
        let share = used.as_secs_f64() / TIME.as_secs_f64() * 100.0;
        let _ = writeln!(text, "| {} | {share:.3} % |", name(how));
        drop((waiter, guard));
    }
    text
}

/// How much longer than its time limit a start waits.
fn overshoot(place: &Place) -> String {
    const TIME: Duration = Duration::from_millis(10);
    eprintln!("overshoot");
    let file = PidFile::at(place.path().join("late")).timeout(TIME);
    let _guard = file.acquire().expect("acquire");
    let samples = in_turns(3, ROUNDS, |contender| {
        let begin = Instant::now();
        match contender {
            0 => thread::sleep(TIME),
            1 => drop(file.acquire().expect_err("the file is held")),
            _ => drop(block_on(file.acquire_async()).expect_err("the file is held")),
        }
        begin.elapsed() - TIME
    });
    let mut text =
        "| after a time limit of 10 ms | median | 99 of 100 |\n|---|---|---|\n".to_owned();
    let names = ["floor: `thread::sleep`", name("sync"), name("async")];
    for (name, it) in names.iter().zip(&samples) {
        text.push_str(&row(name, it, &samples[0]));
    }
    text
}

/// Measures everything, in memory.
#[must_use]
pub fn tables() -> String {
    let place = Place::memory();
    let kept = ["floor", "flock", "sync", "async"];
    [
        Waiters::new(&place, false, &HOW).table("from a release", false),
        Waiters::new(&place, true, &kept).table("from a release that keeps the file", false),
        Waiters::new(&place, false, &["floor", "flock", "sync", "async", "blind"])
            .table("from SIGKILL", true),
        crowd(&place),
        idle(&place),
        overshoot(&place),
    ]
    .join("\n")
}
