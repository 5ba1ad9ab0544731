//! What pidlock costs, beside the system calls that it cannot do without and beside others that do
//! the same job.
//!
//! Machines are noisy and differ: what counts is the ratio of two things measured in turns.

pub mod calls;
pub mod comparison;
pub mod contenders;
pub mod floor;
pub mod growth;
pub mod holder;
pub mod marks;
pub mod operation;
pub mod picture;
pub mod place;
pub mod plot;
pub mod python;
pub mod readme;
pub mod report;
pub mod rounds;
pub mod whole;
