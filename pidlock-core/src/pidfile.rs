//! The builder: which file to lock, and how.

use std::ffi::OsStr;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::holder::{self, Holder};
use crate::location::Location;
#[cfg(unix)]
use crate::reservation::{self, Reservation};
use crate::settings::{OnSignal, Settings, Target};
use crate::status::{self, Status};
use crate::wait::{self, Acquire, OnWait};

/// Selects a pidfile and how to acquire it. Creating a `PidFile` does not touch the file system.
///
/// The file is `NAME.pid` in a [default directory](Self::dir), unless [`dir`](Self::dir) or
/// [`at`](Self::at) say otherwise. The name of `PidFile::default()` is that of the program, the last
/// component of `argv[0]`.
///
/// # Examples
///
/// ```
/// use pidlock_core::PidFile;
///
/// match PidFile::new("my_app").temp_dir(true).acquire() {
///     Ok(guard) => println!("running as {}, see {}", guard.pid(), guard.path().display()),
///     Err(error) if error.is_contention() => eprintln!("{error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a PidFile does nothing until `acquire` is called"]
pub struct PidFile {
    location: Location,
    settings: Settings,
    on_wait: Option<OnWait>,
}

impl PidFile {
    /// Creates a pidfile with the given name, in the default directory unless [`dir`](Self::dir) gives
    /// another.
    ///
    /// The name must be a single path component: not empty, without separator and NUL, not `.` or
    /// `..`. It is validated on use.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let path = PidFile::new("my_app").dir("/run/my_app").path()?;
    /// # #[cfg(unix)]
    /// assert_eq!(path, std::path::Path::new("/run/my_app/my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn new(name: impl AsRef<OsStr>) -> Self {
        Self::default().name(name)
    }

    /// Creates a pidfile at an exact path. A relative path is resolved against the working directory
    /// at the time of use. Cannot be combined with [`name`](Self::name), [`dir`](Self::dir),
    /// [`suffix`](Self::suffix) or [`temp_dir`](Self::temp_dir).
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let path = PidFile::at("/var/lib/my_app/lock").path()?;
    /// # #[cfg(unix)]
    /// assert_eq!(path, std::path::Path::new("/var/lib/my_app/lock"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn at(path: impl AsRef<Path>) -> Self {
        let mut pidfile = Self::default();
        pidfile.location.exact = Some(path.as_ref().to_owned());
        pidfile
    }

    /// Sets the name; by default the program's. See [`new`](Self::new) for what a name can be.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let path = PidFile::default().name("my_app").dir("/run").path()?;
    /// assert!(path.ends_with("my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn name(mut self, name: impl AsRef<OsStr>) -> Self {
        self.location.name = Some(name.as_ref().to_owned());
        self
    }

    /// Sets the directory. If it is missing, [`acquire`](Self::acquire) creates it and its missing
    /// parents with mode 0755 minus the umask.
    ///
    /// # Platform-specific behavior
    ///
    /// The default on Unix is the first of `/run/user/UID`, `/var/run/user/UID`, `/run`, `/var/run` and
    /// the temporary directory that the effective user can write to. It is the directory that Python's
    /// `pid` picks, and no environment variable moves it, so a user's cron job, login session and
    /// service exclude each other while the user is logged in. `/run/user/UID` exists only then, unless
    /// `loginctl enable-linger` keeps it. On Windows it is `%APPDATA%`.
    ///
    /// Starts of different users do **not** meet in `/run/user/UID`. Where there is no such directory,
    /// they meet in the temporary directory, and there a stale file can only be taken over by its owner
    /// and by root. Starts that see different file systems do not meet: in a container, or in a service
    /// with a temporary directory of its own (`PrivateTmp=`). Name a directory if either matters.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let path = PidFile::new("my_app").dir("/run/my_app").path()?;
    /// # #[cfg(unix)]
    /// assert_eq!(path, std::path::Path::new("/run/my_app/my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.location.dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Whether to append `.pid` to a name that lacks it. Default: `true`.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let path = PidFile::new("my_app.lock").dir("/run").suffix(false).path()?;
    /// assert!(path.ends_with("my_app.lock"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn suffix(mut self, suffix: bool) -> Self {
        self.location.without_suffix = !suffix;
        self
    }

    /// Whether to use the temporary directory instead of the default one. Default: `false`.
    ///
    /// Any user can create files there and so prevent the program from starting. Files that other users
    /// own are never written to.
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix it is the first of `$TMPDIR`, `$TEMP`, `$TMP`, `/tmp`, `/var/tmp` and `/usr/tmp`
    /// that the effective user can write to, as for Python's `tempfile.gettempdir()`; on Windows
    /// [`std::env::temp_dir`].
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let path = PidFile::new("my_app").temp_dir(true).path()?;
    /// assert!(path.ends_with("my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn temp_dir(mut self, temp_dir: bool) -> Self {
        self.location.temp_dir = temp_dir;
        self
    }

    /// Sets the permission bits exactly, regardless of the umask. Default: `0o644`, which a file system
    /// without permission bits may ignore.
    ///
    /// They must include `0o400`, so that the next start can inspect a stale file.
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix the sticky bit is set besides (`-rw-r--r-T`), which means nothing on a regular file. It
    /// says that the program locks the file, and keeps `systemd-tmpfiles` from removing the file. The
    /// BSDs keep it for root only. On Windows the permission bits are ignored, and the attribute
    /// `FILE_ATTRIBUTE_TEMPORARY` is the mark.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    /// let guard = PidFile::new("my_app_mode").temp_dir(true).mode(0o600).acquire()?;
    /// # #[cfg(unix)] {
    /// use std::os::unix::fs::PermissionsExt;
    /// assert_eq!(guard.path().metadata()?.permissions().mode() & 0o777, 0o600);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mode(mut self, mode: u32) -> Self {
        self.settings.mode = Some(mode);
        self
    }

    /// Sets the owner, for programs that start as root and drop privileges. By default it is the
    /// effective user.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// // Works for root only.
    /// let file = PidFile::new("my_app").dir("/run/my_app").uid(1000).gid(1000);
    /// # let _ = file;
    /// ```
    pub fn uid(mut self, uid: u32) -> Self {
        self.settings.uid = Some(uid);
        self
    }

    /// Sets the group. By default it is unchanged.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app").dir("/run/my_app").gid(4);
    /// # let _ = file;
    /// ```
    pub fn gid(mut self, gid: u32) -> Self {
        self.settings.gid = Some(gid);
        self
    }

    /// Whether to take the kernel lock. Default: `true`.
    ///
    /// `false` is for file systems without locks. Then the recorded PID is the only protection: all
    /// processes must share one host and one PID namespace and use `lock(false)`, and a reused PID
    /// blocks starts. At most one of several concurrent starts succeeds. The file system must support
    /// hard links, so vfat, exfat, CIFS, sshfs and mergerfs are refused. Temporary files
    /// `.NAME.PID-0.pidlock` and `NAME.t1` appear briefly.
    ///
    /// ```
    /// use pidlock_core::{PidFile, PidFileError};
    ///
    /// let file = PidFile::new("my_app_lock").temp_dir(true).lock(false);
    /// let guard = file.acquire()?;
    /// assert!(matches!(file.acquire(), Err(PidFileError::AlreadyLocked { .. })));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(mut self, lock: bool) -> Self {
        self.settings.lock = lock;
        self
    }

    /// Whether this process can acquire the file again while it holds it. Default: `false`.
    ///
    /// The file is released when the last guard is dropped.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_reentrant").temp_dir(true).reentrant(true);
    /// let first = file.acquire()?;
    /// let second = file.acquire()?;
    /// drop(first);
    /// second.verify()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reentrant(mut self, reentrant: bool) -> Self {
        self.settings.reentrant = reentrant;
        self
    }

    /// Whether to truncate the file on release instead of removing it. Default: `false`.
    ///
    /// Use it beside programs that lock without checking the path again: Python's `pid`, `flock(1)`.
    /// While a file is removed, they can lock the removed file and believe that they are alone. All
    /// starts must be of one user, with a [`mode`](Self::mode) that lets the owner write; otherwise a
    /// stale file is replaced, which is a removal too.
    ///
    /// ```
    /// use pidlock_core::{PidFile, Status};
    ///
    /// let file = PidFile::new("my_app_keep").temp_dir(true).keep(true);
    /// drop(file.acquire()?);
    /// assert_eq!(file.status()?, Status::Empty);
    /// # std::fs::remove_file(file.path()?)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep(mut self, keep: bool) -> Self {
        self.settings.keep = keep;
        self
    }

    /// How to handle SIGTERM, SIGINT and SIGHUP. Default: [`OnSignal::Auto`], remove the file and
    /// terminate by the signal, unless the program handles it.
    ///
    /// Handlers are installed for the whole process whenever a pidfile is acquired, and stay. A library
    /// that refuses to replace a handler, such as `ctrlc::try_set_handler`, must be called before.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows: see [`at_exit`](Self::at_exit).
    ///
    /// ```
    /// use pidlock_core::{OnSignal, PidFile};
    ///
    /// let guard = PidFile::new("my_app_on_signal")
    ///     .temp_dir(true)
    ///     .on_signal(OnSignal::Off)
    ///     .acquire()?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_signal(mut self, on_signal: OnSignal) -> Self {
        self.settings.on_signal = on_signal;
        self
    }

    /// Whether to remove the file when the process exits while the guard is alive: by
    /// [`std::process::exit`], or by return from `main` with the guard in a static or leaked. Default:
    /// `true`.
    ///
    /// Other threads, and exit handlers registered before the first pidfile was acquired, may keep
    /// running briefly without the lock.
    ///
    /// # Platform-specific behavior
    ///
    /// By `atexit(3)` on Unix. On Windows whenever the process ends by `ExitProcess`, after all other
    /// threads have ended. That includes Ctrl-C, Ctrl-Break and a closed console, unless the program
    /// handles them.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let guard = PidFile::new("my_app_at_exit").temp_dir(true).at_exit(false).acquire()?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at_exit(mut self, at_exit: bool) -> Self {
        self.settings.at_exit = at_exit;
        self
    }

    /// Sets how long to wait for a holder. Default: `None`, a refusal at once. Replaces [`wait`](Self::wait).
    ///
    /// A start waits while the file is held, and acquires it as soon as the holder has released it, has
    /// exited or was killed. The limit is for the whole wait, also if one holder follows another. If the
    /// time is over, the error is the refusal, which says how long the start has waited. Several starts
    /// that wait acquire the file in any order; those in one process do in the order in which they began
    /// to wait.
    ///
    /// Only a holder is waited for. Any other error is returned at once. A time limit below 50 ms can be
    /// exceeded by as much while it is unclear whether there is a holder, as [`acquire`](Self::acquire)
    /// describes.
    ///
    /// # Platform-specific behavior
    ///
    /// On Linux the kernel wakes the start when the file is closed, removed or replaced, or when a process
    /// that does not lock it ends (`inotify(7)`, `pidfd_open(2)`). The release of a holder that keeps the
    /// file open, or that runs on another machine, is noticed within about a second. If other processes wait
    /// too, a start that was slower than one of them can notice the next release up to 32 ms late. On other
    /// systems, and
    /// if the user has too many inotify instances, the start looks every 20 ms. A process that has waited
    /// keeps an inotify instance for its next wait.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pidlock_core::{PidFile, PidFileError};
    ///
    /// let file = PidFile::new("my_app_timeout")
    ///     .temp_dir(true)
    ///     .timeout(Duration::from_millis(20));
    /// let guard = file.acquire()?;
    /// match file.acquire() {
    ///     Err(PidFileError::AlreadyLocked { waited: Some(waited), .. }) => {
    ///         assert!(waited >= Duration::from_millis(20));
    ///     }
    ///     other => panic!("expected a refusal, got {other:?}"),
    /// }
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.settings.timeout = timeout.into();
        self
    }

    /// Whether to wait for a holder without a time limit. Default: `false`, a refusal at once. Replaces
    /// [`timeout`](Self::timeout), which says what is waited for.
    ///
    /// ```
    /// use std::thread;
    ///
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_wait").temp_dir(true).wait(true);
    /// let first = file.acquire()?;
    /// let second = thread::spawn(move || file.acquire());
    /// drop(first);
    /// let guard = second.join().unwrap()?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(mut self, wait: bool) -> Self {
        self.settings.timeout = wait.then_some(Duration::MAX);
        self
    }

    /// Sets a function that is called once, when a start begins to wait. Its argument is the error that
    /// the start would return without [`timeout`](Self::timeout) or [`wait`](Self::wait), and names the
    /// holder at that time. By default nothing is called.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_on_wait")
    ///     .temp_dir(true)
    ///     .timeout(Duration::from_millis(20))
    ///     .on_wait(|refusal| eprintln!("waiting: {refusal}"));
    /// let guard = file.acquire()?;
    /// assert!(file.acquire().is_err()); // and prints "waiting: pidfile ... already locked by PID 12345"
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_wait(
        mut self,
        on_wait: impl Fn(&PidFileError) + Send + Sync + UnwindSafe + RefUnwindSafe + 'static,
    ) -> Self {
        self.on_wait = Some(OnWait(Arc::new(on_wait)));
        self
    }

    /// Returns the absolute path of the file. May look for a writable default directory; creates
    /// nothing.
    ///
    /// # Errors
    ///
    /// - [`Configuration`](PidFileError::Configuration): the name, the path or the combination of
    ///   settings is invalid.
    /// - [`Io`](PidFileError::Io): the path is relative and the working directory is gone.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// assert!(PidFile::default().path()?.is_absolute());
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn path(&self) -> Result<PathBuf, PidFileError> {
        Ok(self.location.resolve()?.to_path_buf())
    }

    /// Reports the state of the pidfile without changing it.
    ///
    /// # Errors
    ///
    /// - [`Unreadable`](PidFileError::Unreadable): the file is not locked and does not contain a PID.
    /// - [`Untrusted`](PidFileError::Untrusted): the path does not refer to a regular file.
    /// - [`Io`](PidFileError::Io): the file cannot be opened, read or locked.
    /// - [`Configuration`](PidFileError::Configuration): as for [`path`](Self::path).
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix, takes a shared lock briefly (`flock(LOCK_SH)`). A concurrent [`acquire`](Self::acquire)
    /// waits for it, up to one second. A tool that does not retry, such as Python's `pid`, may fail.
    ///
    /// On Windows, if another program has the file open without sharing it, such as a virus scanner, this
    /// retries for a second.
    ///
    /// ```
    /// use pidlock_core::{PidFile, Status};
    ///
    /// let file = PidFile::new("my_app_status").temp_dir(true);
    /// assert_eq!(file.status()?, Status::NoFile);
    /// let _guard = file.acquire()?;
    /// assert_eq!(file.status()?, Status::HeldBySelf);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> Result<Status, PidFileError> {
        status::inspect(&self.target()?)
    }

    /// Acquires the pidfile: creates it or takes over a stale one, locks it, and writes the PID of this
    /// process.
    ///
    /// Waits for a holder only with [`timeout`](Self::timeout) or [`wait`](Self::wait). If it is unclear
    /// whether there is one, because another process is starting or exiting or a tool is probing the
    /// lock, it retries for up to 50 ms, or up to 1 s if the lock may be held only by probes or by
    /// another thread of this process. A refused start
    /// changes nothing.
    ///
    /// A file is stale if it is blank, or if its process is gone, is a zombie, or started after the
    /// file was written. A stale file of another user is replaced if the permissions of the directory
    /// allow that.
    ///
    /// # Errors
    ///
    /// - [`AlreadyLocked`](PidFileError::AlreadyLocked): the file is held.
    /// - [`AlreadyRunning`](PidFileError::AlreadyRunning): the recorded process is running but does not
    ///   hold the lock.
    /// - [`Unreadable`](PidFileError::Unreadable): the file does not contain a PID, or it is stale and
    ///   contains more than a PID.
    /// - [`Untrusted`](PidFileError::Untrusted): the path refers to a symbolic link, a directory, a
    ///   FIFO, a socket or a device.
    /// - [`Configuration`](PidFileError::Configuration): the name, the path, the mode or the
    ///   combination of settings is invalid.
    /// - [`Io`](PidFileError::Io): a system call failed; kind
    ///   [`PermissionDenied`](std::io::ErrorKind::PermissionDenied), if the file is stale but may not be
    ///   removed, too; kind [`TimedOut`](std::io::ErrorKind::TimedOut) if the file kept being replaced.
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix the lock is `flock(2)`, on local file systems and on NFS, where the client turns it into
    /// a lock of the server. On Windows it is a lock on one byte beyond the end of the file, so that
    /// other programs can read the PID. A start that fails there because another program has the file
    /// open, such as a virus scanner, is repeated for a second.
    ///
    /// Where the start time of a process cannot be read, a running process with the recorded PID is
    /// assumed to have written the file, unless the file bears the mark that [`mode`](Self::mode)
    /// describes.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let guard = PidFile::new("my_app_acquire").temp_dir(true).acquire()?;
    /// assert!(guard.path().exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn acquire(&self) -> Result<PidGuard, PidFileError> {
        let locked = wait::lock(self.target()?, self.on_wait.clone(), true)?;
        let handle = locked.into_handle();
        Ok(PidGuard { handle })
    }

    /// Like [`acquire`](Self::acquire), without ever blocking the thread: where `acquire` sleeps, the
    /// future is pending. Like that it waits for a holder only with [`timeout`](Self::timeout) or
    /// [`wait`](Self::wait); the time counts from the first poll.
    ///
    /// The future is `Send + 'static` and needs no runtime. A helper thread of this crate wakes the
    /// futures of the process that are pending, and ends when there are none. A future that is dropped
    /// leaves nothing behind.
    ///
    /// # Errors
    ///
    /// The future returns those of [`acquire`](Self::acquire), and [`Io`](PidFileError::Io) if the helper
    /// thread cannot be started.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pidlock_core::{PidFile, PidFileError};
    ///
    /// async fn serve() -> Result<(), PidFileError> {
    ///     let file = PidFile::new("my_app").timeout(Duration::from_secs(10));
    ///     let guard = file.acquire_async().await?;
    ///     println!("running as {}", guard.pid());
    ///     Ok(())
    /// }
    /// # let serving = std::pin::pin!(serve());
    /// # let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// # assert!(std::future::Future::poll(serving, &mut context).is_ready());
    /// ```
    pub fn acquire_async(&self) -> Acquire {
        Acquire::new(self.target(), self.on_wait.clone())
    }

    /// Locks the file but leaves it empty, for a process that is about to fork. The child calls
    /// [`Reservation::commit`](crate::Reservation::commit), while the parent can still report to the
    /// terminal that another instance is running. Corresponds to `pidfile_open` and `pidfile_write` of
    /// BSD's `pidfile(3)`. [`reentrant`](Self::reentrant) is ignored.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire), and [`Configuration`](PidFileError::Configuration) with
    /// [`lock(false)`](Self::lock): without a lock, an empty file excludes no process.
    ///
    /// # Platform-specific behavior
    ///
    /// Unix only.
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let reservation = PidFile::new("my_app_reserve").temp_dir(true).reserve()?;
    /// // fork here, and in the child:
    /// let guard = reservation.commit()?;
    /// assert_eq!(guard.pid(), std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(unix)]
    pub fn reserve(&self) -> Result<Reservation, PidFileError> {
        if !self.settings.lock {
            let message = "reserve requires lock = true: an empty file excludes no process";
            return Err(PidFileError::configuration(message));
        }
        let mut target = self.target()?;
        target.settings.reentrant = false;
        reservation::reserve(target, self.on_wait.clone())
    }

    /// Returns the process that holds the file, confirmed, so that it can be signalled: `None` if there
    /// is none. Changes nothing.
    ///
    /// The recorded process is the holder if it has the lock, which it may have inherited, for example by
    /// [`commit`](crate::Reservation::commit) in a forked child. This process is returned, too, if it
    /// holds the file.
    ///
    /// With [`lock(false)`](Self::lock) no process has a lock. Then the recorded process is the holder if
    /// it started before the file was written. The file must belong to that process's user, to the
    /// calling user or to root, and no other user may have permission to write it.
    ///
    /// # Errors
    ///
    /// - [`Unconfirmed`](PidFileError::Unconfirmed): the recorded process could not be confirmed. For
    ///   example, the holder is in another PID namespace, or it died and a child that it forked goes on
    ///   with the lock.
    /// - [`Io`](PidFileError::Io): a system call failed; kind
    ///   [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if this user may neither inspect nor
    ///   signal the recorded process.
    /// - [`Untrusted`](PidFileError::Untrusted), [`Configuration`](PidFileError::Configuration): as for
    ///   [`status`](Self::status).
    ///
    /// # Platform-specific behavior
    ///
    /// See [`Holder`]. On Linux, `/proc` must be mounted. The file is opened and its lock probed as by
    /// [`status`](Self::status).
    ///
    /// ```
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_holder").temp_dir(true);
    /// assert!(file.holder()?.is_none());
    /// let _guard = file.acquire()?;
    /// assert_eq!(file.holder()?.map(|holder| holder.pid()), Some(std::process::id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn holder(&self) -> Result<Option<Holder>, PidFileError> {
        holder::find(&self.target()?)
    }

    /// Sends SIGTERM to the [holder](Self::holder) and waits until the file is free. Returns `false` if
    /// there was no holder.
    ///
    /// The file is free when no process has the lock that the holder had. A child that shares the lock
    /// must end too. The holder itself may still be exiting, with its ports still in use:
    /// [`Holder::wait_gone`] waits for its end. With [`lock(false)`](Self::lock) the file is free when the
    /// holder is gone. Another instance may have started by the time this returns, for example if a
    /// service manager restarts it. That one is not signalled.
    ///
    /// # Errors
    ///
    /// Those of [`holder`](Self::holder), and [`Io`](PidFileError::Io), of kind
    ///
    /// - [`TimedOut`](std::io::ErrorKind::TimedOut) if the file is not free after `timeout`. The holder
    ///   has got the signal, and may still exit.
    /// - [`PermissionDenied`](std::io::ErrorKind::PermissionDenied) if the holder belongs to another
    ///   user.
    /// - [`InvalidInput`](std::io::ErrorKind::InvalidInput) if this process is the holder.
    ///
    /// # Platform-specific behavior
    ///
    /// Unix only.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_stop").temp_dir(true);
    /// match file.stop(Duration::from_secs(10))? {
    ///     true => println!("stopped"),
    ///     false => println!("was not running"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(unix)]
    pub fn stop(&self, timeout: Duration) -> Result<bool, PidFileError> {
        holder::stop(&self.target()?, timeout)
    }

    /// [Stops](Self::stop) the holder, if there is one, and acquires the file.
    ///
    /// Signals only the process that held the file when this was called. If several processes find the
    /// same holder, one of them acquires the file and the others are refused. A process that calls this
    /// later finds the new holder, and replaces that one. All are refused if a service manager restarts
    /// the holder first.
    ///
    /// `timeout` limits the time that the holder takes to release the file. With
    /// [`PidFile::timeout`](Self::timeout) or [`wait`](Self::wait), a process is not refused because
    /// another one was faster, but waits until that one has released the file.
    ///
    /// # Errors
    ///
    /// Those of [`stop`](Self::stop) and of [`acquire`](Self::acquire):
    /// [`AlreadyLocked`](PidFileError::AlreadyLocked) if another process was faster.
    ///
    /// # Platform-specific behavior
    ///
    /// Unix only.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use pidlock_core::PidFile;
    ///
    /// let file = PidFile::new("my_app_replace").temp_dir(true);
    /// let guard = file.replace(Duration::from_secs(10))?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(unix)]
    pub fn replace(&self, timeout: Duration) -> Result<PidGuard, PidFileError> {
        self.stop(timeout)?;
        self.acquire()
    }

    fn target(&self) -> Result<Target, PidFileError> {
        self.settings.validate()?;
        Ok(Target {
            path: self.location.resolve()?,
            settings: self.settings,
        })
    }
}
