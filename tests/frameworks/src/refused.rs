//! Orders of attributes that do not compile. The first program of each type does, so that nothing
//! else is wrong with the others.

/// `async_recursion` leaves a function that returns a future, with the attributes below it.
///
/// ```
/// #[pidlock_core::pidfile("x", reentrant)]
/// #[async_recursion::async_recursion]
/// async fn work() -> std::io::Result<()> {
///     Ok(())
/// }
/// ```
///
/// ```compile_fail
/// #[async_recursion::async_recursion]
/// #[pidlock_core::pidfile("x", reentrant)]
/// async fn work() -> std::io::Result<()> {
///     Ok(())
/// }
/// ```
pub struct AsyncRecursion;

/// `wasm_bindgen` copies the attributes below it to a second function, which JavaScript calls.
///
/// ```
/// #[pidlock_core::pidfile("x")]
/// #[wasm_bindgen::prelude::wasm_bindgen]
/// pub fn work() {}
/// ```
///
/// ```compile_fail
/// #[wasm_bindgen::prelude::wasm_bindgen]
/// #[pidlock_core::pidfile("x")]
/// pub fn work() {}
/// ```
pub struct WasmBindgen;

/// `ctor` moves the body into a second function, without the attributes below.
///
/// ```no_run,standalone_crate
/// #[pidlock_core::pidfile("x", reentrant)]
/// #[ctor::ctor(unsafe)]
/// fn work() {}
/// ```
///
/// ```compile_fail
/// #[ctor::ctor(unsafe)]
/// #[pidlock_core::pidfile("x", reentrant)]
/// fn work() {}
/// ```
pub struct Ctor;

/// `dtor` moves the body as `ctor` does.
///
/// ```no_run,standalone_crate
/// #[pidlock_core::pidfile("x", reentrant)]
/// #[dtor::dtor(unsafe)]
/// fn work() {}
/// ```
///
/// ```compile_fail
/// #[dtor::dtor(unsafe)]
/// #[pidlock_core::pidfile("x", reentrant)]
/// fn work() {}
/// ```
pub struct Dtor;

/// A runtime's `main` turns the function into one that is not `async`.
///
/// ```no_run
/// #[pollster::main]
/// #[pidlock_core::pidfile("x")]
/// async fn main() {}
/// ```
///
/// ```compile_fail
/// #[pidlock_core::pidfile("x")]
/// #[pollster::main]
/// async fn main() {}
/// ```
pub struct Main;
