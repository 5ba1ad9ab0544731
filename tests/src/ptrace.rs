//! A program that is led from system call to system call, by ptrace(2). What is done to it happens
//! at an exact place: before a call is made, or after it and before the program sees its answer.
//!
//! Whoever starts a program is the only thread that may lead it, so a `Stepper` stays on its thread.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::marker::PhantomData;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::libc::{self, c_int};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// For the program: lets the process that started it lead it, and waits until it does.
///
/// # Panics
///
/// If it is not allowed to.
pub fn be_led() {
    ptrace::traceme().expect("its parent may trace it");
    signal::raise(Signal::SIGSTOP).expect("it stops");
}

/// For the program: a call that changes nothing and that nothing else makes, to tell where it is.
pub fn mark() {
    let _ = rustix::process::getppid();
}

/// A system call that is about to be made, or was made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Call(u64);

impl Call {
    /// Whether it is that of [`mark`].
    #[must_use]
    pub fn is_mark(self) -> bool {
        self.is(libc::SYS_getppid)
    }

    /// Returns `true` if it removes a name, by whichever call the C library uses for that.
    #[must_use]
    pub fn is_unlink(self) -> bool {
        self.is(libc::SYS_unlink) || self.is(libc::SYS_unlinkat)
    }

    /// Whether it has this number.
    #[must_use]
    pub fn is(self, number: libc::c_long) -> bool {
        u64::try_from(number) == Ok(self.0)
    }
}

/// What it is called, where it is one that pidfiles have to do with.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.iter().find(|(number, _)| self.is(*number)) {
            Some((_, name)) => f.write_str(name),
            None => write!(f, "call {}", self.0),
        }
    }
}

const NAMES: &[(libc::c_long, &str)] = &[
    (libc::SYS_brk, "brk"),
    (libc::SYS_capget, "capget"),
    (libc::SYS_clock_nanosleep, "clock_nanosleep"),
    (libc::SYS_clone, "clone"),
    (libc::SYS_close, "close"),
    (libc::SYS_dup3, "dup3"),
    (libc::SYS_faccessat, "faccessat"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fchown, "fchown"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fstat, "fstat"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_getrandom, "getrandom"),
    (libc::SYS_geteuid, "geteuid"),
    (libc::SYS_getpgid, "getpgid"),
    (libc::SYS_getpid, "getpid"),
    (libc::SYS_getresuid, "getresuid"),
    (libc::SYS_gettid, "gettid"),
    (libc::SYS_kill, "kill"),
    (libc::SYS_link, "link"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_lseek, "lseek"),
    (libc::SYS_madvise, "madvise"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mmap, "mmap"),
    (libc::SYS_munmap, "munmap"),
    (libc::SYS_newfstatat, "newfstatat"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_poll, "poll"),
    (libc::SYS_pread64, "pread64"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_read, "read"),
    (libc::SYS_readlink, "readlink"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_rt_sigaction, "rt_sigaction"),
    (libc::SYS_rt_sigprocmask, "rt_sigprocmask"),
    (libc::SYS_set_robust_list, "set_robust_list"),
    (libc::SYS_sigaltstack, "sigaltstack"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlinkat"),
];

/// Where it stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The call is about to be made.
    Before(Call),
    /// The call was made, and the program is about to see its answer.
    After(Call),
    /// It has forked, and stands still in the middle of that: its new child does too.
    Forked,
    /// It is gone.
    Ended(Ending),
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this status.
    Code(c_int),
    /// By this signal.
    By(Signal),
}

/// A program that is led. Killed when dropped.
#[derive(Debug)]
pub struct Stepper {
    /// The one that is led: at first the program, later perhaps a child of it.
    led: Pid,
    program: Child,
    output: BufReader<ChildStdout>,
    inside_call: bool,
    ended: Option<Ending>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Stepper {
    /// Starts a program up to where it calls [`be_led`].
    ///
    /// # Panics
    ///
    /// If it cannot be started, or does not call that.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let led = Pid::from_raw(c_int::try_from(child.id()).expect("a PID"));
        let output = BufReader::new(child.stdout.take().expect("its output is piped"));
        let stepper = Self {
            led,
            program: child,
            output,
            inside_call: false,
            ended: None,
            stays_on_its_thread: PhantomData,
        };
        match wait(led) {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            other => panic!("it does not want to be led: {other:?}"),
        }
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_EXITKILL;
        ptrace::setoptions(led, options).expect("it is led");
        stepper
    }

