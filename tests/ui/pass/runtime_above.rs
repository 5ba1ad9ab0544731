//! Attributes that start a runtime go above `#[pidfile]`, so that the lock outlives the tasks.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use pidlock_core::{PidFileError, pidfile};

mod actix_web {
    pub(super) use tokio::main;
}

static FILE: OnceLock<PathBuf> = OnceLock::new();

struct AtTheEnd;

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let text = fs::read_to_string(FILE.get().unwrap()).expect("the pidfile still exists");
        assert_eq!(text, format!("{}\n", std::process::id()));
    }
}

/// Spawns a task that is dropped when the runtime shuts down.
async fn spawn() {
    tokio::spawn(async {
        let _end = AtTheEnd;
        std::future::pending::<()>().await;
    });
    tokio::task::yield_now().await;
}

#[actix_web::main(flavor = "current_thread")]
#[pidfile(path = FILE.get().unwrap())]
async fn other() -> Result<(), PidFileError> {
    spawn().await;
    Ok(())
}

mod program {
    use super::*;

    #[tokio::main(flavor = "current_thread")]
    #[pidfile(path = FILE.get().unwrap())]
    pub(super) async fn main() -> Result<(), PidFileError> {
        spawn().await;
        Ok(())
    }
}

#[test]
fn the_lock_outlives_the_tasks() {
    let dir = tempfile::tempdir().unwrap();
    let path = FILE.get_or_init(|| dir.path().join("x"));
    program::main().unwrap();
    assert!(!path.exists());
    other().unwrap();
    assert!(!path.exists());
}
