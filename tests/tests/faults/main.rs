//! Faults at every system call of a pidfile operation: kills, errors, and changes that other
//! processes make between two calls. The calls are found by tracing the program `traced`, so the
//! tests cover whatever calls the protocol makes.
//!
//! Needs a platform whose registers the tracer knows.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod cases;
mod deaths;
mod departures;
mod directory;
mod errors;
mod limits;
mod lives;
mod orders;
mod place;
mod real;
mod runs;
mod slow;
mod stops;
mod swaps;
mod tally;
mod threads;
mod waits;
