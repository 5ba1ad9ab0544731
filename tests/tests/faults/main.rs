//! Faults at every system call that a pidfile takes: death, errors, and other processes in between.
//! The calls are found by running, so what is tested follows the protocol. The program is `traced`.
//!
//! Only where the stepper knows the registers.
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
mod swaps;
mod tally;
mod threads;
