//! Tells a long-running holder that its file was removed or replaced.

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::time::{Duration, Instant};

use crate::alarm::Alarm;
use crate::cleanup::Handle;
use crate::error::{During, PidFileError, Result};
use crate::sys::{AbsPath, Events};
use crate::trace::event;

/// How often the path is checked while no event comes. Not each loss causes an event: the directory
/// may have been moved, for example.
const TICK: Duration = Duration::from_secs(1);

/// A watch over a pidfile, created by [`PidGuard::watch`](crate::PidGuard::watch). Dropping it stops it,
/// and does not wait for a function that is being called.
///
/// # Examples
///
/// ```
/// use pidlock_core::PidFile;
///
/// let guard = PidFile::new("my_app_watch").temp_dir(true).acquire()?;
/// let watch = guard.watch(|error| eprintln!("another instance can start: {error}"))?;
/// // While the program works, the watch reports a loss. It ends before the guard.
/// drop(watch);
/// guard.close()?;
/// # Ok::<(), pidlock_core::PidFileError>(())
/// ```
#[must_use = "if unused, the watch stops at once: bind it, as in `let _watch = ...`"]
pub struct Watch(Arc<Watcher>);

struct Watcher {
    path: AbsPath,
    /// Returns `true` if the file was removed or replaced, and `None` once this process has
    /// released it.
    is_lost: Box<dyn Fn() -> Option<bool> + Send + Sync>,
    /// `None` once the watch is stopped.
    running: Mutex<Option<Running>>,
}

struct Running {
    // Declared first, so that it is cancelled before `events` closes the descriptors that it sleeps
    // for.
    alarm: Option<Alarm>,
    events: Option<Events>,
    on_loss: Box<dyn FnOnce(PidFileError) + Send>,
}

pub(crate) fn watch(
    handle: &Handle,
    on_loss: Box<dyn FnOnce(PidFileError) + Send>,
) -> Result<Watch> {
    let running = Running {
        alarm: None,
        events: Events::new().ok(),
        on_loss,
    };
    let watch = Watch(Arc::new(Watcher {
        path: handle.path.clone(),
        is_lost: Box::new(handle.check()),
        running: Mutex::new(Some(running)),
    }));
    watch.0.sleep().during("watch", &handle.path)?;
    // Verified after the watch has begun, because an earlier replacement causes no event.
    handle.verify()?;
    Ok(watch)
}

impl Watcher {
    fn take(&self) -> Option<Running> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.take()
    }

    /// Watches the file and sets the next alarm, unless the watch is stopped.
    fn sleep(self: &Arc<Self>) -> io::Result<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(Running { alarm, events, .. }) = &mut *running else {
            return Ok(());
        };
        let mut sources = Vec::new();
        if let Some(events) = events {
            events.take();
            let _ = events.watch_file(&self.path, false); // fails if the file is gone
            sources = events.sources();
        }
        let waker = self.clone().into();
        *alarm = Some(Alarm::set(Some(Instant::now() + TICK), sources, waker)?);
        Ok(())
    }
}

impl Wake for Watcher {
    fn wake(self: Arc<Self>) {
        // The next alarm is set before the check, so that a change after the check makes it go off.
        // Only the start of the helper thread can fail, and this code runs in that thread, so there
        // is no error.
        let _ = self.sleep();
        let is_lost = (self.is_lost)();
        if is_lost != Some(false) {
            let stopped = self.take();
            if let (Some(_), Some(Running { on_loss, .. })) = (is_lost, stopped) {
                let error = PidFileError::replaced(&self.path);
                event!(WARN, &self.path, None::<u32>, "lost", error);
                on_loss(error);
            }
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.take();
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
