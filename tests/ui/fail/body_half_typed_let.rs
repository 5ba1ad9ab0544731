use pidlock_core::PidFileError;

#[pidlock_core::pidfile("my_app")]
fn work(text: String) -> Result<(), PidFileError> {
    let x = text.;
    Ok(())
}

fn main() {
    work(String::new()).unwrap();
}
