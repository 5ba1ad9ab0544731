//! What the pages `comparison` and `from_other_crates` of the guide say about other crates.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use fslock::LockFile;
use pidfile_rs::Pidfile;
use single_instance::SingleInstance;

fn pidfile(path: &Path) -> Pidfile {
    let mut file = Pidfile::new(path, Permissions::from_mode(0o644)).expect("lock the file");
    file.write().expect("write the PID");
    file
}

#[test]
fn programs_in_the_guide_are_those_that_compile_here() {
    let page = include_str!("../../../pidlock-core/src/guide/from_other_crates.md");
    for program in [
        include_str!("../src/bin/fslock.rs"),
        include_str!("../src/bin/pidfile_rs.rs"),
        include_str!("../src/bin/single_instance.rs"),
        include_str!("../src/bin/daemonize.rs"),
    ] {
        assert!(page.contains(program), "the guide does not show\n{program}");
    }
}

#[test]
fn pidfile_rs_removes_the_file_of_another_program() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.pid");
    let file = pidfile(&path);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "the file of the next instance").unwrap();
    drop(file);
    assert!(!path.exists());
}

#[test]
fn pidfile_rs_overwrites_a_document_and_follows_a_link() {
    let dir = tempfile::tempdir().unwrap();
    let (path, document) = (dir.path().join("app.pid"), dir.path().join("document"));
    fs::write(&document, "a document").unwrap();
    symlink(&document, &path).unwrap();
    let _file = pidfile(&path);
    assert_eq!(
        fs::read_to_string(&document).unwrap(),
        std::process::id().to_string()
    );
}

#[test]
fn fslock_leaves_its_file_and_names_no_holder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.lock");
    let mut first = LockFile::open(&path).unwrap();
    assert!(first.try_lock_with_pid().unwrap());
    let mut second = LockFile::open(&path).unwrap();
    let refusal: bool = second.try_lock_with_pid().unwrap(); // no more than that
    assert!(!refusal);
    drop(first);
    assert!(path.exists());
}

#[test]
fn single_instance_is_inherited_by_a_program_that_it_starts() {
    let name = format!("pidlock-peers-{}", std::process::id());
    let first = SingleInstance::new(&name).unwrap();
    assert!(first.is_single());
    let mut child = Command::new("sleep").arg("600").spawn().unwrap();
    drop(first);
    let is_single = SingleInstance::new(&name).unwrap().is_single();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!is_single);
    assert!(SingleInstance::new(&name).unwrap().is_single());
}

#[test]
fn daemonize_does_not_report_a_refusal_and_leaves_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app.pid");
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_daemon_at"))
            .arg(&path)
            .status()
            .unwrap()
    };
    let pid = || fs::read_to_string(&path).unwrap_or_default();
    assert!(start().success());
    while !pid().ends_with('\n') {
        sleep(Duration::from_millis(1)); // the parent does not wait until the daemon has written it
    }
    let first = pid();
    assert!(start().success(), "a refused start exits with status 0");
    assert_eq!(pid(), first);
    fs::write(dir.path().join("app.pid.end"), "").unwrap();
    while Path::new("/proc").join(first.trim_end()).exists() {
        sleep(Duration::from_millis(1));
    }
    assert_eq!(pid(), first, "the file stays");
}
