use daemonize::Daemonize;

fn main() -> Result<(), daemonize::Error> {
    Daemonize::new().pid_file("/tmp/my_daemon.pid").start()?;
    // In the daemon:
    Ok(())
}
