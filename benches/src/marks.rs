//! Two system calls without effect, between which strace's log is about one operation.

use rustix::fs::{Access, access};

/// What strace shows of the first.
pub const BEGIN: &str = "pidlock-benches: begin";
/// What strace shows of the second.
pub const END: &str = "pidlock-benches: end";

/// Does something between the two.
pub fn between(run: impl FnOnce()) {
    let _ = access(BEGIN, Access::EXISTS);
    run();
    let _ = access(END, Access::EXISTS);
}
