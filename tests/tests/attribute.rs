//! Tests of the attribute through its public interface: its keys, the functions that it accepts,
//! and the result of a refused call for each return type.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, Location, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use pidlock_core::{PidFile, PidFileError, pidfile};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = Box::pin(future);
    loop {
        let polled = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(result) = polled {
            return result;
        }
    }
}

/// A future that is pending at its first poll.
#[derive(Default)]
struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

fn own_pid(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text == format!("{}\n", std::process::id()))
}

fn is_held(path: &Path) -> bool {
    PidFile::at(path)
        .acquire()
        .is_err_and(|error| error.is_contention())
}

fn panic_of(run: impl FnOnce()) -> String {
    let payload = catch_unwind(AssertUnwindSafe(run)).unwrap_err();
    payload
        .downcast_ref::<String>()
        .expect("a panic with a formatted message")
        .clone()
}

mod keys {
    use super::*;

    #[pidfile("plain", dir = dir)]
    fn positional(dir: &Path) -> Result<bool, PidFileError> {
        Ok(own_pid(&dir.join("plain.pid")))
    }

    #[pidfile(name = "worker-{id}", dir = dir, suffix = id > 7)]
    fn formatted(dir: &Path, id: u32) -> Result<Vec<PathBuf>, PidFileError> {
        Ok(list(dir))
    }

    #[pidfile("{{{id:02}}}-{type}", dir = dir)]
    fn braces(dir: &Path, id: u32, r#type: &str) -> Result<Vec<PathBuf>, PidFileError> {
        Ok(list(dir))
    }

    #[pidfile("{{}}", dir = dir)]
    fn only_braces(dir: &Path) -> Result<Vec<PathBuf>, PidFileError> {
        Ok(list(dir))
    }

    #[pidfile(name = concat!("from-", "{id}"), dir = dir)]
    fn not_a_literal(dir: &Path) -> Result<Vec<PathBuf>, PidFileError> {
        Ok(list(dir))
    }

    #[pidfile(path = path, on_signal = pidlock_core::OnSignal::Off, at_exit = false, lock = true)]
    fn endings(path: &Path) -> Result<bool, PidFileError> {
        Ok(own_pid(path))
    }

    #[test]
    fn on_signal_and_at_exit_keys_accept_values() {
        let dir = tempfile::tempdir().unwrap();
        assert!(endings(&dir.path().join("x")).unwrap());
    }

    #[pidfile(path = path, timeout = limit, on_wait = { let tell = tell.clone(); move |e| tell(e) })]
    fn waiting(path: &Path, limit: Duration, tell: Tell) -> Result<u32, PidFileError> {
        tell(&PidFile::at(path).acquire().unwrap_err()); // still there
        Ok(std::process::id())
    }

    #[pidfile(path = path, wait)]
    async fn waiting_async(path: &Path) -> Result<bool, PidFileError> {
        Ok(own_pid(path))
    }

    #[pidfile(path = path, timeout = None)]
    fn not_waiting(path: &Path) -> Result<(), PidFileError> {
        Ok(())
    }

    type Tell = Arc<dyn Fn(&PidFileError) + Send + Sync + UnwindSafe + RefUnwindSafe>;

