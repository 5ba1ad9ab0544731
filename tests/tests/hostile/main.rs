//! Somebody else with the right to write to the pidfile's directory: at worst the program does not
//! start, and says why. Nothing outside the pidfile is created, changed, truncated, re-moded or
//! re-owned, ever.

mod others_files;
mod paths;
mod racing;
mod terminal;
