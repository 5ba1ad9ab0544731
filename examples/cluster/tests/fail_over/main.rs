//! Two machines and a PostgreSQL server. Leaders are killed and suspended, connections hang, and the
//! server restarts. There are never two leaders, by the fencing tokens that the resource saw.
//!
//! A machine is a directory with a pidfile, a service manager that starts the program again whenever
//! it ends, and a connection to the server that can hang. `PIDLOCK_CLUSTER_KILLS` is the number of
//! leaders to kill, and 15 by default.

mod machine;
mod server;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use pidlock_tests::{Program, run, said, skip};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::machine::Machine;
use crate::server::Server;

/// What the leaders have written.
struct Log {
    directory: PathBuf,
    lines: Program,
}

/// A process that works, and the token that it has.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Leader {
    token: i64,
    pid: i32,
}

impl Leader {
    fn of(line: &str) -> Self {
        let (token, pid) = line.split_once(' ').expect("a token and a PID");
        Self {
            token: token.parse().expect("parse the token"),
            pid: pid.parse().expect("parse the PID"),
        }
    }

    fn signal(self, signal: Signal) {
        let pid = Pid::from_raw(self.pid).expect("a PID");
        kill_process(pid, signal).expect("signal the leader");
    }
}

impl Log {
    fn open(directory: &Path) -> Self {
        let log = directory.join("log");
        fs::create_dir(directory).expect("create a directory");
        fs::write(&log, "").expect("create the log");
        let mut tail = Command::new("tail");
        let lines = Program::start(tail.args(["--lines=+1", "--follow"]).arg(log));
        let directory = directory.to_owned();
        Self { directory, lines }
    }

    /// Waits until another leader works. Returns it, and the time that this took.
    fn next_leader(&mut self, old: Leader) -> (Leader, Duration) {
        let start = Instant::now();
        loop {
            let leader = Leader::of(&self.lines.line());
            if leader.token > old.token {
                return (leader, start.elapsed());
            }
            assert_eq!(leader, old, "the leader before");
        }
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.directory.join(name)).unwrap_or_default()
    }

    /// Checks the order of all changes. Returns the number of leaders.
    fn check(&self) -> usize {
        let log = self.read("log");
        let leaders: Vec<_> = log.lines().map(Leader::of).collect();
        for pair in leaders.windows(2) {
            let is_later = pair[0].token < pair[1].token;
            assert!(pair[0] == pair[1] || is_later, "two leaders: {pair:?}");
        }
        leaders.chunk_by(|a, b| a == b).count()
    }
}

/// Two machines, the server and the resource.
struct Cluster {
    server: Server,
    machines: [Machine; 2],
    log: Log,
    leader: Leader,
}

impl Cluster {
    fn start(directory: &Path) -> Self {
        let server = Server::start();
        let mut log = Log::open(&directory.join("resource"));
        let machines = ["one", "two"]
            .map(|name| Machine::start(&directory.join(name), &server, &log.directory));
        let (leader, _) = log.next_leader(Leader { token: 0, pid: 0 });
        Self {
            server,
            machines,
            log,
            leader,
        }
    }

    /// Waits for the next leader, and returns the time that this took.
    fn fail_over(&mut self) -> Duration {
        let (leader, time) = self.log.next_leader(self.leader);
        self.leader = leader;
        time
    }

    fn kill_leader(&mut self) -> Duration {
        self.leader.signal(Signal::KILL);
        self.fail_over()
    }

    fn restart_server(&mut self, signal: Signal) -> Duration {
        self.server.stop(signal);
        self.server.run();
        self.fail_over()
    }

    /// Interrupts the connection of the leader's machine. Neither side is told.
    fn hang(&mut self, session_ends: bool) -> Duration {
        let session = self.server.process_with_lock();
        let leader = self.leader.pid;
        let index = self
            .machines
            .iter()
            .position(|one| one.pid() == Some(leader));
        let index = index.expect("a machine has the leader");
        self.machines[index].hang(true);
        if session_ends {
            kill_process(session, Signal::TERM).expect("end the session");
        }
        let time = self.fail_over();
        let next = self.leader.pid;
        assert_ne!(
            self.machines[index].pid(),
            Some(next),
            "its connection hangs"
        );
        // The old leader ends by itself.
        self.machines[index].wait_restarted(leader);
        self.machines[index].hang(false);
        time
    }

