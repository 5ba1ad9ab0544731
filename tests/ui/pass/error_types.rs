//! Error types that a refusal can be converted into.

use std::error::Error;
use std::fmt::{Debug, Display};
use std::path::Path;

use pidlock_core::{PidFile, PidFileError, pidfile};

#[derive(Debug, thiserror::Error)]
enum AppError {
    #[error("cannot start")]
    Lock(#[from] PidFileError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

#[pidfile(path = path)]
fn derived(path: &Path) -> Result<u64, AppError> {
    Ok(std::fs::metadata(path)?.len())
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Transparent(#[from] PidFileError);

#[pidfile(path = path)]
async fn transparent(path: &Path) -> Result<(), Transparent> {
    Ok(())
}

#[pidfile(path = path)]
fn generic<E: From<PidFileError>>(path: &Path) -> Result<(), E> {
    Ok(())
}

#[pidfile(path = path)]
fn boxed(path: &Path) -> Result<(), Box<dyn Error>> {
    Ok(())
}

type Alias<T, E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

#[pidfile(path = path)]
fn unnamed(path: &Path) -> Alias<impl Display + use<>> {
    Ok(7)
}

fn refused<T, E: Debug + Display>(result: Result<T, E>) -> String {
    match result {
        Ok(_) => panic!("the lock is held"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn refusal_is_converted_into_each_error_type() {
    let dir = tempfile::tempdir().unwrap();
    let path = &dir.path().join("x");
    derived(path).unwrap();
    boxed(path).unwrap();
    unnamed(path).unwrap();

    let _held = PidFile::at(path).acquire().unwrap();
    let message = PidFile::at(path).acquire().unwrap_err().to_string();
    let error = derived(path).unwrap_err();
    assert!(matches!(error, AppError::Lock(_)));
    assert_eq!(error.source().unwrap().to_string(), message);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    assert_eq!(refused(runtime.block_on(transparent(path))), message);
    assert_eq!(refused(generic::<Transparent>(path)), message);
    assert_eq!(refused(generic::<PidFileError>(path)), message);
    assert_eq!(refused(boxed(path)), message);
    assert_eq!(refused(unnamed(path)), message);
}
