//! The attribute above attributes of other macros, which see the function as written.

use std::fmt::{self, Debug};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use pidlock_core::{PidFile, PidFileError, pidfile};
use tracing::field::{Field, Visit};
use tracing::span;
use tracing::subscriber::with_default;

type Held = Result<bool, PidFileError>;

fn is_held(path: &Path) -> bool {
    PidFile::at(path)
        .acquire()
        .is_err_and(|error| error.is_contention())
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => unreachable!("the future never waits"),
    }
}

/// Records the fields of spans, and the messages of events.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().expect("no test panics while it logs")
    }
}

/// Returns what the call logs, and its result.
fn logged<T>(call: impl FnOnce() -> T) -> (Vec<String>, T) {
    let log = Arc::new(Log::default());
    let result = with_default(Arc::clone(&log), call);
    let lines = std::mem::take(&mut *log.lines());
    (lines, result)
}

struct Lines<'a>(&'a Log);

impl Visit for Lines<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.lines().push(format!("{field}={value:?}"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &span::Attributes<'_>) -> span::Id {
        span.record(&mut Lines(self));
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut Lines(self));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

struct Login {
    name: String,
    password: String,
}

impl Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.password)
    }
}

mod parameters {
    use super::*;

    #[pidfile(path = path)]
    #[tracing::instrument]
    fn pattern(Login { name, .. }: Login, _: u8, path: &Path) -> Held {
        Ok(is_held(path) && name == "me")
    }

    #[pidfile(path = path)]
    #[tracing::instrument(skip(name, path), fields(length = name.len()))]
    async fn skipped(Login { name, .. }: Login, path: &Path) -> Held {
        Ok(is_held(path))
    }

    struct Owner(u8);

    impl Owner {
        #[pidfile(path = path)]
        #[tracing::instrument(skip_all, fields(owner = self.0, id = id))]
        fn owned(self, (id, _): (u8, String), path: &Path) -> Held {
            Ok(is_held(path) && self.0 == 3)
        }

        #[pidfile(path = path)]
        #[tracing::instrument(skip_all, fields(owner = self.0, id = id))]
        async fn owned_future(self, (id, _): (u8, String), path: &Path) -> Held {
            Ok(is_held(path) && self.0 == 3)
        }
    }

    macro_rules! make {
        (#[$below:meta] fn $name:ident($path:ident, $pat:pat => $t:ty) $body:block) => {
            #[pidfile(path = $path, crate = facade::renamed)]
            #[$below]
            fn $name($pat: $t, $path: &Path) -> Held $body
        };
    }

    mod facade {
        pub(super) use pidlock_core as renamed;
    }

    make!(#[tracing::instrument(skip_all, fields(a = a))] fn made(path, (a, _) => (u8, u8)) {
        Ok(is_held(path))
    });

    fn login() -> Login {
        Login {
            name: "me".to_owned(),
            password: "secret".to_owned(),
        }
    }

    #[test]
    fn macro_below_sees_parameters_as_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let (lines, held) = logged(|| pattern(login(), 7, path));
        assert_eq!(lines, ["name=\"me\"".to_owned(), format!("path={path:?}")]);
        assert!(held.unwrap());
        let (lines, held) = logged(|| block_on(skipped(login(), path)));
        assert_eq!(lines, ["length=2"]);
        assert!(held.unwrap());
        let (lines, held) = logged(|| Owner(3).owned((4, String::new()), path));
        assert_eq!(lines, ["owner=3", "id=4"]);
        assert!(held.unwrap());
        let (lines, held) = logged(|| block_on(Owner(3).owned_future((4, String::new()), path)));
        assert_eq!(lines, ["owner=3", "id=4"]);
        assert!(held.unwrap());
        let (lines, held) = logged(|| made((1, 2), path));
        assert_eq!(lines, ["a=1"]);
        assert!(held.unwrap());
    }
}

mod refusals {
    use super::*;

    #[pidfile(path = path)]
    #[tracing::instrument(skip_all, err)]
    fn instrumented(path: &Path) -> Held {
        Ok(is_held(path))
    }

