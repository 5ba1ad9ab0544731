//! Attributes that make copies of a function, or keep its results.

use std::sync::atomic::{AtomicBool, Ordering};

use cached::macros::cached;
use ctor::ctor;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::Refused;
use crate::orders::{assert_held, assert_released, place};

both! { cached_results: #[cached]
    {
        fn work(number: u32) -> Result<u32, Refused> {
            assert_held(HERE);
            Ok(number)
        }
    }
    assert_eq!(work(3), Ok(3));
    assert_eq!(work(3), Ok(3));
}

above! { exported: #[wasm_bindgen] #[expect(unreachable_pub, reason = "wasm_bindgen requires `pub`")]
    {
        pub fn work() {
            assert_held(HERE);
        }
    }
    work();
}

/// Before `main`.
mod before_main {
    use super::*;

    static HELD: AtomicBool = AtomicBool::new(false);

    #[pidlock_core::pidfile(path = place("ctor"))]
    #[ctor(unsafe)]
    fn above() {
        HELD.store(place("ctor").exists(), Ordering::Relaxed);
    }

    #[test]
    fn lock_is_held_above() {
        assert!(HELD.load(Ordering::Relaxed));
    }
}
