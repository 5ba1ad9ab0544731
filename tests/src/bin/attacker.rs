//! Somebody with the right to write to a pidfile's directory who means ill: puts one thing after the
//! other at the path, as fast as can be, until its input ends. Says `ready` first, and at the end how
//! often it got something there.
//!
//! `attacker PATH VICTIMS`: VICTIMS is a directory with files that the pidfile's user may write to
//! and others must not lose.

use std::fs;
use std::hint;
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, victims] = &arguments[..] else {
        panic!("usage: attacker PATH VICTIMS");
    };
    let (path, victims) = (Path::new(path), Path::new(victims));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        let attack = scope.spawn(|| attack(path, victims, &over));
        println!("ready");
        let _ = std::io::stdout().flush();
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        over.store(true, Ordering::Relaxed);
        println!("{}", attack.join().expect("the attack ends"));
    });
}

fn attack(path: &Path, victims: &Path, over: &AtomicBool) -> u32 {
    let aside = path.with_extension("aside");
    // In a sticky directory a link to another's file could neither be moved nor removed any more.
    let directory = path.parent().expect("a directory");
    let directory = fs::metadata(directory).expect("a directory");
    let sticky = directory.permissions().mode() & 0o1000 != 0;
    let mut placed = 0;
    let mut n = 0_u32;
    while !over.load(Ordering::Relaxed) {
        n = n.wrapping_add(1);
        let victim = |name: &str| victims.join(name);
        // Whatever fails, fails: what the directory's mode forbids, for example.
        let made = match n % 12 {
            0 | 6 => symlink(victim("stale"), &aside).is_ok(),
            1 | 7 => symlink(victim("nothing"), &aside).is_ok(),
            2 => symlink(victim("blank"), &aside).is_ok(),
            3 => symlink(victim("directory"), &aside).is_ok(),
            4 | 8 if !sticky => fs::hard_link(victim("stale"), &aside).is_ok(),
            5 if !sticky => fs::hard_link(victim("blank"), &aside).is_ok(),
            9 => mknodat(CWD, &aside, FileType::Fifo, Mode::from(0o666), 0).is_ok(),
            10 => UnixListener::bind(&aside).is_ok(),
            _ => fs::write(&aside, "2147483647\n").is_ok(),
        };
        if !made {
            continue;
        }
        if fs::rename(&aside, path).is_ok() {
            placed += 1;
            // Long enough for a look at it, now and then.
            for _ in 0..n % 50 * 200 {
                hint::spin_loop();
            }
            let _ = fs::remove_file(path);
        }
        // A hard link renamed over another of the same file stays.
        let _ = fs::remove_file(&aside);
    }
    placed
}
