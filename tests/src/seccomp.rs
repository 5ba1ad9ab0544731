//! A program's own system calls, handed to a function of its before they are made: whichever library
//! makes them, and whether or not by way of the C library.

#![allow(unsafe_code)]

use std::io::Error;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::OnceLock;

use libc::{c_int, c_long, c_void};

/// A system call that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// Which one.
    pub number: c_long,
    arguments: [c_long; 5],
}

/// What is done in the place of a call, perhaps in several at a time; and its answer, where errors are
/// below zero.
type InItsPlace = fn(Call) -> c_long;

static IN_ITS_PLACE: OnceLock<InItsPlace> = OnceLock::new();

/// The sixth argument, which none of these calls has, of those that are really made.
const REALLY: u32 = 0x7069_646c;

/// Has these calls, of this thread and those that it starts, handled by that function from now on.
///
/// # Panics
///
/// If the system does not allow it.
pub fn trap(calls: &[c_long], in_its_place: InItsPlace) {
    assert!(IN_ITS_PLACE.set(in_its_place).is_ok(), "once");
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    let handler: extern "C" fn(c_int, *const libc::siginfo_t, *mut c_void) = on_trap;
    // SAFETY: all zeros is a valid sigaction.
    let action = unsafe { action.assume_init_mut() };
    action.sa_sigaction = handler as libc::sighandler_t;
    // In one call another can be made, by a handler of another signal.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
    // SAFETY: the action is complete, and its handler lives as long as the program.
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
    // The lower half of the sixth of eight bytes each.
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
    // SAFETY: sets a flag of this thread, and takes numbers only.
    let alone = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, none, none, none) };
    let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
    // SAFETY: the program is complete and outlives the call, which copies it.
    let filtered = unsafe { libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const program) };
    assert_eq!((alone, filtered), (0, 0), "{}", Error::last_os_error());
}

extern "C" fn on_trap(_: c_int, info: *const libc::siginfo_t, context: *mut c_void) {
    // SAFETY: what the kernel hands to a handler that asks for it (sigaction(2)): it is there, and
    // nobody else's until the handler returns.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext };
    // SAFETY: as above.
    let number = unsafe { number_of(info) };
    let call = Call {
        number,
        arguments: arguments(registers),
    };
    let in_its_place = IN_ITS_PLACE.get().expect("set before");
    *answer(registers) = in_its_place(call);
}

/// Which call a trap is about.
///
/// # Safety
///
/// It is what a handler of SIGSYS was given.
unsafe fn number_of(info: *const libc::siginfo_t) -> c_long {
    /// What there is of a `siginfo_t` for SIGSYS (sigaction(2)).
    #[repr(C)]
    struct OfTrap {
        _signal: [c_int; 3],
        _address: *const c_void,
        call: c_int,
    }
    // SAFETY: as the caller promises.
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
    // SAFETY: a signed number may be where an unsigned one of that size is.
    unsafe { &mut *(&raw mut registers.regs[0]).cast() }
}

impl Call {
    /// Makes it; an error is below zero.
    #[must_use]
    pub fn make(self) -> c_long {
        let [a, b, c, d, e] = self.arguments;
        let really = c_long::from(REALLY);
        // SAFETY: what the program was about to do.
        match unsafe { libc::syscall(self.number, a, b, c, d, e, really) } {
            -1 => -c_long::from(Error::last_os_error().raw_os_error().unwrap_or(libc::EIO)),
            answer => answer,
        }
    }
}
