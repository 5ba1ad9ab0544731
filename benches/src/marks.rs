//! Two system calls without effect, which mark the beginning and the end of an operation in the log
//! of strace.

use rustix::fs::{Access, access};

/// The path in the first call.
pub const BEGIN: &str = "pidlock-benches: begin";
/// The path in the second call.
pub const END: &str = "pidlock-benches: end";

/// Runs an operation between the two calls.
pub fn between(run: impl FnOnce()) {
    let _ = access(BEGIN, Access::EXISTS);
    run();
    let _ = access(END, Access::EXISTS);
}
