//! The attribute in a module without a prelude, where every name that the expansion could use means
//! something else.

#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings)]
#![allow(
    dead_code,
    reason = "the items only shadow the names that an expansion could use"
)]

extern crate std as the_std;

use ::pidlock_core::pidfile;
use ::the_std::assert;
use ::the_std::path::Path;
use ::the_std::prelude::rust_2024::test;

mod std {}
mod core {}
mod alloc {}
mod pidlock_core {
    pub(crate) mod __private {}
}
mod pidlock_macros {}

struct Result;
struct Option;
struct String;
struct PidFile;
struct PidFileError;
struct Box;
struct Fn;
struct FnOnce;

#[allow(non_camel_case_types)]
struct bool;
#[allow(non_camel_case_types)]
struct str;
#[allow(non_camel_case_types)]
struct u8;

#[allow(non_snake_case)]
fn Ok() {}
#[allow(non_snake_case)]
fn Err() {}
#[allow(non_snake_case)]
fn Some() {}
#[allow(non_upper_case_globals)]
const None: () = ();
fn drop() {}
fn acquire() {}
fn once() {}
fn refused() {}
fn refused_by() {}
fn refuse_diverging() {}
fn type_witness() {}

trait Default {}
trait From {}
trait Into {}
trait AsRef {}
trait Future {}

#[allow(unused_macros)]
macro_rules! format {
    ($($any:tt)*) => {
        compile_error!("the expansion must not use this macro")
    };
}
#[allow(unused_macros)]
macro_rules! panic {
    ($($any:tt)*) => {
        compile_error!("the expansion must not use this macro")
    };
}
#[allow(unused_macros)]
macro_rules! matches {
    ($($any:tt)*) => {
        compile_error!("the expansion must not use this macro")
    };
}

/// Methods of every type, with the names of the builder's methods and with every kind of `self`.
trait Everything: ::the_std::marker::Sized {
    fn name(self, _: &Path) -> Self {
        ::the_std::process::abort()
    }
    fn dir(self, _: &Path) -> Self {
        ::the_std::process::abort()
    }
    fn mode(&self, _: u32) -> Self {
        ::the_std::process::abort()
    }
    fn path(&self) -> Self {
        ::the_std::process::abort()
    }
    fn acquire(&self) -> Self {
        ::the_std::process::abort()
    }
    fn at(self) -> Self {
        ::the_std::process::abort()
    }
    fn into(self) -> Self {
        ::the_std::process::abort()
    }
    fn default() -> Self {
        ::the_std::process::abort()
    }
    fn as_ref(&self) -> Self {
        ::the_std::process::abort()
    }
    fn refused(self) -> Self {
        ::the_std::process::abort()
    }
    fn once(self) -> Self {
        ::the_std::process::abort()
    }
}

impl<T> Everything for T {}

type Locked<T> = ::the_std::result::Result<T, ::pidlock_core::PidFileError>;

fn ok<T>(value: T) -> Locked<T> {
    ::the_std::result::Result::Ok(value)
}

fn held(path: &Path) -> ::the_std::primitive::bool {
    let guard = ::pidlock_core::PidFile::at(path);
    ::the_std::result::Result::is_err(&::pidlock_core::PidFile::acquire(&guard))
}

type Held = Locked<::the_std::primitive::bool>;

#[pidfile("hygiene-{id}", dir = dir, suffix = false, mode = 0o600, keep = false, on_signal = ::pidlock_core::OnSignal::Auto)]
fn keys(dir: &Path, id: u32) -> Held {
    let name = ::the_std::format!("hygiene-{id}");
    ok(held(&dir.join(name)))
}

#[pidfile(path = path)]
fn patterns(
    path: &Path,
    _number: u32,
    (a, _): (u32, u32),
    (ref mut b, mut c): (u32, u32),
) -> Locked<u32> {
    *b += a;
    c += *b;
    ok(if held(path) { c + _number } else { 0 })
}

#[pidfile(path = path)]
async fn future(path: &Path, (a, _): (u32, u32)) -> Locked<u32> {
    ok(if held(path) { a } else { 0 })
}

#[pidfile(path = path, on_error = |_| 7)]
fn closure(path: &Path) -> u32 {
    held(path) as u32
}

#[pidfile(path = path, on_error = ::pidlock_core::on_error::skip)]
fn function(path: &Path) -> ::the_std::option::Option<u32> {
    ::the_std::option::Option::Some(held(path) as u32)
}

