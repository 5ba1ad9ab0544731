//! Attributes that make tests. The test harness runs the functions.

use std::thread;

use proptest::proptest;
use rstest::{fixture, rstest};
use serial_test::serial;

use crate::Refused;
use crate::orders::{assert_held, assert_released, place};

both! { plain: #[test]
    {
        fn holds_the_lock() {
            assert_held(HERE);
        }
    }
}

both! { panicking: #[test] #[should_panic(expected = "in the body")]
    {
        fn holds_the_lock() {
            assert_held(HERE);
            panic!("in the body");
        }
    }
}

both! { panicking_if: #[test] #[cfg_attr(all(), should_panic(expected = "in the body"))]
    {
        fn holds_the_lock() {
            assert_held(HERE);
            panic!("in the body");
        }
    }
}

both! { tokio_test: #[tokio::test]
    {
        async fn holds_the_lock() {
            tokio::task::yield_now().await;
            assert_held(HERE);
        }
    }
}

both! { pollster_test: #[pollster::test]
    {
        async fn holds_the_lock() {
            std::future::ready(()).await;
            assert_held(HERE);
        }
    }
}

both! { logged: #[test_log::test]
    {
        fn holds_the_lock() {
            assert_held(HERE);
        }
    }
}

both! { logged_future: #[test_log::test(tokio::test)]
    {
        async fn holds_the_lock() {
            tokio::task::yield_now().await;
            assert_held(HERE);
        }
    }
}

both! { serialized: #[test] #[serial]
    {
        fn holds_the_lock() {
            assert_held(HERE);
        }
    }
}

/// A fixture for `rstest`.
#[fixture]
fn three() -> u32 {
    3
}

both! { rstest_fixture: #[rstest]
    {
        fn holds_the_lock(three: u32) {
            assert_eq!(three, 3);
            assert_held(HERE);
        }
    }
}

both! { rstest_case: #[rstest] #[case(3, " three")]
    {
        fn holds_the_lock(#[case] number: u32, #[case] mut word: &'static str) {
            word = word.trim();
            assert_eq!((number, word), (3, "three"));
            assert_held(HERE);
        }
    }
}

/// Cases that run in parallel. Each calls another case from a thread, while it holds the lock.
mod parallel {
    use super::*;

    #[pidlock_core::pidfile(path = place("parallel"), reentrant)]
    #[rstest]
    #[case(1)]
    #[case(2)]
    fn reentrant(#[case] number: u8) {
        assert_held("parallel");
        if number < 3 {
            thread::spawn(|| reentrant(3)).join().expect("not refused");
            assert_held("parallel");
        }
    }

    #[pidlock_core::pidfile(path = place(&format!("parallel-{number}")))]
    #[rstest]
    #[case(1)]
    #[case(2)]
    fn with_its_own_name(#[case] number: u8) {
        assert!(place(&format!("parallel-{number}")).exists());
        if number < 3 {
            let other = move || with_its_own_name(number + 2);
            thread::spawn(other).join().expect("not refused");
        }
    }
}

both! { fixture_alone: #[fixture]
    {
        fn work() -> Result<u32, Refused> {
            assert_held(HERE);
            Ok(3)
        }
    }
    assert_eq!(work(), Ok(3));
}

both! { cases: #[test_case::test_case(3, "three")]
    {
        fn holds_the_lock(number: u32, word: &str) {
            assert_eq!((number, word), (3, "three"));
            assert_held(HERE);
        }
    }
}

proptest! {
    #[pidlock_core::pidfile(path = place("proptest-above"))]
    #[test]
    fn proptest_above(_number in 0..10) {
        assert_held("proptest-above");
    }

    #[test]
    #[pidlock_core::pidfile(path = place("proptest-below"))]
    fn proptest_below(_number in 0..10) {
        assert_held("proptest-below");
    }
}
