//! Unix: `flock(2)`, `stat(2)`, `getpgid(2)`, `sigaction(2)`, and on Linux `pidfd_open(2)` and `/proc`.

mod file;
mod fork;
mod inherit;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod kinfo;
mod path;
mod pidfd;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod proc;
mod process;
mod signal;
#[cfg(any(target_os = "linux", target_os = "android"))]
mod watch;

pub(crate) use file::*;
pub(crate) use fork::*;
pub(crate) use inherit::*;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use kinfo::*;
pub(crate) use path::*;
pub(crate) use pidfd::*;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use proc::*;
pub(crate) use process::*;
pub(crate) use signal::*;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use watch::*;
