//! Errors at every call: what the caller is told, and that he is told nothing else than the truth.

use pidlock_tests::ptrace::{Call, Ending};
use pidlock_tests::tally::Figures;

use super::cases::{CASES, Case, There};
use super::place::{Checked, Place, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each, is_fstat};
use super::tally::Tally;

const ERRORS: &[i32] = &[
    libc::EINTR,
    libc::EIO,
    libc::ENOSPC,
    libc::EMFILE,
    libc::ENOLCK,
    libc::ENOSYS,
    libc::EOPNOTSUPP,
    libc::EACCES,
    libc::EROFS,
    libc::ESTALE,
];

/// What a call that is not to be had answers: the file system is damaged or full, the call forbidden
/// or unknown.
const STAYING: &[i32] = &[
    libc::EIO,
    libc::ENOSPC,
    libc::EACCES,
    libc::ENOSYS,
    libc::EOPNOTSUPP,
];

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// It is not made.
    Refused,
    /// It is made, and the answer gets lost, as on network file systems.
    MadeAllTheSame,
    /// Neither it nor any later one of its kind is made.
    ForEver,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// The number of the call.
    pub(crate) number: usize,
    pub(crate) way: Way,
    pub(crate) error: i32,
}

/// Calls that cannot fail like this, or whose failure is not ours to deal with.
fn is_not_ours(call: Call, last: Option<Call>) -> bool {
    let is = |numbers: &[libc::c_long]| numbers.iter().any(|&number| call.is(number));
    // They cannot fail, or in one way only; what lseek does for us asks no file system.
    is(&[
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_geteuid,
        libc::SYS_lseek,
        libc::SYS_getpgid,
    ])
        // What std's checks do in a debug build, before it closes.
        || is(&[libc::SYS_fcntl])
        // Memory: without any, Rust programs abort.
        || is(&[libc::SYS_brk, libc::SYS_munmap])
        // std's sleep, which knows of no error but EINTR, with which it tells how long is left.
        || is(&[libc::SYS_clock_nanosleep])
        // The program's own.
        || is(&[libc::SYS_clone])
        // std asserts that the end of reading a directory, which asks no file system, succeeds.
        || is(&[libc::SYS_close]) && last.is_some_and(|last| last.is(libc::SYS_getdents64))
}

/// One run with a fault in it.
pub(crate) struct Faulty {
    case: Case,
    fault: Fault,
    place: Place,
    run: Run,
    /// The call that failed.
    failed: Option<Call>,
    /// It asked for the metadata of an open file.
    failed_fstat: bool,
    pub(crate) inside: bool,
    pub(crate) said: Vec<String>,
}

impl Faulty {
    pub(crate) fn new(case: Case, fault: Fault) -> Self {
        let place = Place::new(case);
        let run = Run::start(case, &place.path);
        Self {
            case,
            fault,
            place,
            run,
            failed: None,
            failed_fstat: false,
            inside: false,
            said: Vec::new(),
        }
    }

    /// To the end.
    pub(crate) fn run(&mut self) -> Checked {
        let mut calls = 0;
        let mut was_made = false;
        let mut last = None;
        let mut checked = Ok(());
        let ending = loop {
            match self.run.advance() {
                Moment::Before(call) => {
                    if is_not_ours(call, last) {
                        continue;
                    }
                    last = Some(call);
                    let again = self.fault.way == Way::ForEver && self.failed == Some(call);
                    if calls == self.fault.number || again {
                        self.failed = Some(call);
                        self.failed_fstat |= is_fstat(&self.run.stepper, call);
                        // Whatever it answers, close closes (close(2)).
                        was_made =
                            self.fault.way == Way::MadeAllTheSame || call.is(libc::SYS_close);
                        if !was_made {
                            self.run.stepper.refuse(self.fault.error);
                        }
                    }
                    calls += 1;
                }
                Moment::After(_) if was_made => {
                    was_made = false;
                    self.run.stepper.answer(self.fault.error);
                }
                Moment::After(_) => {}
                Moment::Mark(TAKEN) => {
                    let line = self.line();
                    checked = checked.and_then(|()| self.check_taken(&line));
                }
                Moment::Mark(GIVEN_BACK) => {
                    let line = self.line();
                    checked = checked.and_then(|()| self.check_given_back(&line));
                }
                Moment::Mark(_) => {}
                Moment::Ended(ending) => break ending,
            }
        };
        let rest = self.run.stepper.wait_for_all();
        check(ending == Ending::Code(0), || format!("{ending:?} {rest}"))?;
        checked?;
        if self.place.is_held() {
            self.place.check_others(false)?;
            self.place.check_holder()?;
        }
        self.check_free(false)
    }

    /// Free, unless a parent that waits for the end of the program shares the lock.
    fn check_free(&self, lives: bool) -> Checked {
        if lives && self.run.has_parent {
            return self.place.check_taken();
        }
        match self.case.locks() {
            true => self.place.check_free(),
            false => self.place.check_free_but_for_names(lives),
        }
    }

