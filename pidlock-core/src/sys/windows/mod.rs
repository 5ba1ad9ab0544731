//! Windows: `LockFileEx`, `GetFileInformationByHandle`, `OpenProcess`.
//!
//! There are no permission bits, numeric owners, forks or termination signals here. Functions about
//! them do nothing.

mod file;
mod path;
mod process;

pub(crate) use file::{
    LOCK_MARK, Stat, confirm_lock, create, create_directory, forget, has_offset_tag,
    is_lock_unsupported, is_name_too_long, is_not_kept, is_removed, may_be_transient,
    needs_write_access, offset_tag, open, read_at, set_mode, set_owner, stat, stat_path,
    try_lock_exclusive, try_lock_shared, unlink, unlock, write_at_start,
};
pub(crate) use path::AbsPath;
pub(crate) use process::{
    PerProcess, ProcessInstance, current_user, effective_uid, exists, fork_count, is_holder,
    is_secure_execution, process_state, terminate_by, took_lock,
};
