//! The programs that a user writes first need few lines about pidlock.

#![cfg(unix)]

use pidlock_tests::{Program, example, run, said};

const FIRST_PROGRAMS: &[(&str, &str)] = &[
    ("control", include_str!("../control.rs")),
    ("replace", include_str!("../replace.rs")),
    ("cron_job", include_str!("../cron_job.rs")),
    ("workers", include_str!("../workers.rs")),
    ("daemon", include_str!("../daemon.rs")),
];

/// Words in a line that is about pidlock.
const WORDS: &[&str] = &[
    "pidlock_core",
    "PidFile",
    "#[pidfile",
    "guard",
    "reservation",
    "Reservation",
    "file.",
    "stop(",
    "is_contention",
    "on_error",
];

#[test]
fn first_programs_have_at_most_ten_lines_about_pidlock() {
    for (name, text) in FIRST_PROGRAMS {
        let is_about = |line: &&str| {
            let code = line.split("//").next().unwrap_or_default();
            WORDS.iter().any(|word| code.contains(word))
        };
        let lines: Vec<&str> = text.lines().filter(is_about).collect();
        println!("{name}: {}", lines.len());
        assert!((1..=10).contains(&lines.len()), "{name}: {lines:#?}");
    }
}

#[test]
fn control_shows_the_program_and_stops_it() {
    let dir = tempfile::tempdir().expect("create a directory");
    let control = |command: &str| {
        let output = run(example("control", dir.path()).arg(command));
        said(&output)
    };
    assert_eq!(control("status"), "not running: there is no pidfile\n");
    assert_eq!(control("stop"), "was not running\n");
    let mut running = Program::start(example("control", dir.path()).arg("run"));
    running.expect("working");
    let pid = running.pid();
    assert_eq!(control("status"), format!("running as PID {pid}\n"));
    let path = dir.path().join("pidlock-control.pid");
    let refusal = format!(
        "Error: pidfile '{}' already locked by PID {pid}\n",
        path.display()
    );
    assert_eq!(control("run"), refusal);
    // The stop returns once the file is free. The process may not have ended completely.
    assert_eq!(control("stop"), "stopped\n");
    assert!(!running.wait().success());
    assert!(!path.exists());
    assert!(control("start").contains("usage"));
}
