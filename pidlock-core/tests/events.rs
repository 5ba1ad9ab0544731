//! The events of the feature `tracing`, each seen by a subscriber.

use std::fmt::{Debug, Write};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, mpsc};
use std::thread;
use std::time::Duration;

use pidlock_core::PidFile;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// A line for each event: the level, the message, and the fields but the path. With the path.
static SEEN: Mutex<Vec<(PathBuf, String)>> = Mutex::new(Vec::new());

struct Collector;

#[derive(Default)]
struct Line {
    path: PathBuf,
    message: String,
    fields: String,
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        match field.name() {
            "message" => self.message = format!("{value:?}"),
            "path" => self.path = format!("{value:?}").into(),
            name => write!(self.fields, " {name}={value:?}").expect("write into a string"),
        }
    }
}

impl Subscriber for Collector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("pidlock_core")
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        let text = format!(
            "{} {}{}",
            event.metadata().level(),
            line.message,
            line.fields
        );
        SEEN.lock()
            .expect("lock the events")
            .push((line.path, text));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Returns a pidfile in a directory of its own.
fn place() -> (tempfile::TempDir, PathBuf) {
    static COLLECT: Once = Once::new();
    COLLECT.call_once(|| tracing::subscriber::set_global_default(Collector).expect("subscribe"));
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("app.pid");
    (dir, path)
}

/// The events about this file so far.
fn events(path: &Path) -> Vec<String> {
    let seen = SEEN.lock().expect("lock the events");
    let about = seen.iter().filter(|(about, _)| about == path);
    about.map(|(_, text)| text.clone()).collect()
}

fn pid() -> u32 {
    std::process::id()
}

#[test]
fn acquisition_refusal_and_release_are_events() {
    let (_dir, path) = place();
    let guard = PidFile::at(&path).acquire().expect("acquire");
    let error = PidFile::at(&path).acquire().expect_err("it is held");
    guard.close().expect("close");
    let pid = pid();
    let expected = [
        format!("DEBUG acquired pid={pid}"),
        format!("DEBUG refused pid={pid} reason={error}"),
        format!("DEBUG released pid={pid}"),
    ];
    assert_eq!(events(&path), expected);
}

#[test]
fn wait_is_one_event() {
    let (_dir, path) = place();
    let guard = PidFile::at(&path).acquire().expect("acquire");
    let (begins, began) = mpsc::channel();
    let file = PidFile::at(&path)
        .timeout(Duration::from_secs(60))
        .on_wait(move |_| begins.send(()).expect("say that the wait begins"));
    let waiter = thread::spawn(move || file.acquire().expect("acquire after a wait").close());
    began.recv().expect("the wait begins");
    guard.close().expect("close");
    waiter.join().expect("no panic").expect("close");
    let seen = events(&path);
    let waits = |it: &&String| **it == format!("DEBUG waiting pid={}", pid());
    assert_eq!(seen.iter().filter(waits).count(), 1, "{seen:?}");
}

#[test]
fn take_over_of_stale_file_is_an_event_with_its_reason() {
    let (_dir, path) = place();
    let mut child = std::process::Command::new("true").spawn().expect("spawn");
    child.wait().expect("wait for the child");
    fs::write(&path, format!("{}\n", child.id())).expect("write a stale file");
    let _guard = PidFile::at(&path).acquire().expect("acquire");
    let dead = child.id();
    let reason = "no process has this PID";
    let expected = format!("INFO took over a stale file pid={dead} reason={reason}");
    assert_eq!(events(&path)[0], expected);
}

#[test]
fn file_that_was_replaced_is_an_event_at_release() {
    let (_dir, path) = place();
    let guard = PidFile::at(&path).acquire().expect("acquire");
    fs::remove_file(&path).expect("remove the file");
    let error = guard.close().expect_err("the file is gone");
    let expected = format!("WARN not released pid={} reason={error}", pid());
    assert_eq!(events(&path)[1], expected);
}

#[test]
fn loss_that_a_watch_notices_is_an_event() {
    let (_dir, path) = place();
    let guard = PidFile::at(&path).acquire().expect("acquire");
    let (sender, lost) = mpsc::channel();
    let watch = guard.watch(move |error| sender.send(error).expect("say that it is lost"));
    let _watch = watch.expect("watch");
    fs::remove_file(&path).expect("remove the file");
    let error = lost.recv().expect("the loss is noticed");
    assert_eq!(events(&path)[1], format!("WARN lost reason={error}"));
}
