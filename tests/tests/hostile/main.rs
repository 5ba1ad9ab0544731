//! Attacks by another user with write access to the pidfile's directory. At worst the program does
//! not start, and reports why. The program creates, changes and truncates no file but the pidfile,
//! and changes no mode or owner of another file.

mod others_files;
mod paths;
mod racing;
mod terminal;
