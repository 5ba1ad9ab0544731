//! The other attributes of the function.

use proc_macro2::Span;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token, parse_quote_spanned};

/// Attributes of the compiler that can stand on a function. They do not see its tokens.
const BUILT_IN: &[&str] = &[
    "allow",
    "automatically_derived",
    "bench",
    "cfg",
    "cfg_attr",
    "cold",
    "coverage",
    "deny",
    "deprecated",
    "doc",
    "expect",
    "export_name",
    "forbid",
    "ignore",
    "inline",
    "instruction_set",
    "link_section",
    "must_use",
    "no_mangle",
    "optimize",
    "proc_macro",
    "proc_macro_attribute",
    "proc_macro_derive",
    "should_panic",
    "target_feature",
    "track_caller",
    "unsafe",
    "warn",
];

/// Attributes of tools, by the first part of their paths.
const TOOLS: &[&str] = &["clippy", "diagnostic", "miri", "rust_analyzer", "rustfmt"];

/// Attributes that move the body or the attributes of the function into another function, where the
/// body could not reach the slot of the guard. The documentation of `#[pidfile]` lists the same
/// ones.
const MOVE_THE_BODY: &[&str] = &[
    "async_recursion",
    "cached",
    "ctor",
    "debug_handler",
    "memoize",
    "quickcheck",
    "rstest",
    "task",
    "test",
    "test_case",
    "wasm_bindgen",
];

/// Returns `true` if an attribute of another macro is below `#[pidfile]`. Those above have been
/// expanded already.
pub(crate) fn any_macro(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let segments = &attr.path().segments;
        let first = segments.first().map(|first| first.ident.to_string());
        let list = if segments.len() == 1 { BUILT_IN } else { TOOLS };
        first.is_some_and(|first| !list.contains(&&*first))
    })
}

/// Returns `true` if an attribute moves the body to where it cannot reach the function's variables.
pub(crate) fn any_moves_the_body(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|attr| {
        let last = attr.path().segments.last();
        last.is_some_and(|last| MOVE_THE_BODY.iter().any(|name| last.ident == name))
    })
}

/// The lints that do not fire on a guarded function. The documentation of `#[pidfile]` lists the
/// same ones.
const QUIET_LINTS: &[&str] = &[
    "boxed_local",
    "missing_const_for_fn",
    "needless_lifetimes",
    "needless_pass_by_ref_mut",
    "needless_pass_by_value",
    "needless_return",
    "not_unsafe_ptr_arg_deref",
    "only_used_in_recursion",
    "redundant_imports",
    "toplevel_ref_arg",
    "unconditional_recursion",
    "unnecessary_wraps",
    "unused_async",
    "unused_self",
];

/// Turns each `expect` of a quiet lint into an `allow`, because the lint does not fire and the
/// expectation would be unfulfilled.
pub(crate) fn allow_quiet_lints(attrs: &mut Vec<Attribute>) {
    for attr in std::mem::take(attrs) {
        let parse = Punctuated::<Meta, Token![,]>::parse_terminated;
        let lints = match attr.path().is_ident("expect") {
            true => attr.parse_args_with(parse).unwrap_or_default(),
            false => Punctuated::new(),
        };
        let (reason, lints): (Vec<_>, Vec<_>) = lints
            .into_iter()
            .partition(|meta| meta.path().is_ident("reason"));
        let (quiet, expected): (Vec<_>, Vec<_>) = lints.into_iter().partition(|meta| {
            let last = meta.path().segments.last();
            last.is_some_and(|last| QUIET_LINTS.iter().any(|name| last.ident == name))
        });
        if quiet.is_empty() {
            attrs.push(attr);
            continue;
        }
        let span = Span::mixed_site();
        attrs.push(parse_quote_spanned! {span=> #[allow(#(#quiet,)* #(#reason)*)] });
        if !expected.is_empty() {
            attrs.push(parse_quote_spanned! {span=> #[expect(#(#expected,)* #(#reason)*)] });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MOVE_THE_BODY, QUIET_LINTS};

    const DOCUMENTATION: &str = include_str!("lib.rs");

    /// Returns the names in backticks between two texts of the documentation, sorted.
    fn documented(from: &str, to: &str) -> Vec<&'static str> {
        let (_, list) = DOCUMENTATION.split_once(from).expect("find the start");
        let (list, _) = list.split_once(to).expect("find the end");
        let mut names: Vec<_> = list.split('`').skip(1).step_by(2).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn attributes_that_move_the_body_are_documented() {
        let names = documented("move the body are known by name:", ". The lock is held");
        assert_eq!(names, MOVE_THE_BODY);
    }

    #[test]
    fn quiet_lints_are_documented() {
        let names = documented(
            "These lints no longer fire",
            "An expectation of one of them",
        );
        assert_eq!(names, QUIET_LINTS);
    }
}
