//! Checks the patterns of parameters that the compiler rejects in a signature but not in a `let`.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::{Error, FnArg, Pat, PatType, PatWild, Path, Signature, Token};

/// Returns `true` if two parameters bind the same name.
pub(crate) fn bind_a_name_twice(sig: &Signature) -> bool {
    let mut names: Vec<Ident> = Vec::new();
    for input in &sig.inputs {
        let FnArg::Typed(param) = input else { continue };
        // Two parameters can have the same name if `cfg` removes one of them.
        if param.attrs.iter().any(|attr| attr.path().is_ident("cfg")) {
            continue;
        }
        let (_, found) = Erased::of(param);
        if found.names.iter().any(|name| names.contains(name)) {
            return true;
        }
        names.extend(found.names);
    }
    false
}

/// Rejects a parameter that has the same name as the guard, because the guard would hide it.
pub(crate) fn error_about_guard(sig: &Signature, guard: Option<&Ident>) -> Option<Error> {
    let guard = guard?;
    let is_taken = sig.inputs.iter().any(|input| match input {
        FnArg::Typed(param) => Erased::of(param).1.names.contains(guard),
        FnArg::Receiver(_) => false,
    });
    let message = format!("a parameter is named `{guard}`, too: choose another name for the guard");
    is_taken.then(|| Error::new(guard.span(), message))
}

/// Returns the pattern without its bindings, if it may not match each value of its type. Put into
/// the signature, the returned pattern makes the compiler report that as for any function.
///
/// The compiler must not report it for the `let`, because it would suggest to add an `else`.
pub(crate) fn refutable(param: &PatType) -> Option<Pat> {
    let (pat, found) = Erased::of(param);
    (found.can_fail && !found.is_opaque).then_some(pat)
}

/// What is found in a pattern while its bindings are erased.
struct Erased {
    /// The names that the pattern binds.
    names: Vec<Ident>,
    /// Some part of the pattern may not match. That is assumed of all parts except tuples,
    /// references, names, and structs whose name is also in the type.
    can_fail: bool,
    /// It is unknown whether some part is a binding.
    is_opaque: bool,
    /// The words in the type of the parameter.
    type_words: Vec<Ident>,
}

impl Erased {
    /// Replaces each binding by `_`.
    fn of(param: &PatType) -> (Pat, Self) {
        let mut found = Erased {
            names: Vec::new(),
            can_fail: false,
            is_opaque: false,
            type_words: words(param.ty.to_token_stream()),
        };
        let mut pat = (*param.pat).clone();
        found.erase(&mut pat);
        (pat, found)
    }

    fn erase(&mut self, pat: &mut Pat) {
        match pat {
            Pat::Ident(name) if name.ident == "None" => self.can_fail = true,
            Pat::Ident(name) => {
                // A name that starts with a capital letter may be a constant's.
                self.is_opaque |= name.ident.to_string().starts_with(char::is_uppercase);
                let underscore = Token![_](name.ident.span());
                self.names.push(name.ident.clone());
                *pat = match name.subpat.take() {
                    Some((_, mut sub)) => {
                        self.erase(&mut sub);
                        *sub
                    }
                    None => Pat::Wild(PatWild {
                        attrs: Vec::new(),
                        underscore_token: underscore,
                    }),
                };
            }
            Pat::Tuple(tuple) => self.erase_all(&mut tuple.elems),
            Pat::TupleStruct(tuple) => {
                self.check(&tuple.path);
                self.erase_all(&mut tuple.elems);
            }
            Pat::Struct(record) => {
                self.check(&record.path);
                for field in &mut record.fields {
                    let colon = Token![:](Span::mixed_site());
                    field.colon_token.get_or_insert(colon);
                    self.erase(&mut field.pat);
                }
            }
            Pat::Slice(slice) => {
                self.can_fail = true;
                self.erase_all(&mut slice.elems);
            }
            Pat::Or(or) => {
                self.can_fail = true;
                // Each case binds the same names, so keep those of one case.
                let bound = self.names.len();
                for case in &mut or.cases {
                    self.names.truncate(bound);
                    self.erase(case);
                }
            }
            Pat::Path(path) => self.check(&path.path),
            Pat::Reference(reference) => self.erase(&mut reference.pat),
            Pat::Paren(paren) => self.erase(&mut paren.pat),
            Pat::Wild(_) | Pat::Rest(_) => {}
            Pat::Lit(_) | Pat::Range(_) => self.can_fail = true,
            _ => self.is_opaque = true,
        }
    }

