//! Unix: `flock(2)`, `stat(2)`, `kill(2)`, and on Linux `/proc`.

mod files;
mod lineage;
mod memory;
mod processes;
mod shared;

pub(crate) use files::{
    abandon, bears, can_create_in, cannot_be_locked, create_directory, current_user, effective_uid,
    has_raised_privileges, is_about_what_was_there, is_lockless, is_name_too_long, mark, open,
    open_new, read_at, set_mode, set_owner, stat, stat_directory, stat_path, try_lock_exclusive,
    try_lock_shared, unlock, write_all,
};
pub(crate) use lineage::{PerProcess, ThisProcess, forks};
pub(crate) use processes::{exists, life};
pub(crate) use shared::SharedWord;
