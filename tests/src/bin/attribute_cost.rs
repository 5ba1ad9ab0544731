//! Acquires a pidfile through the attribute or with a hand-written guard. A test traces both and
//! compares their system calls.
//!
//! `attribute_cost WAY PATH` prints `begin` and calls the function that WAY names: `annotated` or
//! `by_hand`, or one of these with the suffix `_async`. It exits with the result of the function.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitCode, Termination};
use std::task::{Context, Poll, Waker};

use pidlock_core::{PidFile, PidFileError, pidfile};

#[pidfile(path = path)]
fn annotated(path: &Path, rows: Vec<u32>) -> Result<(), PidFileError> {
    println!("total {}", rows.iter().sum::<u32>());
    Ok(())
}

fn by_hand(path: &Path, rows: Vec<u32>) -> Result<(), PidFileError> {
    let _guard = PidFile::at(path).acquire()?;
    println!("total {}", rows.iter().sum::<u32>());
    Ok(())
}

#[pidfile(path = &path)]
async fn annotated_async(path: PathBuf, rows: Vec<u32>) -> Result<(), PidFileError> {
    println!("total {}", rows.iter().sum::<u32>());
    Ok(())
}

async fn by_hand_async(path: PathBuf, rows: Vec<u32>) -> Result<(), PidFileError> {
    let _guard = PidFile::at(&path).acquire_async().await?;
    println!("total {}", rows.iter().sum::<u32>());
    Ok(())
}

/// Returns the output of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the future never waits"),
    }
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let way = arguments.next().expect("usage: attribute_cost WAY PATH");
    let path = PathBuf::from(arguments.next().expect("usage: attribute_cost WAY PATH"));
    let rows = vec![1, 2, 3];
    println!("begin");
    let result = match way.to_str() {
        Some("annotated") => annotated(&path, rows),
        Some("by_hand") => by_hand(&path, rows),
        Some("annotated_async") => ready(annotated_async(path, rows)),
        Some("by_hand_async") => ready(by_hand_async(path, rows)),
        _ => panic!("unknown way {way:?}"),
    };
    result.report()
}
