use pidlock_core::{PidFileError, pidfile};

enum Message {
    Text(u8),
    Stop,
}

#[pidfile("my_app")]
fn some(Some(number): Option<u8>) -> Result<u8, PidFileError> {
    Ok(number)
}

#[pidfile("my_app")]
fn none(None: Option<u8>) -> Result<(), PidFileError> {
    Ok(())
}

// The compiler suggests an `else` here without the attribute, too.
#[pidfile("my_app")]
async fn variant((Message::Text(number), _): (Message, u8)) -> Result<u8, PidFileError> {
    Ok(number)
}

#[pidfile("my_app")]
fn literal((7, number): (u8, u8)) -> Result<u8, PidFileError> {
    Ok(number)
}

#[pidfile("my_app")]
fn slice([first, second]: &[u8]) -> Result<u8, PidFileError> {
    Ok(first + second)
}

fn main() {
    let _ = (some(None), none(None), variant((Message::Stop, 7)));
    let _ = (literal((7, 8)), slice(&[7, 8]));
}