#[pidfile(path = path, on_error = make(7))]
fn expression(path: &Path) -> u32 {
    held(path) as u32
}

fn make(number: u32) -> impl ::the_std::ops::FnOnce(::pidlock_core::PidFileError) -> u32 {
    move |_| number
}

#[pidfile(path = path)]
fn nothing(path: &Path) {
    assert!(held(path));
}

struct Owner<'a>(&'a Path);

impl Owner<'_> {
    #[pidfile(path = self.0)]
    fn by_value(self, _: u32) -> Held {
        ok(held(self.0))
    }

    #[pidfile(path = self.0)]
    async fn future(self) -> Held {
        ok(held(self.0))
    }

    #[pidfile(path = self.0)]
    async fn never(self) -> ! {
        ::the_std::panic!("{}", held(self.0))
    }

    #[pidfile(path = self.0)]
    fn by_ref(&self) -> Held {
        ok(held(self.0))
    }
}

/// Parameters with the names that the expansion uses, and with names that it could use.
#[pidfile(
    path = path,
    on_error = |e| {
        let _ = (__plg, __pls, __ple, __plb, guard, builder, error, slot);
        ::the_std::result::Result::Err(e)
    }
)]
#[allow(clippy::too_many_arguments)]
fn names(
    path: &Path,
    (__plp2, __plb): (u32, u32),
    __plg: u32,
    __pls: u32,
    __ple: u32,
    __plp1: u32,
    __plp0: u32,
    guard: u32,
    builder: u32,
    error: u32,
    slot: u32,
    e: u32,
) -> Locked<u32> {
    let sum = __plp2 + __plb + __plg + __pls + __ple + __plp1 + __plp0;
    ok(if held(path) {
        sum + guard + builder + error + slot + e
    } else {
        0
    })
}

fn block_on<F: ::the_std::future::Future>(future: F) -> F::Output {
    let mut future = ::the_std::boxed::Box::pin(future);
    let waker = ::the_std::task::Waker::noop();
    let mut context = ::the_std::task::Context::from_waker(waker);
    match future.as_mut().poll(&mut context) {
        ::the_std::task::Poll::Ready(result) => result,
        ::the_std::task::Poll::Pending => ::the_std::unreachable!(),
    }
}

#[test]
fn guarded_functions_run_under_the_lock_and_are_refused_while_it_is_held() {
    use ::the_std::assert_eq;

    let dir = ::tempfile::tempdir().unwrap();
    let path = &dir.path().join("hygiene-7");
    let contention = |refused: ::the_std::option::Option<::pidlock_core::PidFileError>| {
        assert!(refused.unwrap().is_contention());
    };
    assert!(keys(dir.path(), 7).unwrap());
    assert_eq!(patterns(path, 1, (2, 3), (4, 5)).unwrap(), 12);
    assert_eq!(block_on(future(path, (3, 4))).unwrap(), 3);
    assert_eq!(
        (closure(path), function(path), expression(path)),
        (1, ::the_std::option::Option::Some(1), 1)
    );
    nothing(path);
    assert!(Owner(path).by_value(3).unwrap());
    assert!(block_on(Owner(path).future()).unwrap());
    assert!(Owner(path).by_ref().unwrap());
    let all = names(path, (1, 2), 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
    assert_eq!(all.unwrap(), 78);

    let _held = ::pidlock_core::PidFile::at(path).acquire().unwrap();
    contention(keys(dir.path(), 7).err());
    contention(patterns(path, 1, (2, 3), (4, 5)).err());
    contention(block_on(future(path, (3, 4))).err());
    assert_eq!(
        (closure(path), function(path), expression(path)),
        (7, ::the_std::option::Option::None, 7)
    );
    let nothing = ::the_std::panic::catch_unwind(|| nothing(path));
    assert!(nothing.is_err());
    let never = ::the_std::panic::AssertUnwindSafe(|| block_on(Owner(path).never()));
    let never = ::the_std::panic::catch_unwind(never).err().unwrap();
    let message = never.downcast_ref::<::the_std::string::String>().unwrap();
    assert!(message.contains("already locked by this process"));
    contention(Owner(path).by_value(3).err());
    contention(block_on(Owner(path).future()).err());
    contention(Owner(path).by_ref().err());
    contention(names(path, (1, 2), 3, 4, 5, 6, 7, 8, 9, 10, 11, 12).err());
}
