//! Starts that wait for a holder.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use pidlock_core::{PidFile, PidFileError};
use pidlock_portable::{Running, TempDir, holder, protocols, visible};

const LONG: Duration = Duration::from_secs(60);

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[test]
fn timeout_ends_with_a_refusal() {
    let dir = TempDir::new();
    let running = Running::start(&mut holder(&dir.path("app.pid"), &[]));
    let time = Duration::from_millis(200);
    let file = PidFile::at(dir.path("app.pid")).timeout(time);
    for wait in [PidFile::acquire as fn(&_) -> _, |file: &PidFile| {
        block_on(file.acquire_async())
    }] {
        let start = Instant::now();
        let refused = wait(&file).expect_err("it is held");
        assert!(
            matches!(refused, PidFileError::AlreadyLocked { .. }),
            "{refused}"
        );
        assert_eq!(refused.pid(), visible(running.pid()));
        assert!(start.elapsed() >= time);
    }
}

#[test]
fn waiter_goes_on_when_the_holder_ends_or_is_killed() {
    for &options in protocols() {
        for is_killed in [false, true] {
            let dir = TempDir::new();
            let path = dir.path("app.pid");
            let mut running = Running::start(&mut holder(&path, options));
            let (begun, has_begun) = std::sync::mpsc::channel();
            let file = PidFile::at(&path).lock(options.is_empty()).timeout(LONG);
            let file = file.on_wait(move |_| begun.send(()).expect("tell that the wait has begun"));
            thread::scope(|scope| {
                let waiter = scope.spawn(|| file.acquire().expect("wait").close());
                has_begun.recv().expect("the wait begins");
                match is_killed {
                    true => running.kill(),
                    false => assert_eq!(running.end(), Some(0)),
                }
                waiter.join().expect("join").expect("release");
            });
        }
    }
}

#[test]
fn future_goes_on_when_the_holder_ends() {
    let dir = TempDir::new();
    let path = dir.path("app.pid");
    let file = PidFile::at(&path);
    let refused = {
        let _running = Running::start(&mut holder(&path, &[]));
        block_on(file.acquire_async()).expect_err("it is held")
    };
    assert!(refused.is_contention(), "{refused}");

    let mut running = Running::start(&mut holder(&path, &[]));
    let (begun, has_begun) = std::sync::mpsc::channel();
    let waiting = file
        .timeout(LONG)
        .on_wait(move |_| begun.send(()).expect("tell"));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| block_on(waiting.acquire_async()).expect("wait").close());
        has_begun.recv().expect("the wait begins");
        assert_eq!(running.end(), Some(0));
        waiter.join().expect("join").expect("release");
    });
    assert!(!path.exists());
}
