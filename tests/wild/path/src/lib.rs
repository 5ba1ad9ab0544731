//! The path of the pidfile that all functions of an annotated crate share.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs, process};

/// Returns a path that no other process uses, because processes of tests run in parallel.
///
/// The first call creates a file, which tells that annotated functions ran.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let _ = fs::write(env::temp_dir().join("annotated"), "");
        env::temp_dir().join(format!("wild-{}.pid", process::id()))
    })
}
