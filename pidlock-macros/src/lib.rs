//! The `#[pidfile]` attribute. Depend on `pidlock-core`, which re-exports it.

mod args;
mod attributes;
mod expand;
mod frame;
mod function;
mod keys;
mod literal;
mod output;
mod params;
mod patterns;
#[cfg(test)]
mod properties;
mod slot;
mod spans;

use proc_macro::TokenStream;

/// Runs the function while holding a lock on a pidfile, so that only one instance runs at a time on
/// a machine.
///
/// ```no_run
/// use pidlock_core::pidfile;
///
/// #[pidfile("my_app")]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     println!("this is the only running instance");
///     Ok(())
/// }
/// ```
///
/// The lock is acquired on entry, before any of the body runs. It is released on return, `?` or an
/// unwinding panic, after all variables, temporaries and parameters, including by-value `self`,
/// have been dropped. While another process or another call holds the lock, the body does not run;
/// what the function returns then [depends on its return type](#when-the-lock-is-unavailable).
///
/// An `async` function acquires the lock when it is first polled, without blocking its executor, and
/// releases it when it completes or is dropped.
///
/// The [guide](https://docs.rs/pidlock-core/latest/pidlock_core/guide/index.html) has recipes, and explains each
/// message of the compiler.
///
/// # Keys
///
/// | key | value | default | Python's `pid` |
/// |---|---|---|---|
/// | [`name`] | text: a single path component. It can also stand first, without its key | the program's name | `pidname` |
/// | [`dir`] | text: the directory, which is created if it is missing | the first suitable one | `piddir` |
/// | [`suffix`] | `bool`: append `.pid` to a name that lacks it | `true` | `enforce_dotpid_postfix` |
/// | [`temp_dir`] | `bool`: use the temporary directory | `false` | `force_tmpdir` |
/// | [`path`] | text: the exact path; excludes the four keys above | | |
/// | [`mode`] | `u32`: the permission bits of the file, regardless of the umask; a literal is octal, not decimal | `0o644` | `chmod` |
/// | [`uid`] | `u32`: the owner of the file | unchanged | `uid` |
/// | [`gid`] | `u32`: the group of the file | unchanged | `gid` |
/// | [`lock`] | `bool`: acquire the kernel lock; `false` relies on the recorded PID alone | `true` | `lock_pidfile` |
/// | [`reentrant`] | `bool`, or the key alone: this process can hold the file more than once | `false` | `allow_samepid` |
/// | [`keep`] | `bool`, or the key alone: truncate the file on release instead of removing it | `false` | |
/// | [`on_signal`] | `OnSignal`: how to handle SIGTERM, SIGINT and SIGHUP | `OnSignal::Auto` | `register_term_signal_handler` |
/// | [`at_exit`] | `bool`: remove the file when the process exits | `true` | `register_atexit` |
/// | [`timeout`] | `Duration` or `Option<Duration>`: how long to wait for a holder | `None`: do not wait | |
/// | [`wait`] | `bool`, or the key alone: wait for a holder without a time limit; excludes `timeout` | `false` | |
/// | [`on_wait`] | a `'static` function or closure that is called with the refusal when a wait begins | | |
/// | [`on_error`] | a function or closure that takes the error and returns the function's result | [by return type](#when-the-lock-is-unavailable) | `except` |
/// | [`guard`] | the name of a variable: refers to the [`PidGuard`] in the body | | `as` of `with` |
/// | `crate` | the path to `pidlock_core`, if it is not available under that name | `::pidlock_core` | |
///
/// Each key except `path`, `on_error`, `guard` and `crate` is the setter of [`PidFile`] with the same name,
/// and `path` is [`PidFile::at`]. The link of a key leads to its method.
///
/// A function for each key:
///
/// ```
/// use std::path::Path;
/// use std::time::Duration;
///
/// use pidlock_core::{OnSignal, PidFileError, on_error, pidfile};
///
/// type Result = std::result::Result<(), PidFileError>;
///
/// #[pidfile("worker-{id}")]
/// fn name_in_front(id: u32) -> Result { Ok(()) }
///
/// #[pidfile(name = format!("{}-{id}", env!("CARGO_PKG_NAME")))]
/// fn name(id: u32) -> Result { Ok(()) }
///
/// #[pidfile("my_app", dir = dir)]
/// fn dir(dir: &Path) -> Result { Ok(()) }
///
/// #[pidfile("my_app.lock", suffix = false)]
/// fn suffix() -> Result { Ok(()) }
///
/// #[pidfile("my_app", temp_dir = true)]
/// fn temp_dir() -> Result { Ok(()) }
///
/// #[pidfile(path = data.join("lock"))]
/// fn path(data: &Path) -> Result { Ok(()) }
///
/// #[pidfile("my_app", mode = 0o600)]
/// fn mode() -> Result { Ok(()) }
///
/// #[pidfile("my_app", uid = user)]
/// fn uid(user: u32) -> Result { Ok(()) }
///
/// #[pidfile("my_app", gid = 4)]
/// fn gid() -> Result { Ok(()) }
///
/// #[pidfile("my_app", lock = false)]
/// fn lock() -> Result { Ok(()) }
///
/// #[pidfile("my_app", reentrant)]
/// fn reentrant() -> Result { Ok(()) }
///
/// #[pidfile("my_app", keep)]
/// fn keep() -> Result { Ok(()) }
///
/// #[pidfile("my_app", on_signal = OnSignal::Off)]
/// fn on_signal() -> Result { Ok(()) }
///
/// #[pidfile("my_app", at_exit = false)]
/// fn at_exit() -> Result { Ok(()) }
///
/// #[pidfile("my_app", timeout = Duration::from_secs(30))]
/// fn timeout() -> Result { Ok(()) }
///
/// #[pidfile("my_app", wait)]
/// fn wait() -> Result { Ok(()) }
///
/// #[pidfile("my_app", wait, on_wait = |refusal| eprintln!("waiting: {refusal}"))]
/// fn on_wait() -> Result { Ok(()) }
///
/// #[pidfile("my_app", on_error = on_error::skip)]
/// fn on_error() -> Result { Ok(()) }
///
/// #[pidfile("my_app", guard = lock)]
/// fn guard() -> Result { lock.verify() }
///
/// #[pidfile("my_app", crate = pidlock_core)]
/// fn facade() -> Result { Ok(()) }
/// ```
///
/// Values are expressions. They are evaluated at each call before the lock is acquired, `path`
/// first and the others in the order written. In a function that returns a `Result` they may use
/// `?`. The parameters and `self` are in scope; the values of
/// `name`, `dir` and `path` are borrowed, so that the body can still use them. A string literal for
/// one of these three keys is a format string over the variables in scope: `"worker-{id}"`, with
/// `{{` for a literal brace. Any other expression, such as a constant, is used unchanged. The
/// expression of `on_error` is evaluated only if the lock is unavailable.
///
/// [`name`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.name
/// [`dir`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.dir
/// [`suffix`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.suffix
/// [`temp_dir`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.temp_dir
/// [`path`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.at
/// [`mode`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.mode
/// [`uid`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.uid
/// [`gid`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.gid
/// [`lock`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.lock
/// [`reentrant`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.reentrant
/// [`keep`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.keep
/// [`on_signal`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.on_signal
/// [`at_exit`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.at_exit
/// [`timeout`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.timeout
/// [`wait`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.wait
/// [`on_wait`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.on_wait
/// [`on_error`]: https://docs.rs/pidlock-core/latest/pidlock_core/on_error/index.html
/// [`guard`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidGuard.html
/// [`PidFile`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html
/// [`PidFile::at`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidFile.html#method.at
/// [`PidGuard`]: https://docs.rs/pidlock-core/latest/pidlock_core/struct.PidGuard.html
/// [`PidFileError`]: https://docs.rs/pidlock-core/latest/pidlock_core/enum.PidFileError.html
/// [`is_contention`]: https://docs.rs/pidlock-core/latest/pidlock_core/enum.PidFileError.html#method.is_contention
/// [`skip`]: https://docs.rs/pidlock-core/latest/pidlock_core/on_error/fn.skip.html
/// [`exit`]: https://docs.rs/pidlock-core/latest/pidlock_core/on_error/fn.exit.html
///
/// # When the lock is unavailable
///
/// | return type | result |
/// |---|---|
/// | `Result<T, E>` where `E: From<PidFileError>` | `Err(error.into())` |
/// | `ExitCode` | prints the message to stderr and returns `ExitCode::FAILURE` |
/// | `()` or `!`, in `fn main` | prints the message to stderr and exits with status 1 |
/// | `()` or `!`, elsewhere | panics with the message |
/// | anything else | compile error: return a `Result`, or set `on_error` |
///
/// The function is refused whenever acquisition fails, whether because of contention
/// ([`is_contention`]) or another error, such as a missing permission. The `E` of a
/// `Result` can be `PidFileError` itself, `std::io::Error`, `Box<dyn Error + Send + Sync>`,
/// `anyhow::Error`, or your own type with a `From` implementation:
///
/// ```
/// use pidlock_core::{PidFileError, pidfile};
///
/// #[derive(Debug)]
/// enum AppError {
///     Busy,
///     Broken(PidFileError),
/// }
///
/// impl From<PidFileError> for AppError {
///     fn from(error: PidFileError) -> Self {
///         if error.is_contention() { AppError::Busy } else { AppError::Broken(error) }
///     }
/// }
///
/// #[pidfile(path = path)]
/// fn import(path: &std::path::Path) -> Result<(), AppError> {
///     // The outer call holds the lock, so the inner one is refused.
///     assert!(matches!(import(path), Err(AppError::Busy)));
///     Ok(())
/// }
/// # let dir = tempfile::tempdir().unwrap();
/// # import(&dir.path().join("x")).unwrap();
/// ```
///
/// `on_error` takes any function or closure that accepts the error and returns the function's
/// return type. `pidlock_core::on_error` provides two. If another instance is running, [`skip`] returns
/// the default value, or `Ok` with the default value; other errors are returned in a `Result`, and
/// panic elsewhere. [`exit`] prints the message and ends the process with exit status 1.
///
/// ```
/// use std::path::Path;
///
/// use pidlock_core::pidfile;
///
/// #[pidfile(path = path, on_error = pidlock_core::on_error::skip)]
/// fn clean_up(path: &Path) -> usize {
///     3
/// }
///
/// #[pidfile(path = path, on_error = |error| format!("not now: {error}"))]
/// fn report(path: &Path) -> String {
///     "all is well".to_owned()
/// }
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("x");
/// # assert_eq!((clean_up(&path), report(&path)), (3, "all is well".to_owned()));
/// # let _held = pidlock_core::PidFile::at(&path).acquire()?;
/// # assert_eq!(clean_up(&path), 0);
/// # assert!(report(&path).starts_with("not now: pidfile '"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # With other attributes
///
/// Put runtime attributes above, so that the lock outlives the runtime and all its tasks:
///
/// ```text
/// #[tokio::main]
/// #[pidfile("my_app")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// ```
///
/// The reverse order is a compile error. `#[async_std::main]` keeps an `async fn main` below itself,
/// so use a `fn main` that calls `block_on` instead.
///
/// A non-`async` function that returns a future is a compile error, because the lock would be
/// released before the future runs. So is a function that returns a type that contains a future,
/// such as `Option<BoxFuture<T>>`, and one that an attribute above has rewritten, such as
/// `#[async_trait]`. A type counts as a future if its name, or that of its trait, ends in `Future`,
/// as `Self::Future` does. Put the attribute on an `async fn`, and call that:
///
/// ```
/// use pidlock_core::{PidFileError, pidfile};
/// use std::path::{Path, PathBuf};
/// use std::pin::Pin;
/// # type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
/// # trait Service {
/// #     type Future;
/// #     fn call(&mut self, path: PathBuf) -> Self::Future;
/// # }
/// # struct Backup;
/// #[pidfile(path = &path)]
/// async fn back_up(path: PathBuf) -> Result<(), PidFileError> {
///     Ok(())
/// }
///
/// impl Service for Backup {
///     type Future = BoxFuture<Result<(), PidFileError>>;
///
///     fn call(&mut self, path: PathBuf) -> Self::Future {
///         Box::pin(back_up(path))
///     }
/// }
/// ```
///
/// An attribute below sees the parameters as written, and may use them, so `unused_variables` does
/// not fire for them. For example, `#[tracing::instrument(err)]` records the names in a pattern, and
/// the error of a refused call. If a parameter has a pattern, and the attribute moves the body into
/// another function, a thread or a future, the lock could be released too early: that is a compile
/// error about `__pls`. Put `#[pidfile]` on a function of its own then, and call that.
///
/// Some attributes that move the body are known by name: `async_recursion`, `cached`, `ctor`,
/// `debug_handler`, `memoize`, `quickcheck`, `rstest`, `task`, `test`, `test_case` and
/// `wasm_bindgen`. The lock is held in the moved body, and these attributes see a pattern as a
/// parameter named `__plp` and its number.
///
/// Where `#[pidfile]` can stand; the other order is a compile error:
///
/// | attribute | `#[pidfile]` stands | why |
/// |---|---|---|
/// | `cfg`, `cfg_attr`, `deprecated`, `must_use`, `no_mangle`, `target_feature`, `track_caller` | above or below | |
/// | `test` and `should_panic`; `test` of tokio, actix, async-std, pollster and test-log; `serial`; those in `proptest!` | above or below | |
/// | `rstest`, `test_case` | above, or below if no key uses a parameter | Cases run in parallel and call one function: set `reentrant`, or use a parameter in the name. |
/// | `fixture` of rstest | above or below | The lock is released before the test runs. |
/// | `instrument` of tracing, routes of actix and rocket, `debug_handler` of axum, `command` of tauri, `pyfunction` of pyo3 | above or below | |
/// | `cached` | above or below | A result from the cache needs no lock. |
/// | `async_recursion`, `task` of embassy | only above | Below, it would be on a function that only makes the future. |
/// | `wasm_bindgen` | only above | Below, it would be on a second function, too. |
/// | `ctor`, `dtor` | only above | From version 1.0 of them on, the body below them would run without the lock. |
/// | `main` of tokio, actix, pollster and rocket | only below | Above, the lock would be released before the runtime ends. |
/// | `async_trait`, `main` of async-std, `launch` of rocket | neither | The function makes a future or a server, and something else runs it: put `#[pidfile]` on a function of its own, and call that. |
///
/// # Notes
///
/// - A future behind a type alias or inside your own type is not detected: the lock is released as
///   soon as the function has returned it. The lock does not cover an iterator, a closure or a
///   `JoinHandle` that the function returns, or a thread or task that it starts.
/// - The lock of a function that runs before `main`, such as one with `#[ctor]`, is released before
///   `main` starts. Call an annotated function in `main` instead.
/// - In a spawned task or thread, the panic of a refused function is only visible in its
///   `JoinHandle`, where it is easily overlooked: return a `Result` there. An `extern "C"` function
///   that returns nothing needs `on_error`, because a panic cannot leave it.
/// - Calls within one process exclude each other too, unless `reentrant` is set: without it, a
///   recursive call is refused.
/// - A function that takes `self` by value, also in a `Box`, runs its body in a closure or an
///   `async` block, and the compiler's errors about `?` call it that. `Location::caller()` in a
///   `#[track_caller]` function is then a place inside that function. If the function is `async`,
///   its future stores the parameters three times. The future of any other `async fn` stores them
///   twice: for a parameter of 64 KiB, 128 KiB instead of 192 KiB. A closure that such a function
///   returns as `impl Fn` must name the types of its parameters.
///
/// # Appendix: lints
///
/// These lints no longer fire, because the generated code also uses the parameters and returns.
/// Clippy: `boxed_local`, `missing_const_for_fn`, `needless_lifetimes`, `needless_pass_by_ref_mut`,
/// `needless_pass_by_value`, `needless_return`, `not_unsafe_ptr_arg_deref`,
/// `only_used_in_recursion`, `toplevel_ref_arg`, `unnecessary_wraps`, `unused_async`,
/// `unused_self`. The compiler: `redundant_imports`, `unconditional_recursion`.
///
/// An expectation of one of them, on the function or a parameter, counts as fulfilled.
///
/// These lints can fire because of the generated code:
///
/// - Clippy's `result_large_err`, `type_complexity` and `use_self` in a trait implementation. They
///   do not check the return type of the function itself there, but they do check that of the
///   closure generated for a handler or for an owned receiver.
/// - Clippy's `non_canonical_clone_impl` and `non_canonical_partial_ord_impl`, which require a
///   certain body, and `extra_unused_type_parameters`, which does not check an empty one.
/// - Clippy's `must_use_candidate` on a method with an owned receiver that only calls functions.
/// - The compiler's `unused_assignments` on a field of an owned receiver that is only written.
#[proc_macro_attribute]
pub fn pidfile(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(args.into(), item.into()).into()
}

/// Completes the expansion of `#[pidfile]` after the macros below it. Not part of the public
/// interface.
#[doc(hidden)]
#[proc_macro_attribute]
pub fn with_slot(args: TokenStream, item: TokenStream) -> TokenStream {
    slot::attribute(args.into(), item.into()).into()
}
