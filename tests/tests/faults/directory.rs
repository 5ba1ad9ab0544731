//! The pidfile's directory is removed, moved or replaced between any two system calls.

use std::fs;
use std::path::Path;

use std::sync::atomic::{AtomicU32, Ordering};

use pidlock_tests::length;
use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::{Case, Initial};
use super::place::{Checked, Place, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each};
use super::tally::Tally;

/// Changes the directory. Returns `true` if a document is at the path afterwards.
type Event = fn(&Path) -> bool;

const DOCUMENT: &str = "dear diary";

const EVENTS: &[(&str, Event)] = &[
    ("directory is removed", |directory| {
        let _ = fs::remove_dir_all(directory);
        false
    }),
    ("directory is moved", |directory| {
        let _ = fs::rename(directory, directory.with_file_name("elsewhere"));
        false
    }),
    ("directory is replaced", |directory| {
        let _ = fs::rename(directory, directory.with_file_name("elsewhere"));
        fs::create_dir_all(directory).expect("create a directory");
        fs::write(directory.join("app.pid"), DOCUMENT).expect("write the document");
        true
    }),
];

/// Applies the event before the call with this number. Returns the lines that the process printed
/// and the outcome of the checks; `None` if the process exits before that call.
fn strike(
    case: Case,
    event: Event,
    number: usize,
    figures: &mut Figures,
) -> Option<(String, Checked)> {
    let place = Place::new(case);
    let mut run = Run::start(case, &place.path);
    let mut moments = 0;
    let mut document = None;
    let mut said = Vec::new();
    let ending = loop {
        match run.advance() {
            // No event here: unlink(2) takes only a name, so it removes a file that replaced the
            // pidfile after the last check.
            Moment::Before(call) if call.is_unlink() => {}
            Moment::Before(_) => {
                if moments == number {
                    document = Some(event(place.directory()));
                }
                moments += 1;
            }
            Moment::Mark(TAKEN | GIVEN_BACK) => said.push(run.stepper.line()),
            Moment::Mark(_) | Moment::After(_) => {}
            Moment::Ended(ending) => break ending,
        }
    };
    let document = document?;
    figures.holds += u64::from(said.first().is_some_and(|taken| taken == "in"));
    let fine = |line: &String| {
        ["in", "closed", "dropped", "nothing to give back"].contains(&line.as_str())
            // An error message that names the path or its directory.
            || line.contains("new/newer")
    };
    let checked = check(ending == Ending::Code(0), || format!("{ending:?}"))
        .and_then(|()| check(said.iter().all(fine), || "unexpected output".into()))
        .and_then(|()| match document {
            true => {
                let now = fs::read_to_string(&place.path);
                figures.harmed += u64::from(now.is_err());
                check(now.is_ok_and(|now| now == DOCUMENT), || {
                    "the document was changed or removed".into()
                })?;
                fs::remove_file(&place.path).map_err(|error| error.to_string())
            }
            false => Ok(()),
        })
        .and_then(|()| place.check_others(true))
        .and_then(|()| place.check_free());
    Some((format!("{said:?}"), checked))
}

#[test]
fn removed_or_replaced_directory_harms_no_other_file() {
    let tally = Tally::default();
    let again = AtomicU32::new(0);
    let jobs = ["close", "drop", "close --no-lock", "reserve"]
        .into_iter()
        .flat_map(|arguments| EVENTS.iter().map(move |event| (arguments, event)));
    each(jobs.enumerate(), |(job, (arguments, (what, event)))| {
        let case = Case {
            initial: Initial::NoDirectory,
            arguments,
        };
        for number in length::calls(job) {
            let mut figures = Figures::default();
            let Some((said, checked)) = strike(case, *event, number, &mut figures) else {
                break;
            };
            again.fetch_add(u32::from(said == r#"["in", "closed"]"#), Ordering::Relaxed);
            let what = format!("{case:?}, {what}, {number}, {said}");
            tally.add(&what, figures, checked);
        }
    });
    tally.finish("directories that go");
    let again = again.into_inner();
    println!("acquired and released nevertheless: {again}");
    // Some starts succeed nevertheless. For example, if the directory is removed between opening
    // and locking, the start creates the directory again.
    assert!(again as usize * length::stride() > 5, "{again}");
}
