//! Measures how the cost of an operation grows with the number of held files, of concurrent starts
//! and of inspected files.

use std::any::Any;
use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read, Write, stdin};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::PidFile;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::contenders::{Contender, FLOOR};
use crate::floor::{self, Start, SystemPath};
use crate::operation::Operation;
use crate::place::{self, Place};
use crate::rounds;

/// The keys of the measured contenders.
pub const CONTENDERS: [&str; 2] = [FLOOR, "ours"];

/// For each number, the times of the [`CONTENDERS`].
pub type Growth = Vec<(usize, [Duration; 2])>;

/// Returns a command that runs the program `growing`.
fn program(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(place::built().join("growing"));
    command.args(arguments).arg(path);
    command
}

/// Measures the time to acquire and release a further file, in processes that hold the given
/// numbers of files.
#[must_use]
pub fn holds(place: &Place, numbers: &[usize]) -> Growth {
    let mut holders: Vec<Holding> = numbers
        .iter()
        .flat_map(|number| CONTENDERS.map(|who| (who, *number)))
        .map(|(who, number)| {
            let dir = place.path().join(format!("holds-{who}-{number}"));
            fs::create_dir(&dir).expect("create a directory");
            Holding::start(who, number, &dir)
        })
        .collect();
    let samples = rounds::in_turns(holders.len(), 300, |turn| holders[turn].one_more());
    let medians: Vec<Duration> = samples.iter().map(rounds::Samples::median).collect();
    numbers
        .iter()
        .zip(medians.chunks(2))
        .map(|(&number, both)| (number, [both[0], both[1]]))
        .collect()
}

/// A child process that holds many files.
struct Holding {
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Holding {
    fn start(who: &str, number: usize, dir: &Path) -> Self {
        let mut child = program(&["hold", who, &number.to_string()], dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the process");
        let asks = child.stdin.take().expect("stdin is piped");
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let mut holding = Self {
            child,
            asks,
            answers,
        };
        assert_eq!(holding.answer(), "ready");
        holding
    }

    fn one_more(&mut self) -> Duration {
        self.asks.write_all(b"\n").expect("write the request");
        Duration::from_nanos(self.answer().parse().expect("parse nanoseconds"))
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("read the answer");
        line.trim_end().into()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `growing hold`: holds `number` files, and for each line on stdin prints the time to acquire
/// and release a further file.
pub fn hold(who: &str, number: usize, dir: &Path) {
    const BATCH: u64 = 10;
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        ..limits
    };
    setrlimit(Resource::Nofile, raised).expect("raise the limit of open files");
    let contender = Contender::by_key(who);
    let _held: Vec<_> = (0..number)
        .map(|n| (contender.hold)(dir.join(format!("{n}.pid"))))
        .collect();
    let path = dir.join("more.pid");
    Operation::Fresh.total(contender.cycle, &path, 1);
    println!("ready");
    for _ in stdin().lines() {
        let time = Operation::Fresh.total(contender.cycle, &path, BATCH);
        println!("{}", (time / BATCH as u32).as_nanos());
    }
}

/// Measures the processor time of one start, for the given numbers of processes that start at once.
///
/// Each time is a median over the processes and over the rounds.
#[must_use]
pub fn starts(place: &Place, numbers: &[usize]) -> Growth {
    numbers
        .iter()
        .map(|&number| {
            let times = (400 / number).clamp(5, 200);
            let samples = rounds::in_turns(CONTENDERS.len(), times, |who| {
                let path = place.path().join(format!("starts-{}.pid", CONTENDERS[who]));
                let time = crowd(CONTENDERS[who], number, &path);
                let _ = fs::remove_file(path);
                time
            });
            (number, [samples[0].median(), samples[1].median()])
        })
        .collect()
}

fn crowd(who: &str, number: usize, path: &Path) -> Duration {
    let (gate, opens) = std::io::pipe().expect("create a pipe");
    let (answers, answer) = std::io::pipe().expect("create a pipe");
    let mut command = program(&["start", who], path);
    command.stdin(gate).stdout(answer);
    let mut crowd: Vec<Child> = (0..number)
        .map(|_| command.spawn().expect("start the process"))
        .collect();
    // The command owns a write end of `answers`. While that is open, readers see no end of file.
    drop(command);
    let mut answers = BufReader::new(answers).lines();
    for _ in 0..number {
        assert_eq!(next(&mut answers), "ready");
    }
    drop(opens);
    let said: Vec<(u64, bool)> = (0..number)
        .map(|_| {
            let line = next(&mut answers);
            let (nanos, outcome) = line.split_once(' ').expect("split the answer");
            (nanos.parse().expect("parse nanoseconds"), outcome == "in")
        })
        .collect();
    // Kill them only now: the holder must hold the file until every other start is refused.
    for child in &mut crowd {
        child.kill().expect("kill the process");
        child.wait().expect("wait for the process");
    }
    assert_eq!(said.iter().filter(|(_, is_in)| *is_in).count(), 1);
    let mut nanos: Vec<u64> = said.iter().map(|(nanos, _)| *nanos).collect();
    nanos.sort_unstable();
    Duration::from_nanos(nanos[nanos.len() / 2])
}

fn next(answers: &mut std::io::Lines<BufReader<PipeReader>>) -> String {
    answers
        .next()
        .expect("every process answers")
        .expect("read a line")
}

/// Runs `growing start`: acquires the file once stdin is closed, prints the time and the outcome,
/// and waits to be killed.
pub fn start(who: &str, path: &Path) {
    // Other processes write to the same pipe, so each line must be a single write.
    println!("ready");
    let _ = stdin().read_to_end(&mut Vec::new());
    let before = processor_time();
    let held = attempt(who, path);
    let time = processor_time() - before;
    let outcome = if held.is_some() { "in" } else { "out" };
    println!("{} {outcome}", time.as_nanos());
    loop {
        thread::park(); // until killed
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn attempt(who: &str, path: &Path) -> Option<Box<dyn Any>> {
    if who == FLOOR {
        let path: &'static SystemPath = Box::leak(Box::new(SystemPath::new(path)));
        return match floor::acquire(path.get()).expect("acquire the file") {
            Start::Held(held) => Some(Box::new(held)),
            Start::Refused(_) => None,
        };
    }
    match PidFile::at(path).acquire() {
        Ok(guard) => Some(Box::new(guard)),
        Err(error) if error.is_contention() => None,
        Err(error) => panic!("{error}"),
    }
}

/// Measures the time to inspect one file, among the given numbers of files that another process
/// holds.
#[must_use]
pub fn looks(place: &Place, numbers: &[usize]) -> Growth {
    let most = numbers.iter().copied().max().unwrap_or(0);
    let dir = place.path().join("looks");
    fs::create_dir(&dir).expect("create a directory");
    let _holding = Holding::start("ours", most, &dir);
    let paths: Vec<_> = (0..most).map(|n| dir.join(format!("{n}.pid"))).collect();
    let samples = rounds::in_turns(numbers.len() * CONTENDERS.len(), 200, |turn| {
        let number = numbers[turn / CONTENDERS.len()];
        let contender = Contender::by_key(CONTENDERS[turn % CONTENDERS.len()]);
        let look = contender.look.expect("the contender inspects files");
        let begin = Instant::now();
        for path in &paths[..number] {
            look(path);
        }
        begin.elapsed() / u32::try_from(number).expect("the number fits in 32 bits")
    });
    let medians: Vec<Duration> = samples.iter().map(rounds::Samples::median).collect();
    numbers
        .iter()
        .zip(medians.chunks(2))
        .map(|(&number, both)| (number, [both[0], both[1]]))
        .collect()
}
