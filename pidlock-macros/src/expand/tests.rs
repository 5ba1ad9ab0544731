mod print;
mod snapshots;
mod spans;

use super::{attribute, nameable};
use proc_macro2::TokenStream;

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap()
}

/// The messages, and what is left.
fn errors(args: &str, item: &str) -> (Vec<String>, String) {
    let written = attribute(tokens(args), tokens(item)).to_string();
    let mut parts: Vec<_> = written.split(":: core :: compile_error ! {").collect();
    let rest = parts.pop().unwrap_or_default();
    let (last, rest) = rest.split_once('}').unwrap_or(("", rest));
    let messages = parts.into_iter().chain([last]).map(|part| part.trim());
    let messages = messages.filter(|part| !part.is_empty());
    let messages = messages.map(|part| part.trim_end_matches([' ', '}']).to_owned());
    (messages.collect(), rest.trim().to_owned())
}

#[test]
fn a_half_typed_body_is_passed_on() {
    let written = attribute(tokens("\"name\""), tokens("fn f() { x. }")).to_string();
    assert!(written.contains("{ x . }"), "{written}");
    assert!(!written.contains("compile_error"), "{written}");
}

#[test]
fn mistakes_are_told_all_at_once_and_the_function_stays() {
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
fn what_is_not_a_function_stays_too() {
    let (messages, rest) = errors("", "struct S ;");
    assert_eq!(messages.len(), 1);
    assert_eq!(rest, "struct S ;");
}

#[test]
fn attributes_of_a_parameter_stand_where_they_mean_what_they_meant() {
    let item = "fn f(#[cfg(a)] #[allow(b)] #[expect(c)] \
                #[cfg_attr(a, e)] #[cfg_attr(a, expect(c))] #[of_another_macro] d: u8) {}";
    let written = attribute(tokens("\"name\""), tokens(item)).to_string();
    let (signature, body) = written.split_once('{').unwrap();
    for (attr, signed, bound) in [
        ("# [cfg (a)]", true, true),
        ("# [allow (b)]", true, true),
        ("# [expect (c)]", false, true),
        ("# [cfg_attr (a , e)]", true, true),
        ("# [cfg_attr (a , expect (c))]", false, true),
        ("# [of_another_macro]", true, false),
    ] {
        let found = (signature.contains(attr), body.contains(attr));
        assert_eq!(found, (signed, bound), "{attr}: {written}");
    }
}

#[test]
fn impl_trait_cannot_be_named() {
    for (written, named) in [
        ("Result<(), E>", "Result < () , E >"),
        ("impl Iterator<Item = impl Fn(u8) -> A<B>> + 'a", "_"),
        ("Result<impl Into<A<B>> + use<>, E>", "Result < _ , E >"),
        (
            "(impl A, [impl B; 3], &'a impl C)",
            "(_ , [_ ; 3] , & 'a _)",
        ),
    ] {
        let found = nameable(tokens(written)).to_string();
        assert_eq!(found.replace(' ', ""), named.replace(' ', ""));
    }
}
