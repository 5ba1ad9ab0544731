//! The resource that only the leader may change. It checks the token of each change itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

/// A directory that stands in for a storage service: `log` has a line for each change, `token` the
/// highest token, and `refused` a line for each change that came too late.
pub(crate) struct Resource {
    directory: PathBuf,
}

impl Resource {
    /// Opens a resource. Creates it if it is missing.
    pub(crate) fn open(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref().to_owned();
        fs::create_dir_all(&directory)?;
        Ok(Self { directory })
    }

    /// Appends a line to the log.
    ///
    /// # Errors
    ///
    /// If a change with a higher token came before.
    pub(crate) fn write(&self, token: i64) -> io::Result<()> {
        // One change at a time: to check and to change is one step.
        let lock = self.append_to("lock")?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let path = self.directory.join("token");
        let highest = fs::read_to_string(&path).unwrap_or_default();
        let highest = highest.trim_end().parse().unwrap_or(0);
        let line = format!("{token} {}\n", std::process::id());
        if token < highest {
            self.append_to("refused")?.write_all(line.as_bytes())?;
            return Err(io::Error::other(format!(
                "token {token} is out of date: {highest} came before"
            )));
        }
        if token > highest {
            // Not written in place: a process can be killed in between.
            let new = self.directory.join("token.new");
            fs::write(&new, format!("{token}\n"))?;
            fs::rename(new, path)?;
        }
        self.append_to("log")?.write_all(line.as_bytes())
    }

    fn append_to(&self, name: &str) -> io::Result<File> {
        let path = self.directory.join(name);
        File::options().create(true).append(true).open(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_with_an_earlier_token_is_refused() {
        let dir = tempfile::tempdir().expect("create a directory");
        let resource = Resource::open(dir.path()).expect("open");
        for token in [3, 3, 7] {
            resource.write(token).expect("the highest token so far");
        }
        let error = resource.write(3).expect_err("an earlier token");
        assert_eq!(error.to_string(), "token 3 is out of date: 7 came before");
        let me = std::process::id();
        let read = |name| fs::read_to_string(dir.path().join(name)).expect("read a file");
        assert_eq!(read("log"), format!("3 {me}\n3 {me}\n7 {me}\n"));
        assert_eq!(read("refused"), format!("3 {me}\n"));
    }
}
