//! Format strings: string literals as the values of text keys.

use syn::LitStr;

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
    use super::error;
    use proc_macro2::Span;
    use syn::LitStr;

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
}