    /// The number of the one that is led.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.led.as_raw().unsigned_abs()
    }

    /// Lets it run to the next call, or to the end of the one that it is in.
    ///
    /// # Panics
    ///
    /// If it cannot be led.
    pub fn step(&mut self) -> Stop {
        if let Some(ending) = self.ended {
            return Stop::Ended(ending);
        }
        let mut deliver = None;
        loop {
            ptrace::syscall(self.led, deliver).expect("it is led");
            match wait(self.led) {
                WaitStatus::PtraceSyscall(_) => {
                    let call = Call(self.registers().orig_rax);
                    self.inside_call = !self.inside_call;
                    return if self.inside_call {
                        Stop::Before(call)
                    } else {
                        Stop::After(call)
                    };
                }
                WaitStatus::PtraceEvent(..) => return Stop::Forked,
                WaitStatus::Stopped(_, signal) => deliver = Some(signal),
                WaitStatus::Exited(_, code) => return self.end(Ending::Code(code)),
                WaitStatus::Signaled(_, signal, _) => return self.end(Ending::By(signal)),
                other => panic!("it is led, but {other:?}"),
            }
        }
    }

    fn end(&mut self, ending: Ending) -> Stop {
        self.ended = Some(ending);
        Stop::Ended(ending)
    }

    fn registers(&self) -> libc::user_regs_struct {
        ptrace::getregs(self.led).expect("it stands still")
    }

    /// The call that it is before is not made, and answers with this error.
    pub fn refuse(&mut self, error: c_int) -> Stop {
        assert!(self.inside_call, "it is before a call");
        let mut registers = self.registers();
        let call = Call(registers.orig_rax);
        registers.orig_rax = u64::MAX; // no call has this number
        ptrace::setregs(self.led, registers).expect("it stands still");
        match self.step() {
            Stop::After(_) => {
                self.answer(error);
                Stop::After(call)
            }
            other => other,
        }
    }

    /// What the call that it is before, or after, was given.
    #[must_use]
    pub fn arguments(&self) -> [u64; 6] {
        let r = self.registers();
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]
    }

    /// The call that it is before is not made, but this one, and what it answers is the answer.
    pub fn make_instead(&mut self, number: libc::c_long, first: u64, second: u64) -> Stop {
        assert!(self.inside_call, "it is before a call");
        let before = self.registers();
        let mut registers = before;
        registers.orig_rax = u64::try_from(number).expect("a call");
        (registers.rdi, registers.rsi) = (first, second);
        ptrace::setregs(self.led, registers).expect("it stands still");
        match self.step() {
            Stop::After(_) => {
                // A call leaves what it was given where it was.
                let mut registers = self.registers();
                (registers.rdi, registers.rsi) = (before.rdi, before.rsi);
                ptrace::setregs(self.led, registers).expect("it stands still");
                Stop::After(Call(before.orig_rax))
            }
            other => other,
        }
    }

    /// The call that it is after was made, but it is told that it failed with this error.
    pub fn answer(&mut self, error: c_int) {
        assert!(!self.inside_call, "it is after a call");
        let mut registers = self.registers();
        registers.rax = u64::from(error.unsigned_abs()).wrapping_neg();
        ptrace::setregs(self.led, registers).expect("it stands still");
    }

    /// After [`Stop::Forked`]: from now on it is the new child that is led; the other runs on alone.
    ///
    /// # Panics
    ///
    /// If it has not forked.
    pub fn lead_child(&mut self) {
        let child = self.take_child();
        ptrace::detach(self.led, None).expect("it stands still");
        self.led = child;
        self.inside_call = false;
    }

    /// After [`Stop::Forked`]: the new child runs on alone.
    ///
    /// # Panics
    ///
    /// If it has not forked.
    pub fn leave_child(&mut self) {
        let child = self.take_child();
        ptrace::detach(child, None).expect("it stands still");
    }

    fn take_child(&self) -> Pid {
        let child = ptrace::getevent(self.led).expect("it has forked");
        let child = Pid::from_raw(c_int::try_from(child).expect("a PID"));
        assert!(
            matches!(wait(child), WaitStatus::Stopped(..)),
            "a new child stands still"
        );
        child
    }

    /// Kills it where it stands, and waits until it is gone. A call that it is before is not made
    /// any more.
    ///
    /// # Panics
    ///
    /// If it cannot be killed.
    pub fn kill(&mut self) {
        if self.ended.is_some() {
            return;
        }
        signal::kill(self.led, Signal::SIGKILL).expect("it is there");
        loop {
            match wait(self.led) {
                WaitStatus::Signaled(_, signal, _) => break self.ended = Some(Ending::By(signal)),
                WaitStatus::Exited(_, code) => break self.ended = Some(Ending::Code(code)),
                _ => {}
            }
        }
    }

    /// The next line that it says; empty if it is gone. It must have said it.
    ///
    /// # Panics
    ///
    /// If it says what is no text.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("its output is text");
        line.trim_end().to_owned()
    }

    /// Waits until nobody is left who could say anything: the program, if it is not the one that is
    /// led, is gone then too.
    ///
    /// # Panics
    ///
    /// If it says what is no text.
    pub fn wait_for_all(&mut self) -> String {
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .expect("its output is text");
        self.reap_program();
        rest
    }

    /// Where it is not the one that is led.
    fn reap_program(&mut self) {
        if self.program.id() != self.pid() {
            let _ = self.program.wait();
        }
    }
}

impl Drop for Stepper {
    fn drop(&mut self) {
        self.kill();
        if self.program.id() != self.pid() {
            let _ = self.program.kill();
        }
        self.reap_program();
    }
}

fn wait(pid: Pid) -> WaitStatus {
    waitpid(pid, Some(WaitPidFlag::__WALL)).expect("it is ours to wait for")
}
