use pidlock_core::pidfile;

#[ctor::ctor(unsafe)]
#[pidfile("my_app")]
fn before_main() {
    println!("ready");
}

fn main() {}
