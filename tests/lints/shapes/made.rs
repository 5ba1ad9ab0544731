//! Functions that `macro_rules!` macros generate from their own tokens and those of the caller.

use std::path::{Path, PathBuf};

use pidlock_core::{PidFileError, pidfile};

use super::{Held, held};

macro_rules! make {
    ($(#[$attr:meta])* $vis:vis fn $name:ident($path:ident, $($pat:pat => $ty:ty),*) -> $ret:ty $body:block) => {
        $(#[$attr])*
        #[pidfile(path = $path, crate = pidlock_core)]
        $vis fn $name($path: &Path, $($pat: $ty),*) -> $ret $body
    };
}

make! {
    /// # Errors
    /// If refused.
    #[inline]
    pub fn pieces(path, (a, _) => (u8, u8), mut b => u8, _ => String) -> Result<u8, PidFileError> {
        b += a;
        Ok(b + u8::from(held(path)))
    }
}

macro_rules! forward {
    ($item:item) => {
        $item
    };
}

forward! {
    /// # Errors
    /// If refused.
    #[pidfile(path = path)]
    pub fn whole(path: &Path, _number: u8) -> Held {
        Ok(held(path))
    }
}

macro_rules! hidden {
    ($name:ident, $key:literal) => {
        /// # Errors
        /// If refused.
        #[pidfile($key, dir = directory)]
        pub fn $name(directory: &Path) -> Result<PathBuf, PidFileError> {
            let file = directory.join($key);
            Ok(file)
        }
    };
}

hidden!(all_but_the_name, "shape");

macro_rules! methods {
    ($type:ty, $($name:ident($this:ident) $(-> $ret:ty)?;)*) => {
        impl $type {
            $(
                /// # Errors
                /// If refused.
                #[pidfile(path = &$this.0)]
                pub fn $name($this) $(-> $ret)? {
                    Ok(held(&$this.0))
                }
            )*
        }
    };
}

/// The type with the methods.
#[derive(Debug)]
pub struct Owner(pub PathBuf);

methods! { Owner,
    by_value(self) -> Held;
}

macro_rules! tokens {
    ($($token:tt)*) => { $($token)* };
}

tokens! {
    /// # Errors
    /// If refused.
    #[pidfile(path = &self_.0)]
    pub async fn asynchronous(self_: Owner, (a, _): (u8, u8)) -> Result<u8, PidFileError> {
        std::future::ready(()).await;
        Ok(a + u8::from(held(&self_.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::tests::{at_a_path, block_on};

    #[test]
    fn generated_functions_run_under_the_lock() {
        at_a_path(|path| {
            assert_eq!(pieces(path, (1, 2), 3, String::new()).unwrap(), 5);
            assert!(whole(path, 3).unwrap());
            let dir = path.parent().unwrap();
            assert_eq!(all_but_the_name(dir).unwrap(), dir.join("shape"));
            assert!(Owner(path.to_owned()).by_value().unwrap());
            let owner = Owner(path.to_owned());
            assert_eq!(block_on(asynchronous(owner, (1, 2))).unwrap(), 2);
        });
    }
}
