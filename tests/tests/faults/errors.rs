//! Errors at every system call. The process must report the error with the path, and must not
//! report an error that did not occur.

use pidlock_tests::length;
use pidlock_tests::ptrace::{Call, Ending};
use pidlock_tests::tally::Figures;

use super::cases::{CASES, Case, Initial};
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

/// Errors that persist: the file system is damaged or full, or the call is forbidden or unknown.
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
    /// The call is not made.
    Refused,
    /// The call takes effect but returns an error, as if a network file system lost the reply.
    ReplyLost,
    /// Neither the call nor any later call of its kind is made.
    Persistent,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// The number of the call, among those that can fail.
    pub(crate) number: usize,
    pub(crate) way: Way,
    pub(crate) error: i32,
}

/// Returns `true` for calls that cannot fail in these ways, or whose failure pidlock does not
/// handle.
fn is_not_ours(call: Call, last: Option<Call>) -> bool {
    let is = |numbers: &[libc::c_long]| numbers.iter().any(|&number| call.is(number));
    // These cannot fail, or only in one way. lseek does not access the file system here.
    is(&[
        libc::SYS_getpid,
        libc::SYS_gettid,
        libc::SYS_geteuid,
        libc::SYS_lseek,
        libc::SYS_getpgid,
    ])
        // std's locks and its parking of threads expect no error, and neither does the end of a
        // thread.
        || is(&[libc::SYS_futex, libc::SYS_exit])
        // std checks a descriptor before it closes it, in debug builds.
        || is(&[libc::SYS_fcntl])
        // Rust programs abort if they cannot allocate memory.
        || is(&[libc::SYS_brk, libc::SYS_munmap])
        // std's sleep expects no error but EINTR, after which it uses the remaining time.
        || is(&[libc::SYS_clock_nanosleep])
        // The program makes this call, not pidlock.
        || is(&[libc::SYS_clone])
        // std asserts that closing a directory succeeds. Only an injected error makes it fail,
        // because closing does not access the file system.
        || is(&[libc::SYS_close]) && last.is_some_and(|last| last.is(libc::SYS_getdents64))
}

