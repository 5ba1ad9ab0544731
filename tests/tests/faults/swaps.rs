//! Another's file comes and goes at the path, between any two calls: who may write to the directory
//! can do that, and what is done to the pidfile must not be done to that file.

use std::fs::{self, Metadata, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use pidlock_core::{PidFile, PidGuard};
use pidlock_tests::protected_files::{ProtectedFiles, VICTIMS};
use pidlock_tests::ptrace::{Call, Ending};
use pidlock_tests::tally::Figures;
use pidlock_tests::{is_root, stale_record};

use super::cases::{Case, There};
use super::place::{Checked, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each, is_shared};
use super::tally::Tally;

/// What is at the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Nothing,
    /// What a dead process of ours left.
    Stale,
    /// Another name of a file elsewhere, which would be free for us.
    Victim,
    /// The same, and it goes again within the next call: when the kernel has found the file by this
    /// name, and before it looks at it.
    Glimpse,
    /// Nothing, but for the next call, to which the kernel still shows the file as it was before: in
    /// the middle of removing its name.
    Remnant,
}
use At::{Glimpse, Nothing, Remnant, Stale, Victim};

/// What is there at first, from one call on, and from a later one on.
type Swaps = [At; 3];

const SWAPS: &[Swaps] = &[
    [Victim, Nothing, Victim],
    [Victim, Nothing, Glimpse],
    [Victim, Nothing, Remnant],
    [Victim, Stale, Victim],
    [Nothing, Victim, Nothing],
    [Stale, Victim, Stale],
    [Stale, Victim, Nothing],
];

/// A directory that others may write to, and a file that they mean to have harmed.
struct Shared {
    dir: tempfile::TempDir,
    path: PathBuf,
    victims: ProtectedFiles,
    victim: PathBuf,
}

fn metadata(path: &Path) -> Metadata {
    fs::metadata(path).expect("it is there")
}

impl Shared {
    fn new(victim: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::set_permissions(dir.path(), Permissions::from_mode(0o777)).expect("a mode");
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
            Nothing | Remnant => {
                let _ = fs::remove_file(&self.path); // it may be gone already
                return;
            }
            Stale => fs::write(&aside, stale_record()).expect("a stale file"),
            Victim | Glimpse => {
                self.let_time_pass();
                fs::hard_link(&self.victim, &aside).expect("a link");
            }
        }
        fs::rename(&aside, &self.path).expect("it is put there");
    }

    /// Until what is done to the victim now has another time than what was done to it before: where
    /// file times are coarse, nothing else shows it.
    fn let_time_pass(&self) {
        let changed = |path: &Path| {
            let metadata = metadata(path);
            (metadata.ctime(), metadata.ctime_nsec())
        };
        let clock = tempfile::NamedTempFile::new_in(self.dir.path()).expect("a file");
        while changed(clock.path()) <= changed(&self.victim) {
            fs::set_permissions(clock.path(), Permissions::from_mode(0o600)).expect("a mode");
        }
    }

    /// The attacker's turn, while the program stands before a call.
    fn swap(&self, what: At, run: &mut Run, call: Call) {
        self.put(what);
        if matches!(what, Glimpse | Remnant) {
            self.put(Nothing);
            // What the kernel has found is the file that is open.
            if let (Some(buffer), Some(open)) = (look_at_path(run, call), self.open_victim(run)) {
                run.stepper.make_instead(libc::SYS_fstat, open, buffer);
            }
        }
    }

    /// The descriptor by which the program has the victim open.
    fn open_victim(&self, run: &Run) -> Option<u64> {
        let victim = metadata(&self.victim);
        let is_victim =
            |found: Metadata| (found.dev(), found.ino()) == (victim.dev(), victim.ino());
        fs::read_dir(format!("/proc/{}/fd", run.stepper.pid()))
            .expect("it is there")
            .map(|entry| entry.expect("an entry").path())
            .find(|path| fs::metadata(path).is_ok_and(is_victim))
            .map(|path| {
                let number = path.file_name().and_then(|name| name.to_str());
                number
                    .and_then(|number| number.parse().ok())
                    .expect("a number")
            })
    }

    /// Once the attacker has gone, what it left at the path is all that can be in the way.
    fn check_next(&self, case: Case) -> Checked {
        self.put(Nothing);
        let file = PidFile::at(&self.path).lock(case.locks());
        let next = file.acquire().and_then(PidGuard::close);
        next.map_err(|error| format!("the next start or end: {error}"))
    }
}

/// Where the answer of this call goes, if it is a look at a path and not at an open file.
fn look_at_path(run: &Run, call: Call) -> Option<u64> {
    let [_, _, buffer, flags, ..] = run.stepper.arguments();
    let no_follow = u64::from(libc::AT_SYMLINK_NOFOLLOW.unsigned_abs());
    (call.is(libc::SYS_newfstatat) && flags & no_follow != 0).then_some(buffer)
}

/// One life with two swaps in it.
#[derive(Debug)]
struct Life {
    case: Case,
    victim: &'static str,
    swaps: Swaps,
}

impl Life {
    /// Swaps before the calls with these numbers; `None` if it does not come to both.
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
                        shared.swap(what, &mut run, call);
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
            panic!("it says more, or less: {said:?}");
        };
        let harmed = shared.victims.harmed();
        let checked = check(harmed == 0, || "another's file was harmed".into())
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

/// It was let in, or told what is wrong with the file; and who was in is told if his file went.
fn check_words(taken: &str, given_back: &str, path: &Path) -> Checked {
    let about = |words: &str, doing: &str, wrong: &str| {
        words.starts_with(&format!("{doing}: pidfile '{}' is {wrong}", path.display()))
    };
    const LINKED: &str = "not to be trusted: it has 2 hard links";
    const REPLACED: &str = "not the file any more that this process locked";
    let fine = match taken {
        "in" => {
            given_back == "closed"
                || about(given_back, "not closed", REPLACED)
                || about(given_back, "unsound", REPLACED)
        }
        // The latter where a reservation is committed.
        _ => about(taken, "failed", LINKED) || about(taken, "failed", REPLACED),
    };
    check(fine, || format!("it says {taken:?}, {given_back:?}"))
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
        // Makes many more calls, and takes both victims for the same.
        .chain([("close --no-lock", "stale")]);
    let lives = attacks.flat_map(|(arguments, victim)| {
        let case = Case {
            there: There::Nothing,
            arguments,
        };
        SWAPS.iter().map(move |&swaps| Life {
            case,
            victim,
            swaps,
        })
    });
    let tally = Tally::default();
    each(lives, |life| {
        for first in 0.. {
            let seconds = (first + 1..).map_while(|second| {
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
    // Some get in on a file of their own, some meet the other.
    assert!(
        figures.holds > 0 && figures.holds < figures.faults,
        "{figures}"
    );
}
