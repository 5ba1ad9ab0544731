//! Runs a program from system call to system call with ptrace(2). A test can act at an exact point:
//! before a call is made, or after it and before the program sees its result.
//!
//! Only the thread that starts a program can trace it, so a `Stepper` is neither `Send` nor `Sync`.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::marker::PhantomData;
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::errno::Errno;
use nix::libc::{self, c_int};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{self, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Makes the parent the tracer of this process, and stops until the parent continues it. Called by
/// the traced program.
///
/// # Panics
///
/// If the parent cannot trace this process.
pub fn stop_for_tracer() {
    ptrace::traceme().expect("let the parent trace this process");
    signal::raise(Signal::SIGSTOP).expect("stop this process");
}

/// Makes a system call that changes nothing and that pidlock never makes. It shows the tracer where
/// the program is. Called by the traced program.
pub fn mark() {
    let _ = rustix::process::getppid();
}

/// A system call that is about to be made or has just been made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Call(u64);

impl Call {
    /// Returns `true` if this is the call that [`mark`] makes.
    #[must_use]
    pub fn is_mark(self) -> bool {
        self.is(libc::SYS_getppid)
    }

    /// Returns `true` if this call is unlink(2) or unlinkat(2). C libraries use either.
    #[must_use]
    pub fn is_unlink(self) -> bool {
        self.is(libc::SYS_unlink) || self.is(libc::SYS_unlinkat)
    }

    /// Returns `true` if the call has this number.
    #[must_use]
    pub fn is(self, number: libc::c_long) -> bool {
        u64::try_from(number) == Ok(self.0)
    }
}

/// Shows the name of a call that pidlock or its tests use, and the number of any other call.
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
    (libc::SYS_clone3, "clone3"),
    (libc::SYS_execve, "execve"),
    (libc::SYS_exit, "exit"),
    (libc::SYS_close, "close"),
    (libc::SYS_dup3, "dup3"),
    (libc::SYS_eventfd2, "eventfd2"),
    (libc::SYS_faccessat, "faccessat"),
    (libc::SYS_fchmod, "fchmod"),
    (libc::SYS_fchown, "fchown"),
    (libc::SYS_fcntl, "fcntl"),
    (libc::SYS_flock, "flock"),
    (libc::SYS_fstat, "fstat"),
    (libc::SYS_ftruncate, "ftruncate"),
    (libc::SYS_futex, "futex"),
    (libc::SYS_getdents64, "getdents64"),
    (libc::SYS_getrandom, "getrandom"),
    (libc::SYS_geteuid, "geteuid"),
    (libc::SYS_getpgid, "getpgid"),
    (libc::SYS_getpid, "getpid"),
    (libc::SYS_getresuid, "getresuid"),
    (libc::SYS_gettid, "gettid"),
    (libc::SYS_inotify_add_watch, "inotify_add_watch"),
    (libc::SYS_inotify_init1, "inotify_init1"),
    (libc::SYS_inotify_rm_watch, "inotify_rm_watch"),
    (libc::SYS_kill, "kill"),
    (libc::SYS_link, "link"),
    (libc::SYS_linkat, "linkat"),
    (libc::SYS_lseek, "lseek"),
    (libc::SYS_madvise, "madvise"),
    (libc::SYS_mkdir, "mkdir"),
    (libc::SYS_mmap, "mmap"),
    (libc::SYS_mprotect, "mprotect"),
    (libc::SYS_recvfrom, "recvfrom"),
    (libc::SYS_munmap, "munmap"),
    (libc::SYS_newfstatat, "newfstatat"),
    (libc::SYS_openat, "openat"),
    (libc::SYS_pidfd_open, "pidfd_open"),
    (libc::SYS_pidfd_send_signal, "pidfd_send_signal"),
    (libc::SYS_poll, "poll"),
    (libc::SYS_ppoll, "ppoll"),
    (libc::SYS_prctl, "prctl"),
    (libc::SYS_pread64, "pread64"),
    (libc::SYS_pwrite64, "pwrite64"),
    (libc::SYS_read, "read"),
    (libc::SYS_readlink, "readlink"),
    (libc::SYS_rename, "rename"),
    (libc::SYS_rseq, "rseq"),
    (libc::SYS_rt_sigaction, "rt_sigaction"),
    (libc::SYS_rt_sigprocmask, "rt_sigprocmask"),
    (libc::SYS_sched_getaffinity, "sched_getaffinity"),
    (libc::SYS_set_robust_list, "set_robust_list"),
    (libc::SYS_setsockopt, "setsockopt"),
    (libc::SYS_shutdown, "shutdown"),
    (libc::SYS_socketpair, "socketpair"),
    (libc::SYS_sigaltstack, "sigaltstack"),
    (libc::SYS_statx, "statx"),
    (libc::SYS_unlink, "unlink"),
    (libc::SYS_unlinkat, "unlinkat"),
    (libc::SYS_write, "write"),
];