    fn line(&mut self) -> String {
        let line = self.run.stepper.line();
        self.said.push(line.clone());
        line
    }

    fn check_taken(&mut self, line: &str) -> Checked {
        self.inside = line == "in";
        if self.inside {
            return self.place.check_taken();
        }
        if let Some(words) = line.strip_prefix("failed: ") {
            let again = self.failed.is_some_and(|call| call.is(libc::SYS_flock))
                && self.fault.error == libc::EINTR
                && !self.case.has("status");
            check(!again, || format!("it is not tried again: {words:?}"))?;
            self.check_words(words)?;
        } else {
            let expected = match self.case {
                case if case.has("status") => line.starts_with("status: "),
                case => {
                    // CIFS answers EACCES for a lock that another client holds.
                    let seems_locked = self.failed.is_some_and(|call| call.is(libc::SYS_flock))
                        && self.fault.error == libc::EACCES;
                    line.starts_with("refused: ")
                        && (case.there == There::Held || case.holds_already() || seems_locked)
                }
            };
            check(expected, || format!("it says {line:?}"))?;
        }
        self.check_left()
    }

    /// What is said names the path, or the directory, and the system's answer.
    fn check_words(&self, words: &str) -> Checked {
        let named = [self.place.path.as_path(), self.place.directory()]
            .iter()
            .any(|path| words.contains(&format!("'{}'", path.display())));
        // Network file systems report with ESTALE that the file was removed.
        let is_removed = self.fault.error == libc::ESTALE
            && words.ends_with(
                "is no longer the file that this process locked: it was removed or replaced",
            );
        if named && is_removed {
            return Ok(());
        }
        let answer = words.contains(&format!("(os error {})", self.fault.error));
        let doing = words.starts_with("cannot ") || words.starts_with("pidfile directory ");
        check(named && answer && doing, || format!("it says {words:?}"))
    }

    /// Nothing is left of an attempt that came to nothing.
    fn check_left(&mut self) -> Checked {
        // A file that could not be locked stays, empty, because another start may have locked it
        // meanwhile; and so does one whose identity cannot be asked for.
        let is_unknown =
            self.failed.is_some_and(|call| call.is(libc::SYS_flock)) || self.failed_fstat;
        let empty = is_unknown && self.place.is_empty();
        let stays = self.fault.way != Way::Refused || self.case.holds_already() || empty;
        self.place.check_others(stays)?;
        if self.case.has("status") {
            return Ok(());
        }
        if self.case.holds_already() || self.place.is_held() {
            self.place.check_taken()
        } else {
            self.check_free(true)
        }
    }

    fn check_given_back(&mut self, line: &str) -> Checked {
        if let Some(words) = ["unsound: ", "not closed: "]
            .iter()
            .find_map(|how| line.strip_prefix(how))
        {
            self.check_words(words)?;
        } else {
            let expected = match (self.inside, self.case) {
                (_, case) if case.has("status") => "looked",
                (false, _) => "nothing to give back",
                (true, case) if case.has("drop") => "dropped",
                _ => "closed",
            };
            check(line == expected, || format!("it says {line:?}"))?;
        }
        if self.case.holds_already() {
            let line = self.line();
            check(line == "first sound", || format!("it says {line:?}"))?;
            return self.place.check_taken();
        }
        if self.place.is_held() {
            return Ok(());
        }
        self.place.check_others(!self.case.has("status"))?;
        self.check_free(true)
    }
}

fn fail(case: Case, fault: Fault, figures: &mut Figures) -> Option<(String, Checked)> {
    let mut faulty = Faulty::new(case, fault);
    let checked = faulty.run();
    figures.holds += u64::from(faulty.inside);
    let failed = faulty.failed?;
    let what = format!("{case:?}, {fault:?}, {failed:?}, {:?}", faulty.said);
    Some((what, checked))
}

fn test(way: Way, errors: &'static [i32], what: &str) {
    let tally = Tally::default();
    // A parent that waits for its child does nothing else that a child does not.
    let jobs = CASES
        .iter()
        .filter(|case| !case.has("parent"))
        .flat_map(|&case| errors.iter().map(move |&error| (case, error)));
    each(jobs, |(case, error)| {
        for number in 0.. {
            let fault = Fault { number, way, error };
            let mut figures = Figures::default();
            let Some((what, checked)) = fail(case, fault, &mut figures) else {
                break;
            };
            tally.add(&what, figures, checked);
        }
    });
    tally.finish(what);
}

#[test]
fn an_error_of_any_call_is_told_and_leaves_nothing() {
    test(Way::Refused, ERRORS, "errors at every system call");
}

#[test]
fn an_error_of_a_call_that_was_made_all_the_same_lets_nobody_in_beside_a_holder() {
    test(Way::MadeAllTheSame, &ERRORS[1..2], "lost answers");
}

#[test]
fn an_error_that_comes_again_and_again_lets_nobody_in_beside_a_holder() {
    // A call that is interrupted for ever is repeated for ever.
    test(Way::ForEver, STAYING, "errors that stay");
}
