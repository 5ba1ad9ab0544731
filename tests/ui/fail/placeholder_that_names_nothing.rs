use pidlock_core::{PidFileError, pidfile};

struct Config {
    id: u32,
}

#[pidfile("worker-{}")]
fn no_name() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("my_app", dir = "/run/{:>3}")]
fn no_name_with_width() -> Result<(), PidFileError> {
    Ok(())
}

#[pidfile("worker-{config.id}")]
fn field(config: &Config) -> Result<(), PidFileError> {
    assert_eq!(config.id, 7);
    Ok(())
}

#[pidfile(path = "/run/{config.id + 1}.pid")]
fn expression(config: &Config) -> Result<(), PidFileError> {
    assert_eq!(config.id, 7);
    Ok(())
}

fn main() {
    let config = Config { id: 7 };
    no_name()
        .and_then(|()| no_name_with_width())
        .and_then(|()| field(&config))
        .and_then(|()| expression(&config))
        .unwrap();
}
