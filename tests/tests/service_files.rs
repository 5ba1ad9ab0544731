//! The unit files, scripts and commands on the guide's page about service managers.

use std::fs;
use std::path::Path;
use std::process::Command;

use pidlock_tests::{Program, has_tool, run, said, skip};

const PAGE: &str = include_str!("../../pidlock-core/src/guide/services.md");

/// The code blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = PAGE.split(&*start).skip(1);
    let blocks: Vec<_> = blocks.filter_map(|rest| rest.split("```").next()).collect();
    assert!(!blocks.is_empty(), "{language}");
    blocks
}

#[test]
fn unit_files_are_valid() {
    if !has_tool("systemd-analyze") {
        return skip("there is no systemd-analyze");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    for (n, unit) in blocks("ini").iter().enumerate() {
        // systemd-analyze checks that the program is there.
        let with_program = |line: &str| match line.starts_with("ExecStart=") {
            true => "ExecStart=/bin/true".to_owned(),
            false => line.to_owned(),
        };
        let unit: Vec<String> = unit.lines().map(with_program).collect();
        let path = dir.path().join(format!("pidlock-{n}.service"));
        fs::write(&path, unit.join("\n")).expect("write a unit file");
        let output = run(Command::new("systemd-analyze").arg("verify").arg(&path));
        let name = path.file_name().expect("a name").display().to_string();
        // It also prints what it finds in other units of the machine.
        let complaints = said(&output);
        let complaints: Vec<&str> = complaints.lines().filter(|it| it.contains(&name)).collect();
        assert!(complaints.is_empty(), "{complaints:?}");
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn scripts_are_valid() {
    let dir = tempfile::tempdir().expect("create a directory");
    for script in blocks("sh") {
        let path = dir.path().join("script");
        fs::write(&path, script).expect("write a script");
        let output = run(Command::new("sh").arg("-n").arg(&path));
        assert!(output.status.success(), "{}", said(&output));
    }
}

/// Runs a command of the page's table, for this pidfile.
fn command(start: &str, path: &Path) -> (bool, String) {
    let (_, rest) = PAGE.split_once(start).expect("the page has this command");
    let command = format!("{start}{}", rest.split('`').next().unwrap_or_default());
    let command = command.replace("/run/my-app/my-app.pid", &path.display().to_string());
    let command = command.replace("COMMAND", "true");
    let output = run(Command::new("sh").args(["-c", &command]));
    (output.status.success(), said(&output))
}

#[test]
fn commands_find_the_holder() {
    for tool in ["pkill", "lslocks", "flock", "fuser"] {
        if !has_tool(tool) {
            return skip(&format!("there is no {tool}"));
        }
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let path = dir.path().join("my_app.pid");
    let mut holder = Command::new(env!("CARGO_BIN_EXE_holder"));
    holder.arg("--at").arg(&path).arg("--keep");
    let mut holder = Program::start(&mut holder);
    assert!(holder.line().starts_with("held "));
    let pid = holder.pid().to_string();

    let (found, printed) = command("pgrep --pidfile", &path);
    assert!(found && printed.trim() == pid, "{printed}");
    assert!(command("lslocks", &path).1.contains(&pid));
    assert!(command("fuser ", &path).1.contains(&pid));
    assert!(!command("flock --nonblock", &path).0);
    assert!(command("pkill --pidfile", &path).0);
    assert!(!holder.wait().success(), "SIGHUP ends it");

    // No process has the lock, whatever the file says.
    fs::write(&path, format!("{}\n", std::process::id())).expect("write a PID");
    assert!(!command("pgrep --pidfile", &path).0);
    assert!(!command("pkill --pidfile", &path).0);
    assert!(command("flock --nonblock", &path).0);
}
