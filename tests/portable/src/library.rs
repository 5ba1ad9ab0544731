//! This package as a library in a program that is not written in Rust: `rundll32 pidlock_portable.dll,hold`
//! holds the file that the environment variable `PIDFILE` names until the input ends. `END` says how it ends.

#![allow(unsafe_code, reason = "an exported name, and console events")]

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, mem, process, thread};

use pidlock_core::PidFile;
use windows_sys::Win32::System::Console::*;
use windows_sys::core::BOOL;

/// What `rundll32` calls, with its window, its module, the rest of the command line, and how to show a window.
#[unsafe(no_mangle)]
extern "system" fn hold(_: *mut c_void, _: *mut c_void, _: *const u8, _: i32) {
    let path = env::var_os("PIDFILE").expect("PIDFILE is set");
    let guard = PidFile::at(path).acquire().expect("acquire");
    crate::stay_inside();
    match env::var("END").as_deref() {
        Ok("exit") => process::exit(7),
        Ok("thread") => drop(thread::spawn(|| process::exit(7)).join()),
        Ok("ctrl-c") => {
            send(CTRL_C_EVENT);
            wait_until(|| false);
        }
        Ok("ctrl-break") => {
            send(CTRL_BREAK_EVENT);
            wait_until(|| false);
        }
        Ok("handled ctrl-c") => {
            // SAFETY: `on_event` is a function of this library, which is not unloaded before the process ends.
            let is_set = unsafe { SetConsoleCtrlHandler(Some(on_event), 1) };
            assert_ne!(is_set, 0, "handle console events");
            send(CTRL_C_EVENT);
            wait_until(|| IS_HANDLED.load(Ordering::Relaxed));
            guard.verify().expect("the file is still held");
            guard.close().expect("release");
            process::exit(7);
        }
        // `rundll32` unloads the library, and then exits.
        _ => mem::forget(guard),
    }
}

static IS_HANDLED: AtomicBool = AtomicBool::new(false);

extern "system" fn on_event(_: u32) -> BOOL {
    IS_HANDLED.store(true, Ordering::Relaxed);
    1
}

/// Sends the event to this process, which is alone in a new console.
fn send(event: u32) {
    // SAFETY: takes nothing. Fails if this process has no console to leave.
    unsafe { FreeConsole() };
    // SAFETY: takes nothing.
    let is_created = unsafe { AllocConsole() };
    assert_ne!(is_created, 0, "create a console");
    // SAFETY: takes numbers. 0 stands for all processes of the console.
    let is_sent = unsafe { GenerateConsoleCtrlEvent(event, 0) };
    assert_ne!(is_sent, 0, "send the event");
}

fn wait_until(is_over: impl Fn() -> bool) {
    while !is_over() {
        thread::sleep(Duration::from_millis(1));
    }
}
