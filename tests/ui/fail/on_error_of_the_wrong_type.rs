use pidlock_core::{PidFileError, pidfile};

#[pidfile("my_app", on_error = |error| error.to_string())]
fn closure() -> u32 {
    7
}

#[pidfile("my_app", on_error = handler)]
fn function() -> u32 {
    7
}

fn handler(error: PidFileError) -> String {
    error.to_string()
}

#[pidfile("my_app", on_error = make_handler(7))]
fn made() -> Result<(), PidFileError> {
    Ok(())
}

fn make_handler(n: u32) -> impl Fn(PidFileError) -> u32 {
    move |_| n
}

#[pidfile("my_app", on_error = |_| 7)]
fn unit() {}

#[pidfile("my_app", on_error = 7)]
fn value() -> u32 {
    7
}

#[pidfile("my_app", on_error = || 7)]
fn no_parameter() -> u32 {
    7
}

#[pidfile("my_app", on_error = |error, n| 7)]
fn two_parameters() -> u32 {
    7
}

#[pidfile("my_app", on_error = |error: std::io::Error| 7)]
fn other_error() -> u32 {
    7
}

#[pidfile("my_app", on_error = takes_text)]
fn other_parameter() -> u32 {
    7
}

fn takes_text(_: &str) -> u32 {
    7
}

#[pidfile("my_app", on_error = pidlock_core::on_error::skip)]
fn no_default() -> Result<std::process::Child, PidFileError> {
    unreachable!()
}

#[pidfile("my_app", on_error = pidlock_core::on_error::skip)]
fn no_default_either() -> std::process::Child {
    unreachable!()
}

#[pidfile("my_app", on_error = |error| error.no_such_method())]
fn wrong_body() -> u32 {
    7
}

fn main() {
    closure();
    function();
    made().unwrap();
    unit();
    value();
    no_parameter();
    two_parameters();
    other_error();
    other_parameter();
    no_default().unwrap();
    wrong_body();
}
