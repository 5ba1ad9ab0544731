//! A hand-over in which one of the two processes is stopped at each system call: it is killed there, gets
//! a signal, or the call fails.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pidlock_tests::ptrace::{Call, Ending, Stepper, Stop};
use pidlock_tests::{length, text};

use super::{Place, parse};

/// The process that is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Predecessor,
    Successor,
    /// One process that is both.
    Exec,
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Kill,
    Terminate,
    Fail(i32),
}

const ACTS: [Act; 5] = [
    Act::Kill,
    Act::Terminate,
    Act::Fail(libc::EIO),
    Act::Fail(libc::EINTR),
    Act::Fail(libc::EMFILE),
];

struct Run {
    stepper: Stepper,
    side: Side,
    act: Act,
    marks: u32,
    has_started: bool,
    is_loading: bool,
}

impl Run {
    fn new(place: &Place, side: Side, act: Act) -> Self {
        let step = if side == Side::Exec { "exec" } else { "spawn" };
        let mut command = place.command(&format!("--traced {step}"));
        Self {
            stepper: Stepper::start(&mut command),
            side,
            act,
            marks: 0,
            has_started: false,
            is_loading: false,
        }
    }

    /// Returns `true` if the act is possible at this stop, at which the process is about to make a call
    /// of the hand-over.
    fn counts(&mut self, stop: Stop) -> bool {
        match stop {
            Stop::Before(call) if call.is_mark() => {
                self.marks += 1;
                self.is_loading = false;
                false
            }
            Stop::Before(call) => {
                let mut is_inside = match self.side {
                    Side::Predecessor | Side::Exec => self.marks >= 2,
                    Side::Successor => self.has_started && self.marks >= 1,
                };
                if let Act::Fail(error) = self.act {
                    // Faults end with the acquisition, because the calls after it are those of a
                    // check and a release. A process makes one mark before it acquires, and one
                    // after.
                    let last = match self.side {
                        Side::Predecessor => u32::MAX,
                        Side::Successor => 1,
                        Side::Exec => 3,
                    };
                    is_inside &= !self.is_loading && self.marks <= last;
                    is_inside &= self.can_fail(call, error);
                }
                self.is_loading |= call.is(libc::SYS_execve);
                is_inside
            }
            Stop::Forked if self.side == Side::Successor => {
                self.stepper.lead_child();
                (self.has_started, self.marks) = (true, 0);
                false
            }
            Stop::Forked => {
                self.stepper.leave_child();
                self.has_started = true;
                false
            }
            Stop::After(_) | Stop::Ended(_) => false,
        }
    }

    /// Returns `true` for calls that pidlock makes and that can fail with this error.
    fn can_fail(&self, call: Call, error: i32) -> bool {
        let [_, second, third, ..] = self.stepper.arguments();
        let is_any = |calls: &[libc::c_long]| calls.iter().any(|&it| call.is(it));
        let opens = call.is(libc::SYS_socketpair)
            || call.is(libc::SYS_fcntl) && second == libc::F_DUPFD_CLOEXEC as u64;
        // Only reads of pidlock may fail, which are of one byte. std also reads from a stream to the
        // child, more than one byte at a time, and panics if that read fails.
        let reads_byte = is_any(&[libc::SYS_read, libc::SYS_recvfrom]) && third == 1;
        match error {
            libc::EMFILE => opens,
            libc::EINTR => is_any(&[libc::SYS_flock]) || reads_byte,
            _ => {
                opens
                    || reads_byte
                    || call.is(libc::SYS_sendto)
                    || call.is(libc::SYS_fcntl) && second == libc::F_SETFD as u64
                    || is_any(&[
                        libc::SYS_flock,
                        libc::SYS_fstat,
                        libc::SYS_ftruncate,
                        libc::SYS_newfstatat,
                        libc::SYS_pread64,
                        libc::SYS_pwrite64,
                        libc::SYS_setsockopt,
                        libc::SYS_shutdown,
                        libc::SYS_statx,
                    ])
            }
        }
    }

    /// Acts at the stop with this number. Returns how the process ended; `None` if it ended before.
    fn go(&mut self, number: usize) -> Option<Ending> {
        let (mut stops, mut acted) = (0, false);
        loop {
            let stop = self.stepper.step();
            if let Stop::Ended(ending) = stop {
                return acted.then_some(ending);
            }
            if !self.counts(stop) {
                continue;
            }
            if stops == number {
                acted = true;
                match self.act {
                    Act::Kill => {
                        self.stepper.kill();
                        return Some(Ending::By(Signal::SIGKILL));
                    }
                    Act::Terminate => {
                        let pid = Pid::from_raw(self.stepper.pid() as i32);
                        kill(pid, Signal::SIGTERM).expect("signal the process");
                    }
                    Act::Fail(error) => {
                        self.stepper.refuse(error);
                    }
                }
            }
            stops += 1;
        }
    }
}