    #[test]
    fn timeout_and_on_wait_keys_see_the_parameters() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let guard = PidFile::at(&path).acquire().unwrap();
        let count = Arc::new(AtomicU32::new(0));
        let tell: Tell = {
            let count = count.clone();
            Arc::new(move |refusal| {
                assert_eq!(refusal.pid(), Some(std::process::id()));
                count.fetch_add(1, Relaxed);
            })
        };
        let limit = Duration::from_millis(20);
        let error = waiting(&path, limit, tell.clone()).unwrap_err();
        assert!(
            matches!(error, PidFileError::AlreadyLocked { waited: Some(it), .. } if it >= limit),
            "{error}"
        );
        assert_eq!(count.load(Relaxed), 1);
        let error = not_waiting(&path).unwrap_err();
        assert!(
            matches!(error, PidFileError::AlreadyLocked { waited: None, .. }),
            "{error}"
        );
        drop(guard);
        waiting(&path, limit, tell).unwrap();
        assert_eq!(count.load(Relaxed), 2);
    }

    #[test]
    fn wait_key_waits_without_blocking_the_executor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        let guard = PidFile::at(&path).acquire().unwrap();
        let mut waiting = pin!(waiting_async(&path));
        let mut context = Context::from_waker(Waker::noop());
        for _ in 0..10 {
            assert!(waiting.as_mut().poll(&mut context).is_pending());
        }
        drop(guard);
        assert!(futures_executor::block_on(waiting).unwrap());
    }

    #[pidfile(dir = dir)]
    fn unnamed(dir: &Path) -> Result<Vec<PathBuf>, PidFileError> {
        Ok(list(dir))
    }

    #[pidfile(path = "{dir}/{name}")]
    fn path(dir: &str, name: &str) -> Result<Vec<PathBuf>, PidFileError> {
        Ok(list(Path::new(dir)))
    }

    #[pidfile("kept", dir = dir, keep)]
    fn kept(dir: &Path) -> Result<(), PidFileError> {
        Ok(())
    }

    #[pidfile("recursive", dir = dir, reentrant)]
    fn recursive(dir: &Path, depth: u32) -> Result<u32, PidFileError> {
        if depth == 0 {
            Ok(0)
        } else {
            Ok(1 + recursive(dir, depth - 1)?)
        }
    }

    #[pidfile("recursive", dir = dir, reentrant = false)]
    fn not_recursive(dir: &Path, depth: u32) -> Result<u32, PidFileError> {
        if depth == 0 {
            Ok(0)
        } else {
            Ok(1 + not_recursive(dir, depth - 1)?)
        }
    }

    #[pidfile("temporary-{unique}", temp_dir = true, lock = false)]
    fn temporary(unique: u32) -> Result<bool, PidFileError> {
        Ok(own_pid(
            &std::env::temp_dir().join(format!("temporary-{unique}.pid")),
        ))
    }

    fn list(dir: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir).unwrap();
        entries
            .map(|entry| PathBuf::from(entry.unwrap().file_name()))
            .collect()
    }

    #[test]
    fn text_keys_determine_the_path() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert!(positional(dir).unwrap());
        assert_eq!(formatted(dir, 7).unwrap(), [Path::new("worker-7")]);
        assert_eq!(formatted(dir, 8).unwrap(), [Path::new("worker-8.pid")]);
        assert_eq!(braces(dir, 5, "x").unwrap(), [Path::new("{05}-x.pid")]);
        assert_eq!(only_braces(dir).unwrap(), [Path::new("{}.pid")]);
        assert_eq!(not_a_literal(dir).unwrap(), [Path::new("from-{id}.pid")]);
        assert_eq!(
            path(dir.to_str().unwrap(), "exact").unwrap(),
            [Path::new("exact")]
        );
        let program = std::env::current_exe().unwrap();
        let program = program.file_stem().unwrap().to_str().unwrap();
        let unnamed = unnamed(dir).unwrap();
        assert!(
            unnamed[0].to_str().unwrap().starts_with(program),
            "{unnamed:?}"
        );
        assert_eq!(list(dir), [] as [PathBuf; 0]);
    }

    #[test]
    fn switch_keys_take_effect() {
        let dir = tempfile::tempdir().unwrap();
        kept(dir.path()).unwrap();
        assert_eq!(list(dir.path()), [Path::new("kept.pid")]);
        assert_eq!(recursive(dir.path(), 3).unwrap(), 3);
        assert!(not_recursive(dir.path(), 3).unwrap_err().is_contention());
        assert!(temporary(std::process::id()).unwrap());
    }

    #[cfg(unix)]
    #[test]
    fn mode_and_owner_keys_take_effect() {
        use std::os::unix::fs::MetadataExt;

        #[pidfile(path = path, mode = mode, uid = uid, gid = gid)]
        fn owned(path: &Path, mode: u32, uid: u32, gid: u32) -> Result<u32, PidFileError> {
            Ok(std::fs::metadata(path)
                .map(|found| found.mode() & 0o777)
                .unwrap_or_default())
        }

        let dir = tempfile::tempdir().unwrap();
        let us = std::fs::metadata(dir.path()).unwrap();
        let path = dir.path().join("x");
        assert_eq!(owned(&path, 0o600, us.uid(), us.gid()).unwrap(), 0o600);
        assert_eq!(owned(&path, 0o666, us.uid(), us.gid()).unwrap(), 0o666);
    }

    #[test]
    fn values_are_evaluated_at_each_call_before_the_lock() {
        #[pidfile(path = next(path, calls)?)]
        fn counted(path: &Path, calls: &Cell<u32>) -> Result<PathBuf, PidFileError> {
            Ok(path.join(calls.get().to_string()))
        }

        fn next(path: &Path, calls: &Cell<u32>) -> Result<PathBuf, PidFileError> {
            calls.set(calls.get() + 1);
            let path = path.join(calls.get().to_string());
            assert!(!path.exists());
            PidFile::at(&path).path()
        }

        let dir = tempfile::tempdir().unwrap();
        let calls = Cell::new(0);
        for call in 1..=3 {
            let path = counted(dir.path(), &calls).unwrap();
            assert_eq!(
                (calls.get(), path),
                (call, dir.path().join(call.to_string()))
            );
        }
    }

    #[test]
    fn values_are_evaluated_once_in_the_order_given() {
        #[pidfile(
            keep = noted(asked, "keep", false),
            name = noted(asked, "name", "x"),
            mode = noted(asked, "mode", 0o600),
            dir = noted(asked, "dir", dir),
            on_error = noted(asked, "on_error", |_| false)
        )]
        fn asks(dir: &Path, asked: &RefCell<Vec<&str>>) -> bool {
            true
        }

        fn noted<T>(asked: &RefCell<Vec<&str>>, key: &'static str, value: T) -> T {
            asked.borrow_mut().push(key);
            value
        }

        let dir = tempfile::tempdir().unwrap();
        let asked = RefCell::default();
        let mut expected = vec!["keep", "name", "mode", "dir"];
        assert!(asks(dir.path(), &asked));
        assert_eq!(asked.take(), expected);

        let _held = PidFile::at(dir.path().join("x.pid")).acquire().unwrap();
        assert!(!asks(dir.path(), &asked));
        // `on_error` is evaluated only if the call is refused.
        expected.push("on_error");
        assert_eq!(asked.take(), expected);
    }

    #[test]
    fn pattern_bindings_are_in_scope_beside_an_owned_self() {
        struct Owner<'a>(&'a Path);

        impl Owner<'_> {
            #[pidfile("{name}", dir = self.0)]
            fn owned(self, (name, _): (&str, u8)) -> Result<Vec<PathBuf>, PidFileError> {
                Ok(list(self.0))
            }

            #[pidfile("{name}", dir = self.0)]
            async fn future(self, (name, _): (&str, u8)) -> Result<Vec<PathBuf>, PidFileError> {
                Ok(list(self.0))
            }
        }

        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let expected = [Path::new("x.pid")];
        assert_eq!(Owner(dir).owned(("x", 1)).unwrap(), expected);
        assert_eq!(block_on(Owner(dir).future(("x", 1))).unwrap(), expected);
    }

    #[test]
    fn text_keys_borrow_owned_parameters() {
        #[pidfile(name = name, dir = dir)]
        fn owns(name: String, dir: PathBuf) -> Result<PathBuf, PidFileError> {
            Ok(dir.join(name))
        }

        let dir = tempfile::tempdir().unwrap();
        let path = owns("x".to_owned(), dir.path().to_owned()).unwrap();
        assert_eq!(path, dir.path().join("x"));
    }

    #[test]
    fn temporaries_of_values_are_dropped_before_locking() {
        #[pidfile(path = name.lock().unwrap().as_path(), on_error = |_| name.try_lock().is_ok())]
        fn locks_too(name: &Mutex<PathBuf>) -> bool {
            name.try_lock().is_ok_and(|name| is_held(&name))
        }

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert!(locks_too(&Mutex::new(path.clone())));
        let _held = PidFile::at(&path).acquire().unwrap();
        assert!(locks_too(&Mutex::new(path)));
    }
}

