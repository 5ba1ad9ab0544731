use std::future::{Future, ready};
use std::pin::Pin;

use pidlock_core::{PidFileError, pidfile};

type BoxFuture<T> = Pin<Box<dyn Future<Output = T>>>;

trait Service<Request> {
    type Response;
    type Future: Future<Output = Self::Response>;

    fn call(&mut self, request: Request) -> Self::Future;
}

struct Backup;

impl Service<u8> for Backup {
    type Response = u8;
    type Future = BoxFuture<u8>;

    #[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
    fn call(&mut self, request: u8) -> Self::Future {
        Box::pin(ready(request))
    }
}

impl Service<u16> for Backup {
    type Response = u16;
    type Future = BoxFuture<u16>;

    #[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
    fn call(&mut self, request: u16) -> <Self as Service<u16>>::Future {
        Box::pin(ready(request))
    }
}

#[pidfile("my_app")]
fn result() -> Result<impl Future<Output = u8>, PidFileError> {
    Ok(ready(7))
}

#[pidfile("my_app", on_error = |_| None)]
fn option() -> Option<BoxFuture<u8>> {
    None
}

#[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
fn tuple() -> (u8, impl Send + Future<Output = u8>) {
    (7, ready(7))
}

#[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
fn array() -> [BoxFuture<u8>; 1] {
    [Box::pin(ready(7))]
}

#[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
fn reference(future: &mut dyn Future<Output = u8>) -> &mut dyn Future<Output = u8> {
    future
}

#[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
fn items() -> impl Iterator<Item = BoxFuture<u8>> {
    std::iter::empty()
}

#[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
fn bounded_items() -> impl Iterator<Item: Future<Output = u8>> {
    std::iter::once(ready(7))
}

#[pidfile("my_app", on_error = pidlock_core::on_error::exit)]
fn parameter<F: Future>(future: F) -> F {
    future
}

#[pidfile("my_app")]
fn parameter_of_clause<F>(future: F) -> Result<F, PidFileError>
where
    F: Send + Future,
{
    Ok(future)
}

fn main() {
    let _: (BoxFuture<u8>, BoxFuture<u16>) = (Backup.call(7_u8), Backup.call(7_u16));
    let _ = (result(), option(), tuple(), array());
    let _ = (reference(&mut ready(7)), items(), bounded_items());
    let _ = (parameter(ready(7)), parameter_of_clause(ready(7)));
}
