//! A program that cannot start, and says so in one of the ways in which programs do.
//!
//! `refuse_messages WAY PATH`: WAY is `result`, `boxed` or `io` (what `main` returns), `exit` or
//! `skip` (of `pidlock_core::on_error`; `skip` panics), `unwrap`, or `debug`, which prints all there
//! is to print about the file and the error.

use std::error::Error;
use std::fmt::Debug;
use std::io;
use std::process::{ExitCode, Termination};

use pidlock_core::{PidFile, PidFileError, PidGuard, Reservation, on_error};

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let way = arguments.next().expect("a way");
    let file = PidFile::at(arguments.next().expect("a path"));
    let start = || file.acquire().map(drop::<PidGuard>);
    match way.to_str().expect("a way") {
        "result" => start().report(),
        "boxed" => start().map_err(Box::<dyn Error>::from).report(),
        "io" => start().map_err(io::Error::from).report(),
        "exit" => start().map_or_else(|error| on_error::exit(error), |()| ExitCode::SUCCESS),
        "skip" => match start() {
            Ok(()) => ExitCode::SUCCESS,
            // Any type with a default.
            Err(error) => on_error::skip::<u8>(error).into(),
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