mod shapes {
    use super::*;

    struct Owner {
        path: PathBuf,
        text: String,
    }

    trait Methods: Sized {
        fn path(&self) -> &Path;

        #[pidfile(path = self.path())]
        fn by_value(self) -> Result<Self, PidFileError> {
            assert!(own_pid(self.path()));
            Ok(self)
        }

        #[pidfile(path = self.path())]
        async fn by_value_async(self) -> Result<Self, PidFileError> {
            Pause::default().await;
            assert!(own_pid(self.path()));
            Ok(self)
        }
    }

    impl Methods for Owner {
        fn path(&self) -> &Path {
            &self.path
        }
    }

    impl Owner {
        #[pidfile(path = &self.path)]
        fn by_ref(&self) -> Result<&str, PidFileError> {
            assert!(own_pid(&self.path));
            Ok(&self.text)
        }

        #[pidfile(path = &self.path)]
        fn by_mut(&mut self, text: &str) -> Result<&mut String, PidFileError> {
            assert!(own_pid(&self.path));
            self.text.push_str(text);
            Ok(&mut self.text)
        }

        #[pidfile(path = &self.path)]
        fn mut_value(mut self, text: &str) -> Result<String, PidFileError> {
            assert!(own_pid(&self.path));
            self.text += text;
            Ok(self.text)
        }