/// Where the traced process stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The call is about to be made.
    Before(Call),
    /// The call has been made, and the process has not seen the result yet.
    After(Call),
    /// The process is stopped inside the call that forks. Its new child is stopped, too. If threads
    /// are traced (see [`Stepper::trace_threads`]), a new thread is such a child.
    Forked,
    /// The process has terminated.
    Ended(Ending),
}

/// How the traced process terminated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It exited with this status.
    Code(c_int),
    /// This signal killed it.
    By(Signal),
}

/// A traced program. Dropping a `Stepper` kills the traced process.
#[derive(Debug)]
pub struct Stepper {
    /// The traced process: first the program, later possibly a child of it.
    led: Pid,
    program: Child,
    output: BufReader<ChildStdout>,
    inside_call: bool,
    /// The registers at the last stop in a call.
    at_stop: Option<libc::user_regs_struct>,
    ended: Option<Ending>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Stepper {
    /// Starts a program and lets it run until it calls [`stop_for_tracer`].
    ///
    /// # Panics
    ///
    /// If the program cannot be started, or does not call that function.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let led = Pid::from_raw(c_int::try_from(child.id()).expect("a PID fits into a c_int"));
        let output = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let stepper = Self {
            led,
            program: child,
            output,
            inside_call: false,
            at_stop: None,
            ended: None,
            stays_on_its_thread: PhantomData,
        };
        match wait(led) {
            WaitStatus::Stopped(_, Signal::SIGSTOP) => {}
            other => panic!("the program did not stop for its tracer: {other:?}"),
        }
        ptrace::setoptions(led, options()).expect("set the ptrace options");
        stepper
    }

    /// From here on, stops at the creation of a thread, too.
    ///
    /// # Panics
    ///
    /// If the process cannot be traced.
    pub fn trace_threads(&self) {
        ptrace::setoptions(self.led, options() | Options::PTRACE_O_TRACECLONE)
            .expect("set the ptrace options");
    }

