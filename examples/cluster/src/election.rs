//! Elects one process of a cluster by an advisory lock of PostgreSQL.
//!
//! The server gives the lock to one session. It takes it back when the session ends, which the process
//! that had it learns later, or not at all. So the lock alone does not exclude. Two rules do, as long
//! as the clocks of the machines run equally fast:
//!
//! 1. A leader works only until its *lease* ends: [`LEASE`] after it sent the last query that was
//!    answered in the session that has the lock.
//! 2. A process that gets the lock waits [`LEASE`] and [`MARGIN`] before it works. The session of its
//!    predecessor had ended by then, so every lease of its predecessor ends within that time.
//!
//! What is left is a leader that is suspended between its look at the lease and its work. A fencing
//! token protects from that, if the resource checks it: see [`Resource`](crate::resource::Resource).

use std::convert::Infallible;
use std::error::Error;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use postgres::{Client, NoTls};

/// How long a leader works without an answer of the server.
const LEASE: Duration = Duration::from_secs(1);

/// What a new leader waits beyond that.
const MARGIN: Duration = Duration::from_millis(300);

/// The pause between two queries.
const PULSE: Duration = Duration::from_millis(150);

/// How long a process that is not the leader waits for an answer of the server.
const PATIENCE: Duration = Duration::from_secs(3);

/// The key of the advisory lock, which all processes of the cluster have in common.
const KEY: i64 = 0x0070_6964_6c6f_636b;

/// A query was answered, or the session has ended.
enum Event {
    NotElected,
    Elected { asked: Instant, token: i64 },
    Renewed { asked: Instant },
    Failed(postgres::Error),
}

/// The time in which this process is the leader.
pub(crate) struct Term {
    token: i64,
    end: Instant,
    events: Receiver<Event>,
}

/// Takes part in the election until this process is elected.
///
/// # Errors
///
/// If the server cannot be reached, ends the session or does not answer.
pub(crate) fn campaign(database: &str) -> Result<Term, Box<dyn Error>> {
    let (sender, events) = channel();
    let database = database.to_owned();
    // A query can block for ever. If it does, only this thread waits.
    thread::spawn(move || {
        let Err(error) = hold_session(&database, &sender);
        let _ = sender.send(Event::Failed(error));
    });
    loop {
        match events.recv_timeout(PATIENCE) {
            Ok(Event::Elected { asked, token }) => {
                thread::sleep(LEASE + MARGIN);
                let end = asked + LEASE;
                return Ok(Term { token, end, events });
            }
            Ok(Event::NotElected | Event::Renewed { .. }) => {}
            Ok(Event::Failed(error)) => return Err(error.into()),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err("the database does not answer".into());
            }
        }
    }
}

impl Term {
    /// The fencing token: a number above those of all earlier leaders.
    pub(crate) fn token(&self) -> i64 {
        self.token
    }

    /// Checks that this process is still the leader.
    ///
    /// # Errors
    ///
    /// If the lease has ended, or the session has. The caller must stop its work.
    pub(crate) fn check(&mut self) -> Result<(), Box<dyn Error>> {
        for event in self.events.try_iter() {
            match event {
                Event::Renewed { asked } => self.end = asked + LEASE,
                Event::Failed(error) => return Err(error.into()),
                Event::NotElected | Event::Elected { .. } => {}
            }
        }
        match Instant::now() < self.end {
            true => Ok(()),
            false => Err("the lease has ended without an answer of the database".into()),
        }
    }
}

/// Gets the lock, counts the token up, and renews the lease until the session ends.
fn hold_session(database: &str, sender: &Sender<Event>) -> Result<Infallible, postgres::Error> {
    let send = |event| {
        // If nothing receives it, the process is about to exit.
        let _ = sender.send(event);
        thread::sleep(PULSE);
    };
    let mut client = Client::connect(database, NoTls)?;
    // The server ends the session of a process that it does not hear of. Otherwise it would keep the
    // lock until TCP gives up the connection, after hours by default.
    client.batch_execute("SET idle_session_timeout = '2s'")?;
    while !client
        .query_one("SELECT pg_try_advisory_lock($1)", &[&KEY])?
        .get::<_, bool>(0)
    {
        send(Event::NotElected);
    }
    let asked = Instant::now();
    let token = next_token(&mut client)?;
    send(Event::Elected { asked, token });
    loop {
        let asked = Instant::now();
        client.batch_execute("SELECT 1")?;
        send(Event::Renewed { asked });
    }
}

/// Returns a token above all earlier ones. A row, because a committed row survives a crash of the
/// server. A sequence can return a number again.
fn next_token(client: &mut Client) -> Result<i64, postgres::Error> {
    // Only the session that has the lock does this, so that the table is not created twice.
    client.batch_execute(
        "CREATE TABLE IF NOT EXISTS term (token bigint NOT NULL);
         INSERT INTO term SELECT 0 WHERE NOT EXISTS (SELECT FROM term);",
    )?;
    let row = client.query_one("UPDATE term SET token = token + 1 RETURNING token", &[])?;
    Ok(row.get(0))
}
