//! Unix: `flock(2)`, `stat(2)`, `getpgid(2)`, `sigaction(2)`, and on Linux `pidfd_open(2)` and `/proc`.

mod file;
mod fork;
mod inherit;
mod path;
mod pidfd;
mod process;
mod signal;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod watch;

pub(crate) use file::*;
pub(crate) use fork::*;
pub(crate) use inherit::*;
pub(crate) use path::*;
pub(crate) use pidfd::*;
pub(crate) use process::*;
pub(crate) use signal::*;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use watch::*;
