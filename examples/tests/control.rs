//! Replaces, inspects and stops programs with the examples `replace` and `pidctl`.

#![cfg(unix)]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{Program, dead_pid, example, run, said, text};
use serde_json::{Value, json};

/// Starts a server, and waits until it serves.
fn serve(dir: &Path, arguments: &[&str]) -> Program {
    let mut server = Program::start(example("replace", dir).args(arguments));
    server.expect(&format!("serving as PID {}", server.pid()));
    server
}

fn pidfile(dir: &Path) -> PathBuf {
    dir.join("pidlock-replace.pid")
}

/// Runs `pidctl`. Returns its exit status and its output.
fn pidctl(dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = example("pidctl", dir);
    let output = run(command.args(arguments).current_dir(dir));
    (output.status.code(), said(&output).trim_end().to_owned())
}

/// Runs `pidctl --json` on a path.
fn pidctl_json(command: &str, path: &Path) -> (Option<i32>, Value) {
    let dir = path.parent().expect("a directory");
    let path = path.to_str().expect("the path is text");
    let (code, said) = pidctl(dir, &["--json", command, path, "10"]);
    (code, serde_json::from_str(&said).expect(&said))
}

#[test]
fn replace_waits_until_the_old_server_is_done_and_takes_over() {
    let dir = tempfile::tempdir().expect("create a directory");
    let mut old = serve(dir.path(), &[]);
    let refused = run(&mut example("replace", dir.path()));
    assert_eq!(refused.status.code(), Some(1));
    let path = pidfile(dir.path());
    let words = format!(
        "Error: pidfile '{}' already locked by PID {}\n",
        path.display(),
        old.pid()
    );
    assert_eq!(said(&refused), words);

    let mut new = serve(dir.path(), &["--replace"]);
    // The old server has said everything before it released the file.
    let (status, rest) = old.finish();
    assert!(status.success(), "{status}");
    assert_eq!(rest, "finishing what has begun\ndone\n");
    assert_eq!(text(&path), format!("{}\n", new.pid()));
    let newest = serve(dir.path(), &["--replace"]);
    assert!(new.finish().0.success());
    drop(newest);
    // The newest was killed. There is nothing to stop, and the stale file is taken over.
    let mut last = serve(dir.path(), &["--replace"]);
    let stopped = pidctl(dir.path(), &["stop", path.to_str().expect("text")]);
    assert_eq!(stopped, (Some(0), "stopped".to_owned()));
    assert!(last.finish().0.success());
    assert!(!path.exists());
}

#[test]
fn pidctl_status_exits_with_the_codes_of_an_init_script() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = pidfile(dir.path());
    let check = |code, status: &str, pid: Option<u32>, words: &str| {
        let expected = json!({
            "status": status,
            "running": code == 0,
            "pid": pid,
            "path": path,
            "message": words,
        });
        assert_eq!(pidctl_json("status", &path), (Some(code), expected));
        let plain = pidctl(dir.path(), &["status", "./pidlock-replace.pid"]);
        assert_eq!(plain, (Some(code), words.to_owned()));
    };
    check(3, "no-file", None, "not running: there is no pidfile");
    let server = serve(dir.path(), &[]);
    let words = format!("running as PID {}", server.pid());
    check(0, "locked", Some(server.pid()), &words);
    drop(server);
    let dead = dead_pid();
    fs::write(&path, format!("{dead}\n")).expect("write a stale record");
    let words = format!("not running: the pidfile is stale (PID {dead})");
    check(1, "stale", Some(dead), &words);
    fs::write(&path, "").expect("empty the file");
    check(3, "empty", None, "not running: the pidfile is empty");
    let me = std::process::id();
    fs::write(&path, format!("{me}\n")).expect("write a record");
    let words = format!("process {me} is running but does not hold the lock");
    check(0, "running-unlocked", Some(me), &words);

    fs::write(&path, "notes").expect("write notes");
    let (code, answer) = pidctl_json("status", &path);
    let words = answer["message"].as_str().expect("a message");
    assert!(
        code == Some(4) && words.contains("does not contain a PID"),
        "{words}"
    );
    // A name, in the default directory.
    let name = format!("pidlock-pidctl-{me}");
    assert_eq!(pidctl(dir.path(), &["status", &name]).0, Some(3));
    for wrong in [&["status"][..], &["status", "a", "soon"], &["restart", "a"]] {
        let (code, said) = pidctl(dir.path(), wrong);
        assert!(code == Some(2) && said.starts_with("usage: "), "{said}");
    }
}

#[test]
fn pidctl_waits_for_the_holder_and_stops_it() {
    let dir = tempfile::tempdir().expect("create a directory");
    let path = pidfile(dir.path());
    let (code, answer) = pidctl_json("stop", &path);
    assert_eq!((code, &answer["stopped"]), (Some(0), &json!(false)));
    assert_eq!(pidctl_json("wait", &path).1["gone"], json!(true));

    let mut server = serve(dir.path(), &[]);
    let path_text = path.to_str().expect("the path is text");
    let waited = pidctl(dir.path(), &["wait", path_text, "0"]);
    let words = format!("process {} is still running", server.pid());
    assert_eq!(waited, (Some(1), words));
    let mut wait = Program::start(example("pidctl", dir.path()).args(["wait", path_text]));
    let (code, answer) = pidctl_json("stop", &path);
    assert_eq!((code, &answer["stopped"]), (Some(0), &json!(true)));
    assert!(server.finish().0.success());
    // If it looked too late, there was no holder.
    let said = wait.line();
    let gone = format!("process {} is gone", server.pid());
    assert!(said == gone || said == "was not running", "{said}");
    assert!(wait.wait().success());

    // The examples do not handle the signal that this shell ignores.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' TERM; exec \"$@\"", "-"]);
    command.arg(example("quickstart", dir.path()).get_program());
    let mut deaf = Program::start(command.arg("1000").env("TMPDIR", dir.path()));
    deaf.line();
    let path = dir.path().join("pidlock-quickstart.pid");
    let (code, said) = pidctl(dir.path(), &["stop", path.to_str().expect("text"), "0"]);
    let words = format!("process {} still has it 0ns after SIGTERM", deaf.pid());
    assert!(code == Some(1) && said.contains(&words), "{said}");
    deaf.kill();
    assert_eq!(deaf.wait().signal(), Some(9));
}
