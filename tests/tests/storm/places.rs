//! Storms on tmpfs, ext4 and overlayfs.

use std::path::{Path, PathBuf};

use pidlock_tests::{
    has_tool, is_root, length, rerun_in_namespace, skip, skip_for_this_user, stale_record,
};
use rustix::fs::statfs;

use super::arena::Arena;
use super::mixed::Storm;

/// Runs every storm on one file system.
fn storms(place: &Path, what: &str) {
    for how in ["locked", "kept", "unlocked"] {
        for slots in [8, 32] {
            let arena = Arena::within(place, how, false);
            let storm = Storm::new(&arena);
            let tally = storm.churn(slots, length::of_storm());
            assert!(tally.refused > 0, "no start was refused: {tally:?}");
            storm.conclude(&format!("{slots} contenders, {how}, on {what}"), tally);
        }
        for (number, stale) in [(128, false), (512, true)] {
            let arena = Arena::within(place, how, stale);
            let storm = Storm::new(&arena);
            let tally = storm.wave(number);
            storm.conclude(&format!("{number} at once, {how}, on {what}"), tally);
        }
    }
}

#[test]
fn contenders_on_tmpfs_never_hold_at_once() {
    const TMPFS: i64 = 0x0102_1994;
    let place = Path::new("/dev/shm");
    match statfs(place) {
        Ok(found) if found.f_type == TMPFS => storms(place, "tmpfs"),
        _ => skip("/dev/shm is not a tmpfs"),
    }
}

#[test]
fn contenders_on_ext4_never_hold_at_once() {
    const EXT4: i64 = 0xef53;
    if let Some(place) = rerun_in_namespace::inside() {
        return storms(&place, "ext4");
    }
    let place = std::env::temp_dir();
    if statfs(&place).is_ok_and(|found| found.f_type == EXT4) {
        return storms(&place, "ext4");
    }
    if !is_root() {
        return skip_for_this_user("only root can mount ext4");
    }
    if !has_tool("mkfs.ext4") {
        return skip("mkfs.ext4 is not installed");
    }
    rerun_in_namespace::with_mounts(
        "places::contenders_on_ext4_never_hold_at_once",
        "truncate -s 64M $1.img && mkfs.ext4 -q $1.img && mount -o loop $1.img $1",
    );
}

#[test]
fn contenders_on_overlayfs_never_hold_at_once() {
    if let Some(place) = rerun_in_namespace::inside() {
        return storms_on_an_image(&place);
    }
    if !is_root() {
        return skip_for_this_user("only root can mount overlayfs");
    }
    rerun_in_namespace::with_mounts(
        "places::contenders_on_overlayfs_never_hold_at_once",
        &format!(
            "mount -t tmpfs none $1 && cd $1 && mkdir lower upper work merged && \
             mkdir lower/image && printf '{}' > lower/image/app.pid && \
             mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none merged",
            stale_record().escape_default()
        ),
    );
}

fn storms_on_an_image(place: &Path) {
    let place: PathBuf = place.join("merged");
    // A stale file in the lower layer. Opening it for writing copies it to the upper layer.
    let arena = Arena::exactly(&place.join("image"), "locked");
    let storm = Storm::new(&arena);
    let tally = storm.wave(128);
    storm.conclude("128 at once over a file of the image, on overlayfs", tally);
    storms(&place, "overlayfs");
}
