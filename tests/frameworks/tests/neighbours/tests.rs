//! Attributes that make tests. The test harness runs the functions.

use proptest::proptest;
use rstest::{fixture, rstest};
use serial_test::serial;

use crate::orders::{assert_held, place};

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

// All cases call one function, in parallel: `reentrant` or a name that contains the case lets them.
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
