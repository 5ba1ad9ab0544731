//! The keys of the attribute, and what each of them takes: a new key is a line in [`KEYS`].

/// What a key does with its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A setter of the builder that takes text: a string literal may name what is in scope.
    Text,
    /// A setter of the builder that takes any other value.
    Value,
    /// A setter of the builder that takes a `bool` which is false by default, so that the key
    /// alone can only mean `true`.
    Switch,
    /// The exact path, in place of everything that makes up a path.
    Path,
    /// What the function returns when it is refused.
    OnError,
    /// Where the runtime crate is found.
    Core,
}

pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// A value as one would write it, for the messages.
    pub(crate) example: &'static str,
}

const fn key(name: &'static str, kind: Kind, example: &'static str) -> Key {
    Key {
        name,
        kind,
        example,
    }
}

pub(crate) const CORE_EXAMPLE: &str = "my_facade::pidlock_core";

pub(crate) const KEYS: &[Key] = &[
    key("name", Kind::Text, "\"my_app\""),
    key("dir", Kind::Text, "\"/run/my_app\""),
    key("suffix", Kind::Value, "false"),
    key("temp_dir", Kind::Value, "true"),
    key("path", Kind::Path, "\"/run/my_app.pid\""),
    key("mode", Kind::Value, "0o644"),
    key("uid", Kind::Value, "1000"),
    key("gid", Kind::Value, "1000"),
    key("lock", Kind::Value, "false"),
    key("reentrant", Kind::Switch, "true"),
    key("keep", Kind::Switch, "true"),
    key("on_signal", Kind::Value, "pidlock_core::OnSignal::Ignore"),
    key("at_exit", Kind::Value, "false"),
    key("on_error", Kind::OnError, "|error| .."),
    key("crate", Kind::Core, CORE_EXAMPLE),
];

/// The keys that make up a path, which an exact path leaves nothing to say to.
pub(crate) const PARTS_OF_A_PATH: &[&str] = &["name", "dir", "suffix", "temp_dir"];

/// What Python's `pid` calls the things that have another name here.
const PYTHON: &[(&str, &str)] = &[
    ("pidname", "name"),
    ("piddir", "dir"),
    ("enforce_dotpid_postfix", "suffix"),
    ("force_tmpdir", "temp_dir"),
    ("chmod", "mode"),
    ("lock_pidfile", "lock"),
    ("allow_samepid", "reentrant"),
    ("register_term_signal_handler", "on_signal"),
    ("register_atexit", "at_exit"),
];

pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// What to say about a key that there is not.
pub(crate) fn unknown(name: &str) -> String {
    let meant = meant(name).unwrap_or_else(|| {
        let all: Vec<String> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
        format!("the keys are {}", all.join(", "))
    });
    format!("unknown key `{name}`: {meant}")
}

/// What to say about a word where a name can stand too.
pub(crate) fn unknown_alone(word: &str) -> String {
    if meant(word).is_some() {
        return unknown(word);
    }
    format!(
        "`{word}` is not a key: for a name, write `\"{word}\"`, or `name = {word}` if it is a value"
    )
}

/// The key that was probably meant.
fn meant(name: &str) -> Option<String> {
    if let Some((_, ours)) = PYTHON.iter().find(|(theirs, _)| *theirs == name) {
        return Some(format!("it is called `{ours}` here"));
    }
    let near = KEYS
        .iter()
        .map(|key| (distance(name, key.name), key.name))
        .filter(|(distance, key)| {
            *distance <= key.len().div_ceil(3) && name.chars().next() == key.chars().next()
        })
        .min();
    near.map(|(_, near)| format!("did you mean `{near}`?"))
}

/// How many letters were added, lost, changed or swapped with a neighbour between `a` and `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::{KEYS, PARTS_OF_A_PATH, PYTHON, find, unknown};

    #[test]
    fn every_key_is_documented() {
        for key in KEYS {
            let row = |line: &str| {
                line.strip_prefix("/// | ")
                    .and_then(|row| row.split(" |").next())
                    .is_some_and(|names| names.contains(&format!("`{}`", key.name)))
            };
            assert!(include_str!("lib.rs").lines().any(row), "{}", key.name);
        }
    }

    #[test]
    fn the_other_tables_name_keys() {
        let theirs = PYTHON.iter().map(|(_, ours)| ours);
        for name in theirs.chain(PARTS_OF_A_PATH) {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn near_misses() {
        for (written, meant) in [
            ("nmae", "name"),
            ("nam", "name"),
            ("dirr", "dir"),
            ("tmp_dir", "temp_dir"),
            ("tempdir", "temp_dir"),
            ("reentrent", "reentrant"),
            ("onerror", "on_error"),
            ("uuid", "uid"),
        ] {
            let message = unknown(written);
            let expected = format!("unknown key `{written}`: did you mean `{meant}`?");
            assert_eq!(message, expected);
        }
        for far in ["pid", "file", "x", "timeout_seconds"] {
            let message = unknown(far);
            assert!(message.starts_with(&format!("unknown key `{far}`: the keys are `name`, ")));
        }
    }
}
