//! Writes the tables into `benches/README.md`, exactly as they are printed.

use std::fs;
use std::process::Command;

/// Replaces the text of `benches/README.md` between the marks of this name, and draws the charts of
/// its tables.
///
/// # Panics
///
/// If the marks are missing.
pub fn replace(name: &str, text: &str) {
    let path = pidlock_diagrams::root().join("benches/README.md");
    let readme = fs::read_to_string(&path).expect("read benches/README.md");
    let mark = |what| format!("<!-- {name}: {what} -->\n");
    let (before, rest) = readme
        .split_once(&mark("begin"))
        .expect("find the begin mark");
    let (_, after) = rest.split_once(&mark("end")).expect("find the end mark");
    let new = [before, &mark("begin"), text, &mark("end"), after].concat();
    fs::write(path, new).expect("write benches/README.md");
    pidlock_diagrams::write().expect("draw the charts");
}

/// Returns the line above the tables, which contains the date and the system of the measurement.
#[must_use]
pub fn occasion() -> String {
    let output = Command::new("date")
        .args(["-u", "+%Y-%m-%d"])
        .output()
        .expect("run date");
    let date = String::from_utf8_lossy(&output.stdout);
    let system = rustix::system::uname();
    format!(
        "Measured on {}, Linux {}, {}.\n",
        date.trim_end(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy()
    )
}
