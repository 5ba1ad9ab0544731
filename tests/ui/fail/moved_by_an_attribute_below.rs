use pidlock_core::pidfile;

#[pidfile("my_app")]
#[pidlock_attributes::in_a_function]
fn function((_, _): (u8, u8)) {
    println!();
}

#[pidfile("my_app")]
#[pidlock_attributes::alone]
fn without_other_attributes((_, _): (u8, u8)) {
    println!();
}

fn main() {}
