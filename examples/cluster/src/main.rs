//! A service that runs once per machine, and works once per cluster.
//!
//! `cluster DATABASE RESOURCE` connects to PostgreSQL with a connection string such as
//! `host=db user=app`, waits until it is elected, and then writes to the resource, a directory. It ends
//! with an error when its lease has ended, and its service manager starts it again.

mod election;
mod resource;

use std::error::Error;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use pidlock_core::pidfile;

use crate::election::campaign;
use crate::resource::Resource;

/// The directory of the pidfile: systemd sets the variable to that of `RuntimeDirectory=`.
fn directory() -> PathBuf {
    std::env::var_os("RUNTIME_DIRECTORY").map_or_else(std::env::temp_dir, PathBuf::from)
}

// The pidfile keeps a second process of this machine from the election. It has no part in safety.
#[pidfile("cluster", dir = directory())]
fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, resource] = &arguments[..] else {
        return Err("usage: cluster DATABASE RESOURCE".into());
    };
    let mut term = campaign(database)?;
    let resource = Resource::open(resource)?;
    println!("elected, with token {}", term.token());
    loop {
        // Before each piece of work, which must be short beside a lease.
        term.check()?;
        resource.write(term.token())?;
        thread::sleep(Duration::from_millis(20));
    }
}
