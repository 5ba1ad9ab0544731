//! Code that the programs share.

pub mod refused;

use std::io;

/// Reads stdin to its end. This is the work of the programs, so a test controls when it is done.
///
/// # Errors
///
/// If stdin cannot be read.
pub fn work() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
