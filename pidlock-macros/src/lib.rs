//! The attribute `#[pidfile]` of `pidlock-core`, which re-exports it: depend on that crate.

mod args;
mod expand;
mod function;
mod keys;
mod literal;
mod params;
#[cfg(test)]
mod properties;
mod spans;

use proc_macro::TokenStream;

/// Runs a function one instance at a time, on one machine: it holds the lock on a pidfile while
/// it runs.
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
/// The lock is acquired when the function is called, before any of its body runs. It is released
/// when the function ends, by return, `?` or a panic that unwinds, after everything that belongs
/// to the function has been dropped: variables, temporaries, parameters, a `self` taken by value.
/// While another process or another call holds the lock, the body does not run, and the function
/// returns [what its return type can say](#when-it-is-refused).
///
/// An `async` function acquires the lock when it is first polled, and releases it when it completes
/// or is dropped.
///
/// # Keys
///
/// ```
/// # use pidlock_core::{PidFileError, pidfile};
/// # use std::path::Path;
/// #[pidfile("backup")]                                // the name alone may stand first
/// # fn positional() -> Result<(), PidFileError> { Ok(()) }
/// #[pidfile(name = "worker-{id}", dir = dir, keep)]   // in a literal, or as an expression:
/// fn worker(id: u32, dir: &Path) -> Result<(), PidFileError> {    // the parameters
///     assert!(dir.join(format!("worker-{id}.pid")).exists());
///     Ok(())
/// }
/// # let dir = tempfile::tempdir()?;
/// # worker(7, dir.path())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each key is the setter of `PidFile` of the same name, and means the same.
///
/// | key | value | without it |
/// |---|---|---|
/// | `name` | text, one component of a path | the program's name |
/// | `dir` | text, a directory | the first that fits: see `PidFile::dir` |
/// | `suffix` | `bool`: whether `.pid` is added to the name | `true` |
/// | `temp_dir` | `bool`: in the temporary directory | `false` |
/// | `path` | text, the exact path, in place of the four above | |
/// | `mode` | `u32`, the rights of the file, whatever the umask | `0o644` |
/// | `uid`, `gid` | `u32`, the owner of the file | as the system has it |
/// | `lock` | `bool`: whether to lock, or to trust in the PID alone | `true` |
/// | `reentrant` | `bool`, or alone: whether this process may hold it more than once | `false` |
/// | `keep` | `bool`, or alone: whether to leave an empty file | `false` |
/// | `on_signal` | `OnSignal`: what to do about SIGTERM, SIGINT and SIGHUP | `OnSignal::Auto` |
/// | `at_exit` | `bool`: whether to remove the file when the process exits | `true` |
/// | `on_error` | what to call with the error, to return what that returns | [by the return type](#when-it-is-refused) |
/// | `crate` | a path to `pidlock_core`, where it is not found under its name | `::pidlock_core` |
///
/// Values are expressions. They are evaluated at each call, in the order given, before the lock is
/// acquired; the parameters and `self` are in scope, and are borrowed rather than moved for `name`,
/// `dir` and `path`. A string literal of these three is a format string over what is in scope:
/// `"worker-{id}"`, and `{{` for a brace. Anything but a plain literal, a constant for instance, is
/// taken as it is. The expression of `on_error` is evaluated only on refusal.
///
/// # When it is refused
///
/// | the function returns | refused means |
/// |---|---|
/// | `Result<T, E>` where `E: From<PidFileError>` | `Err(error.into())` |
/// | `ExitCode` | the message on stderr, and `ExitCode::FAILURE` |
/// | `()` or `!`, in `fn main` | the message on stderr, and exit status 1 |
/// | `()` or `!`, elsewhere | a panic with the message |
/// | anything else | does not compile: return a `Result`, or say `on_error` |
///
/// Refused is every call that cannot acquire the lock, be it held by somebody else
/// (`PidFileError::is_contention`), or be it that the file cannot be made. The `E` of a `Result` may
/// be `PidFileError` itself, `std::io::Error`, `Box<dyn Error + Send + Sync>`, `anyhow::Error`, or
/// an enum of yours with a `From`:
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
///     // One call within the other.
///     assert!(matches!(import(path), Err(AppError::Busy)));
///     Ok(())
/// }
/// # let dir = tempfile::tempdir().unwrap();
/// # import(&dir.path().join("x")).unwrap();
/// ```
///
/// `on_error` takes anything that can be called with the error and gives what the function returns.
/// Two functions come with `pidlock_core`: `skip` returns the default value while another instance
/// runs and panics on other errors, and `exit` prints the message and ends the process.
///
/// ```
/// # use pidlock_core::pidfile;
/// # use std::path::Path;
/// #[pidfile(path = path, on_error = pidlock_core::skip)]
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
/// What starts a runtime goes above, so that the lock outlives the runtime and all its tasks:
///
/// ```text
/// #[tokio::main]
/// #[pidfile("my_app")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// ```
///
/// The other order does not compile. Nor does a function that is not `async` and returns a future,
/// as `#[async_trait]` leaves it: the lock would be held only while the future is made.
///
/// # Notes
///
/// - A future that hides behind a type alias, or in a type of your own, is not recognised: the lock
///   is released when the function has made it. So it is with an iterator or a thread that the
///   function returns or starts.
/// - A panic on refusal in a spawned task or thread ends in its `JoinHandle`, where it is easily
///   overlooked: return a `Result` there. An `extern "C"` function that returns nothing needs an
///   `on_error`, as a panic cannot leave it.
/// - The calls of one process exclude each other too, unless `reentrant`: a recursive function is
///   refused by itself.
/// - Some lints go quiet, as the body is not all that uses a parameter or returns. Clippy's:
///   `boxed_local`, `missing_const_for_fn`, `needless_lifetimes`, `needless_pass_by_value`,
///   `needless_return`, `not_unsafe_ptr_arg_deref`, `only_used_in_recursion`, `toplevel_ref_arg`,
///   `unnecessary_wraps`, `unused_async`, `unused_self`. The compiler's: `redundant_imports`,
///   `unconditional_recursion`.
/// - Lints that can fire because of it. Clippy's `result_large_err` in the implementation of a trait,
///   where it leaves the function itself alone, but not the closure of a handler or of an owned
///   receiver. The compiler's `unused_assignments` on a field of an owned receiver that is only
///   written.
/// - Where `self` is taken by value, in a `Box` for instance, the body runs in a closure or an `async`
///   block of its own: `Location::caller()` in a `#[track_caller]` function is then in that function,
///   and the future holds the parameters three times, where that of any `async fn` holds them twice:
///   192 KiB for a parameter of 64 KiB, instead of 128.
#[proc_macro_attribute]
pub fn pidfile(args: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(args.into(), item.into()).into()
}
