//! An attacker with write access to the directory of a pidfile.
//!
//! It creates one obstacle after another at the path of the pidfile, as fast as it can, until its
//! input ends. It prints `ready` at the start, and the number of obstacles that it placed at the
//! end.
//!
//! `attacker PATH VICTIMS`: VICTIMS is a directory with files that the pidfile's user can write to
//! and that must not change.

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
        println!("{}", attack.join().expect("the attack does not panic"));
    });
}

fn attack(path: &Path, victims: &Path, over: &AtomicBool) -> u32 {
    let aside = path.with_extension("aside");
    // In a sticky directory the attacker could not rename or remove a link to another user's file,
    // so it creates no hard links there.
    let directory = path.parent().expect("the path has a parent");
    let directory = fs::metadata(directory).expect("read the mode of the directory");
    let sticky = directory.permissions().mode() & 0o1000 != 0;
    let mut placed = 0;
    let mut n = 0_u32;
    while !over.load(Ordering::Relaxed) {
        n = n.wrapping_add(1);
        let victim = |name: &str| victims.join(name);
        // Each of these calls can fail, for example because of the directory's mode.
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
            // Sometimes leaves the obstacle long enough for a start to open it.
            for _ in 0..n % 50 * 200 {
                hint::spin_loop();
            }
            let _ = fs::remove_file(path);
        }
        // rename(2) does not remove the source if both names are links to the same file.
        let _ = fs::remove_file(&aside);
    }
    placed
}
