//! Attributes of the language.

use std::panic::Location;

use crate::orders::{assert_held, assert_released, place};

both! { cfg: #[cfg(all())]
    {
        fn work() {
            assert_held(HERE);
        }
    }
    work();
}

both! { cfg_attr: #[cfg_attr(all(), inline(never), allow(dead_code))]
    {
        fn work() {
            assert_held(HERE);
        }
    }
    work();
}

both! { deprecated: #[deprecated(note = "a test")]
    {
        fn work() {
            assert_held(HERE);
        }
    }
    {
        #[expect(deprecated, reason = "the attribute keeps `#[deprecated]`")]
        work();
    };
}

both! { must_use: #[must_use = "a reason"]
    {
        fn work() -> Result<u8, Box<dyn std::error::Error>> {
            assert_held(HERE);
            Ok(1)
        }
    }
    assert_eq!(work().expect("no other process has the lock"), 1);
}

both! { track_caller: #[track_caller]
    {
        fn work() -> Result<u32, std::io::Error> {
            assert_held(HERE);
            Ok(Location::caller().line())
        }
    }
    assert_eq!(work().expect("no other process has the lock"), line!());
}

above! { no_mangle_above: #[unsafe(no_mangle)] #[expect(unsafe_code, reason = "no other symbol has this name")]
    {
        fn pidlock_neighbour_above() {
            assert_held(HERE);
        }
    }
    pidlock_neighbour_above();
}

below! { no_mangle_below: #[unsafe(no_mangle)] #[expect(unsafe_code, reason = "no other symbol has this name")]
    {
        fn pidlock_neighbour_below() {
            assert_held(HERE);
        }
    }
    pidlock_neighbour_below();
}

#[cfg(target_arch = "x86_64")]
both! { target_feature: #[target_feature(enable = "sse2")] #[expect(unsafe_code, reason = "to call it takes SSE2")]
    {
        unsafe fn work() {
            assert_held(HERE);
        }
    }
    {
        // SAFETY: All processors of this architecture have SSE2.
        #[expect(unsafe_code, reason = "a call of a function with `#[target_feature]`")]
        unsafe { work() };
    };
}
