use pidlock_core::{PidFileError, pidfile};

struct Config {
    name: String,
}

#[pidfile(name = config., mode = 0o)]
fn work(config: &Config) -> Result<(), PidFileError> {
    assert!(config.name.is_empty());
    Ok(())
}

fn main() {
    let config = Config { name: String::new() };
    work(&config).unwrap();
    drop(config.name);
}
