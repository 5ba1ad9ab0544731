//! The unit files, checked and run by systemd.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use pidlock_tests::{Program, run, said, skip_for_this_kernel};

use crate::{
    LOG, PIDFILE, as_service_user, assert_refuses_second_start, file, holder, install, log_lines,
    next_holder, on_machine_prepared_by, on_own_machine, shell, succeeds, until,
};

/// The tools of systemd's package, and its directory.
const TOOLS: [&str; 2] = ["systemd-analyze", "systemctl"];
const SYSTEMD: &str = "/lib/systemd/systemd";

/// Directories in the hierarchies of control groups, one for each. They are removed on drop.
struct ControlGroups(Vec<PathBuf>);

impl ControlGroups {
    /// Returns `None` if this process cannot create control groups.
    fn create(test: &str) -> Option<Self> {
        let name = format!("pidlock-{}-{}", std::process::id(), test.replace(':', "-"));
        let places = ["", "/systemd", "/unified"].map(|place| format!("/sys/fs/cgroup{place}"));
        let places = places.map(PathBuf::from).into_iter();
        let mut groups = Self(Vec::new());
        for place in places.filter(|place| place.join("cgroup.procs").exists()) {
            let group = place.join(&name);
            fs::create_dir(&group).ok()?;
            groups.0.push(group);
        }
        (!groups.0.is_empty()).then_some(groups)
    }

    /// A script that moves its shell into the groups.
    fn script(&self) -> String {
        let lines = self
            .0
            .iter()
            .map(|group| format!("echo 0 >{}/cgroup.procs\n", group.display()));
        lines.collect()
    }
}

impl Drop for ControlGroups {
    fn drop(&mut self) {
        // A group cannot be removed before the kernel has removed its last process.
        for group in &self.0 {
            let mut remove = Command::new("find");
            remove.arg(group).args(["-depth", "-type", "d"]);
            remove
                .args(["-exec", "rmdir", "{}", ";"])
                .stderr(Stdio::null());
            until("removed", || {
                let _ = run(&mut remove);
                (!group.exists()).then_some(())
            });
        }
    }
}

/// Calls `check` on a machine on which systemd can be started.
fn with_control_groups(test: &str, check: fn()) {
    if pidlock_tests::rerun_in_namespace::inside().is_some() {
        return check();
    }
    if !pidlock_tests::is_root() {
        return pidlock_tests::skip_for_this_user("systemd needs control groups of its own");
    }
    match ControlGroups::create(test) {
        Some(groups) => on_machine_prepared_by(&groups.script(), test, &TOOLS, check),
        None => skip_for_this_kernel("control groups are not writable"),
    }
}

/// An instance of systemd that manages the units of this folder. Its directories are those of the
/// system's instance.
struct Manager(Child);

impl Manager {
    fn start() -> Self {
        let units = "/etc/systemd/system";
        for unit in [
            "my-app.service",
            "my-app-forking.service",
            "upgrade.service",
        ] {
            install(unit, "644", &format!("{units}/{unit}"));
        }
        // All other units of this machine stay out of it.
        for target in ["nothing", "basic", "shutdown"] {
            fs::write(format!("/run/{target}.target"), "[Unit]\n").expect("write a unit");
        }
        fs::create_dir_all("/run/systemd/system").expect("create a directory");
        let socket = UnixDatagram::bind("/run/starter").expect("create a socket");
        let timeout = Duration::from_millis(200);
        socket
            .set_read_timeout(Some(timeout))
            .expect("set a time limit");
        let mut command = Command::new(SYSTEMD);
        command
            .args(["--user", "--unit=nothing.target"])
            .env("NOTIFY_SOCKET", "/run/starter")
            .env("SYSTEMD_UNIT_PATH", format!("{units}:/run"))
            // Where RuntimeDirectory= is, and in `log` of the second, LogsDirectory=.
            .env("XDG_RUNTIME_DIR", "/run")
            .env("XDG_CONFIG_HOME", "/var");
        // It exits at once while other processes have all of the user's inotify instances.
        let manager = until("started", || {
            let mut manager = Self(command.spawn().expect("start systemd"));
            loop {
                let mut message = [0; 256];
                let is_ready = match socket.recv(&mut message) {
                    Ok(len) => String::from_utf8_lossy(&message[..len]).contains("READY=1"),
                    Err(_) => false,
                };
                if is_ready {
                    return Some(manager);
                }
                if manager.0.try_wait().expect("look at systemd").is_some() {
                    return None;
                }
            }
        });
        // The system's instance has a socket for all users.
        fs::set_permissions("/run/systemd/notify", fs::Permissions::from_mode(0o777))
            .expect("change the mode of the socket");
        manager
    }

    /// Runs a command of systemctl, which is given as words.
    fn systemctl(&self, words: &str) -> Output {
        let mut systemctl = Command::new("systemctl");
        systemctl.arg("--user").args(words.split(' '));
        run(systemctl.env("XDG_RUNTIME_DIR", "/run"))
    }

    /// Runs a command that must succeed.
    fn ok(&self, words: &str) {
        let output = self.systemctl(words);
        assert!(output.status.success(), "{words}: {}", said(&output));
    }

    /// The value of a property that is a number.
    fn property(&self, unit: &str, name: &str) -> u32 {
        let output = self.systemctl(&format!("show --property={name} --value {unit}"));
        said(&output).trim_end().parse().expect("a number")
    }

    fn main_pid(&self, unit: &str) -> u32 {
        self.property(unit, "MainPID")
    }

