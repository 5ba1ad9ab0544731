use pidlock_core::{PidFileError, pidfile};

struct Pair(u8, u8);

#[pidfile("my_app")]
fn too_short((a, b): (u8, u8, u8)) -> Result<u8, PidFileError> {
    Ok(a + b)
}

#[pidfile("my_app")]
fn too_few_fields(Pair(a): Pair) -> Result<u8, PidFileError> {
    Ok(a)
}

#[pidfile("my_app")]
fn sum((a, _): (u8, u8), Pair(b, c): Pair) -> Result<u8, PidFileError> {
    Ok(a + b + c)
}

fn main() {
    sum((1, 2)).unwrap();
    sum((1, 2), (3, 4)).unwrap();
}
