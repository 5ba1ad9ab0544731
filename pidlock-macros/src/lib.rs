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
/// ```
/// use pidlock_core::pidfile;
///
/// # fn serve() -> Result<(), Box<dyn std::error::Error>> { Ok(()) }
/// #[pidfile(name = "my_app", temp_dir = true)]
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     serve()
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
/// # Keys
///
/// ```
/// # use pidlock_core::{PidFileError, pidfile};
/// # use std::path::Path;
/// // The name can be given without its key, as the first argument.
/// #[pidfile("backup")]
/// # fn positional() -> Result<(), PidFileError> { Ok(()) }
///
/// // The parameters can be used in string literals and in expressions.
/// #[pidfile(name = "worker-{id}", dir = dir, keep)]
/// fn worker(id: u32, dir: &Path) -> Result<(), PidFileError> {
///     assert!(dir.join(format!("worker-{id}.pid")).exists());
///     Ok(())
/// }
/// # let dir = tempfile::tempdir()?;
/// # worker(7, dir.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// With `timeout` or `wait`, the function waits for the holder:
///
/// ```
/// # use pidlock_core::{PidFileError, pidfile};
/// use std::time::Duration;
///
/// #[pidfile("import", temp_dir = true, timeout = limit, on_wait = |refusal| eprintln!("{refusal}"))]
/// async fn import(limit: Duration) -> Result<(), PidFileError> {
///     Ok(())
/// }
/// # let _ = import(Duration::ZERO);
/// ```
///
/// With `guard`, the body can use the guard:
///
/// ```
/// # use pidlock_core::{PidFileError, pidfile};
/// #[pidfile("backup", temp_dir = true, guard = lock)]
/// fn back_up() -> Result<(), PidFileError> {
///     println!("see {}", lock.path().display());
///     lock.verify()
/// }
/// # back_up()?;
/// # Ok::<(), PidFileError>(())
/// ```
///
/// Each key except `path`, `on_error`, `guard` and `crate` is the `PidFile` setter of the same name.
///
/// | key | value | default |
/// |---|---|---|
/// | `name` | text: a single path component | the program's name |
/// | `dir` | text: the directory | the first suitable one: see `PidFile::dir` |
/// | `suffix` | `bool`: append `.pid` to the name | `true` |
/// | `temp_dir` | `bool`: use the temporary directory | `false` |
/// | `path` | text: the exact path; excludes the four keys above | |
/// | `mode` | `u32`: the permission bits of the file, regardless of the umask; a literal is octal, not decimal | `0o644` |
/// | `uid`, `gid` | `u32`: the owner of the file | unchanged |
/// | `lock` | `bool`: acquire the kernel lock; `false` relies on the recorded PID alone | `true` |
/// | `reentrant` | `bool`, or the key alone: this process can hold the file more than once | `false` |
/// | `keep` | `bool`, or the key alone: truncate the file on release instead of removing it | `false` |
/// | `on_signal` | `OnSignal`: how to handle SIGTERM, SIGINT and SIGHUP; `OnSignal::Off` leaves them alone | `OnSignal::Auto` |
/// | `at_exit` | `bool`: remove the file when the process exits | `true` |
/// | `timeout` | `Duration` or `Option<Duration>`: how long to wait for a holder | a refusal at once |
/// | `wait` | `bool`, or the key alone: wait for a holder without a time limit; excludes `timeout` | `false` |
/// | `on_wait` | a `'static` function or closure that is called with the refusal when a wait begins | |
/// | `on_error` | a function or closure that takes the error and returns the function's result | [by return type](#when-the-lock-is-unavailable) |
/// | `guard` | the name of a variable: refers to the `PidGuard` in the body | |
/// | `crate` | the path to `pidlock_core`, if it is not available under that name | `::pidlock_core` |
///
/// Values are expressions. They are evaluated at each call before the lock is acquired, `path`
/// first and the others in the order written. The parameters and `self` are in scope; the values of
/// `name`, `dir` and `path` are borrowed, so that the body can still use them. A string literal for
/// one of these three keys is a format string over the variables in scope: `"worker-{id}"`, with
/// `{{` for a literal brace. Any other expression, such as a constant, is used unchanged. The
/// expression of `on_error` is evaluated only if the lock is unavailable.
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
/// (`PidFileError::is_contention`) or another error, such as a missing permission. The `E` of a
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
/// return type. `pidlock_core::on_error` provides two. If another instance is running, `skip` returns
/// the default value, or `Ok` with the default value; other errors are returned in a `Result`, and
/// panic elsewhere. `exit` prints the message and ends the process with exit status 1.
///
/// ```
/// # use pidlock_core::pidfile;
/// # use std::path::Path;
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
/// # use pidlock_core::{PidFileError, pidfile};
/// # use std::path::{Path, PathBuf};
/// # use std::pin::Pin;
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
