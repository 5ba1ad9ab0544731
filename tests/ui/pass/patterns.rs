//! Patterns that seem to be able to fail, and match each value.

use std::cell::RefCell;
use std::convert::Infallible;
use std::path::Path;

use pidlock_core::{PidFileError, pidfile};

/// Records when it is dropped whether the file exists.
struct Part<'a>(&'a Path, &'a RefCell<Vec<bool>>);

impl Drop for Part<'_> {
    fn drop(&mut self) {
        self.1.borrow_mut().push(self.0.exists());
    }
}

struct Pair<'a>(Part<'a>, Part<'a>);

struct Fields<'a> {
    first: Part<'a>,
    second: Part<'a>,
}

type AliasOfPair<'a> = Pair<'a>;
type AliasOfFields<'a> = Fields<'a>;

#[pidfile(path = path)]
fn aliases(
    path: &Path,
    Pair(mut first, _): AliasOfPair<'_>,
    Fields { ref second, .. }: AliasOfFields<'_>,
) -> Result<(), PidFileError> {
    assert_eq!(second.0, path);
    first.0 = path;
    Ok(())
}

#[pidfile(path = path)]
async fn infallible(
    path: &Path,
    Ok(number): Result<u8, Infallible>,
    [Some(0..) | None, ..]: [Option<u8>; 2],
    (Ok(part) | Err(part)): Result<Part<'_>, Part<'_>>,
) -> Result<u8, PidFileError> {
    assert_eq!(part.0, path);
    Ok(number)
}

#[tokio::test]
async fn each_part_is_dropped_before_the_lock_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let path = &dir.path().join("x");
    let dropped = RefCell::new(Vec::new());
    let part = || Part(path, &dropped);
    let fields = Fields {
        first: part(),
        second: part(),
    };
    let pair = Pair(part(), part());
    assert_eq!([fields.first.0, pair.1.0], [path; 2]);
    aliases(path, pair, fields).unwrap();
    assert_eq!(dropped.take(), [true; 4]);
    let number = infallible(path, Ok(7), [None; 2], Err(part())).await;
    assert_eq!(number.unwrap(), 7);
    assert_eq!(dropped.take(), [true]);
    assert!(!path.exists());
}
