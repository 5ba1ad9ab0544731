//! Checks of literals: format strings as the values of text keys, and the number of a mode.

use quote::ToTokens;
use syn::{Expr, ExprGroup, ExprLit, ExprParen, Lit, LitStr};

/// Returns `true` if the literal contains placeholders or escaped braces.
pub(crate) fn is_format(text: &LitStr) -> bool {
    text.value().contains(['{', '}'])
}

/// Returns what is wrong with the literal, as far as that is known before formatting.
pub(crate) fn error(key: &str, text: &LitStr) -> Option<String> {
    let written = text.value();
    let parts = Parts::of(&written);
    if parts.literal.contains('\0') {
        return Some(format!("a NUL byte cannot be part of a `{key}`"));
    }
    if let Some(other) = parts.placeholders.iter().find(|name| !is_name(name)) {
        // The compiler's own message suggests format arguments, which the attribute does not take.
        return Some(format!(
            "`{{{other}}}` names nothing in scope: a variable's name stands in the braces, \
             `{{{{` and `}}}}` are plain ones, and other values take `{key} = format!(..)`"
        ));
    }
    let is_complete = parts.placeholders.is_empty();
    match key {
        "name" if parts.literal.contains('/') => Some(
            "a name is one component of a path, without `/`: \
             use `dir` for the directory, or `path` for the exact path"
                .into(),
        ),
        "name" if is_complete && parts.literal.is_empty() => {
            Some("a name cannot be empty: leave it out for the program's own name".into())
        }
        "name" if is_complete && matches!(parts.literal.as_str(), "." | "..") => Some(format!(
            "`{}` is a directory, and cannot be a name",
            parts.literal
        )),
        "path" if is_complete && parts.literal.is_empty() => Some("a path cannot be empty".into()),
        _ => None,
    }
}

/// Returns `true` if a placeholder has no name, so that `format!` takes its value from an argument.
pub(crate) fn takes_arguments(text: &LitStr) -> bool {
    let placeholders = Parts::of(&text.value()).placeholders;
    (placeholders.iter()).any(|name| name.chars().all(|c| c.is_ascii_digit()))
}

/// Returns the message for a format string that is followed by arguments.
pub(crate) fn named(key: &str, text: &LitStr, arguments: &[Expr]) -> String {
    let names: Vec<String> = (arguments.iter())
        .map(|argument| argument.to_token_stream().to_string())
        .collect();
    let value = with_names(&text.token().to_string(), &names)
        .unwrap_or_else(|| format!("format!({}, ..)", text.token()));
    format!("a format string takes no arguments here: write `{key} = {value}`")
}

/// Writes the names into the placeholders, if each name fits one placeholder.
fn with_names(written: &str, names: &[String]) -> Option<String> {
    let mut names = names.iter();
    let mut named = String::new();
    let mut rest = written.chars().peekable();
    while let Some(c) = rest.next() {
        named.push(c);
        match (c, rest.peek()) {
            ('{', Some('{')) => named.extend(rest.next()),
            ('{', Some('}' | ':')) => {
                named.push_str(names.next().filter(|name| is_name(name))?);
            }
            ('{', Some(digit)) if digit.is_ascii_digit() => return None,
            _ => {}
        }
    }
    names.next().is_none().then_some(named)
}

/// Returns what is wrong with the value of `mode`, if that is a literal.
pub(crate) fn mode_error(value: &Expr) -> Option<String> {
    let literal = match value {
        Expr::Lit(ExprLit {
            lit: Lit::Int(literal),
            ..
        }) => literal,
        Expr::Group(ExprGroup { expr, .. }) | Expr::Paren(ExprParen { expr, .. }) => {
            return mode_error(expr);
        }
        _ => return None,
    };
    let mode: u32 = literal.base10_parse().unwrap_or(u32::MAX);
    let written = literal.to_string();
    if ["0o", "0x", "0b"]
        .iter()
        .any(|base| written.starts_with(base))
    {
        return (mode > 0o777)
            .then(|| format!("a mode has only permission bits: `{written}` is above `0o777`"));
    }
    if mode == 0 {
        return None;
    }
    let digits: String = written.chars().filter(|c| *c != '_').collect();
    let digits = digits.trim_start_matches('0');
    let digits = digits.strip_suffix(literal.suffix()).unwrap_or(digits);
    let octal = if u32::from_str_radix(digits, 8).is_ok_and(|mode| mode <= 0o777) {
        format!("0o{digits}")
    } else if mode <= 0o777 {
        format!("{mode:#o}")
    } else {
        "0o644".to_owned()
    };
    Some(format!(
        "`{written}` is decimal, and a mode is octal: write `{octal}`"
    ))
}