    /// Starts a unit that is up as soon as it holds its pidfile. Returns its main process.
    fn started(&self, unit: &str, pidfile: &str) -> u32 {
        self.ok(&format!("start {unit}"));
        let pid = holder(pidfile).expect("the file is complete");
        assert_eq!(self.main_pid(unit), pid);
        pid
    }

    /// Kills the main process, and waits until the manager has restarted the unit.
    fn restarted(&self, unit: &str, pidfile: &str, old: u32) -> u32 {
        shell(&format!("kill -9 {old}"));
        let new = next_holder(pidfile, old);
        until("the main process", || {
            (self.main_pid(unit) == new).then_some(())
        });
        new
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn units_are_valid() {
    on_own_machine("systemd::units_are_valid", &TOOLS, || {
        let mut verify = Command::new("systemd-analyze");
        verify.args(["verify", "--man=no"]);
        for unit in [
            "my-app.service",
            "my-app-forking.service",
            "upgrade.service",
        ] {
            verify.arg(file(unit));
        }
        assert_eq!(succeeds(&mut verify), "");
    });
}

#[test]
fn unit_in_the_foreground_is_restarted_over_its_stale_file() {
    let test = "systemd::unit_in_the_foreground_is_restarted_over_its_stale_file";
    with_control_groups(test, || {
        let manager = Manager::start();
        manager.ok("start my-app");
        let first = next_holder(PIDFILE, 0);
        assert_eq!(manager.main_pid("my-app"), first);
        assert_refuses_second_start(first);
        manager.ok("reload my-app");
        let second = manager.restarted("my-app", PIDFILE, first);
        assert_refuses_second_start(second);
        manager.ok("stop my-app");
        assert!(!fs::exists(PIDFILE).expect("look for the file"));
    });
}

/// Starts a unit while an instance that was started by hand holds the pidfile. Returns that one.
fn refused_beside_instance_by_hand(manager: &Manager, unit: &str) -> Program {
    shell("install -d -o my-app /run/my-app");
    let mut by_hand = Program::start(&mut as_service_user("/usr/local/bin/my-app"));
    by_hand.expect(&format!("serving as PID {}", by_hand.pid()));
    let _ = manager.systemctl(&format!("start {unit}"));
    // systemd has cleaned up after a refused start before it tries the next one.
    until("restarted", || {
        let restarts = manager.property(unit, "NRestarts");
        (restarts > 0).then_some(())
    });
    by_hand
}

#[test]
fn refused_unit_leaves_the_file_of_an_instance_started_by_hand() {
    let test = "systemd::refused_unit_leaves_the_file_of_an_instance_started_by_hand";
    with_control_groups(test, || {
        let manager = Manager::start();
        let by_hand = refused_beside_instance_by_hand(&manager, "my-app");
        assert_refuses_second_start(by_hand.pid());
    });
}

#[test]
fn refused_forking_unit_leaves_the_file_only_without_the_line_pidfile() {
    let test = "systemd::refused_forking_unit_leaves_the_file_only_without_the_line_pidfile";
    with_control_groups(test, || {
        let manager = Manager::start();
        let by_hand = refused_beside_instance_by_hand(&manager, "my-app-forking");
        let second = next_holder(PIDFILE, by_hand.pid());
        until("the main process", || {
            (manager.main_pid("my-app-forking") == second).then_some(())
        });
        manager.ok("stop my-app-forking");
        drop(by_hand);

        shell("sed -i /^PIDFile=/d /etc/systemd/system/my-app-forking.service");
        manager.ok("daemon-reload");
        let by_hand = refused_beside_instance_by_hand(&manager, "my-app-forking");
        assert_refuses_second_start(by_hand.pid());
        manager.ok("stop my-app-forking");
        assert_refuses_second_start(by_hand.pid());
        drop(by_hand);
        manager.started("my-app-forking", PIDFILE);
    });
}

#[test]
fn forking_unit_has_the_process_in_its_pidfile() {
    let test = "systemd::forking_unit_has_the_process_in_its_pidfile";
    with_control_groups(test, || {
        let manager = Manager::start();
        let first = manager.started("my-app-forking", PIDFILE);
        assert_refuses_second_start(first);
        manager.ok("reload my-app-forking");
        let lines = [
            format!("serving as PID {first}"),
            "opened the log again".into(),
        ];
        assert_eq!(log_lines(LOG, 2), lines);
        manager.restarted("my-app-forking", PIDFILE, first);
        manager.ok("stop my-app-forking");
        assert!(!fs::exists(PIDFILE).expect("look for the file"));
    });
}

#[test]
fn reload_upgrades_to_another_main_process() {
    let test = "systemd::reload_upgrades_to_another_main_process";
    with_control_groups(test, || {
        let manager = Manager::start();
        let pidfile = "/run/upgrade/pidlock-upgrade.pid";
        let first = manager.started("upgrade", pidfile);
        manager.ok("reload upgrade");
        let second = next_holder(pidfile, first);
        until("gone", || {
            (!fs::exists(format!("/proc/{first}")).ok()?).then_some(())
        });
        until("the main process", || {
            (manager.main_pid("upgrade") == second).then_some(())
        });
        manager.ok("is-active upgrade");
        assert_eq!(manager.property("upgrade", "NRestarts"), 0);
        manager.restarted("upgrade", pidfile, second);
        manager.ok("stop upgrade");
        assert!(!fs::exists(pidfile).expect("look for the file"));
    });
}
