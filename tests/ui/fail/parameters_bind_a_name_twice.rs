use pidlock_core::PidFileError;

#[pidlock_core::pidfile("my_app")]
fn sum((n, o): (u8, u8), (n, _): (u8, u8)) -> Result<u8, PidFileError> {
    Ok(n + o)
}

#[pidlock_core::pidfile("my_app")]
fn pattern_and_name((number, _): (u8, u8), number: u8) -> Result<u8, PidFileError> {
    Ok(number)
}

#[pidlock_core::pidfile("my_app")]
fn names(number: u8, number: u8) -> Result<u8, PidFileError> {
    Ok(number)
}

fn main() {
    let _ = (sum((1, 2), (3, 4)), pattern_and_name((1, 2), 3), names(1, 2));
}
