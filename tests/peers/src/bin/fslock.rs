use fslock::LockFile;

fn main() -> Result<(), fslock::Error> {
    let mut file = LockFile::open("/tmp/my_app.lock")?;
    if !file.try_lock_with_pid()? {
        println!("busy");
        return Ok(());
    }
    println!("working");
    file.unlock()
}
