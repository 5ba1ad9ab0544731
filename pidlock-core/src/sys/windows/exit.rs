//! The end of the process.

#![allow(unsafe_code)]

use std::ffi::c_void;
use std::ptr;
use std::sync::OnceLock;

use windows_sys::Win32::System::LibraryLoader::*;
use windows_sys::Win32::System::SystemServices::DLL_PROCESS_DETACH;

static HANDLER: OnceLock<extern "C" fn()> = OnceLock::new();

/// Registers a function that the system calls when the process ends by `ExitProcess`: by `process::exit`, by the
/// return from `main`, and by Ctrl-C, Ctrl-Break or a closed console unless the program handles them. All other
/// threads are gone by then, so the program cannot live on. An abort and `TerminateProcess` do not call it.
pub(crate) fn register_exit_handler(handler: extern "C" fn()) {
    let mut module = ptr::null_mut();
    // When a library is unloaded, the system makes the same call, but the program lives on. So keep the
    // library loaded.
    let flags = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_PIN;
    // SAFETY: with these flags the second argument is an address in a module, here in this one, and
    // `module` outlives the call.
    let is_pinned =
        unsafe { GetModuleHandleExW(flags, ptr::from_ref(&CALLBACK).cast(), &mut module) };
    if is_pinned != 0 {
        let _ = HANDLER.set(handler);
    }
}

type Callback = unsafe extern "system" fn(*mut c_void, u32, *mut c_void);

/// The linker collects in this section the functions that the system calls when a thread or the process begins
/// or ends. `std` adds one, too, for the destructors of thread-local variables.
#[unsafe(link_section = ".CRT$XLB")]
static CALLBACK: Callback = on_event;

/// The handler may allocate, as the destructors of thread-local variables do: the system takes the lock of the
/// process's heap before it ends the other threads.
unsafe extern "system" fn on_event(_module: *mut c_void, reason: u32, _: *mut c_void) {
    if let (DLL_PROCESS_DETACH, Some(handler)) = (reason, HANDLER.get()) {
        handler();
    }
}
