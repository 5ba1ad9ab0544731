use pidlock_core::pidfile;

#[pidfile("my_app")]
struct Structure;

#[pidfile]
enum Choice {
    One,
}

#[pidfile(nmae = "my_app")]
impl Structure {
    fn work(&self) {}
}

#[pidfile("my_app")]
mod module {
    pub fn work() {}
}

#[pidfile("my_app")]
trait Worker {
    fn work(&self);
}

#[pidfile("my_app")]
const NUMBER: u32 = 7;

#[pidfile("my_app")]
pub(crate) static TEXT: &str = "";

impl Worker for Choice {
    fn work(&self) {
        Structure.work();
    }
}

fn main() {
    Choice::One.work();
    module::work();
    drop((NUMBER, TEXT));
}
