//! Windows: `LockFileEx`, `GetFileInformationByHandle`, `OpenProcess`, `ExitProcess`.
//!
//! There are no permission bits, numeric owners, forks or termination signals here. Functions about
//! them do nothing.

mod exit;
mod file;
mod path;
mod process;

pub(crate) use exit::*;
pub(crate) use file::*;
pub(crate) use path::*;
pub(crate) use process::*;
