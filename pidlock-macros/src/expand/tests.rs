mod print;
mod snapshots;
mod spans;

use super::attribute;
use crate::output::erase_impl_trait;
use proc_macro2::TokenStream;

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

/// Returns the messages of the errors, and the tokens after them.
fn errors(args: &str, item: &str) -> (Vec<String>, String) {
    let expanded = attribute(tokens(args), tokens(item)).to_string();
    let mut parts: Vec<_> = expanded.split(":: core :: compile_error ! {").collect();
    let rest = parts.pop().unwrap_or_default();
    let (last, rest) = rest.split_once('}').unwrap_or(("", rest));
    let messages = parts.into_iter().chain([last]).map(|part| part.trim());
    let messages = messages.filter(|part| !part.is_empty());
    let messages = messages.map(|part| part.trim_end_matches([' ', '}']).to_owned());
    (messages.collect(), rest.trim().to_owned())
}

#[test]
fn half_typed_body_is_preserved() {
    let expanded = attribute(tokens("\"name\""), tokens("fn f() { x. }")).to_string();
    assert!(expanded.contains("{ x . }"), "{expanded}");
    assert!(!expanded.contains("compile_error"), "{expanded}");
}

#[test]
fn all_errors_are_reported_and_the_function_is_preserved() {
    let item = "const extern \"C\" fn f () { }";
    let (messages, rest) = errors("nmae = , \"a/b\", keep = true, keep, 7", item);
    let starts = [
        "unknown key `nmae`",
        "a name is one component",
        "`keep` is given twice",
        "only the name can stand without its key",
        "a `const fn` cannot hold a lock",
        "a refusal panics here",
    ];
    assert_eq!(messages.len(), starts.len(), "{messages:?}");
    for (message, start) in messages.iter().zip(starts) {
        assert!(message.starts_with(&format!("\"{start}")), "{message}");
    }
    assert_eq!(rest, item);
}

#[test]
fn non_function_is_preserved() {
    let (messages, rest) = errors("", "struct S ;");
    assert_eq!(messages.len(), 1);
    assert_eq!(rest, "struct S ;");
}

#[test]
fn parameter_attributes_are_sorted_by_destination() {
    let item = "fn f(#[cfg(a)] #[allow(b)] #[expect(c)] \
                #[cfg_attr(a, e)] #[cfg_attr(a, expect(c))] #[of_another_macro] d: u8) {}";
    let expanded = attribute(tokens("\"name\""), tokens(item)).to_string();
    let (signature, body) = expanded.split_once('{').unwrap();
    for (attr, in_signature, in_body) in [
        ("# [cfg (a)]", true, true),
        ("# [allow (b)]", true, true),
        ("# [expect (c)]", false, true),
        ("# [cfg_attr (a , e)]", true, true),
        ("# [cfg_attr (a , expect (c))]", false, true),
        ("# [of_another_macro]", true, false),
    ] {
        let found = (signature.contains(attr), body.contains(attr));
        assert_eq!(found, (in_signature, in_body), "{attr}: {expanded}");
    }
}

#[test]
fn impl_trait_is_erased() {
    for (ty, erased) in [
        ("Result<(), E>", "Result < () , E >"),
        ("impl Iterator<Item = impl Fn(u8) -> A<B>> + 'a", "_"),
        ("Result<impl Into<A<B>> + use<>, E>", "Result < _ , E >"),
        (
            "(impl A, [impl B; 3], &'a impl C)",
            "(_ , [_ ; 3] , & 'a _)",
        ),
    ] {
        let found = erase_impl_trait(tokens(ty)).to_string();
        assert_eq!(found.replace(' ', ""), erased.replace(' ', ""));
    }
}
