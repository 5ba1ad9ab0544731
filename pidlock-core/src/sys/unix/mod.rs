//! Unix: `flock(2)`, `stat(2)`, `getpgid(2)`, `sigaction(2)`, and on Linux `/proc`.

mod file;
mod fork;
mod path;
mod process;
mod signal;

pub(crate) use file::{
    LOCK_MARK, Stat, confirm_lock, create, create_directory, forget, has_offset_tag,
    is_lock_unsupported, is_name_too_long, is_not_kept, is_removed, is_writable_dir,
    may_be_transient, needs_write_access, offset_tag, open, pause, put_over, read_at, set_mode,
    set_offset_tag, set_owner, stat, stat_path, try_lock_exclusive, try_lock_shared, unlink,
    unlock, write_at_start,
};
pub(crate) use fork::{PerProcess, ProcessInstance, SharedWord, fork_count};
pub(crate) use path::AbsPath;
pub(crate) use process::{
    current_user, effective_uid, exists, is_holder, is_secure_execution, process_state, took_lock,
};
pub(crate) use signal::{
    Disposition, TERMINATION_SIGNALS, disposition, keeping_errno, register_exit_handler,
    set_handler, terminate_by,
};
