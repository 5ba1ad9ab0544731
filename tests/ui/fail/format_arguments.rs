use pidlock_core::{PidFileError, pidfile};

struct Config {
    id: u32,
}

#[pidfile("worker-{}", id, keep)]
fn one(id: u32) -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(keep, name = "{}-{:>3}", group, id)]
fn two(group: u32, id: u32) -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile(path = "/run/{0}.pid", id)]
fn numbered(id: u32) -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("worker-{}", config.id, dir = "/run")]
fn field(config: &Config) -> Result<(), PidFileError> {
    assert_eq!(config.id, 7);
    Ok(())
}

fn main() {
    one(7)
        .and_then(|()| two(7, 8))
        .and_then(|()| numbered(7))
        .and_then(|()| field(&Config { id: 7 }))
        .unwrap();
}
