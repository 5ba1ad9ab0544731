//! Unix: `flock(2)`, `stat(2)`, `getpgid(2)`, and on Linux `/proc`.

mod files;
mod identity;
mod lineage;
mod memory;
mod path;
mod processes;
mod shared;
mod user;

pub(crate) use files::{
    OpenFile, UNFINISHED, abandon, bears, can_create_in, cannot_be_locked, create_directory,
    is_about_what_was_there, is_lockless, is_name_too_long, mark, open, open_new, open_or_create,
    owner_of_new_files, read_at, read_some_at, remove, set_mode, set_owner, truncate,
    try_lock_exclusive, try_lock_shared, unlock, wait_for_changes_of_directory, write_all,
};
pub(crate) use identity::{Stat, identify_path, shows, stat, stat_directory, stat_path};
pub(crate) use lineage::{PerProcess, ThisProcess, forks};
pub(crate) use path::{Absolute, FullPath};
pub(crate) use processes::{exists, life};
pub(crate) use shared::SharedWord;
pub(crate) use user::{current_user, effective_uid, has_raised_privileges, is_effective_uid};
