//! String literals of the keys that take text: format strings over what is in scope.

use syn::LitStr;

/// Whether there is anything to format.
pub(crate) fn is_format(text: &LitStr) -> bool {
    text.value().contains(['{', '}'])
}

/// What is wrong with the text, if it can be told before anything is put in: a name is one
/// component of a path.
pub(crate) fn mistake(key: &str, text: &LitStr) -> Option<String> {
    let written = text.value();
    let parts = Parts::of(&written);
    if parts.fixed.contains('\0') {
        return Some(format!("a NUL byte cannot be part of a `{key}`"));
    }
    if let Some(other) = parts.placeholders.iter().find(|name| !is_name(name)) {
        // The compiler would speak of arguments, and there is no place for any.
        return Some(format!(
            "`{{{other}}}` names nothing in scope: a variable's name stands in the braces, \
             `{{{{` and `}}}}` are plain ones, and other values take `{key} = format!(..)`"
        ));
    }
    let whole = parts.placeholders.is_empty();
    match key {
        "name" if parts.fixed.contains('/') => Some(
            "a name is one component of a path, without `/`: \
             use `dir` for the directory, or `path` for the exact path"
                .into(),
        ),
        "name" if whole && parts.fixed.is_empty() => {
            Some("a name cannot be empty: leave it out for the program's own name".into())
        }
        "name" if whole && matches!(parts.fixed.as_str(), "." | "..") => Some(format!(
            "`{}` is a directory, and cannot be a name",
            parts.fixed
        )),
        "path" if whole && parts.fixed.is_empty() => Some("a path cannot be empty".into()),
        _ => None,
    }
}

/// Whether it can be the name of a variable, keywords included: a raw one is written without `r#`.
fn is_name(text: &str) -> bool {
    let mut letters = text.chars();
    letters
        .next()
        .is_some_and(|c| c == '_' || c.is_alphabetic())
        && letters.all(|c| c == '_' || c.is_alphanumeric())
}

/// A format string, as far as it is known before it is formatted.
struct Parts {
    fixed: String,
    /// What is put in, without how it is formatted.
    placeholders: Vec<String>,
}

impl Parts {
    fn of(written: &str) -> Self {
        let mut parts = Parts {
            fixed: String::new(),
            placeholders: Vec::new(),
        };
        let mut rest = written.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '{' | '}' if rest.peek() == Some(&c) => {
                    rest.next();
                    parts.fixed.push(c);
                }
                '{' => {
                    let inside: String = rest.by_ref().take_while(|c| *c != '}').collect();
                    let name = inside.split(':').next().unwrap_or_default().trim();
                    parts.placeholders.push(name.to_owned());
                }
                _ => parts.fixed.push(c),
            }
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::mistake;
    use proc_macro2::Span;
    use syn::LitStr;

    #[test]
    fn only_what_can_never_be_right_is_a_mistake() {
        let told = |key, text| mistake(key, &LitStr::new(text, Span::call_site()));
        for name in [
            "", ".", "..", "a/b", "/", "{id}/x", "a\0", "{id}\0", "{}", "{0}", "{:?}", "{a.b}",
            "{f()}",
        ] {
            assert!(told("name", name).is_some(), "{name:?}");
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
            assert_eq!(told("name", name), None, "{name:?}");
        }
        assert!(told("path", "").is_some());
        assert!(told("dir", "\0").is_some());
        for (key, text) in [
            ("path", "/a/b"),
            ("path", "{a}"),
            ("dir", "a/b"),
            ("dir", ""),
        ] {
            assert_eq!(told(key, text), None, "{key} {text:?}");
        }
    }
}