/// What the processes have said.
struct Said {
    predecessor: u32,
    lines: Vec<(u32, String)>,
}

impl Said {
    fn any(&self, is_predecessor: bool, begin: &str) -> bool {
        let is = |(pid, what): &(u32, String)| {
            (*pid == self.predecessor) == is_predecessor && what.starts_with(begin)
        };
        self.lines.iter().any(is)
    }
}

/// Returns `false` if the process ended before the stop with this number.
fn hand_over(side: Side, act: Act, number: usize) -> bool {
    let place = Place::new();
    let mut run = Run::new(&place, side, act);
    let predecessor = run.stepper.pid();
    let Some(ending) = run.go(number) else {
        return false;
    };
    let rest = run.stepper.wait_for_all();
    let lines = rest
        .lines()
        .map(|line| parse(line).expect("a PID and text"));
    let said = Said {
        predecessor,
        lines: lines.collect(),
    };
    let what = format!("{side:?}, {act:?}, {number}, {ending:?}: {:?}", said.lines);
    assert!(!rest.contains("unsound"), "{what}");
    if side != Side::Exec {
        let (handed, kept) = (said.any(true, "handed over"), said.any(true, "kept"));
        let adopted = said.any(false, "held");
        assert!(!(adopted && kept), "two owners: {what}");
        let dies = !matches!(act, Act::Fail(_));
        if side == Side::Successor || !dies {
            assert!(handed != kept, "{what}");
            assert!(!kept || said.any(true, "closed"), "{what}");
            assert!(!handed || adopted || dies, "{what}");
        } else if run.has_started {
            assert!(adopted, "the successor did not take over: {what}");
        }
        if adopted && side == Side::Predecessor {
            assert!(said.any(false, "closed"), "{what}");
        }
    }
    // Blank if the predecessor was so slow that it still shared the lock when the successor released it.
    let is_removed =
        side == Side::Exec || !matches!(act, Act::Fail(_)) || text(&place.path).is_empty();
    assert!(is_removed, "{what}");
    place.assert_free();
    true
}

/// The predecessor gets a signal when the successor has started, and is stopped before a call of the
/// handler until the successor holds the file. Returns `false` if the handler makes fewer
/// calls.
fn stop_handler(number: usize, options: &str) -> bool {
    let place = Place::new();
    let mut stepper = Stepper::start(&mut place.command(&format!("--traced {options} spawn stay")));
    let pid = stepper.pid();
    while stepper.step() != Stop::Forked {}
    stepper.leave_child();
    assert_eq!(stepper.line(), format!("{pid} held"));
    let signalled = Pid::from_raw(pid as i32);
    kill(signalled, Signal::SIGTERM).expect("signal the predecessor");
    let (mut calls, mut held) = (0, String::new());
    let ending = loop {
        match stepper.step() {
            Stop::Before(_) if calls == number => {
                held = stepper.line();
                calls += 1;
            }
            Stop::Before(_) => calls += 1,
            Stop::Ended(ending) => break ending,
            Stop::After(_) | Stop::Forked => {}
        }
    };
    let was_stopped = !held.is_empty();
    let what = format!("{options}, stopped before call {number}, {ending:?}");
    let held = if was_stopped { held } else { stepper.line() };
    let (successor, held) = parse(&held).expect("a PID and text");
    assert_eq!(held, "held", "{what}");
    place.assert_holder(successor);
    std::fs::write(place.path.with_extension("go"), "").expect("let the successor go on");
    assert_eq!(
        stepper.wait_for_all(),
        format!("{successor} closed\n"),
        "{what}"
    );
    was_stopped
}

#[test]
fn handler_of_the_predecessor_leaves_the_file_to_a_successor_that_takes_over_meanwhile() {
    for options in ["", "--keep"] {
        // The handler makes fewer calls if the successor has the file before the stop.
        let stopped = (0..25)
            .filter(|&number| stop_handler(number, options))
            .count();
        assert!(stopped > 5, "{stopped}");
    }
}

fn at_each_call(side: Side) {
    for (job, act) in ACTS.into_iter().enumerate() {
        let mut count = 0;
        for number in length::calls(job) {
            if !hand_over(side, act, number) {
                break;
            }
            count += 1;
        }
        println!("{side:?}, {act:?}: {count}");
        let few = act == Act::Fail(libc::EINTR) || act == Act::Fail(libc::EMFILE);
        assert!(few || count > 0, "{side:?}, {act:?}");
    }
}

#[test]
fn predecessor_that_fails_or_ends_at_any_call_leaves_one_owner() {
    at_each_call(Side::Predecessor);
}

#[test]
fn successor_that_fails_or_ends_at_any_call_leaves_one_owner() {
    at_each_call(Side::Successor);
}

#[test]
fn program_that_restarts_itself_and_fails_or_ends_at_any_call_leaves_a_free_file() {
    at_each_call(Side::Exec);
}
