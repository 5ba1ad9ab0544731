//! Unix: `flock(2)`, `stat(2)`, `kill(2)`, and on Linux `/proc`.

mod files;
mod lineage;
mod processes;

pub(crate) use files::{
    abandon, can_create_in, create_directory, current_user, effective_uid, has_raised_privileges,
    is_name_too_long, is_unsupported, open, open_new, read_at, set_mode, set_owner, stat,
    stat_directory, stat_path, try_lock_exclusive, try_lock_shared, unlock, write_all,
};
pub(crate) use lineage::{PerProcess, ThisProcess};
pub(crate) use processes::{exists, life};
