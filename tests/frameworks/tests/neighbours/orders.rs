//! Declares functions with the attribute and its neighbours, and checks that they hold the lock.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process;
use std::sync::{LazyLock, Mutex};

use tempfile::TempDir;

/// The functions whose bodies ran.
static RAN: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());

/// Returns the path of a function's pidfile.
pub(crate) fn place(function: &str) -> PathBuf {
    static DIR: LazyLock<TempDir> =
        LazyLock::new(|| tempfile::tempdir().expect("create a directory"));
    DIR.path().join(function.replace("::", "-"))
}

/// Asserts, from a function's body, that the function holds the lock.
pub(crate) fn assert_held(function: &'static str) {
    let text = fs::read_to_string(place(function)).expect("the pidfile exists");
    assert_eq!(text, format!("{}\n", process::id()));
    RAN.lock().expect("no test panics here").insert(function);
}

/// Asserts that the function's body has run, and that the lock is released.
pub(crate) fn assert_released(function: &str) {
    let ran = RAN.lock().expect("no test panics here").contains(function);
    assert!(ran, "the body of {function} did not run");
    assert!(!place(function).exists(), "{function} still holds the lock");
}

/// Declares a function with our attribute above its neighbours, and a test that runs it.
macro_rules! above {
    ($name:ident: $(#[$($neighbour:tt)*])+ { $($function:tt)* } $($run:stmt;)*) => {
        mod $name {
            use super::*;

            /// The name of the pidfile. Attributes that make tests put some into further modules.
            const HERE: &str = module_path!();

            #[pidlock_core::pidfile(path = place(HERE))]
            $(#[$($neighbour)*])+
            $($function)*
            run! { $($run;)* }
        }
    };
}

/// Declares a function with our attribute below its neighbours, and a test that runs it.
macro_rules! below {
    ($name:ident: $(#[$($neighbour:tt)*])+ { $($function:tt)* } $($run:stmt;)*) => {
        mod $name {
            use super::*;

            /// The name of the pidfile. Attributes that make tests put some into further modules.
            const HERE: &str = module_path!();

            $(#[$($neighbour)*])+
            #[pidlock_core::pidfile(path = place(HERE))]
            $($function)*
            run! { $($run;)* }
        }
    };
}

/// Declares two functions, with our attribute above and below their neighbours, and their tests.
macro_rules! both {
    ($name:ident: $($rest:tt)*) => {
        mod $name {
            use super::*;
            above! { above: $($rest)* }
            below! { below: $($rest)* }
        }
    };
}

/// Declares a test that runs the function, unless the function is a test itself.
macro_rules! run {
    () => {};
    ($($run:stmt;)+) => {
        #[test]
        fn lock_is_held() {
            $($run)+
            assert_released(HERE);
        }
    };
}
