//! Re-exports pidlock under other names, and uses it in a macro.

pub use pidlock_core as locks;
pub use pidlock_core::pidfile as one_instance;

/// Defines a function that only one process runs at a time.
#[macro_export]
macro_rules! one_instance_at {
    ($path:expr; $(#[$attr:meta])* $vis:vis fn $name:ident($($param:ident: $ty:ty),*) -> $ret:ty $body:block) => {
        $(#[$attr])*
        #[$crate::locks::pidfile(path = $path, crate = $crate::locks)]
        $vis fn $name($($param: $ty),*) -> $ret $body
    };
}