    fn erase_all(&mut self, pats: &mut Punctuated<Pat, Token![,]>) {
        pats.iter_mut().for_each(|pat| self.erase(pat));
    }

    /// Checks the path of a struct or a variant. A pattern with the name of the type matches each
    /// value.
    fn check(&mut self, path: &Path) {
        let is_struct = path
            .segments
            .last()
            .is_some_and(|last| last.ident == "Self" || self.type_words.contains(&last.ident));
        self.can_fail |= !is_struct;
    }
}

/// Returns all words among the tokens.
fn words(tokens: TokenStream) -> Vec<Ident> {
    let mut found = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) => found.push(word),
            TokenTree::Group(group) => found.extend(words(group.stream())),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::{FnArg, ItemFn, parse_str};

    use super::{bind_a_name_twice, refutable};

    fn erased(param: &str) -> Option<String> {
        let function: ItemFn = parse_str(&format!("fn f({param}) {{}}")).unwrap();
        let Some(FnArg::Typed(param)) = function.sig.inputs.first() else {
            panic!("not a parameter: {param}");
        };
        refutable(param).map(|pat| pat.to_token_stream().to_string().replace(' ', ""))
    }

    #[test]
    fn patterns_that_can_fail_lose_their_bindings() {
        for (param, expected) in [
            ("Some(mut a): Option<u8>", "Some(_)"),
            ("None: Option<u8>", "None"),
            ("(M::Text(ref a), b, ..): (M, u8, u8)", "(M::Text(_),_,..)"),
            (
                "E::V { a, ref mut b, c: Some(d), .. }: E",
                "E::V{a:_,b:_,c:Some(_),..}",
            ),
            ("a @ 1..=5: u8", "1..=5"),
            ("&[a, b @ ..]: &[u8]", "&[_,..]"),
            ("(Ok(a) | Err(a)): R", "(Ok(_)|Err(_))"),
        ] {
            assert_eq!(erased(param).as_deref(), Some(expected), "{param}");
        }
    }

    #[test]
    fn other_patterns_are_left_to_the_let() {
        for param in [
            "a: u8",
            "mut a: u8",
            "_: u8",
            "(a, (ref b, _)): (u8, (u8, u8))",
            "&(a, b): &(u8, u8)",
            "Path(id): Path<u32>",
            "extract::Path(id): Path<u32>",
            "(Path(id), Query { q, .. }): (Path<u32>, Query)",
            "Self { a, .. }: S",
            // Perhaps constants.
            "(A, Some(b)): (u8, Option<u8>)",
            "Some(m!(a)): Option<u8>",
        ] {
            assert_eq!(erased(param), None, "{param}");
        }
    }

    #[test]
    fn names_bound_twice_are_found() {
        for (params, twice) in [
            ("(n, o): A, (n, _): A", true),
            ("n: A, S { n, .. }: S", true),
            ("n: A, S { m: [_, n @ ..] }: S", true),
            ("self, n: A, m: A, _: A, _: A", false),
            ("(Ok(n) | Err(n)): A, m: A", false),
            ("S { n: m }: S, n: A", false),
            ("#[cfg(a)] n: A, #[cfg(b)] n: A", false),
        ] {
            let function: ItemFn = parse_str(&format!("fn f({params}) {{}}")).unwrap();
            assert_eq!(bind_a_name_twice(&function.sig), twice, "{params}");
        }
    }
}
