//! Puts the attribute on each function of a source file.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit::{self, Visit};
use syn::{
    AttrStyle, Attribute, Block, ForeignItemFn, ImplItemFn, ItemFn, ItemImpl, Macro, ReturnType,
    Signature, TraitItemFn, Type, WherePredicate,
};

/// The attribute without `on_error`. All functions of a process share one file, so a call within
/// another one acquires a second handle to it.
const ARGUMENTS: &str = "path = ::wild_path::path(), reentrant";

/// How many functions got the attribute, and how many did not, by reason.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) annotated: usize,
    pub(crate) skipped: BTreeMap<&'static str, usize>,
}

/// Returns the source with the attribute on each function that can have it.
///
/// The attribute is inserted into the line on which the function begins, so that the lines of
/// warnings and the names of documentation tests stay as they are. It stands above the other
/// attributes of every second function, and below those of the rest.
pub(crate) fn annotate(source: &str, tally: &mut Tally) -> syn::Result<String> {
    let mut annotator = Annotator {
        tally,
        insertions: Vec::new(),
        in_allocator: false,
    };
    annotator.visit_file(&syn::parse_file(source)?);
    let mut insertions = annotator.insertions;
    insertions.sort();
    let mut annotated = source.to_owned();
    for (offset, text) in insertions.into_iter().rev() {
        annotated.insert_str(offset, &text);
    }
    Ok(annotated)
}

struct Annotator<'a> {
    tally: &'a mut Tally,
    insertions: Vec<(usize, String)>,
    in_allocator: bool,
}

impl Annotator<'_> {
    /// Annotates the function whose tokens after its attributes are `bare`.
    fn function(
        &mut self,
        attrs: &[Attribute],
        sig: &Signature,
        body: Option<&Block>,
        bare: TokenStream,
    ) {
        if let Some(reason) = self.reason_to_skip(attrs, sig, body) {
            *self.tally.skipped.entry(reason).or_default() += 1;
            return;
        }
        let outer = attrs
            .iter()
            .find(|attr| matches!(attr.style, AttrStyle::Outer))
            .filter(|_| !has_runtime(attrs) && self.tally.annotated % 2 == 0);
        let place = match outer {
            Some(first) => Some(first.pound_token.spans[0]),
            None => bare.into_iter().next().map(|token| token.span()),
        };
        let offset = place.expect("a function has tokens").byte_range().start;
        let on_error = if is_served(sig) {
            ""
        } else {
            ", on_error = ::pidlock_core::on_error::exit"
        };
        let text = format!("#[::pidlock_core::pidfile({ARGUMENTS}{on_error})] ");
        self.insertions.push((offset, text));
        self.tally.annotated += 1;
    }

    fn reason_to_skip(
        &self,
        attrs: &[Attribute],
        sig: &Signature,
        body: Option<&Block>,
    ) -> Option<&'static str> {
        let Some(body) = body else {
            return Some("no body");
        };
        if body.stmts.is_empty() {
            // It states bounds for the compiler, and a lint leaves only empty ones alone.
            Some("empty body")
        } else if sig.constness.is_some() {
            Some("const fn")
        } else if has_word(attrs, |word| word == "naked") {
            Some("naked")
        } else if self.in_allocator {
            Some("in an allocator")
        } else if returns_future(sig) {
            Some("returns a future")
        } else {
            None
        }
    }
}

impl<'ast> Visit<'ast> for Annotator<'_> {
    fn visit_item_fn(&mut self, item: &'ast ItemFn) {
        let mut bare = item.vis.to_token_stream();
        item.sig.to_tokens(&mut bare);
        self.function(&item.attrs, &item.sig, Some(&item.block), bare);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        let mut bare = item.vis.to_token_stream();
        item.sig.to_tokens(&mut bare);
        self.function(&item.attrs, &item.sig, Some(&item.block), bare);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast TraitItemFn) {
        let bare = item.sig.to_token_stream();
        self.function(&item.attrs, &item.sig, item.default.as_ref(), bare);
        visit::visit_trait_item_fn(self, item);
    }

    fn visit_foreign_item_fn(&mut self, item: &'ast ForeignItemFn) {
        self.function(&item.attrs, &item.sig, None, TokenStream::new());
    }

    /// Acquiring allocates, so an annotated allocator would call itself.
    fn visit_item_impl(&mut self, item: &'ast ItemImpl) {
        let name = item.trait_.as_ref().and_then(|of| of.0.segments.last());
        let outside = self.in_allocator;
        self.in_allocator |= name.is_some_and(|name| name.ident == "GlobalAlloc");
        visit::visit_item_impl(self, item);
        self.in_allocator = outside;
    }

    /// What stands in a macro call is left as it is.
    fn visit_macro(&mut self, _: &'ast Macro) {}
}

/// Returns `true` if a runtime attribute makes a `main` of the function: it goes above ours.
fn has_runtime(attrs: &[Attribute]) -> bool {
    has_word(attrs, |word| word == "main")
}

/// Returns `true` if the last segment of an attribute's path matches.
fn has_word(attrs: &[Attribute], matches: impl Fn(&syn::Ident) -> bool) -> bool {
    attrs
        .iter()
        .filter_map(|attr| attr.path().segments.last())
        .any(|last| matches(&last.ident))
}

/// Returns `true` if a function that is not `async` returns a future, or a type with a future as a type
/// argument, as the attribute sees it.
fn returns_future(sig: &Signature) -> bool {
    let is_future = |word: &str| word.ends_with("Future");
    let generics = &sig.generics;
    let bounds = |name: &str| {
        let own = generics.type_params().find(|param| param.ident == name);
        let later = generics
            .where_clause
            .iter()
            .flat_map(|clause| &clause.predicates);
        let later = later.filter_map(|predicate| match predicate {
            WherePredicate::Type(of) if of.bounded_ty.to_token_stream().to_string() == name => {
                Some(of.bounds.to_token_stream())
            }
            _ => None,
        });
        own.map(|param| param.bounds.to_token_stream())
            .into_iter()
            .chain(later)
            .collect()
    };
    let output = sig.output.to_token_stream();
    sig.asyncness.is_none()
        && contains_ident(output, &|word| {
            is_future(word) || contains_ident(bounds(word), &is_future)
        })
}

/// Returns `true` if the attribute knows what to return on refusal without `on_error`.
fn is_served(sig: &Signature) -> bool {
    let foreign_abi = sig.abi.is_some();
    match &sig.output {
        ReturnType::Default => !foreign_abi,
        ReturnType::Type(_, ty) => match &**ty {
            Type::Never(_) => !foreign_abi,
            Type::Tuple(tuple) => tuple.elems.is_empty() && !foreign_abi,
            Type::Path(path) => {
                let text = path.to_token_stream().to_string().replace(' ', "");
                text == "ExitCode"
                    || text.starts_with("io::Result<")
                    || text.starts_with("Result<")
                        && (text.contains(",io::Error>") || text.contains(",Box<dyn"))
            }
            _ => false,
        },
    }
}

fn contains_ident(tokens: TokenStream, matches: &impl Fn(&str) -> bool) -> bool {
    tokens.into_iter().any(|token| match token {
        proc_macro2::TokenTree::Ident(ident) => matches(&ident.to_string()),
        proc_macro2::TokenTree::Group(group) => contains_ident(group.stream(), matches),
        _ => false,
    })
}
