//! A program that is refused, and reports it in one of the usual ways.
//!
//! `refuse_messages WAY PATH`, where WAY is
//! - `result`, `boxed`, `io`: returns the error from `main`, unchanged, boxed or as an `io::Error`
//! - `exit`, `skip`: calls this function of `pidlock_core::on_error`; `skip` panics unless the
//!   error is contention
//! - `unwrap`: unwraps the error
//! - `debug`: prints the `Debug` output of the file, its status and the errors

use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::process::{ExitCode, Termination};

use pidlock_core::{PidFile, PidFileError, PidGuard, Reservation, on_error};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let way = arguments.next().expect("usage: refuse_messages WAY PATH");
    let file = PidFile::at(arguments.next().expect("usage: refuse_messages WAY PATH"));
    let start = || file.acquire().map(drop::<PidGuard>);
    match way.to_str().expect("WAY is text") {
        "result" => start().report(),
        "boxed" => start().map_err(Box::<dyn Error>::from).report(),
        "io" => start().map_err(io::Error::from).report(),
        "exit" => start().map_or_else(|error| on_error::exit(error), |()| ExitCode::SUCCESS),
        "skip" => match start() {
            Ok(()) => ExitCode::SUCCESS,
            // Any type with a default would do.
            Err(error) => on_error::skip::<u8, _>(error).into(),
        },
        "unwrap" => start().map(|()| ExitCode::SUCCESS).unwrap(),
        _ => {
            tell(&file);
            tell(&file.status());
            tell(&start());
            tell(&start().map_err(io::Error::from));
            let reserved: Result<Reservation, PidFileError> = file.reserve();
            tell(&reserved);
            tell(&file.clone().name("x").path());
            ExitCode::FAILURE
        }
    }
}

fn tell(what: &impl Debug) {
    eprintln!("{what:?}");
    eprintln!("{what:#?}");
}
