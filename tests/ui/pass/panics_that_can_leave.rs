//! `extern` functions that can report a refusal: by a panic, by their result or by `on_error`.

#![allow(improper_ctypes_definitions)]

use std::panic::{self, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;

use pidlock_core::{PidFile, pidfile};

#[pidfile(path = path)]
extern "C-unwind" fn unwinds(path: &PathBuf) {}

#[pidfile(path = path)]
extern "Rust" fn ours(path: &PathBuf) {}

#[pidfile(path = path)]
extern "C" fn returns(path: &PathBuf) -> ExitCode {
    ExitCode::SUCCESS
}

#[pidfile(path = path, on_error = |_| *refused = true)]
extern "C" fn told(path: &PathBuf, refused: &mut bool) {}

#[test]
fn a_refusal_panics_or_is_returned() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    unwinds(&path);
    ours(&path);
    assert_eq!(returns(&path), ExitCode::SUCCESS);

    let _held = PidFile::at(&path).acquire().unwrap();
    let (tell, places) = mpsc::channel();
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        let _ = tell.send(panic.location().unwrap().file().to_owned());
    }));
    assert!(catch_unwind(|| unwinds(&path)).is_err());
    assert!(catch_unwind(|| ours(&path)).is_err());
    panic::set_hook(before);
    // The panics have the location of the function, not that of the library code that panics.
    assert_eq!(places.into_iter().collect::<Vec<_>>(), [file!(), file!()]);
    assert_eq!(returns(&path), ExitCode::FAILURE);
    let mut refused = false;
    told(&path, &mut refused);
    assert!(refused);
}
