//! Offers pidlock as a part of itself: under another name, and in a macro of its own.

pub use pidlock_core as locks;
pub use pidlock_core::pidfile as one_instance;

/// Makes a function that runs one instance at a time.
#[macro_export]
macro_rules! one_instance_at {
    ($path:expr; $(#[$attr:meta])* $vis:vis fn $name:ident($($param:ident: $ty:ty),*) -> $ret:ty $body:block) => {
        $(#[$attr])*
        #[$crate::locks::pidfile(path = $path, crate = $crate::locks)]
        $vis fn $name($($param: $ty),*) -> $ret $body
    };
}
