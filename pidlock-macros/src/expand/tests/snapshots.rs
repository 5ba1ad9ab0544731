//! Readable expansions in `snapshots/`, each below its function. To update them:
//!
//! ```sh
//! PIDLOCK_SNAPSHOTS=overwrite cargo test -p pidlock-macros snapshots
//! ```

use std::path::Path;

use super::print::print;
use super::{attribute, tokens};

macro_rules! snapshot {
    ($name:ident, $args:expr, $item:expr) => {
        #[test]
        fn $name() {
            let file = concat!("snapshots/", stringify!($name), ".rs");
            let expected = include_str!(concat!("snapshots/", stringify!($name), ".rs"));
            compare(file, expected, $args, $item);
        }
    };
}

/// Compares the expansion with the snapshot, or overwrites the snapshot.
fn compare(file: &str, expected: &str, args: &str, item: &str) {
    let input: String = format!("#[pidfile({args})]\n{item}")
        .lines()
        .map(|line| format!("// {line}\n"))
        .collect();
    let expanded = format!("{input}\n{}", print(attribute(tokens(args), tokens(item))));
    if std::env::var_os("PIDLOCK_SNAPSHOTS").is_some_and(|value| value == "overwrite") {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/expand/tests");
        std::fs::write(dir.join(file), expanded).unwrap();
    } else {
        assert!(
            expanded == expected,
            "the expansion in {file} is out of date; the current expansion is:\n{expanded}"
        );
    }
}

snapshot!(
    main,
    "\"my_app\", dir = \"/run/my_app\", keep",
    "fn main() {
    serve();
}"
);

snapshot!(
    pattern,
    "name = \"worker-{id}\", dir = config.dir(), on_error = |error| Err(error.into())",
    "pub fn work((id, _): (u32, Lease), config: &Config, _seen: bool) -> Result<(), AppError> {
    #![allow(clippy::unit_arg)]
    Ok(config.run(id)?)
}"
);

snapshot!(
    owned_self,
    "path = &self.path, crate = facade::pidlock",
    "async fn run(self, mut jobs: Vec<Job>) -> Result<impl Iterator<Item = Job>, AppError> {
    self.drain(&mut jobs).await?;
    Ok(jobs.into_iter())
}"
);