/// One run with a fault.
pub(crate) struct Faulty {
    case: Case,
    fault: Fault,
    place: Place,
    run: Run,
    /// The call that failed.
    failed: Option<Call>,
    /// `true` if a failed call asked for the metadata of an open file.
    failed_fstat: bool,
    /// Selects the calls that can fail, among those of pidlock.
    calls: fn(Call) -> bool,
    /// `true` once a stop knows the PID of the holder.
    has_found: bool,
    /// `true` once the holder has got a signal.
    has_signalled: bool,
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
            calls: any,
            has_found: false,
            has_signalled: false,
            inside: false,
            said: Vec::new(),
        }
    }

    /// Runs the process until it exits, and checks what it prints and leaves behind.
    pub(crate) fn run(&mut self) -> Checked {
        let mut calls = 0;
        let mut was_made = false;
        let mut last = None;
        let mut checked = Ok(());
        let ending = loop {
            let moment = self.run.advance();
            self.place.end_holder_at_sleep(moment);
            match moment {
                Moment::Before(call) => {
                    if is_not_ours(call, last) {
                        continue;
                    }
                    last = Some(call);
                    self.has_found |= call.is(libc::SYS_pidfd_open);
                    if !(self.calls)(call) {
                        continue;
                    }
                    let again = self.fault.way == Way::Persistent && self.failed == Some(call);
                    if calls == self.fault.number || again {
                        self.failed = Some(call);
                        self.failed_fstat |= is_fstat(&self.run.stepper, call);
                        // close(2) closes the descriptor even if it returns an error.
                        was_made = self.fault.way == Way::ReplyLost || call.is(libc::SYS_close);
                        if !was_made {
                            self.run.stepper.refuse(self.fault.error);
                        }
                    }
                    calls += 1;
                }
                Moment::After(call) => {
                    self.has_signalled |= call.is(libc::SYS_pidfd_send_signal);
                    if std::mem::take(&mut was_made) {
                        self.run.stepper.answer(self.fault.error);
                    }
                }
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
        if self.case.has("--helper") {
            self.inside = true;
            check(rest == "in\nclosed\n", || rest)?;
        }
        if self.place.is_held() {
            self.place.check_others(false)?;
            self.place.check_holder()?;
        }
        self.check_free(false)
    }

    /// Checks that the next start succeeds. If the process still `lives` and shares the lock with a
    /// parent that waits for it, checks that the next start is refused.
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
        if self.case.stops() {
            return self.check_stopped(line);
        }
        self.inside = line == "in";
        if self.inside {
            return self.place.check_taken();
        }
        if let Some(words) = line.strip_prefix("failed: ") {
            let again = self.failed.is_some_and(|call| call.is(libc::SYS_flock))
                && self.fault.error == libc::EINTR
                && !self.case.inspects();
            check(!again, || {
                format!("flock was not retried after EINTR: {words:?}")
            })?;
            self.check_words(words)?;
        } else {
            let expected = match self.case {
                case if case.inspects() => line.starts_with("status: "),
                case => {
                    // On CIFS, EACCES means that another client holds the lock.
                    let seems_locked = !case.waits()
                        && self.failed.is_some_and(|call| call.is(libc::SYS_flock))
                        && self.fault.error == libc::EACCES;
                    line.starts_with("refused: ")
                        && (case.initial == Initial::Held || case.holds_already() || seems_locked)
                }
            };
            check(expected, || format!("unexpected line: {line:?}"))?;
        }
        self.check_left()
    }

    /// Checks the outcome of a stop: the holder is terminated, or the stop reports an error.
    fn check_stopped(&mut self, line: &str) -> Checked {
        let (may_hold, may_be_gone) = match line.strip_prefix("failed: ") {
            Some(words) => {
                self.check_words(words)?;
                let pid = self.place.holder_pid().unwrap_or_default();
                let is_named = words.contains(&format!("process {pid}"));
                check(is_named || !self.has_found, || {
                    format!("the message does not name process {pid}: {words:?}")
                })?;
                (true, self.has_signalled)
            }
            None => {
                check(line == "status: true", || {
                    format!("unexpected line: {line:?}")
                })?;
                (false, true)
            }
        };
        self.place.check_stopped(may_hold, may_be_gone)?;
        self.check_free(true)
    }

    /// Checks that the message names the path or the directory, and the error.
    fn check_words(&self, words: &str) -> Checked {
        let named = [self.place.path.as_path(), self.place.directory()]
            .iter()
            .any(|path| words.contains(&format!("'{}'", path.display())));
        // On network file systems, ESTALE means that the file was removed.
        let is_removed = self.fault.error == libc::ESTALE
            && words.ends_with(
                "is no longer the file that this process locked: it was removed or replaced",
            );
        if named && is_removed {
            return Ok(());
        }
        // If `holder` or `stop` cannot read the state of the recorded process, or a locked file as on
        // CIFS, it does not report that error, but that it cannot confirm or find the process.
        let finds = self.case.has("holder") || self.case.stops();
        let unconfirmed = finds
            && (words.starts_with("cannot confirm that process ")
                || words.contains("contains no PID that this process can read"));
        if named && unconfirmed {
            return Ok(());
        }
        let answer = words.contains(&format!("(os error {})", self.fault.error));
        let doing = words.starts_with("cannot ") || words.starts_with("pidfile directory ");
        check(named && answer && doing, || {
            format!("unexpected message: {words:?}")
        })
    }

    /// Checks that a start that failed leaves nothing behind.
    fn check_left(&mut self) -> Checked {
        // A new file that cannot be locked stays, empty, because another start may have locked it.
        // It also stays if fstat failed, because the start then does not know the file's identity.
        let is_unknown =
            self.failed.is_some_and(|call| call.is(libc::SYS_flock)) || self.failed_fstat;
        let empty = is_unknown && self.place.is_empty();
        let stays = self.fault.way != Way::Refused || self.case.holds_already() || empty;
        self.place.check_others(stays)?;
        if self.case.inspects() {
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
                (_, case) if case.inspects() || case.stops() => "looked",
                (false, _) => "nothing to give back",
                (true, case) if case.has("drop") => "dropped",
                _ => "closed",
            };
            check(line == expected, || format!("unexpected line: {line:?}"))?;
        }
        if self.case.holds_already() {
            let line = self.line();
            check(line == "first sound", || {
                format!("unexpected line: {line:?}")
            })?;
            return self.place.check_taken();
        }
        if self.place.is_held() {
            return Ok(());
        }
        self.place.check_others(!self.case.inspects())?;
        self.check_free(true)
    }
}

fn fail(
    case: Case,
    fault: Fault,
    calls: fn(Call) -> bool,
    figures: &mut Figures,
) -> Option<(String, Checked)> {
    let mut faulty = Faulty::new(case, fault);
    faulty.calls = calls;
    let checked = faulty.run();
    figures.holds += u64::from(faulty.inside);
    let failed = faulty.failed?;
    let what = format!("{case:?}, {fault:?}, {failed:?}, {:?}", faulty.said);
    Some((what, checked))
}

/// Lets each call that `calls` selects fail in this way.
pub(crate) fn test(cases: &[Case], calls: fn(Call) -> bool, way: Way, errors: &[i32], what: &str) {
    let tally = Tally::default();
    // The `child` case covers every call of the `parent` case.
    let jobs = cases
        .iter()
        .filter(|case| !case.has("parent"))
        .flat_map(|&case| errors.iter().map(move |&error| (case, error)));
    each(jobs.enumerate(), |(job, (case, error))| {
        for number in length::calls(job) {
            let fault = Fault { number, way, error };
            let mut figures = Figures::default();
            let Some((what, checked)) = fail(case, fault, calls, &mut figures) else {
                break;
            };
            tally.add(&what, figures, checked);
        }
    });
    tally.finish(what);
}

/// Selects every call.
pub(crate) fn any(_: Call) -> bool {
    true
}

#[test]
fn failed_syscall_is_reported_and_the_next_start_succeeds() {
    let what = "errors at every system call";
    test(CASES, any, Way::Refused, ERRORS, what);
}

#[test]
fn error_of_a_completed_syscall_makes_no_second_holder() {
    test(CASES, any, Way::ReplyLost, &ERRORS[1..2], "lost answers");
}

#[test]
fn persistent_error_makes_no_second_holder() {
    // Without EINTR: a call that is always interrupted is repeated for ever.
    test(CASES, any, Way::Persistent, STAYING, "errors that stay");
}