/// Returns `true` if the text can be a variable's name. Includes keywords, because raw identifiers
/// are written without `r#` in format strings.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|c| c == '_' || c.is_alphabetic())
        && letters.all(|c| c == '_' || c.is_alphanumeric())
}

/// A format string, split into its literal text and its placeholders.
struct Parts {
    /// The literal text around the placeholders, with escaped braces replaced by plain ones.
    literal: String,
    /// What each placeholder names, without its format spec.
    placeholders: Vec<String>,
}

impl Parts {
    fn of(written: &str) -> Self {
        let mut parts = Parts {
            literal: String::new(),
            placeholders: Vec::new(),
        };
        let mut rest = written.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    parts.literal.push(c);
                }
                '{' => {
                    let inside: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let name = inside.split(':').next().unwrap_or_default().trim();
                    parts.placeholders.push(name.to_owned());
                }
                _ => parts.literal.push(c),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::{error, mode_error, with_names};
    use proc_macro2::Span;
    use syn::{LitStr, parse_str};

    #[test]
    fn rejects_only_text_that_is_never_valid() {
        let check = |key, text| error(key, &LitStr::new(text, Span::call_site()));
        for name in [
            "", ".", "..", "a/b", "/", "{id}/x", "a\0", "{id}\0", "{}", "{0}", "{:?}", "{a.b}",
            "{f()}",
        ] {
            assert!(check("name", name).is_some(), "{name:?}");
        }
        for name in [
            "a",
            "...",
            "{id}",
            ".{id}",
            "{{",
            "{x:/>3}",
            "{ _x1 :?}",
            "{type}",
            "{größe}",
            "a.pid",
        ] {
            assert_eq!(check("name", name), None, "{name:?}");
        }
        assert!(check("path", "").is_some());
        assert!(check("dir", "\0").is_some());
        for (key, text) in [
            ("path", "/a/b"),
            ("path", "{a}"),
            ("dir", "a/b"),
            ("dir", ""),
        ] {
            assert_eq!(check(key, text), None, "{key} {text:?}");
        }
    }

    #[test]
    fn rejects_modes_that_are_not_permission_bits() {
        for (mode, offered) in [
            ("644", "`0o644`"),
            ("0644", "`0o644`"),
            ("6_44u32", "`0o644`"),
            ("(600)", "`0o600`"),
            ("493", "`0o755`"),
            ("1777", "`0o644`"),
            ("99999999999", "`0o644`"),
            ("0o1000", "`0o777`"),
            ("0x7ff", "`0o777`"),
        ] {
            let message = mode_error(&parse_str(mode).unwrap()).unwrap();
            assert!(message.ends_with(offered), "{mode}: {message}");
        }
        for mode in [
            "0",
            "00u32",
            "0o644",
            "0o777u32",
            "0x1a4",
            "0b110_100_100",
            "MODE",
            "-644",
        ] {
            assert_eq!(mode_error(&parse_str(mode).unwrap()), None, "{mode}");
        }
    }

    #[test]
    fn arguments_become_names() {
        let named = |written: &str, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|&name| name.into()).collect();
            with_names(written, &names)
        };
        assert_eq!(named("a-{}", &["id"]).as_deref(), Some("a-{id}"));
        assert_eq!(
            named("{{{}:{:>3}", &["a", "b"]).as_deref(),
            Some("{{{a}:{b:>3}")
        );
        for (written, names) in [
            ("{}", &[][..]),
            ("{}", &["a", "b"]),
            ("{}", &["a.b"]),
            ("{0}", &["a"]),
        ] {
            assert_eq!(named(written, names), None, "{written} {names:?}");
        }
    }
}
