//! What to lock, and how.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::acquire;
use crate::error::PidFileError;
use crate::guard::PidGuard;
use crate::location::Location;
use crate::plan::{OnSignal, Plan, Settings};
use crate::status::{self, Status};
use crate::sys::FullPath;
use crate::unlocked;

/// Which pidfile to acquire, and how. Building one touches nothing; [`acquire`](Self::acquire)
/// does.
///
/// The file is `NAME.pid` in a directory that suits the user who runs the program, or wherever
/// [`dir`](Self::dir) or [`at`](Self::at) say.
///
/// # Examples
///
/// ```
/// use pidlock_core::PidFile;
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// match PidFile::new("my_app").dir(dir).acquire() {
///     Ok(guard) => println!("running as {}, see {}", guard.pid(), guard.path().display()),
///     Err(error) if error.is_contention() => eprintln!("{error}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a PidFile only says what to lock: call `acquire`"]
pub struct PidFile {
    location: Location,
    settings: Settings,
}

impl Default for PidFile {
    /// The pidfile named after the program (the last component of its `argv[0]`), in the default
    /// directory.
    fn default() -> Self {
        Self {
            location: Location::default(),
            settings: Settings::default(),
        }
    }
}

impl PidFile {
    /// A pidfile by its name, in the default directory unless [`dir`](Self::dir) gives another.
    ///
    /// A name is one component of a path: not empty, no separator, no NUL, not `.` or `..`.
    /// Whether it is one is checked on use.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// let path = PidFile::new("my_app").dir("/run/my_app").path()?;
    /// # #[cfg(unix)]
    /// assert_eq!(path, std::path::Path::new("/run/my_app/my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn new(name: impl AsRef<OsStr>) -> Self {
        Self::default().name(name)
    }

    /// A pidfile by its exact path; a relative one is taken from the working directory at the
    /// time of use. Leaves no choice of name, directory and suffix.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// let path = PidFile::at("/var/lib/my_app/lock").path()?;
    /// # #[cfg(unix)]
    /// assert_eq!(path, std::path::Path::new("/var/lib/my_app/lock"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn at(path: impl AsRef<Path>) -> Self {
        Self {
            location: Location::at(path.as_ref()),
            settings: Settings::default(),
        }
    }

    /// The name, instead of the program's. See [`new`](Self::new) for what a name may be.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// let path = PidFile::default().name("my_app").dir("/run").path()?;
    /// assert!(path.ends_with("my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn name(mut self, name: impl AsRef<OsStr>) -> Self {
        self.location.describe().name = Some(name.as_ref().to_owned());
        self
    }

    /// The directory, instead of the default one. If it is missing, [`acquire`](Self::acquire)
    /// creates it and its missing parents, with mode 0755 less the umask.
    ///
    /// # Platform-specific behavior
    ///
    /// The default on Unix is the first of these that the effective user may write to and search:
    /// `$RUNTIME_DIRECTORY` (set by systemd; the first, where it is a list), `$XDG_RUNTIME_DIR`,
    /// `/run/user/UID`, `/var/run/user/UID`, `/run`, `/var/run`, the temporary directory. The two
    /// variables count only if they hold an absolute path of a directory that the effective user
    /// owns, and not in a set-user-ID program. Without them it is the directory that Python's
    /// `pid` picks. On Windows it is `%APPDATA%`.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("my_app").dir(dir.path().join("new/one")).acquire()?;
    /// assert!(guard.path().starts_with(dir.path().join("new/one")));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.location.describe().dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Whether `.pid` is added to a name that does not end with it. Default: `true`.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// let path = PidFile::new("my_app.lock").dir("/run").suffix(false).path()?;
    /// assert!(path.ends_with("my_app.lock"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn suffix(mut self, suffix: bool) -> Self {
        self.location.describe().without_suffix = !suffix;
        self
    }

    /// Whether the file is in the temporary directory even where a better one could be had.
    /// Default: `false`.
    ///
    /// Everybody may make files there, so anybody can keep the program from starting; what others
    /// own is never written to.
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix it is the first of `$TMPDIR`, `$TEMP`, `$TMP`, `/tmp`, `/var/tmp` and `/usr/tmp`
    /// that may be written to, as for Python's `tempfile.gettempdir()`; on Windows
    /// [`std::env::temp_dir`].
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// let path = PidFile::new("my_app").temp_dir(true).path()?;
    /// assert!(path.ends_with("my_app.pid"));
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn temp_dir(mut self, temp_dir: bool) -> Self {
        self.location.describe().temp_dir = temp_dir;
        self
    }

    /// The file's permission bits, set exactly, whatever the umask. Default: `0o644`.
    ///
    /// They must let the owner read and write (`0o600`), or the next start could not take over a
    /// file that a crash left.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("my_app").dir(dir.path()).mode(0o600).acquire()?;
    /// # #[cfg(unix)] {
    /// use std::os::unix::fs::PermissionsExt;
    /// assert_eq!(guard.path().metadata()?.permissions().mode() & 0o7777, 0o600);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mode(mut self, mode: u32) -> Self {
        self.settings.mode = mode;
        self
    }

    /// The user who is to own the file: for programs that start as root and go on as somebody
    /// else. Default: the file's owner stays who it is.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// // Run as root; any other user may only give what is theirs already.
    /// let file = PidFile::new("my_app").dir("/run/my_app").uid(1000).gid(1000);
    /// # let _ = file;
    /// ```
    pub fn uid(mut self, uid: u32) -> Self {
        self.settings.uid = Some(uid);
        self
    }

    /// The group that the file is to belong to. Default: it stays what it is.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// let file = PidFile::new("my_app").dir("/run/my_app").gid(4);
    /// # let _ = file;
    /// ```
    pub fn gid(mut self, gid: u32) -> Self {
        self.settings.gid = Some(gid);
        self
    }

    /// Whether to take the kernel's lock. Default: `true`.
    ///
    /// `false` is for file systems that have no locks. Then the PID in the file is all there is:
    /// every process must be on one host and in one PID namespace, must use `lock(false)` too, and
    /// a PID that a stranger got after a crash keeps the program from starting. Of starts
    /// that collide at most one gets in. The file system must have hard links, and files named
    /// `.NAME.PID-0.pidlock` and `NAME.t1` appear beside the pidfile for a moment.
    ///
    /// ```
    /// # use pidlock_core::{PidFile, PidFileError};
    /// # let dir = tempfile::tempdir()?;
    /// let file = PidFile::new("my_app").dir(dir.path()).lock(false);
    /// let guard = file.acquire()?;
    /// assert!(matches!(file.acquire(), Err(PidFileError::AlreadyRunning { .. })));
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lock(mut self, lock: bool) -> Self {
        self.settings.lock = lock;
        self
    }

    /// Whether acquiring a file that this process holds already gives another guard of the same
    /// hold instead of a refusal. Default: `false`.
    ///
    /// The last guard to go releases the file, in whatever order they go.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let file = PidFile::new("my_app").dir(dir.path()).reentrant(true);
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

    /// Whether the file stays, empty, on release. Default: `false`, it is removed.
    ///
    /// `true` is for neighbours that lock the file but do not check, once they have the lock, that
    /// the path still names what they locked: Python's `pid`, `flock(1)`. Across our release they
    /// can lock the file that was just removed, and believe that they are alone.
    ///
    /// Should a signal end the process before the guard is dropped, the file is emptied too, but the
    /// lock ends when the last process is gone that shares it: a child that was forked without
    /// `exec`.
    ///
    /// ```
    /// # use pidlock_core::{PidFile, Status};
    /// # let dir = tempfile::tempdir()?;
    /// let file = PidFile::new("my_app").dir(dir.path()).keep(true);
    /// drop(file.acquire()?);
    /// assert_eq!(file.status()?, Status::Empty);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep(mut self, keep: bool) -> Self {
        self.settings.keep = keep;
        self
    }

    /// What to do about SIGTERM, SIGINT and SIGHUP. Default: [`OnSignal::Auto`], remove the file
    /// and die of the signal, unless the program handles it.
    ///
    /// Handlers are installed when a file is first acquired, for all pidfiles of the process, and
    /// stay. A library that wants to be the first to handle a signal, such as
    /// `ctrlc::try_set_handler`, must be called before.
    ///
    /// # Platform-specific behavior
    ///
    /// Ignored on Windows.
    ///
    /// ```
    /// # use pidlock_core::{OnSignal, PidFile};
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("my_app").dir(dir.path()).on_signal(OnSignal::Off).acquire()?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_signal(mut self, on_signal: OnSignal) -> Self {
        self.settings.on_signal = on_signal;
        self
    }

    /// Whether the file is removed when the process exits while the guard is alive: by
    /// [`std::process::exit`], or by the return from `main` with the guard in a static or leaked.
    /// Default: `true`.
    ///
    /// Other threads, and exit handlers that were registered before the first pidfile was
    /// acquired, run on for a moment outside the lock.
    ///
    /// # Platform-specific behavior
    ///
    /// By `atexit(3)` on Unix. Ignored on Windows.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("my_app").dir(dir.path()).at_exit(false).acquire()?;
    /// # drop(guard);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn at_exit(mut self, at_exit: bool) -> Self {
        self.settings.at_exit = at_exit;
        self
    }

    /// The absolute path of the file. Looks for the default directory if none was given, and
    /// creates nothing.
    ///
    /// # Errors
    ///
    /// - [`Configuration`](PidFileError::Configuration): the name, the path or the combination of
    ///   settings cannot be.
    /// - [`Io`](PidFileError::Io): the path is relative, and the working directory is gone.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// assert!(PidFile::default().path()?.is_absolute());
    /// # Ok::<(), pidlock_core::PidFileError>(())
    /// ```
    pub fn path(&self) -> Result<PathBuf, PidFileError> {
        let mut room = None;
        let path = self.location.resolve(&mut room)?;
        Ok(path.to_path_buf())
    }

    /// Looks at the file and changes nothing; makes no concurrent start fail, which waits for it.
    ///
    /// With [`lock(false)`](Self::lock) the look is at the PID alone.
    ///
    /// # Errors
    ///
    /// - [`Unreadable`](PidFileError::Unreadable): nobody has the lock, and the file holds
    ///   something else than a PID.
    /// - [`Untrusted`](PidFileError::Untrusted): what is there is no regular file.
    /// - [`Io`](PidFileError::Io): the file cannot be opened, read or locked.
    /// - [`Configuration`](PidFileError::Configuration): as for [`path`](Self::path).
    ///
    /// # Platform-specific behavior
    ///
    /// On Unix it takes the lock for a moment, shared (`flock(LOCK_SH)`). A start of ours that
    /// meets it waits for it, at most one second; a neighbour that does not, such as Python's
    /// `pid`, is refused.
    ///
    /// ```
    /// # use pidlock_core::{PidFile, Status};
    /// # let dir = tempfile::tempdir()?;
    /// let file = PidFile::new("my_app").dir(dir.path());
    /// assert_eq!(file.status()?, Status::NoFile);
    /// let _guard = file.acquire()?;
    /// assert_eq!(file.status()?, Status::HeldBySelf);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn status(&self) -> Result<Status, PidFileError> {
        let mut room = None;
        status::look(&self.plan(&mut room)?)
    }

    /// Acquires the file: creates or takes it over, locks it and writes this process's PID.
    ///
    /// Does not wait for a holder. Where there is doubt whether there is one (a start or an end
    /// going on at this very moment, a tool that looks at the lock), it looks again for at most
    /// 50 ms, or for at most one second where it may be nobody but such tools, or another thread of
    /// this process.
    ///
    /// A file that a crash left is taken over: one that is empty, or names a process that is gone,
    /// a zombie, or a process that started more than two seconds after the file was written.
    /// Whoever is refused has changed nothing.
    ///
    /// # Errors
    ///
    /// - [`AlreadyLocked`](PidFileError::AlreadyLocked): somebody holds it.
    /// - [`AlreadyRunning`](PidFileError::AlreadyRunning): the file names a live process that does
    ///   not hold the lock.
    /// - [`Unreadable`](PidFileError::Unreadable): the file holds something else than a PID.
    /// - [`Untrusted`](PidFileError::Untrusted): it is a symbolic link, a directory, a device, has
    ///   several hard links, or belongs to another user in a directory that others may write to.
    /// - [`Configuration`](PidFileError::Configuration): the name, the path, the mode or the
    ///   combination of settings cannot be.
    /// - [`Io`](PidFileError::Io): the system refused a call, or (kind
    ///   [`TimedOut`](std::io::ErrorKind::TimedOut)) the file was replaced a thousand times in a
    ///   row, or for a second.
    ///
    /// # Platform-specific behavior
    ///
    /// The lock is `flock(2)` on Unix, on local file systems and on NFS, where the client turns it
    /// into a lock of the server. On Windows it is a lock on one byte far behind the text, so that
    /// others can read the PID. Start times of processes are known on Linux only; elsewhere a live
    /// process that the file names counts as the one that wrote it. A clock that is set forward
    /// after the start of a process that does not lock can make that process look younger than its
    /// file.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let guard = PidFile::new("my_app").dir(dir.path()).acquire()?;
    /// assert!(guard.path().exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn acquire(&self) -> Result<PidGuard, PidFileError> {
        let mut room = None;
        let plan = self.plan(&mut room)?;
        match plan.lock {
            true => acquire::acquire(&plan),
            false => unlocked::acquire(&plan),
        }
    }

    /// Locks the file and leaves it empty, for a process that is going to fork: the child calls
    /// [`Reservation::commit`](crate::Reservation::commit), while the parent can still tell the
    /// terminal that another instance is running. It is the pair `pidfile_open` and
    /// `pidfile_write` of BSD's `pidfile(3)`. [`reentrant`](Self::reentrant) means nothing here.
    ///
    /// # Errors
    ///
    /// Those of [`acquire`](Self::acquire), and [`Configuration`](PidFileError::Configuration)
    /// with [`lock(false)`](Self::lock), for without a lock an empty file keeps nobody out.
    ///
    /// # Platform-specific behavior
    ///
    /// Only on Unix.
    ///
    /// ```
    /// # use pidlock_core::PidFile;
    /// # let dir = tempfile::tempdir()?;
    /// let reservation = PidFile::new("my_app").dir(dir.path()).reserve()?;
    /// // fork here, and in the child:
    /// let guard = reservation.commit()?;
    /// assert_eq!(guard.pid(), std::process::id());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(unix)]
    pub fn reserve(&self) -> Result<crate::Reservation, PidFileError> {
        self.settings.check()?;
        if !self.settings.lock {
            return Err(PidFileError::configuration(
                "a pidfile without a lock cannot be reserved: its PID is all there is",
            ));
        }
        let settings = Settings {
            reentrant: false,
            ..self.settings
        };
        let mut room = None;
        let path = self.location.resolve(&mut room)?.clone();
        crate::reserve::reserve(path, settings)
    }

    #[inline]
    fn plan<'a>(&'a self, room: &'a mut Option<FullPath>) -> Result<Plan<'a>, PidFileError> {
        self.settings.check()?;
        Ok(Plan {
            path: self.location.resolve(room)?,
            settings: &self.settings,
        })
    }
}
