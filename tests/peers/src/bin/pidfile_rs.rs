use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use pidfile_rs::{Pidfile, PidfileError};

fn main() -> Result<(), PidfileError> {
    let path = Path::new("/tmp/my_app.pid");
    let mut file = Pidfile::new(path, Permissions::from_mode(0o644))?;
    // Fork here.
    file.write()?;
    println!("working");
    Ok(())
}
