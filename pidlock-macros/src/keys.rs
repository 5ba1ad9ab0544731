//! The key table, and the messages about unknown keys.
//!
//! To add a key, add a line to [`KEYS`].

/// What kind of value a key takes, and how the value is used.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyKind {
    /// A setter that takes text. A string literal is a format string.
    Text,
    /// A setter that takes any other value.
    Value,
    /// A setter that takes a `bool` whose default is `false`; without a value it means `true`.
    Switch,
    /// The exact path: text, for the builder's constructor.
    Path,
    /// A function that converts the error into the return value.
    OnError,
    /// The name of a variable for the guard.
    Guard,
    /// The path to the runtime crate.
    Core,
}

/// One key of the attribute.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: KeyKind,
    /// An example value, for messages.
    pub(crate) example: &'static str,
}

const fn key(name: &'static str, kind: KeyKind, example: &'static str) -> Key {
    Key {
        name,
        kind,
        example,
    }
}

/// An example value for `crate`.
pub(crate) const CORE_EXAMPLE: &str = "my_facade::pidlock_core";

/// All keys, in the order in which messages list them.
pub(crate) const KEYS: &[Key] = &[
    key("name", KeyKind::Text, "\"my_app\""),
    key("dir", KeyKind::Text, "\"/run/my_app\""),
    key("suffix", KeyKind::Value, "false"),
    key("temp_dir", KeyKind::Value, "true"),
    key("path", KeyKind::Path, "\"/run/my_app.pid\""),
    key("mode", KeyKind::Value, "0o644"),
    key("uid", KeyKind::Value, "1000"),
    key("gid", KeyKind::Value, "1000"),
    key("lock", KeyKind::Value, "false"),
    key("reentrant", KeyKind::Switch, "true"),
    key("keep", KeyKind::Switch, "true"),
    key("on_signal", KeyKind::Value, "pidlock_core::OnSignal::Off"),
    key("at_exit", KeyKind::Value, "false"),
    key("timeout", KeyKind::Value, "Duration::from_secs(5)"),
    key("wait", KeyKind::Switch, "true"),
    key(
        "on_wait",
        KeyKind::Value,
        "|refusal| eprintln!(\"{refusal}\")",
    ),
    key("on_error", KeyKind::OnError, "|error| .."),
    key("guard", KeyKind::Guard, "lock"),
    key("crate", KeyKind::Core, CORE_EXAMPLE),
];

/// The keys that `path` cannot be combined with.
pub(crate) const PARTS_OF_A_PATH: &[&str] = &["name", "dir", "suffix", "temp_dir"];

/// Parameters of Python's `pid` that have another name here, for suggestions.
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

/// Looks up a key by its name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The message for an unknown key.
pub(crate) fn unknown(name: &str) -> String {
    let suggestion = suggestion(name).unwrap_or_else(|| {
        let all: Vec<String> = KEYS.iter().map(|key| format!("`{}`", key.name)).collect();
        format!("the keys are {}", all.join(", "))
    });
    format!("unknown key `{name}`: {suggestion}")
}

/// The message for an unknown word in the place of the positional name, which may be an unquoted
/// name.
pub(crate) fn unknown_word(word: &str) -> String {
    if suggestion(word).is_some() {
        return unknown(word);
    }
    format!(
        "`{word}` is not a key: for a name, write `\"{word}\"`, or `name = {word}` if it is a value"
    )
}

/// Suggests the key that an unknown one probably stands for.
fn suggestion(name: &str) -> Option<String> {
    if let Some((_, ours)) = PYTHON.iter().find(|(theirs, _)| *theirs == name) {
        return Some(format!("it is called `{ours}` here"));
    }
    let nearest = KEYS
        .iter()
        .map(|key| (distance(name, key.name), key.name))
        .filter(|(distance, key)| {
            *distance <= key.len().div_ceil(3) && name.chars().next() == key.chars().next()
        })
        .min();
    nearest.map(|(_, key)| format!("did you mean `{key}`?"))
}

/// The Damerau-Levenshtein distance: how many characters to insert, delete, replace or swap with
/// their neighbour to turn `a` into `b`.
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
    fn other_tables_contain_only_keys() {
        let theirs = PYTHON.iter().map(|(_, ours)| ours);
        for name in theirs.chain(PARTS_OF_A_PATH) {
            assert!(find(name).is_some(), "{name}");
        }
    }

    #[test]
    fn unknown_keys_get_suggestions() {
        for (written, suggested) in [
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
            let expected = format!("unknown key `{written}`: did you mean `{suggested}`?");
            assert_eq!(message, expected);
        }
        for far in ["pid", "file", "x", "timeout_seconds"] {
            let message = unknown(far);
            assert!(message.starts_with(&format!("unknown key `{far}`: the keys are `name`, ")));
        }
    }
}
