use pidlock_core::pidfile;

#[pidfile("a/b", nmae = "x", dir, path = "", keep, keep, mode("0644"), crate = "core", 7)]
const extern "C" fn work() {}

fn main() {
    work();
}
