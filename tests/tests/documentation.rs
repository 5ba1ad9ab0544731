//! `cargo doc` shows an annotated function as it is written.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use pidlock_tests::{run, said, skip_for_this_user};

/// The functions, each of which is documented with and without the attribute.
const FUNCTIONS: &str = r#"
use pidlock_core::PidFileError;
pub struct State<T>(pub T);
pub struct Login { pub name: String, pub password: String }

#[cfg_attr(guarded, pidlock_core::pidfile("a"))]
pub fn function(State(db): State<u8>, _: u8, Login { name, .. }: Login) -> Result<u8, PidFileError> {
    Ok(db)
}

#[cfg_attr(guarded, pidlock_core::pidfile("a"))]
pub fn names(ref text: String, mut number: u8, _unused: u8) -> Result<u8, PidFileError> {
    number += 1;
    Ok(number)
}

#[cfg_attr(guarded, pidlock_core::pidfile("a"))]
#[tracing::instrument(skip_all)]
pub fn macro_below((a, _): (u8, u8), [b, ..]: [u8; 4]) -> Result<u8, PidFileError> {
    Ok(a + b)
}

#[cfg_attr(guarded, pidlock_core::pidfile("a", on_error = |_| a))]
pub fn opaque((a, _): (u8, u8)) -> impl Copy {
    a
}

impl<T> State<T> {
    #[cfg_attr(guarded, pidlock_core::pidfile("a"))]
    pub fn method(self, Self(other): Self) -> Result<T, PidFileError> {
        Ok(other)
    }
}

pub trait Methods: Sized {
    #[cfg_attr(guarded, pidlock_core::pidfile("a"))]
    fn provided(self, (_, b): (Self, u8)) -> Result<u8, PidFileError> {
        Ok(b)
    }
}
"#;

/// The pages, and a part that each must contain.
const PAGES: &[(&str, &str)] = &[
    ("fn.function.html", "_: "),
    ("fn.names.html", "number: "),
    ("fn.macro_below.html", "(a, _): "),
    ("fn.opaque.html", "(a, _): "),
    ("struct.State.html", "method"),
    ("trait.Methods.html", "provided"),
];

fn work_dir() -> PathBuf {
    // The directory of the tests of lints, to share its target directory.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("lints")
}

fn write_package(package: &Path) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = format!(
        "[package]\n\
         name = \"documentation\"\n\
         edition = \"2024\"\n\
         [dependencies]\n\
         pidlock-core = {{ path = {:?} }}\n\
         tracing = \"0.1\"\n\
         [workspace]\n",
        workspace.join("pidlock-core"),
    );
    std::fs::create_dir_all(package.join("src")).expect("create the package's directory");
    std::fs::write(package.join("Cargo.toml"), manifest).expect("write the manifest");
    std::fs::write(package.join("src/lib.rs"), FUNCTIONS).expect("write the source");
    std::fs::copy(workspace.join("Cargo.lock"), package.join("Cargo.lock"))
        .expect("copy the workspace's lock file");
}

/// Returns the documentation's pages as text.
fn documented(package: &Path, flags: &str) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo
        .args([
            "doc",
            "--quiet",
            "--offline",
            "--no-deps",
            "--manifest-path",
        ])
        .arg(package.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(work_dir().join("target"))
        .env("RUSTDOCFLAGS", format!("{flags} --check-cfg=cfg(guarded)"));
    let output = run(&mut cargo);
    assert!(output.status.success(), "{}", said(&output));
    let folder = work_dir().join("target/doc/documentation");
    let page = |(name, part): &(&str, &str)| {
        let html = std::fs::read_to_string(folder.join(name)).expect("read a page");
        let text = without_tags(&html);
        assert!(text.contains(part), "{text}");
        text
    };
    PAGES.iter().map(page).collect()
}

fn without_tags(html: &str) -> String {
    let after_tag = |part: &str| Some(part.split_once('>')?.1.to_owned());
    html.split('<').filter_map(after_tag).collect()
}

#[test]
fn signatures_are_documented_as_written() {
    let made = std::fs::create_dir_all(work_dir()).and_then(|()| tempfile::tempfile_in(work_dir()));
    if let Err(error) = made {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        return skip_for_this_user("only the user who built the tests can build more");
    }
    let package = work_dir().join("documentation");
    write_package(&package);
    let bare = documented(&package, "");
    let guarded = documented(&package, "--cfg=guarded");
    for (bare, guarded) in bare.iter().zip(&guarded) {
        assert_eq!(guarded, bare);
    }
}
