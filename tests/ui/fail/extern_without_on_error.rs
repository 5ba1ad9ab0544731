use pidlock_core::pidfile;

#[pidfile("my_app")]
extern "C" fn callback() {}

#[pidfile("my_app")]
pub extern "C-unwind" fn may_panic() {}

#[pidfile("my_app")]
pub extern "C" fn unit_type() -> () {}

#[pidfile("my_app")]
unsafe extern "system" fn diverges() -> ! {
    loop {}
}

fn main() {
    callback();
    may_panic();
    unit_type();
    unsafe { diverges() }
}