        #[pidfile(path = &self.path)]
        fn boxed(self: Box<Self>) -> Result<Box<dyn Display>, PidFileError> {
            assert!(own_pid(&self.path));
            Ok(Box::new(self.text))
        }

        #[pidfile(path = &self.path)]
        fn counted(self: Rc<Self>) -> Result<impl Display, PidFileError> {
            assert!(own_pid(&self.path));
            Ok(self.text.clone())
        }

        #[pidfile(path = &self.path)]
        async fn pinned(self: Pin<&mut Self>) -> Result<impl Display + use<>, PidFileError> {
            Pause::default().await;
            assert!(own_pid(&self.path));
            Ok(self.text.clone())
        }

        #[pidfile(path = &self.path, on_error = |_| "refused")]
        fn lends<'a>(self, text: &'a str, count: &mut usize) -> &'a str {
            *count += self.text.len();
            text
        }
    }

    #[test]
    fn methods_with_any_self_type_run_under_the_lock() -> Result<(), PidFileError> {
        let dir = tempfile::tempdir().unwrap();
        let new = || Owner {
            path: dir.path().join("x"),
            text: "text".into(),
        };
        assert_eq!(new().by_value()?.text, "text");
        assert_eq!(block_on(new().by_value_async())?.text, "text");
        assert_eq!(new().by_ref()?, "text");
        assert_eq!(new().by_mut("!")?, "text!");
        assert_eq!(new().mut_value("?")?, "text?");
        assert_eq!(Box::new(new()).boxed()?.to_string(), "text");
        assert_eq!(Rc::new(new()).counted()?.to_string(), "text");
        assert_eq!(block_on(Pin::new(&mut new()).pinned())?.to_string(), "text");
        let mut count = 1;
        assert_eq!((new().lends("lent", &mut count), count), ("lent", 5));
        Ok(())
    }

    #[pidfile(path = path)]
    fn generic<'a, T, const N: usize>(
        path: &Path,
        value: &'a T,
        mut each: impl FnMut(usize),
        array: [u8; N],
    ) -> Result<(&'a T, impl Iterator<Item = u8>), Box<dyn Error + Send + Sync>>
    where
        T: Display + ?Sized,
    {
        assert!(own_pid(path));
        each(N);
        array.first().ok_or("empty")?;
        Ok((value, array.into_iter().rev()))
    }

    #[pidfile(path = path)]
    #[allow(clippy::too_many_arguments)]
    fn patterns(
        path: &Path,
        (a, _): (u8, String),
        [first, .., ref mut last]: [String; 3],
        _: u8,
        _named: u8,
        #[cfg(any())] absent: Absent,
        #[cfg(not(any()))] mut present: u8,
        #[expect(unused_variables)] r#unsafe: u8,
        r#fn: u8,
    ) -> Result<String, PidFileError> {
        assert!(own_pid(path));
        present += 1;
        last.push('!');
        Ok(format!("{a}{first}{last}{_named}{present}{}", r#fn))
    }

    struct Item {
        size: usize,
    }

    #[pidfile(path = path, on_error = pidlock_core::on_error::exit)]
    fn larger_than(path: &Path, size: usize) -> impl Fn(&Item) -> bool + use<> {
        assert!(own_pid(path));
        move |item| item.size > size
    }

    #[pidfile(path = path, on_error = pidlock_core::on_error::exit)]
    async fn identity(path: &Path) -> impl Fn(&str) -> &str + use<> {
        assert!(own_pid(path));
        |text| text
    }

    #[test]
    fn returned_closures_learn_their_types_from_the_signature() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        assert!(larger_than(path, 3)(&Item { size: 4 }));
        assert_eq!(block_on(identity(path))("text"), "text");
    }

    #[pidfile(path = path, guard = lock)]
    fn with_guard(path: &Path, (_a, _): (String, u8)) -> Result<bool, PidFileError> {
        lock.verify()?;
        Ok(lock.path() == path)
    }

    #[pidfile(path = path, guard = lock)]
    #[tracing::instrument(skip_all)]
    async fn with_guard_below(path: &Path, (_a, _): (String, u8)) -> Result<bool, PidFileError> {
        std::future::ready(()).await;
        lock.verify()?;
        Ok(lock.path() == path)
    }

    impl Item {
        #[pidfile(path = path, guard = lock)]
        fn with_guard(self, path: &Path) -> Result<bool, PidFileError> {
            lock.verify()?;
            Ok(lock.path() == path && self.size == 4)
        }

        #[pidfile(path = path, guard = lock)]
        async fn with_guard_async(self, path: &Path) -> Result<bool, PidFileError> {
            std::future::ready(()).await;
            lock.verify()?;
            Ok(lock.path() == path && self.size == 4)
        }
    }

    #[test]
    fn body_refers_to_the_guard_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        assert!(with_guard(path, (String::new(), 1)).unwrap());
        assert!(block_on(with_guard_below(path, (String::new(), 1))).unwrap());
        assert!(Item { size: 4 }.with_guard(path).unwrap());
        assert!(block_on(Item { size: 4 }.with_guard_async(path)).unwrap());
        assert!(!path.exists());
    }

    #[pidfile(path = path)]
    #[track_caller]
    fn tracked(path: &Path) -> Result<&'static Location<'static>, PidFileError> {
        Ok(Location::caller())
    }

    #[pidfile(path = path)]
    async fn asynchronous(path: &Path, text: String) -> Result<String, PidFileError> {
        #![allow(clippy::let_and_return)]
        assert!(own_pid(path));
        Pause::default().await;
        let result = Ok(text + "!");
        result
    }

    macro_rules! make {
        ($v:vis fn $name:ident($path:ident, $($arg:pat => $t:ty),*) -> $r:ty $body:block, $asked:expr) => {
            #[pidfile(path = $asked, crate = facade::renamed)]
            $v fn $name($path: &Path, $($arg: $t),*) -> $r $body
        };
    }

    mod facade {
        pub(super) use pidlock_core as renamed;
    }

    make!(fn made(path, (a, _) => (u8, u8), b => u8) -> Result<u8, PidFileError> {
        assert!(own_pid(path));
        Ok(a + b)
    }, path);

    #[test]
    fn functions_of_any_shape_run_under_the_lock() -> Result<(), PidFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let mut seen = 0;
        let (text, rest) = generic(path, "text", |n| seen = n, [1, 2, 3]).unwrap();
        assert_eq!((text, rest.collect(), seen), ("text", vec![3, 2, 1], 3));
        let of = |text: &str| ["a", "b", text].map(String::from);
        assert_eq!(
            patterns(path, (1, String::new()), of("c"), 0, 2, 3, 0, 5)?,
            "1ac!245"
        );
        assert_eq!(tracked(path)?.line(), line!());
        assert_eq!(block_on(asynchronous(path, "text".into()))?, "text!");
        assert_eq!(made(path, (1, 2), 3)?, 4);
        Ok(())
    }

    // Hygiene keeps generated names apart from equal names in the user's code.
    #[pidfile(path = __plg.join(__plb), on_error = |e| { let _ = (__plg, __pls, __ple); Err(e) })]
    fn names(
        (__plp1, __plb): (u8, &str),
        __plg: &Path,
        __pls: u8,
        __ple: u8,
        __plp0: u8,
    ) -> Result<u8, PidFileError> {
        assert!(own_pid(&__plg.join(__plb)));
        Ok(__plp1 + __pls + __ple + __plp0)
    }

    #[test]
    fn generated_names_do_not_clash_with_equal_user_names() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(names((1, "x"), dir.path(), 2, 3, 4).unwrap(), 10);
    }
}

