#[pidlock_core::pidfile("my_app")]
#[pidlock_attributes::in_a_thread]
fn thread((number, _): (u8, u8)) {
    println!("{number}");
}

fn main() {}
