//! The default directory of a pidfile for which only a name is given. All starts of one user find
//! the same file, whatever their environment.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::{ORDINARY_UID, Program, is_root};

const VARIABLES: [&str; 2] = ["RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"];

/// Starts a holder with each of these variables set to a directory, as in a service or a login
/// session.
fn start(name: &str, user: Option<u32>, place: &Path, variables: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_holder"));
    command.args(["--name", name]);
    if let Some(uid) = user {
        command.uid(uid).gid(uid);
    }
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    for variable in variables {
        let dir = place.join(variable);
        if !dir.exists() {
            fs::create_dir(&dir).expect("create a directory");
            chown(&dir, user, user).expect("set the owner");
            fs::set_permissions(&dir, Permissions::from_mode(0o700)).expect("set the mode");
        }
        command.env(variable, dir);
    }
    Program::start(&mut command)
}

fn assert_starts_meet(user: Option<u32>) {
    let place = tempfile::tempdir().expect("create a directory");
    fs::set_permissions(place.path(), Permissions::from_mode(0o755)).expect("set the mode");
    let name = format!("pidlock-default-{}-{user:?}", std::process::id());
    let environments = [&[][..], &VARIABLES[..1], &VARIABLES[1..], &VARIABLES];
    let mut paths = Vec::new();
    for first in environments {
        let mut holder = start(&name, user, place.path(), first);
        let line = holder.line();
        let path = line
            .strip_prefix("held ")
            .unwrap_or_else(|| panic!("{line}"));
        for second in environments {
            let mut refused = start(&name, user, place.path(), second);
            let message = format!(
                "refused: pidfile '{path}' already locked by PID {}",
                holder.pid()
            );
            refused.expect(&message);
        }
        holder.finish();
        assert!(!Path::new(path).exists());
        paths.push(path.to_owned());
    }
    assert!(paths.iter().all(|path| *path == paths[0]), "{paths:?}");
    if user.is_none() {
        let path = PidFile::new(&name).path().expect("a default path");
        assert_eq!(Path::new(&paths[0]), path);
    }
}

#[test]
fn starts_with_and_without_runtime_directory_variables_exclude_each_other() {
    assert_starts_meet(None);
    if is_root() {
        assert_starts_meet(Some(ORDINARY_UID));
    }
}

#[test]
fn error_for_a_name_with_a_separator_names_the_ways_to_give_a_path() {
    for name in ["run/app", "/run/app", "app/"] {
        let error = PidFile::new(name)
            .acquire()
            .expect_err("a name with a separator is refused");
        let message = error.to_string();
        assert!(message.contains(&format!("'{name}'")), "{message}");
        for way in ["dir = \"", "PidFile::at", "path = \""] {
            assert!(message.contains(way), "{message}");
        }
    }
}
