//! The directory goes, or another one takes its place, between any two calls.

use std::fs;
use std::path::Path;

use std::sync::atomic::{AtomicU32, Ordering};

use pidlock_tests::ptrace::Ending;
use pidlock_tests::tally::Figures;

use super::cases::{Case, There};
use super::place::{Checked, Place, check};
use super::runs::{GIVEN_BACK, Moment, Run, TAKEN, each};
use super::tally::Tally;

/// What happens to a directory; whether a document of somebody is at the path afterwards.
type Event = fn(&Path) -> bool;

const DOCUMENT: &str = "dear diary";

const EVENTS: &[(&str, Event)] = &[
    ("it is removed", |directory| {
        let _ = fs::remove_dir_all(directory);
        false
    }),
    ("it is moved away", |directory| {
        let _ = fs::rename(directory, directory.with_file_name("elsewhere"));
        false
    }),
    ("another is put in its place", |directory| {
        let _ = fs::rename(directory, directory.with_file_name("elsewhere"));
        fs::create_dir_all(directory).expect("a directory");
        fs::write(directory.join("app.pid"), DOCUMENT).expect("a file");
        true
    }),
];

/// What it said, and whether all is as promised; `None` if it does not come to that moment.
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
            // A file that takes the name between the last check and unlink(2) cannot be told apart:
            // the call takes nothing but the name.
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
            // Told, with the path or its directory.
            || line.contains("new/newer")
    };
    let checked = check(ending == Ending::Code(0), || format!("{ending:?}"))
        .and_then(|()| check(said.iter().all(fine), || "it says otherwise".into()))
        .and_then(|()| match document {
            true => {
                let now = fs::read_to_string(&place.path);
                figures.harmed += u64::from(now.is_err());
                check(now.is_ok_and(|now| now == DOCUMENT), || {
                    "the document was harmed".into()
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
fn a_directory_that_goes_harms_nobody() {
    let tally = Tally::default();
    let again = AtomicU32::new(0);
    let jobs = ["close", "drop", "close --no-lock", "reserve"]
        .into_iter()
        .flat_map(|arguments| EVENTS.iter().map(move |event| (arguments, event)));
    each(jobs, |(arguments, (what, event))| {
        let case = Case {
            there: There::NoDirectory,
            arguments,
        };
        for number in 0.. {
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
    println!("in all the same: {again}");
    // Between opening and locking, for example: made anew.
    assert!(again > 5, "{again}");
}
