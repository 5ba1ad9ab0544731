//! What the numbers do: of holds in one process, of starts at once, of files looked at.

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

/// Who is measured, ours last.
pub const WHO: [&str; 2] = [FLOOR, "ours"];

/// What each of [`WHO`] takes, by number.
pub type Growth = Vec<(usize, [Duration; 2])>;

/// A program of this package that acts on the pidfiles as somebody does.
fn program(arguments: &[&str], path: &Path) -> Command {
    let mut command = Command::new(place::built().join("growing"));
    command.args(arguments).arg(path);
    command
}

/// One more hold beside so many that are held: acquired and released.
#[must_use]
pub fn holds(place: &Place, numbers: &[usize]) -> Growth {
    let mut holders: Vec<Holding> = numbers
        .iter()
        .flat_map(|number| WHO.map(|who| (who, *number)))
        .map(|(who, number)| {
            let dir = place.path().join(format!("holds-{who}-{number}"));
            fs::create_dir(&dir).expect("a directory of its own");
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

/// A process that holds many.
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
            .expect("it starts");
        let asks = child.stdin.take().expect("its input is piped");
        let answers = BufReader::new(child.stdout.take().expect("its output is piped"));
        let mut holding = Self {
            child,
            asks,
            answers,
        };
        assert_eq!(holding.answer(), "ready");
        holding
    }

    fn one_more(&mut self) -> Duration {
        self.asks.write_all(b"\n").expect("it listens");
        Duration::from_nanos(self.answer().parse().expect("nanoseconds"))
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("it answers");
        line.trim_end().into()
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program's side: holds so many, and does one more whenever asked.
pub fn hold(who: &str, number: usize, dir: &Path) {
    const BATCH: u64 = 10;
    let limits = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limits.maximum,
        ..limits
    };
    setrlimit(Resource::Nofile, raised).expect("as many files as may be");
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

/// So many processes that start at once: the processor time of one start, the one in the middle.
#[must_use]
pub fn starts(place: &Place, numbers: &[usize]) -> Growth {
    numbers
        .iter()
        .map(|&number| {
            let times = (400 / number).clamp(5, 200);
            let samples = rounds::in_turns(WHO.len(), times, |who| {
                let path = place.path().join(format!("starts-{}.pid", WHO[who]));
                let time = crowd(WHO[who], number, &path);
                let _ = fs::remove_file(path);
                time
            });
            (number, [samples[0].median(), samples[1].median()])
        })
        .collect()
}

fn crowd(who: &str, number: usize, path: &Path) -> Duration {
    let (gate, opens) = std::io::pipe().expect("a pipe");
    let (answers, answer) = std::io::pipe().expect("a pipe");
    let mut command = program(&["start", who], path);
    command.stdin(gate).stdout(answer);
    let mut crowd: Vec<Child> = (0..number)
        .map(|_| command.spawn().expect("it starts"))
        .collect();
    // Its copies of their ends: else no end is ever seen.
    drop(command);
    let mut answers = BufReader::new(answers).lines();
    for _ in 0..number {
        assert_eq!(next(&mut answers), "ready");
    }
    drop(opens);
    let said: Vec<(u64, bool)> = (0..number)
        .map(|_| {
            let line = next(&mut answers);
            let (nanos, outcome) = line.split_once(' ').expect("two words");
            (nanos.parse().expect("nanoseconds"), outcome == "in")
        })
        .collect();
    // Whoever is in holds until here.
    for child in &mut crowd {
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
    }
    assert_eq!(said.iter().filter(|(_, is_in)| *is_in).count(), 1);
    let mut nanos: Vec<u64> = said.iter().map(|(nanos, _)| *nanos).collect();
    nanos.sort_unstable();
    Duration::from_nanos(nanos[nanos.len() / 2])
}

fn next(answers: &mut std::io::Lines<BufReader<PipeReader>>) -> String {
    answers
        .next()
        .expect("they all answer")
        .expect("with a line")
}

/// The program's side: starts when its input ends, says what it took, and stays.
pub fn start(who: &str, path: &Path) {
    // Each line in one write: others write to the same pipe.
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
        return match floor::acquire(path.get()).expect("no error") {
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

/// A look at each of so many files that another process holds: the time of one.
#[must_use]
pub fn looks(place: &Place, numbers: &[usize]) -> Growth {
    let most = numbers.iter().copied().max().unwrap_or(0);
    let dir = place.path().join("looks");
    fs::create_dir(&dir).expect("a directory of its own");
    let _holding = Holding::start("ours", most, &dir);
    let paths: Vec<_> = (0..most).map(|n| dir.join(format!("{n}.pid"))).collect();
    let samples = rounds::in_turns(numbers.len() * WHO.len(), 200, |turn| {
        let number = numbers[turn / WHO.len()];
        let contender = Contender::by_key(WHO[turn % WHO.len()]);
        let look = contender.look.expect("it can look");
        let begin = Instant::now();
        for path in &paths[..number] {
            look(path);
        }
        begin.elapsed() / u32::try_from(number).expect("a small number")
    });
    let medians: Vec<Duration> = samples.iter().map(rounds::Samples::median).collect();
    numbers
        .iter()
        .zip(medians.chunks(2))
        .map(|(&number, both)| (number, [both[0], both[1]]))
        .collect()
}
