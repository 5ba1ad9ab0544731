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

/// `task` puts the attributes on a function that makes the task, too.
///
/// ```
/// #[pidlock_core::pidfile("x")]
/// #[embassy_executor::task]
/// async fn work() {}
/// ```
///
/// ```compile_fail
/// #[embassy_executor::task]
/// #[pidlock_core::pidfile("x")]
/// async fn work() {}
/// ```
pub struct Task;

/// The function of `launch` makes the server, and returns before it runs.
///
/// ```no_run
/// #[rocket::launch]
/// fn make() -> _ {
///     rocket::build()
/// }
/// ```
///
/// ```compile_fail
/// #[rocket::launch]
/// #[pidlock_core::pidfile("x")]
/// fn make() -> _ {
///     rocket::build()
/// }
/// ```
///
/// ```compile_fail
/// #[pidlock_core::pidfile("x")]
/// #[rocket::launch]
/// fn make() -> _ {
///     rocket::build()
/// }
/// ```
pub struct Launch;

/// The runtime's `main` goes above.
///
/// ```no_run
/// #[actix_web::main]
/// #[pidlock_core::pidfile("x")]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[pidlock_core::pidfile("x")]
/// #[actix_web::main]
/// async fn main() {}
/// ```
///
/// ```no_run
/// #[rocket::main]
/// #[pidlock_core::pidfile("x")]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[pidlock_core::pidfile("x")]
/// #[rocket::main]
/// async fn main() {}
/// ```
pub struct Main;
