//! What the programs have in common.

use std::io;

/// Returns when the input ends: what the programs do for work, so that a test says when it is done.
///
/// # Errors
///
/// When the input cannot be read.
pub fn work() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}
