//! An attacker with write access to the directory links another file to the path and removes it
//! again, between any two system calls. The process must not change that file.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use pidlock_core::{PidFile, PidGuard};
use pidlock_tests::length;
use pidlock_tests::length::by_length;
use pidlock_tests::protected_files::{ProtectedFiles, VICTIMS};
use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;
use pidlock_tests::{is_root, stale_record};

use super::cases::{Case, Initial};
use super::lives::live;
use super::place::{Checked, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each, is_shared};
use super::tally::Tally;

/// What is at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Nothing,
    /// A stale file of this user.
    Stale,
    /// A hard link to a file in another directory, which looks like a stale or blank pidfile.
    Victim,
}
use At::{Nothing, Stale, Victim};

/// What is at the path at first, after the first swap, and after the second swap.
type Swaps = [At; 3];

const SWAPS: &[Swaps] = &[
    [Victim, Nothing, Victim],
    [Victim, Stale, Victim],
    [Nothing, Victim, Nothing],
    [Stale, Victim, Stale],
    [Stale, Victim, Nothing],
];

/// A directory that all users can write to, and the file that the attack aims at.
struct Shared {
    dir: tempfile::TempDir,
    path: PathBuf,
    victims: ProtectedFiles,
    victim: PathBuf,
}

impl Shared {
    fn new(victim: &str) -> Self {
        let dir = tempfile::tempdir().expect("create a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("set the mode");
        let victims = ProtectedFiles::new();
        Self {
            path: dir.path().join("app.pid"),
            victim: victims.path().join(victim),
            dir,
            victims,
        }
    }

    fn put(&self, what: At) {
        let aside = self.dir.path().join("aside");
        match what {
            Nothing => {
                let _ = fs::remove_file(&self.path); // it may not exist
                return;
            }
            Stale => fs::write(&aside, stale_record()).expect("write a stale file"),
            Victim => fs::hard_link(&self.victim, &aside).expect("create a link"),
        }
        fs::rename(&aside, &self.path).expect("move the file to the path");
    }

    /// Checks that the next start succeeds after the file that the attacker left is removed.
    fn check_next(&self, case: Case) -> Checked {
        self.put(Nothing);
        let file = PidFile::at(&self.path).lock(case.locks());
        let next = file.acquire().and_then(PidGuard::close);
        next.map_err(|error| format!("the next start or release failed: {error}"))
    }
}

/// One run with two swaps.
#[derive(Debug)]
struct Life {
    case: Case,
    victim: &'static str,
    swaps: Swaps,
}

impl Life {
    /// The number of calls before which swaps are tried. A start that must not write into a blank
    /// file waits for its creator in identical rounds of seven calls, so further calls add no new
    /// cases.
    fn calls(&self) -> usize {
        match self.victim {
            "blank" => 16,
            _ => usize::MAX,
        }
    }

    /// Swaps before the calls with these numbers. `None` if the process exits before the second
    /// swap.
    fn live(&self, at: [usize; 2]) -> Option<(Figures, Checked)> {
        let shared = Shared::new(self.victim);
        shared.put(self.swaps[0]);
        let mut run = Run::start(self.case, &shared.path);
        let mut swaps = at.into_iter().zip(&self.swaps[1..]).peekable();
        let mut calls = 0;
        let mut said = Vec::new();
        let ending = loop {
            match run.advance() {
                Moment::Before(call) if is_shared(self.case, call) => {
                    if let Some((_, &what)) = swaps.next_if(|&(number, _)| number == calls) {
                        shared.put(what);
                    }
                    calls += 1;
                }
                Moment::Mark(TAKEN | GIVEN_BACK) => said.push(run.stepper.line()),
                Moment::Mark(_) | Moment::Before(_) | Moment::After(_) => {}
                Moment::Ended(ending) => break ending,
            }
        };
        if swaps.next().is_some() {
            return None;
        }
        let [taken, given_back] = &said[..] else {
            panic!("not two lines: {said:?}");
        };
        let harmed = shared.victims.harmed();
        let checked = check(harmed == 0, || "a protected file was changed".into())
            .and_then(|()| check(ending == Ending::Code(0), || format!("{ending:?}")))
            .and_then(|()| check_words(taken, given_back, &shared.path))
            .and_then(|()| shared.check_next(self.case));
        let figures = Figures {
            holds: u64::from(taken == "in"),
            harmed,
            ..Figures::default()
        };
        Some((figures, checked))
    }
}

/// Checks that the start and the release succeeded. The only valid error of the start, of `verify`
/// and of the release is that the file was replaced.
fn check_words(taken: &str, given_back: &str, path: &Path) -> Checked {
    let is_replaced = |words: &str, doing: &str| {
        words.starts_with(&format!(
            "{doing}: pidfile '{}' is no longer the file that this process locked",
            path.display()
        ))
    };
    let fine = match taken {
        "in" => {
            given_back == "closed"
                || is_replaced(given_back, "not closed")
                || is_replaced(given_back, "unsound")
        }
        _ => is_replaced(taken, "failed"),
    };
    check(fine, || {
        format!("unexpected lines: {taken:?}, {given_back:?}")
    })
}

#[test]
fn hard_link_swapped_in_between_calls_is_not_written() {
    let kept = match is_root() {
        true => "close --keep --owner",
        false => "close --keep",
    };
    let with_lock = ["close", kept, "reserve"];
    let attacks = with_lock
        .into_iter()
        .flat_map(|arguments| VICTIMS.map(|victim| (arguments, victim)))
        // With `--no-lock`, a start makes many more calls, and treats both victims in the same way.
        .chain([("close --no-lock", "stale")]);
    let lives = attacks.flat_map(|(arguments, victim)| {
        let case = Case {
            initial: Initial::Nothing,
            arguments,
        };
        SWAPS.iter().map(move |&swaps| Life {
            case,
            victim,
            swaps,
        })
    });
    let tally = Tally::default();
    each(lives.enumerate(), |(job, life)| {
        for first in length::calls(job).take_while(|&first| first < life.calls()) {
            let seconds = (first + 1..life.calls()).step_by(by_length(3, 1));
            let seconds = seconds.map_while(|second| {
                let (figures, checked) = life.live([first, second])?;
                tally.add(&format!("{life:?}, {first}, {second}"), figures, checked);
                Some(())
            });
            if seconds.count() == 0 {
                break;
            }
        }
    });
    let figures = tally.finish("files of others that come and go");
    assert!(figures.holds > 0, "{figures}");
}

/// While the kernel removes a name, the name can still exist when the link count is already lower.
/// So a start counts the links twice, and does not write into a file that had two links the first
/// time.
#[test]
fn stale_file_that_loses_a_link_during_a_start_is_not_written() {
    for arguments in ["close", "close --keep", "reserve"] {
        let case = Case {
            initial: Initial::Stale,
            arguments,
        };
        let dir = tempfile::tempdir().expect("create a directory");
        let (path, other) = (dir.path().join("app.pid"), dir.path().join("other"));
        fs::write(&path, stale_record()).expect("write a stale file");
        fs::hard_link(&path, &other).expect("create a link");
        let file = fs::File::open(&path).expect("open the file");
        // The start reads the record between its two counts of the links.
        let is_read = |moment| matches!(moment, Moment::After(call) if call.is(libc::SYS_pread64));
        let life = live(case, &path, 0, is_read, |_| {
            fs::remove_file(&other).expect("remove the other name");
            true
        });
        assert!(
            life.expect("the start reads the record")
                .was_inside(case, 0)
        );
        let text = std::io::read_to_string(file).expect("read the file");
        assert_eq!(text, stale_record(), "{arguments}");
    }
}
