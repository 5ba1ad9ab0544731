//! Intercepts system calls of this process before they are made, whether they are made through the
//! C library or directly.

#![allow(unsafe_code)]

use std::io::Error;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_long, c_void};

/// A system call that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The number of the call.
    pub number: c_long,
    arguments: [c_long; 5],
}

/// Runs instead of an intercepted call and returns the result: on failure, a negative errno. Can
/// run in several threads at once, and in a signal handler that interrupts another run.
type Intercept = fn(Call) -> c_long;

static INTERCEPT: OnceLock<Intercept> = OnceLock::new();

/// [`Call::make`] passes this as the sixth argument, so that the filter allows the call. No
/// intercepted call has a sixth argument of its own.
const REALLY: u32 = 0x7069_646c;

/// Makes `intercept` handle these calls in this thread, and in all threads that this thread starts
/// later.
///
/// # Panics
///
/// If the kernel does not allow the filter, or on the second call.
pub fn trap(calls: &[c_long], intercept: Intercept) {
    assert!(INTERCEPT.set(intercept).is_ok(), "trap is called once");
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let handler: extern "C" fn(c_int, *const libc::siginfo_t, *mut c_void) = on_trap;
    // SAFETY: all zeros is a valid sigaction.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // A signal handler that interrupts an intercepted call can make another one.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
    // SAFETY: `action` is fully initialised, and its handler lives as long as the program.
    let answer = unsafe { libc::sigaction(libc::SIGSYS, action, ptr::null_mut()) };
    assert_eq!(answer, 0, "{}", Error::last_os_error());
    filter(calls);
}

fn filter(calls: &[c_long]) {
    let instruction = |code: u32, jt: usize, jf: usize, k: u32| libc::sock_filter {
        code: code as u16,
        jt: jt as u8,
        jf: jf as u8,
        k,
    };
    let load = |offset: usize| {
        let code = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
        instruction(code, 0, 0, offset as u32)
    };
    let is = |value: u32, yes, no| {
        let code = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
        instruction(code, yes, no, value)
    };
    let answer = |answer: u32| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, answer);
    // The filter loads 32 bits: the low half of the 64-bit argument, on a little-endian machine.
    let sixth = std::mem::offset_of!(libc::seccomp_data, args) + 5 * 8;
    let mut program = vec![
        load(sixth),
        is(REALLY, calls.len() + 1, 0),
        load(std::mem::offset_of!(libc::seccomp_data, nr)),
    ];
    for (n, &call) in calls.iter().enumerate() {
        program.push(is(call as u32, calls.len() - n, 0));
    }
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    program.push(answer(libc::SECCOMP_RET_TRAP));
    let program = libc::sock_fprog {
        len: program.len() as u16,
        filter: program.as_mut_ptr(),
    };
    let (yes, none): (libc::c_ulong, libc::c_ulong) = (1, 0);
    // SAFETY: this operation takes integers only and sets a flag of this thread.
    let alone = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, none, none, none) };
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: `program` points to a complete filter and outlives the call, which copies it.
    let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    assert_eq!((alone, filtered), (0, 0), "{}", Error::last_os_error());
}

extern "C" fn on_trap(_: c_int, info: *const libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel passes a valid `ucontext_t` to a handler with SA_SIGINFO (sigaction(2)).
    // Only this handler uses it until the handler returns.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    // SAFETY: the kernel passed `info` to this handler of SIGSYS.
    let number = unsafe { number_of(info) };
    let call = Call {
        number,
        arguments: arguments(registers),
    };
    let intercept = INTERCEPT
        .get()
        .expect("trap sets the function before the filter");
    *answer(registers) = intercept(call);
}

/// Returns the number of the intercepted call.
///
/// # Safety
///
/// The kernel must have passed `info` to a handler of SIGSYS.
unsafe fn number_of(info: *const libc::siginfo_t) -> c_long {
    /// The first fields of a `siginfo_t` for SIGSYS (sigaction(2)).
    #[repr(C)]
    struct OfTrap {
        _signal: [c_int; 3],
        _address: *const c_void,
        call: c_int,
    }
    // SAFETY: the caller passes the `info` of a SIGSYS, which starts with these fields.
    unsafe { (*info.cast::<OfTrap>()).call.into() }
}

#[cfg(target_arch = "x86_64")]
fn arguments(registers: &libc::mcontext_t) -> [c_long; 5] {
    use libc::{REG_R8, REG_R10, REG_RDI, REG_RDX, REG_RSI};
    [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8].map(|n| registers.gregs[n as usize])
}

#[cfg(target_arch = "x86_64")]
fn answer(registers: &mut libc::mcontext_t) -> &mut c_long {
    &mut registers.gregs[libc::REG_RAX as usize]
}

#[cfg(target_arch = "aarch64")]
fn arguments(registers: &libc::mcontext_t) -> [c_long; 5] {
    std::array::from_fn(|n| registers.regs[n] as c_long)
}

#[cfg(target_arch = "aarch64")]
fn answer(registers: &mut libc::mcontext_t) -> &mut c_long {
    // SAFETY: `u64` and `c_long` have the same size and alignment, and any bits are valid in both.
    unsafe { &mut *(&raw mut registers.regs[0]).cast() }
}

impl Call {
    /// Makes the call. Returns a negative errno on failure.
    #[must_use]
    pub fn make(self) -> c_long {
        let [a, b, c, d, e] = self.arguments;
        let really = c_long::from(REALLY);
        // SAFETY: the program was about to make this call with these arguments.
        match unsafe { libc::syscall(self.number, a, b, c, d, e, really) } {
            -1 => -c_long::from(Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
            answer => answer,
        }
    }
}
