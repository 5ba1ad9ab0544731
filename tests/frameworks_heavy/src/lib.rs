//! Orders that do not compile.

/// `async_std::main` makes an `async fn main` in the program's `main`, and puts the attributes on
/// it.
///
/// ```no_run
/// #[async_std::main]
/// async fn main() {
///     work().await;
/// }
///
/// #[pidlock_core::pidfile("x")]
/// async fn work() {}
/// ```
///
/// ```compile_fail
/// #[async_std::main]
/// #[pidlock_core::pidfile("x")]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[pidlock_core::pidfile("x")]
/// #[async_std::main]
/// async fn main() {}
/// ```
pub struct AsyncStdMain;
