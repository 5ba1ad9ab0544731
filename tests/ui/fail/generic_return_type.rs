use pidlock_core::pidfile;

#[pidfile("my_app")]
fn any<T>(value: T) -> T {
    value
}

#[pidfile("my_app")]
fn any_error<E>(error: E) -> Result<(), E> {
    Err(error)
}

#[pidfile("my_app")]
fn unnamed() -> impl Iterator<Item = u32> {
    std::iter::once(7)
}

fn main() {
    let _ = (any(7), any_error(7), unnamed());
}