    #[pidfile(path = path)]
    #[tracing::instrument(skip_all, err)]
    async fn instrumented_future(path: &Path) -> Held {
        Ok(is_held(path))
    }

    #[test]
    fn macro_below_sees_refusal() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let _held = PidFile::at(path).acquire().unwrap();
        let (lines, result) = logged(|| instrumented(path));
        assert_eq!(lines, [format!("error={}", result.unwrap_err())]);
        let (lines, result) = logged(|| block_on(instrumented_future(path)));
        assert_eq!(lines, [format!("error={}", result.unwrap_err())]);
    }
}

mod drop_order {
    use super::*;

    /// Asserts that the lock is held when it is dropped.
    struct Probe(PathBuf);

    impl Drop for Probe {
        fn drop(&mut self) {
            assert!(is_held(&self.0));
        }
    }

    #[pidfile(path = &a.0)]
    #[tracing::instrument(skip_all, err)]
    fn function(a: Probe, (_b, _): (Probe, Probe), _: Probe, fails: bool) -> Held {
        let _local = Probe(a.0.clone());
        if fails {
            return Err(PidFile::at(&a.0).acquire().unwrap_err());
        }
        Ok(true)
    }

    #[pidfile(path = &a.0)]
    #[tracing::instrument(skip_all, err)]
    async fn future(a: Probe, (_b, _): (Probe, Probe), _: Probe, fails: bool) -> Held {
        let _local = Probe(a.0.clone());
        if fails {
            return Err(PidFile::at(&a.0).acquire().unwrap_err());
        }
        Ok(true)
    }

    impl Probe {
        #[pidfile(path = &self.0)]
        #[tracing::instrument(skip_all)]
        fn owned(self, _: Self) -> Held {
            Ok(true)
        }

        #[pidfile(path = &self.0)]
        #[tracing::instrument(skip_all)]
        async fn owned_future(self, _: Self) -> Held {
            Ok(true)
        }
    }

    #[pidfile(path = outer)]
    #[pidfile(path = &other.0)]
    fn twice(outer: &Path, other: Probe, _: Probe) -> Held {
        Ok(is_held(outer) && is_held(&other.0))
    }

    #[test]
    fn all_is_dropped_before_the_lock_is_released() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let new = || Probe(path.clone());
        for fails in [false, true] {
            let result = function(new(), (new(), new()), new(), fails);
            assert_eq!(result.is_err(), fails);
            let result = block_on(future(new(), (new(), new()), new(), fails));
            assert_eq!(result.is_err(), fails);
        }
        assert!(new().owned(new()).unwrap());
        assert!(block_on(new().owned_future(new())).unwrap());
        assert!(twice(&dir.path().join("y"), new(), new()).unwrap());
        assert!(!path.exists());
    }
}

mod moved_bodies {
    use super::*;

    #[pidfile(path = path)]
    #[async_recursion::async_recursion]
    async fn boxed(path: &Path, (times, _): (u8, u8)) -> Held {
        Ok(is_held(path) && times == 1)
    }

    #[test]
    fn lock_covers_the_boxed_future_of_async_recursion() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let future = boxed(path, (1, 2));
        assert!(!path.exists());
        assert!(block_on(future).unwrap());
    }

    #[pidfile(path = std::env::temp_dir().join("other_attributes_should_panic"))]
    #[test]
    #[should_panic(expected = "in the body")]
    fn test_attributes_below_take_effect() {
        panic!("in the body");
    }

    // On one line, where lints look for redundant braces.
    #[pidfile(path = path)]
    #[pidlock_attributes::task]
    #[deny(unused_braces)]
    #[rustfmt::skip]
    fn in_braces(path: &Path, (_a, _): (u8, u8)) -> Held { Ok(is_held(path)) }

    #[test]
    fn lock_covers_the_body_in_a_block_of_a_known_macro() {
        let dir = tempfile::tempdir().unwrap();
        assert!(in_braces(&dir.path().join("x"), (1, 2)).unwrap());
    }
}
