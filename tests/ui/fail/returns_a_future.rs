use std::boxed::Box as Boxed;
use std::future::{Future, IntoFuture, Ready, ready};
use std::pin::Pin;

use pidlock_core::{PidFileError, pidfile};

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
type Outcome = Result<(), PidFileError>;

#[pidfile("my_app")]
fn existential() -> impl Future<Output = Outcome> + Send {
    ready(Ok(()))
}

#[pidfile("my_app")]
fn pinned() -> Pin<Box<dyn Future<Output = Outcome>>> {
    Box::pin(ready(Ok(())))
}

#[pidfile("my_app")]
fn alias_of_futures<'a>() -> BoxFuture<'a, Outcome> {
    Box::pin(ready(Ok(())))
}

#[pidfile("my_app")]
fn by_full_path() -> std::pin::Pin<Box<impl std::future::Future<Output = Outcome>>> {
    Boxed::pin(ready(Ok(())))
}

#[pidfile("my_app")]
fn into_future() -> impl IntoFuture<Output = Outcome, IntoFuture = Ready<Outcome>> {
    ready(Ok(()))
}

fn main() {
    let _ = (existential(), pinned(), alias_of_futures(), by_full_path(), into_future());
}