mod asynchronous {
    use super::*;

    #[pidfile(path = path.as_path())]
    async fn waits(path: Arc<PathBuf>) -> Result<(), PidFileError> {
        Pause::default().await;
        Ok(())
    }

    #[test]
    fn lock_is_acquired_at_first_poll_and_released_on_completion() {
        fn send<T: Send>(value: T) -> T {
            value
        }

        let dir = tempfile::tempdir().unwrap();
        let path = Arc::new(dir.path().join("x"));
        let mut context = Context::from_waker(Waker::noop());
        let mut future = send(Box::pin(waits(Arc::clone(&path))));
        assert!(!path.exists());
        assert!(future.as_mut().poll(&mut context).is_pending());
        assert!(is_held(&path));
        let mut second = Box::pin(waits(Arc::clone(&path)));
        let Poll::Ready(Err(error)) = second.as_mut().poll(&mut context) else {
            panic!("the second future must be refused at its first poll");
        };
        assert!(error.is_contention());
        assert!(future.as_mut().poll(&mut context).is_ready());
        assert!(!path.exists());
    }

    #[test]
    fn lock_is_released_when_a_pending_future_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = Arc::new(dir.path().join("x"));
        let mut future = Box::pin(waits(Arc::clone(&path)));
        assert!(
            future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        assert!(is_held(&path));
        drop(future);
        assert!(!path.exists());
    }
}

