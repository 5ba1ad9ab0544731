//! Functions on which lints fire because of the signature or of the function as a whole.
#![allow(clippy::missing_errors_doc, clippy::missing_safety_doc, missing_docs)]

use std::rc::Rc;

use pidlock_core::PidFileError;

pub type R<T> = Result<T, PidFileError>;

#[cfg_attr(guarded, pidlock_core::pidfile)]
fn dead() {}

#[cfg_attr(guarded, pidlock_core::pidfile)]
async fn dead_future(_number: u8) {}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| 3))]
pub fn no_docs_but_a_candidate(number: u8) -> u8 {
    number + 1
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
#[inline(always)]
pub fn always() -> R<()> {
    println!();
    Ok(())
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| 3))]
pub fn const_candidate() -> u8 {
    3
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn never_fails(number: u8) -> R<u8> {
    Ok(number + 1)
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
fn never_fails_either(number: u8) -> R<u8> {
    println!();
    Ok(number + 1)
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| None))]
fn always_some(number: u8) -> Option<u8> {
    println!();
    Some(number + 1)
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
pub fn by_value(text: String, bytes: Vec<u8>, rc: Rc<u8>) {
    println!("{text}{bytes:?}{rc}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn by_reference_to_owned(text: &String, bytes: &Vec<u8>, boxed: &Box<u8>) {
    println!("{text}{bytes:?}{boxed}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn by_mutable_reference(bytes: &mut Vec<u8>, number: &mut u8) {
    println!("{bytes:?}{number}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
fn private_by_mutable_reference(bytes: &mut Vec<u8>, number: &mut u8) {
    println!("{bytes:?}{number}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn small_by_reference(number: &u8, pair: &(u8, u8)) {
    println!("{number}{pair:?}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn large_by_value(large: [u8; 4096]) {
    println!("{large:?}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
fn boxed(boxed: Box<u8>) {
    println!("{boxed}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn boxed_collection(boxed: Box<Vec<u8>>, rc: Rc<String>) {
    println!("{boxed:?}{rc}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn many(a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) {
    println!("{}", a + b + c + d + e + f + g + h);
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn switches(one: bool, two: bool, three: bool, four: bool) {
    println!("{}", one && two && three && four);
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn complex(value: Option<Box<dyn Fn(Vec<Option<Rc<u8>>>) -> Result<Vec<u8>, Rc<String>>>>) {
    println!("{}", value.is_some());
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn option_of_reference(value: &Option<String>, twice: Option<Option<u8>>) {
    println!("{value:?}{twice:?}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn lifetimes<'a, 'b>(text: &'a str, unused: &str) {
    println!("{text}");
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| text))]
pub fn elidable<'a>(text: &'a str) -> &'a str {
    text
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn type_parameter<T, U: Clone>(value: U) {
    drop(value);
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn implied_bounds<T: Copy + Clone>(value: impl Copy + Clone, other: T) {
    drop((value, other));
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub async fn never_awaits(number: u8) {
    println!("{number}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub async fn not_send(rc: Rc<u8>) {
    std::future::ready(()).await;
    println!("{rc}");
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub unsafe fn unsafety(pointer: *const u8) {
    println!("{}", *pointer);
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn dereferences(pointer: *const u8) {
    println!("{}", unsafe { *pointer });
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
pub extern "C" fn foreign(text: &str, slice: &[u8]) {
    println!("{text}{slice:?}");
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
pub fn panics(value: Option<u8>) {
    assert!(value.is_some());
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn only_recursion(number: u8, unused: u8) {
    if number > 0 {
        only_recursion(number - 1, unused);
    }
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn recurses_forever() {
    recurses_forever();
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
#[must_use]
pub fn must_use_nothing() {}

#[cfg_attr(guarded, pidlock_core::pidfile)]
#[must_use]
pub fn must_use_twice() -> R<()> {
    Ok(())
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
pub fn returns_unit() -> () {}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Err(())))]
pub fn fails_with_unit(fails: bool) -> Result<u8, ()> {
    if fails { Err(()) } else { Ok(1) }
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Err([0; 512])))]
pub fn fails_with_much(fails: bool) -> Result<u8, [u8; 512]> {
    if fails { Err([0; 512]) } else { Ok(1) }
}

pub struct Owner<'a> {
    number: u8,
    text: &'a str,
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| None))]
pub fn hides_a_lifetime(owner: Owner) -> Option<Owner> {
    owner.number.checked_add(1).map(|number| Owner { number, text: "" })
}

impl Owner<'_> {
    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Owner { number: 1, text: "" }))]
    pub fn new(number: u8) -> Owner<'static> {
        Owner { number, text: "" }
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    fn without_self(&self) {
        println!();
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    fn own_without_self(self) {
        println!();
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    async fn future_without_self(self) {
        println!();
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    fn mutable_without_change(&mut self, other: &mut u8) {
        println!("{}{other}", self.number);
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    fn mutable_value_without_change(mut self) {
        println!("{}", self.number);
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    pub fn boxed(self: Box<Self>) {
        println!("{}", self.number);
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| 3))]
    pub fn as_number(self) -> u8 {
        self.number
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ""))]
    pub fn into_text(&self) -> &str {
        self.text
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
    pub fn typed(self: Self) {
        println!("{}", self.number);
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| self))]
    pub fn returns_itself(self) -> Self {
        self
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| false))]
    pub fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

#[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| ()))]
pub fn only_for_a_value(name: &str, value: &str, mut same: u8) {
    println!();
}

pub trait Fallible: Sized {
    fn fails_with_much(self, fails: bool) -> Result<u8, [u8; 512]>;
    fn lends_and_fails(&self, fails: bool) -> Result<u8, [u8; 512]>;
    fn complex(self) -> Vec<Option<Box<dyn Fn(Vec<Option<Rc<u8>>>) -> Result<Vec<u8>, Rc<String>>>>>;
}

impl Fallible for Owner<'_> {
    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Err([0; 512])))]
    fn fails_with_much(self, fails: bool) -> Result<u8, [u8; 512]> {
        if fails { Err([0; 512]) } else { Ok(self.number) }
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Err([0; 512])))]
    fn lends_and_fails(&self, fails: bool) -> Result<u8, [u8; 512]> {
        if fails { Err([0; 512]) } else { Ok(self.number) }
    }

    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Vec::new()))]
    fn complex(self) -> Vec<Option<Box<dyn Fn(Vec<Option<Rc<u8>>>) -> Result<Vec<u8>, Rc<String>>>>> {
        println!();
        Vec::new()
    }
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
pub fn longest_allowed() {
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
    println!();
}

pub struct Ended(pub u8);

impl Drop for Ended {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

impl Ended {
    #[cfg_attr(guarded, pidlock_core::pidfile)]
    pub fn only_written(mut self) {
        self.0 = 3;
    }

    #[cfg_attr(guarded, pidlock_core::pidfile)]
    pub fn written_through(&mut self) {
        self.0 = 3;
    }
}

pub trait Again {
    fn again(self) -> Ended;
}

impl Again for Ended {
    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| Self(0)))]
    fn again(self) -> Ended {
        println!();
        Self(1)
    }
}

#[derive(PartialEq, Eq)]
pub struct Mark(Option<u8>);

impl Copy for Mark {}

impl Clone for Mark {
    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| *self))]
    fn clone(&self) -> Self {
        *self
    }
}

impl Ord for Mark {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Mark {
    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| None))]
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Mark {
    #[cfg_attr(guarded, pidlock_core::pidfile(on_error = |_| None))]
    pub fn into_text(self) -> Option<String> {
        self.0.as_ref().map(ToString::to_string)
    }
}

#[cfg_attr(guarded, pidlock_core::pidfile)]
fn only_bounds<T: Send>() {}