    /// Suspends the process of the server that has the lock. Nothing can take the lock from it.
    fn suspend_session(&mut self) -> Duration {
        let session = self.server.process_with_lock();
        kill_process(session, Signal::STOP).expect("suspend the session");
        // Longer than a lease.
        thread::sleep(Duration::from_secs(2));
        let before = self.log.read("log").len();
        thread::sleep(Duration::from_secs(1));
        assert_eq!(
            self.log.read("log").len(),
            before,
            "works without an answer"
        );
        kill_process(session, Signal::CONT).expect("resume the session");
        self.fail_over()
    }

    /// Suspends the leader after it has looked at its lease and before it writes. It does not know that
    /// time has passed, and only its token is refused.
    fn suspend_leader_at_work(&mut self) -> Duration {
        let suspended = self.leader;
        let lock = File::open(self.log.directory.join("lock")).expect("open the lock");
        flock(&lock, FlockOperation::LockExclusive).expect("lock the resource");
        while !is_waiting_for_lock(suspended.pid) {
            thread::sleep(Duration::from_millis(1));
        }
        suspended.signal(Signal::STOP);
        // Until it is suspended, it could still get the lock.
        while !is_suspended(suspended.pid) {
            thread::sleep(Duration::from_millis(1));
        }
        drop(lock);
        let time = self.fail_over();
        assert_eq!(
            self.log.read("refused"),
            "",
            "no leader came too late so far"
        );
        suspended.signal(Signal::CONT);
        for machine in &self.machines {
            machine.wait_restarted(suspended.pid);
        }
        let refused = format!("{} {}\n", suspended.token, suspended.pid);
        assert_eq!(self.log.read("refused"), refused);
        time
    }
}

/// Returns `true` if a process waits in `flock(2)`.
fn is_waiting_for_lock(pid: i32) -> bool {
    let locks = fs::read_to_string("/proc/locks").expect("read /proc/locks");
    let pid = pid.to_string();
    let mut waiting = locks.lines().filter(|line| line.contains("-> FLOCK"));
    waiting.any(|line| line.split_whitespace().any(|word| word == pid))
}

fn is_suspended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("read its state");
    stat.contains(") T ")
}

/// Prints how long an interruption lasted.
fn report(what: &str, times: impl IntoIterator<Item = Duration>) {
    let mut times: Vec<_> = times.into_iter().collect();
    times.sort();
    let last = times.len() - 1;
    let (median, longest) = (times[last / 2], times[last]);
    println!(
        "{what}: {} times, the next leader worked after {median:.2?} (median), {longest:.2?} (longest)",
        times.len()
    );
}

#[test]
fn never_two_leaders() {
    if Server::programs().is_none() {
        return skip("PostgreSQL's server is not installed");
    }
    let dir = tempfile::tempdir().expect("create a directory");
    let mut cluster = Cluster::start(dir.path());
    for machine in &cluster.machines {
        let second = said(&run(&mut machine.program()));
        assert!(second.contains("already locked by PID"), "{second}");
    }
    let kills = std::env::var("PIDLOCK_CLUSTER_KILLS").ok();
    let kills = kills.map_or(15, |text| text.parse().expect("a number of kills"));
    let times = (0..kills).map(|_| cluster.kill_leader());
    report("the leader is killed", times);
    // In order, and as in a crash.
    let signals = [Signal::INT, Signal::QUIT];
    let times = signals.map(|signal| cluster.restart_server(signal));
    report("the server restarts", times);
    let times = (0..2).map(|_| cluster.hang(false));
    report("the connection hangs", times);
    // The lock is free at once, while the leader still has its lease.
    let times = (0..2).map(|_| cluster.hang(true));
    report("the connection hangs and the session ends", times);
    report(
        "the session is suspended for 3 s",
        [cluster.suspend_session()],
    );
    let time = cluster.suspend_leader_at_work();
    report("the leader is suspended before it writes", [time]);

    cluster.machines.into_iter().for_each(Machine::stop);
    let leaders = cluster.log.check();
    println!("{leaders} leaders, never two at once");
    assert!(leaders >= kills + 9, "{leaders} leaders");
}