mod refusals {
    use super::*;

    #[derive(Debug)]
    enum Own {
        Lock(PidFileError),
    }

    impl From<PidFileError> for Own {
        fn from(error: PidFileError) -> Self {
            Own::Lock(error)
        }
    }

    type Alias<T> = Result<T, Own>;
    type Unit = ();

    #[pidfile(path = path)]
    fn own(path: &Path) -> Result<(), Own> {
        Ok(())
    }

    #[pidfile(path = path)]
    fn alias(path: &Path) -> Alias<&Path> {
        Ok(path)
    }

    #[pidfile(path = path)]
    fn boxed(path: &Path) -> Result<(), Box<dyn Error + Send + Sync>> {
        Ok(())
    }

    #[pidfile(path = path)]
    fn io(path: &Path) -> io::Result<()> {
        Ok(())
    }

    #[pidfile(path = path)]
    fn code(path: &Path) -> ExitCode {
        ExitCode::SUCCESS
    }

    #[pidfile(path = path)]
    fn unit(path: &Path) {}

    #[pidfile(path = path)]
    fn alias_of_unit(path: &Path) -> Unit {}

    #[pidfile(path = path)]
    async fn asynchronous_unit(path: &Path) {}

    #[pidfile(path = path)]
    fn never(path: &Path) -> ! {
        panic!("the call must be refused")
    }

    /// A `main` with parameters is not the entry point, so a refusal must not exit the process.
    #[pidfile(path = path)]
    fn main(path: &Path) {}

    #[test]
    fn refusal_is_reported_by_return_type() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let message = format!(
            "pidfile '{}' already locked by this process (PID {}): `reentrant` lets it acquire again",
            path.display(),
            std::process::id()
        );

        own(path).unwrap();
        let _held = PidFile::at(path).acquire().unwrap();
        let Own::Lock(error) = own(path).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(matches!(alias(path), Err(Own::Lock(_))));
        assert_eq!(boxed(path).unwrap_err().to_string(), message);
        assert_eq!(io(path).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert_eq!(
            format!("{:?}", code(path)),
            format!("{:?}", ExitCode::FAILURE)
        );
        assert_eq!(panic_of(|| unit(path)), message);
        assert_eq!(panic_of(|| alias_of_unit(path)), message);
        assert_eq!(panic_of(|| block_on(asynchronous_unit(path))), message);
        assert_eq!(panic_of(|| never(path)), message);
        assert_eq!(panic_of(|| main(path)), message);
        assert!(is_held(path));
    }

