use pidlock_core::{PidFileError, pidfile};

#[pidfile(
    pidname = "my_app",
    piddir = "/run",
    enforce_dotpid_postfix = False,
    force_tmpdir = True,
    chmod = 0o644,
    lock_pidfile = False,
    allow_samepid = True,
    register_term_signal_handler = "auto",
    register_atexit = False,
)]
fn work() -> Result<(), PidFileError> {
    Ok(())
}

fn main() {
    work().unwrap();
}
