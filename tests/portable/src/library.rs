//! This package as a library in a program that is not written in Rust: `rundll32 pidlock_portable.dll,hold`
//! holds the file that the environment variable `PIDFILE` names until the input ends. `END` says how it ends.

#![allow(unsafe_code, reason = "an exported name")]

use std::ffi::c_void;
use std::{env, mem, process, thread};

use pidlock_core::PidFile;

/// What `rundll32` calls, with its window, its module, the rest of the command line, and how to show a window.
#[unsafe(no_mangle)]
extern "system" fn hold(_: *mut c_void, _: *mut c_void, _: *const u8, _: i32) {
    let path = env::var_os("PIDFILE").expect("PIDFILE is set");
    let guard = PidFile::at(path).acquire().expect("acquire");
    crate::stay_inside();
    match env::var("END").as_deref() {
        Ok("exit") => process::exit(7),
        Ok("thread") => drop(thread::spawn(|| process::exit(7)).join()),
        // `rundll32` unloads the library, and then exits.
        _ => mem::forget(guard),
    }
}
