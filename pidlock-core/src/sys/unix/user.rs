//! Which user this is.

#![allow(unsafe_code)]

/// The user that permission checks are made for.
pub(crate) fn effective_uid() -> u32 {
    // SAFETY: geteuid takes nothing, changes nothing and cannot fail (POSIX.1-2017).
    unsafe { libc::geteuid() }
}

/// That user, for a person.
pub(crate) fn current_user() -> String {
    format!("uid {}", effective_uid())
}

/// Whether this is the user that permission checks are made for.
#[inline]
pub(crate) fn is_effective_uid(uid: u32) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        settled::is(uid)
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        uid == effective_uid()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod settled {
    //! Most can never become another user, and need to be asked but once.
    //!
    //! A thread whose real, effective and saved IDs are one and the same, and that may not take
    //! `CAP_SETUID`, keeps them until it runs another program (setresuid(2), capabilities(7)). In a
    //! user namespace of its own (user_namespaces(7)) it may become others, by numbers that are
    //! given to its user. Only one number means everybody else there: it is asked again each time.

    use std::cell::Cell;

    /// As whom the kernel shows all that a user namespace has no number for, unless it was told
    /// otherwise (proc_sys_kernel(5)); the usual `nobody`, who can go to one.
    const OVERFLOW: u32 = 65534;

    #[derive(Clone, Copy)]
    enum User {
        NotAsked,
        Settled(u32),
        /// It may become another.
        Unsettled,
    }

    thread_local! {
        // To the kernel each thread has IDs of its own (credentials(7)).
        static USER: Cell<User> = const { Cell::new(User::NotAsked) };
    }

    #[inline]
    pub(super) fn is(uid: u32) -> bool {
        match USER.get() {
            User::Settled(user) if uid == user => true,
            _ => ask(uid),
        }
    }

    #[cold]
    fn ask(uid: u32) -> bool {
        let user = super::effective_uid();
        if let User::NotAsked = USER.get() {
            USER.set(match user == OVERFLOW || can_change() {
                true => User::Unsettled,
                false => User::Settled(user),
            });
        }
        uid == user
    }

    fn can_change() -> bool {
        let (mut real, mut effective, mut saved) = (0, 0, 0);
        // SAFETY: the call writes three numbers, for each of which there is room.
        let answer = unsafe { libc::getresuid(&mut real, &mut effective, &mut saved) };
        let is_one = answer == 0 && real == effective && effective == saved;
        !is_one || may_take_any()
    }

    /// Whether this thread may give itself the right to be anybody, or has it.
    fn may_take_any() -> bool {
        #[repr(C)]
        struct Header {
            version: u32,
            /// 0 for this thread.
            pid: libc::c_int,
        }
        #[repr(C)]
        #[derive(Default)]
        struct Sets {
            effective: u32,
            permitted: u32,
            inheritable: u32,
        }
        // What linux/capability.h has of them: 64 bits, in two parts.
        const VERSION: u32 = 0x2008_0522;
        const CAP_SETUID: u32 = 1 << 7;
        let mut header = Header {
            version: VERSION,
            pid: 0,
        };
        let mut sets = [Sets::default(), Sets::default()];
        // SAFETY: both are as this version of the call has them (capget(2)), and outlive it.
        let answer = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, &raw mut sets) };
        answer != 0 || sets[0].permitted & CAP_SETUID != 0
    }
}

/// Whether the program runs with more rights than the user who started it (set-user-ID and the
/// like), so that its environment is that user's and not to be followed.
pub(crate) fn has_raised_privileges() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        // SAFETY: getauxval only looks up a value that the kernel left in this process's memory;
        // 0, for "not there", is an answer like any other (getauxval(3)).
        let secure = unsafe { libc::getauxval(libc::AT_SECURE) };
        secure != 0
    }
    #[cfg(any(
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "openbsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    ))]
    {
        // SAFETY: issetugid takes nothing, changes nothing and cannot fail (issetugid(2)).
        let secure = unsafe { libc::issetugid() };
        secure != 0
    }
    #[cfg(not(any(
        target_os = "linux",
        target_os = "android",
        target_vendor = "apple",
        target_os = "freebsd",
        target_os = "openbsd",
        target_os = "netbsd",
        target_os = "dragonfly"
    )))]
    {
        // SAFETY: neither call takes or changes anything, neither can fail (POSIX.1-2017).
        let (real, effective) = unsafe { (libc::getuid(), libc::geteuid()) };
        real != effective
    }
}
