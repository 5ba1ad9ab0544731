//! The `Dockerfile` and the compose file. A test builds the image from this machine's files instead of
//! the base image, and runs it in namespaces instead of by a container engine.

use std::fs;
use std::process::Command;

use pidlock_core::PidFile;
use pidlock_tests::{Program, run, said};

use crate::{PIDFILE, file, on_own_machine, shell};

/// Carries out the `Dockerfile`. Returns the user and the program.
fn build() -> (String, String) {
    let text = fs::read_to_string(file("Dockerfile")).expect("read the file");
    let (mut user, mut program) = (None, None);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (word, rest) = line.split_once(' ').expect("a word and the rest");
        match word {
            "FROM" => assert_eq!(rest, "debian:bookworm-slim"),
            // The machine of the test has the program and the user.
            "COPY" => assert_eq!(rest, "my-app /usr/local/bin/my-app"),
            "RUN" => drop(shell(&format!("userdel my-app; {rest}"))),
            "USER" => user = Some(rest.to_owned()),
            "ENTRYPOINT" => {
                let words: Vec<String> = serde_json::from_str(rest).expect("a list of words");
                program = words.into_iter().next();
            }
            other => panic!("{other} is unknown to this test"),
        }
    }
    (user.expect("a user"), program.expect("a program"))
}

/// A container: PIDs of its own, and a `/run` of its own with the volume in it, if there is one.
fn container((user, program): &(String, String), volume: Option<&str>) -> Command {
    let script = format!(
        "mount -t tmpfs tmpfs /run && install -d -o {user} /run/my-app && \
         {{ [ -z \"$1\" ] || mount --move /mnt /run/my-app; }} && \
         exec setpriv --reuid={user} --init-groups --regid={user} {program}"
    );
    // The volume is bound to /mnt before /run is hidden.
    let bind = format!("{{ [ -z \"$1\" ] || mount --bind \"$1\" /mnt; }} && {script}");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "--pid", "--fork", "--mount-proc"])
        .args(["sh", "-c", &bind, "-", volume.unwrap_or("")]);
    command
}

#[test]
fn containers_meet_in_a_common_volume_only() {
    let test = "container::containers_meet_in_a_common_volume_only";
    on_own_machine(test, &["setpriv", "pkill"], || {
        let image = build();
        let volume = "/run/volume";
        shell("install -d -o my-app /run/volume");
        let with_volume = Some(volume);
        let mut first = Program::start(&mut container(&image, with_volume));
        first.expect("serving as PID 1");
        let second = run(&mut container(&image, with_volume));
        let message = said(&second);
        assert!(!second.status.success());
        assert!(
            message.starts_with(&format!("Error: pidfile '{PIDFILE}' already locked")),
            "{message}"
        );
        // The lock is seen from outside, too. The PID is the one inside.
        let path = "/run/volume/my-app.pid";
        assert!(PidFile::at(path).status().expect("look").is_held());
        // Containers without a common directory run at the same time.
        let mut alone = [container(&image, None), container(&image, None)]
            .map(|mut one| Program::start(&mut one));
        for program in &mut alone {
            program.expect("serving as PID 1");
        }
        // A container is killed, and the next one has the PID of the stale file.
        shell(&format!("pkill --signal KILL --parent {}", first.pid()));
        assert!(!first.wait().success());
        assert_eq!(fs::read_to_string(path).expect("read the file"), "1\n");
        let mut next = Program::start(&mut container(&image, with_volume));
        next.expect("serving as PID 1");
    });
}

#[test]
fn compose_file_is_valid() {
    let test = "container::compose_file_is_valid";
    on_own_machine(test, &["docker-compose"], || {
        let mut compose = Command::new("docker-compose");
        compose.arg("--file").arg(file("compose.yaml"));
        let output = run(compose.args(["config", "--quiet"]));
        assert!(output.status.success(), "{}", said(&output));
    });
}
