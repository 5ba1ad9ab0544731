//! The future: any executor, which it never blocks, and what it leaves when it is dropped.

use std::fs;
use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use pidlock_core::{Acquire, PidFile, PidFileError, PidGuard};
use pidlock_tests::Program;

use crate::{LONG, Place, in_time, waiter_for};

#[test]
fn future_is_send_and_static() {
    fn check<T: Future + Send + Sync + Unpin + 'static>() {}
    check::<Acquire>();
}

/// Polls until the future sleeps: at first it may ask to be polled again at once.
fn poll_until_asleep(future: &mut Acquire, waker: &Waker) {
    for _ in 0..10 {
        let poll = Pin::new(&mut *future).poll(&mut Context::from_waker(waker));
        assert!(poll.is_pending());
    }
}

#[test]
fn refusal_without_a_wait_is_ready_at_once() {
    let place = Place::new();
    let _guard = place.held();
    let mut future = place.file().timeout(None).acquire_async();
    let poll = Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(PidFileError::AlreadyLocked { waited: None, .. })) = poll else {
        panic!("{poll:?}");
    };
}

#[test]
fn invalid_settings_are_an_error_of_the_future() {
    let mut future = PidFile::new("a/b").acquire_async();
    let poll = Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(
        poll,
        Poll::Ready(Err(PidFileError::Configuration { .. }))
    ));
}

fn tokio() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("build a runtime")
}

/// Drops the guard in another thread while the executor waits.
fn acquire_by(block_on: impl FnOnce(Acquire) -> Result<PidGuard, PidFileError>) {
    let place = Place::new();
    let guard = place.held();
    let (began, begins) = mpsc::channel();
    let file = place
        .file()
        .on_wait(move |_| began.clone().send(()).expect("send"));
    let holder = thread::spawn(move || {
        begins.recv().expect("the future begins to wait");
        drop(guard);
    });
    let guard = in_time(|| block_on(file.acquire_async())).expect("acquire");
    guard.verify().expect("verify");
    holder.join().expect("the holder does not panic");
}

#[test]
fn tokio_acquires() {
    acquire_by(|future| tokio().block_on(future));
}

#[test]
fn futures_executor_acquires() {
    acquire_by(futures_executor::block_on);
}

/// An executor that polls only when it is woken, and each time with another waker.
#[test]
fn executor_made_by_hand_acquires() {
    struct Woken(SyncSender<()>);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            let _ = self.0.try_send(());
        }
    }
    acquire_by(|mut future| {
        loop {
            let (wake, woken) = mpsc::sync_channel(1);
            let waker = Arc::new(Woken(wake)).into();
            match Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(result) => return result,
                Poll::Pending => woken.recv_timeout(LONG).expect("the future is woken"),
            }
        }
    });
}

/// One thread, whose other task goes on while the future waits: for a holder with and without a PID, and
/// for one that does not lock, which `acquire` looks at for 50 ms.
#[test]
fn executor_is_not_blocked() {
    let place = Place::new();
    let file = fs::File::create(place.path()).expect("create the file");
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).expect("lock the file");
    let running = Place::new();
    let _holder = running.holder(&["--no-lock"]);
    for pidfile in [place.file().timeout(None), running.file().timeout(None)] {
        let ticks = AtomicU32::new(0);
        let began = Instant::now();
        let refused = futures_executor::block_on(async {
            let mut acquire = pidfile.acquire_async();
            std::future::poll_fn(|context| {
                ticks.fetch_add(1, Ordering::Relaxed);
                let poll = Pin::new(&mut acquire).poll(context);
                context.waker().wake_by_ref();
                poll
            })
            .await
        });
        refused.expect_err("the file is held");
        // The longest time between two ticks is not looked at, because the machine may be busy.
        let (ticks, elapsed) = (ticks.load(Ordering::Relaxed), began.elapsed());
        assert!(ticks > 100, "{ticks} ticks in {elapsed:?}");
    }
}

/// The executor polls without being woken, so its thread goes to sleep only if a poll blocks.
#[test]
fn no_poll_sleeps() {
    const WAITS: u64 = 100;
    let sleeps = || {
        let status = fs::read_to_string("/proc/thread-self/status").expect("read the status");
        let line = "voluntary_ctxt_switches:";
        let count = status.lines().find_map(|it| it.strip_prefix(line));
        count.map_or(0, |count| {
            count.trim().parse::<u64>().expect("parse a count")
        })
    };
    let place = Place::new();
    let _guard = place.held();
    let before = sleeps();
    for _ in 0..WAITS {
        let mut future = place
            .file()
            .timeout(Duration::from_millis(3))
            .acquire_async();
        let mut context = Context::from_waker(Waker::noop());
        while Pin::new(&mut future).poll(&mut context).is_pending() {
            let next = Instant::now() + Duration::from_micros(500);
            while Instant::now() < next {
                std::hint::spin_loop();
            }
        }
    }
    // A poll sleeps now and then while the helper thread has locked the mutex that both use.
    let count = sleeps() - before;
    assert!(count < WAITS / 2, "the executor has slept {count} times");
}