    /// The PID of the traced process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.led.as_raw().unsigned_abs()
    }

    /// Lets the traced process run until it enters a system call, returns from one, forks or
    /// terminates.
    ///
    /// # Panics
    ///
    /// If the process cannot be traced.
    pub fn step(&mut self) -> Stop {
        if let Some(ending) = self.ended {
            return Stop::Ended(ending);
        }
        let mut deliver = None;
        loop {
            // ESRCH: another process has killed the stopped process. `wait` returns that then.
            match ptrace::syscall(self.led, deliver) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => panic!("continue the traced process: {error}"),
            }
            match wait(self.led) {
                WaitStatus::PtraceSyscall(_) => {
                    let registers = match ptrace::getregs(self.led) {
                        Err(Errno::ESRCH) => continue,
                        registers => registers.expect("read the registers of a stopped process"),
                    };
                    let call = Call(registers.orig_rax);
                    self.at_stop = Some(registers);
                    self.inside_call = !self.inside_call;
                    return if self.inside_call {
                        Stop::Before(call)
                    } else {
                        Stop::After(call)
                    };
                }
                WaitStatus::PtraceEvent(..) => return Stop::Forked,
                // How a traced process stops in exec.
                WaitStatus::Stopped(_, Signal::SIGTRAP) => deliver = None,
                WaitStatus::Stopped(_, signal) => deliver = Some(signal),
                WaitStatus::Exited(_, code) => return self.end(Ending::Code(code)),
                WaitStatus::Signaled(_, signal, _) => return self.end(Ending::By(signal)),
                other => panic!("unexpected state of the traced process: {other:?}"),
            }
        }
    }

    fn end(&mut self, ending: Ending) -> Stop {
        self.ended = Some(ending);
        Stop::Ended(ending)
    }

    fn registers(&self) -> libc::user_regs_struct {
        ptrace::getregs(self.led).expect("read the registers of a stopped process")
    }

    /// Makes the call that is about to be made fail with this error. The kernel does not perform
    /// the call.
    pub fn refuse(&mut self, error: c_int) -> Stop {
        assert!(self.inside_call, "the process is before a call");
        let mut registers = self.registers();
        let call = Call(registers.orig_rax);
        registers.orig_rax = u64::MAX; // no call has this number
        ptrace::setregs(self.led, registers).expect("write the registers of a stopped process");
        match self.step() {
            Stop::After(_) => {
                self.answer(error);
                Stop::After(call)
            }
            other => other,
        }
    }

    /// Returns the arguments of the call that is about to be made or has just been made.
    #[must_use]
    pub fn arguments(&self) -> [u64; 6] {
        let r = self.at_stop.expect("the process is at a call");
        [r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9]
    }

    /// Makes the call that has just been made return this error. The kernel has performed it.
    pub fn answer(&mut self, error: c_int) {
        assert!(!self.inside_call, "the process is after a call");
        let mut registers = self.registers();
        registers.rax = u64::from(error.unsigned_abs()).wrapping_neg();
        ptrace::setregs(self.led, registers).expect("write the registers of a stopped process");
    }

    /// After [`Stop::Forked`], traces the new child. The parent continues untraced.
    ///
    /// # Panics
    ///
    /// If the process has not forked.
    pub fn lead_child(&mut self) {
        let child = self.take_child();
        ptrace::detach(self.led, None).expect("detach from the parent");
        self.led = child;
        self.inside_call = false;
    }

    /// After [`Stop::Forked`], lets the new child continue untraced.
    ///
    /// # Panics
    ///
    /// If the process has not forked.
    pub fn leave_child(&mut self) {
        let child = self.take_child();
        ptrace::detach(child, None).expect("detach from the child");
    }

    fn take_child(&self) -> Pid {
        let child = ptrace::getevent(self.led).expect("read the PID of the new child");
        let child = Pid::from_raw(c_int::try_from(child).expect("a PID fits into a c_int"));
        assert!(
            matches!(wait(child), WaitStatus::Stopped(..)),
            "a new child is stopped"
        );
        child
    }

    /// Kills the traced process at the point where it is stopped, and waits for it. A call that is
    /// about to be made is not made.
    ///
    /// # Panics
    ///
    /// If the process cannot be killed.
    pub fn kill(&mut self) {
        if self.ended.is_some() {
            return;
        }
        signal::kill(self.led, Signal::SIGKILL).expect("kill the traced process");
        loop {
            match wait(self.led) {
                WaitStatus::Signaled(_, signal, _) => break self.ended = Some(Ending::By(signal)),
                WaitStatus::Exited(_, code) => break self.ended = Some(Ending::Code(code)),
                _ => {}
            }
        }
    }

    /// Reads the next line of output. Returns an empty string at the end of the output. The program
    /// must already have printed the line, because this call would wait for ever for a stopped
    /// program.
    ///
    /// # Panics
    ///
    /// If the output cannot be read as text.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output
            .read_line(&mut line)
            .expect("read a line of output");
        line.trim_end().to_owned()
    }

    /// Returns the rest of the output, after all processes that can write to it have closed it. If
    /// the traced process is a child of the program, also waits until the program exits.
    ///
    /// # Panics
    ///
    /// If the output cannot be read as text.
    pub fn wait_for_all(&mut self) -> String {
        let mut rest = String::new();
        self.output
            .read_to_string(&mut rest)
            .expect("read the rest of the output");
        self.reap_program();
        rest
    }

    /// Waits for the program if a child of it is traced.
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

fn options() -> Options {
    Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACEFORK | Options::PTRACE_O_EXITKILL
}

fn wait(pid: Pid) -> WaitStatus {
    waitpid(pid, Some(WaitPidFlag::__WALL)).expect("wait for the traced process")
}
