//! Putting what was measured where it is shown, exactly as it was printed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository.
#[must_use]
pub fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Replaces the text of `benches/README.md` between the marks of this name.
///
/// # Panics
///
/// If the marks are not there.
pub fn replace(name: &str, text: &str) {
    let path = in_repository("benches/README.md");
    let readme = fs::read_to_string(&path).expect("read benches/README.md");
    let mark = |what| format!("<!-- {name}: {what} -->\n");
    let (before, rest) = readme.split_once(&mark("begin")).expect("a mark");
    let (_, after) = rest.split_once(&mark("end")).expect("a mark");
    let new = [before, &mark("begin"), text, &mark("end"), after].concat();
    fs::write(path, new).expect("write benches/README.md");
}

/// When and on what: the first line of everything that is measured.
#[must_use]
pub fn occasion() -> String {
    let output = Command::new("date")
        .args(["-u", "+%Y-%m-%d"])
        .output()
        .expect("date runs");
    let date = String::from_utf8_lossy(&output.stdout);
    let system = rustix::system::uname();
    format!(
        "Measured on {}, Linux {}, {}.\n",
        date.trim_end(),
        system.release().to_string_lossy(),
        system.machine().to_string_lossy()
    )
}
