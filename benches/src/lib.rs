//! Compares the cost of pidlock with that of the necessary system calls, and with that of other
//! crates and modules for the same purpose.
//!
//! Absolute times vary with machine and load. Contenders run in interleaved rounds, so that ratios
//! are comparable.

pub mod calls;
pub mod comparison;
pub mod contenders;
pub mod floor;
pub mod growth;
pub mod holder;
pub mod marks;
pub mod operation;
pub mod place;
pub mod python;
pub mod readme;
pub mod report;
pub mod rounds;
pub mod waiting;
pub mod whole;