    #[pidfile(path = path, on_error = |error| error.to_string().len())]
    fn closure(path: &Path) -> usize {
        0
    }

    #[pidfile(path = path, on_error = |error| {
        if error.is_contention() {
            return Box::new(format!("{}: {error}", path.display()));
        }
        Box::new(3)
    })]
    fn closure_that_coerces(path: &Path) -> Box<dyn Display + '_> {
        Box::new("")
    }

    #[pidfile(path = path, on_error = handler)]
    fn function(path: &Path) -> usize {
        0
    }

    fn handler(error: PidFileError) -> usize {
        error.to_string().len()
    }

    #[pidfile(path = path, on_error = diverges)]
    fn function_that_diverges(path: &Path) -> impl Display {
        0
    }

    fn diverges(error: PidFileError) -> ! {
        panic!("diverged: {error}")
    }

    #[pidfile(path = path, on_error = on_error)]
    fn parameter(path: &Path, on_error: impl FnOnce(PidFileError) -> usize) -> usize {
        0
    }

    #[pidfile(path = path, on_error = make_handler(7))]
    fn made(path: &Path) -> usize {
        0
    }

    fn make_handler(n: usize) -> impl FnOnce(PidFileError) -> usize {
        move |_| n
    }

    #[pidfile(path = path, on_error = |_| *calls += 1)]
    extern "C" fn foreign(path: &PathBuf, calls: &mut u32) {}

    #[pidfile(path = path, on_error = pidlock_core::on_error::skip)]
    fn skipped(path: &Path) -> Option<u32> {
        Some(3)
    }

    #[pidfile(path = path, on_error = pidlock_core::on_error::skip)]
    fn skipped_result(path: &Path) -> Result<u32, Box<dyn std::error::Error>> {
        Ok(3)
    }

    #[pidfile(path = path, on_error = pidlock_core::on_error::skip)]
    async fn skipped_unit(path: &Path, ran: &Cell<bool>) {
        ran.set(true);
    }

    #[test]
    fn refusal_is_handled_by_on_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = &dir.path().join("x");
        let mut calls = 0;
        // The annotated function keeps its calling convention.
        let foreign: extern "C" fn(&PathBuf, &mut u32) = foreign;
        foreign(path, &mut calls);
        assert_eq!(calls, 0);
        assert_eq!(
            (
                closure(path),
                function(path),
                parameter(path, |_| 1),
                made(path)
            ),
            (0, 0, 0, 0)
        );
        let ran = Cell::new(false);
        block_on(skipped_unit(path, &ran));
        assert!(ran.take());
        assert_eq!(skipped_result(path).unwrap(), 3);

        let held = PidFile::at(path).acquire().unwrap();
        let message = PidFile::at(path).acquire().unwrap_err().to_string();
        assert_eq!(closure(path), message.len());
        let coerced = closure_that_coerces(path).to_string();
        assert_eq!(coerced, format!("{}: {message}", path.display()));
        assert_eq!(function(path), message.len());
        let diverged = panic_of(|| _ = function_that_diverges(path));
        assert_eq!(diverged, format!("diverged: {message}"));
        assert_eq!(
            parameter(path, |error| error.to_string().len()),
            message.len()
        );
        assert_eq!(made(path), 7);
        foreign(path, &mut calls);
        assert_eq!(calls, 1);
        assert_eq!(skipped(path), None);
        assert_eq!(skipped_result(path).unwrap(), 0);
        block_on(skipped_unit(path, &ran));
        assert!(!ran.take());

        drop(held);
        std::fs::create_dir(path).unwrap();
        let other = PidFile::at(path).acquire().unwrap_err();
        assert!(!other.is_contention());
        assert_eq!(
            panic_of(|| _ = skipped(path)),
            other.to_string(),
            "skip hides only contention"
        );
        let returned = skipped_result(path).unwrap_err().to_string();
        assert_eq!(returned, other.to_string());
    }
}