#[test]
fn tasks_of_a_current_thread_runtime_go_on() {
    let place = Place::new();
    let guard = place.held();
    let file = place.file();
    let waiting = async move {
        let waiting = tokio::spawn(file.acquire_async());
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!waiting.is_finished());
        drop(guard);
        waiting.await.expect("the task does not panic")
    };
    let guard = in_time(|| tokio().block_on(waiting)).expect("acquire");
    guard.verify().expect("verify");
}

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("list threads");
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("comm")).ok())
        .collect()
}

/// The program that this test starts in its place has no other tests beside it, so its threads and
/// descriptors are those of this test.
#[test]
fn dropped_futures_leave_nothing() {
    const ALONE: &str = "PIDLOCK_TESTS_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let mut command = Command::new(std::env::current_exe().expect("find this program"));
        command.args(["futures::dropped_futures_leave_nothing", "--exact"]);
        let output = command
            .env(ALONE, "1")
            .output()
            .expect("run this test alone");
        return assert!(output.status.success(), "{}", pidlock_tests::said(&output));
    }
    let descriptors = || {
        fs::read_dir("/proc/self/fd")
            .expect("list descriptors")
            .count()
    };
    let place = Place::new();
    let guard = place.held();
    let before = (threads().len(), descriptors());
    for patience in [LONG, Duration::MAX] {
        let file = place.file().timeout(patience);
        let mut futures: Vec<Acquire> = (0..10_000).map(|_| file.acquire_async()).collect();
        for future in &mut futures {
            poll_until_asleep(future, Waker::noop());
        }
        assert!(
            descriptors() < before.1 + 10,
            "{} descriptors",
            descriptors()
        );
        assert!(threads().len() <= before.0 + 1, "{:?}", threads());
        drop(futures);
    }
    let end = Instant::now() + LONG;
    while (threads().len(), descriptors()) != before {
        assert!(
            Instant::now() < end,
            "{:?}, {} descriptors",
            threads(),
            descriptors()
        );
        thread::sleep(Duration::from_millis(10));
    }
    drop(guard);
    let guard = place
        .file()
        .timeout(None)
        .acquire()
        .expect("no future holds it");
    guard.close().expect("close");
}

#[test]
fn dropped_future_gives_its_turn_to_the_next() {
    let place = Place::new();
    let guard = place.held();
    let mut first = place.file().acquire_async();
    poll_until_asleep(&mut first, Waker::noop());
    let mut second = place.file().acquire_async();
    poll_until_asleep(&mut second, Waker::noop());
    let third = place.file().acquire_async();
    let thread = thread::spawn(move || futures_executor::block_on(third));
    drop(first);
    drop(second);
    drop(guard);
    let acquired = in_time(|| thread.join()).expect("the thread does not panic");
    acquired.expect("acquire").verify().expect("verify");
}

#[test]
fn futures_of_one_process_acquire_in_the_order_in_which_they_came() {
    let place = Place::new();
    let guard = place.held();
    let mut futures: Vec<Acquire> = (0..5).map(|_| place.file().acquire_async()).collect();
    for future in &mut futures {
        poll_until_asleep(future, Waker::noop());
    }
    let (sender, order) = mpsc::channel();
    let threads: Vec<_> = (futures.into_iter().enumerate())
        .map(|(number, future)| {
            let sender = sender.clone();
            thread::spawn(move || {
                let guard = futures_executor::block_on(future).expect("acquire");
                sender.send(number).expect("send");
                drop(guard);
            })
        })
        .collect();
    drop(guard);
    let order: Vec<usize> = in_time(|| order.iter().take(5).collect());
    assert_eq!(order, [0, 1, 2, 3, 4]);
    for thread in threads {
        thread.join().expect("the thread does not panic");
    }
}

#[test]
fn future_that_was_forked_waits_in_both_processes() {
    let place = Place::new();
    let guard = place.held();
    let mut waiter: Program = waiter_for(
        std::process::id(),
        &["--async", "--fork", "--hold", "1"],
        &place.path(),
    );
    drop(guard);
    let mut lines = [waiter.line(), waiter.line()];
    lines.sort();
    assert_eq!(lines, ["child held", "held"]);
    assert!(waiter.finish().0.success());
}
