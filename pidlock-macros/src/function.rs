//! The function that the attribute stands above, and whether it can hold a lock at all.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{
    Abi, Attribute, Error, GenericArgument, Path, PathArguments, Result, ReturnType, Safety,
    Signature, Token, Type, TypeParamBound, Visibility,
};

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) default: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// The body as it was written, never parsed: what is typed half is passed on, so that
    /// editors can complete it.
    pub(crate) body: Group,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        let default = if input.peek(Token![default]) {
            Some(input.parse()?)
        } else {
            None
        };
        if !starts_function(&input.fork()) {
            let message = "`#[pidfile]` goes on a function: the lock is held while it runs";
            return Err(input.error(message));
        }
        // The compiler has said what it thinks of it; should it think well of what syn cannot read,
        // the function must not go without its lock.
        let sig = input.parse::<Signature>().map_err(|error| {
            let message = "`#[pidfile]` cannot read this signature from here on";
            Error::new(error.span(), message)
        })?;
        if input.peek(Token![;]) {
            let message = "there is no body to hold the lock for: \
                           put `#[pidfile]` on the function that has one";
            return Err(input.error(message));
        }
        let body = input.step(|cursor| {
            let found = cursor
                .token_tree()
                .and_then(|(tree, rest)| Some((braced(tree)?, rest)));
            found.ok_or_else(|| cursor.error("expected the body of the function"))
        })?;
        Ok(Function {
            attrs,
            vis,
            default,
            sig,
            body,
        })
    }
}

fn starts_function(fork: ParseStream<'_>) -> bool {
    let qualifiers = || -> Result<()> {
        fork.parse::<Option<Token![const]>>()?;
        fork.parse::<Option<Token![async]>>()?;
        Safety::parse_unsafe_only(fork)?;
        fork.parse::<Option<Abi>>()?;
        Ok(())
    };
    qualifiers().is_ok() && fork.peek(Token![fn])
}

/// The braces of a body, also of one that a `macro_rules!` macro has passed on.
fn braced(tree: TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = tree else {
        return None;
    };
    match group.delimiter() {
        Delimiter::Brace => Some(group),
        Delimiter::None => {
            let mut inside = group.stream().into_iter();
            let found = braced(inside.next()?)?;
            inside.next().is_none().then_some(found)
        }
        _ => None,
    }
}

impl Function {
    /// The function that the program starts with, as far as can be seen from its signature.
    pub(crate) fn is_main(&self) -> bool {
        self.sig.ident == "main"
            && self.sig.inputs.is_empty()
            && self.sig.generics.params.is_empty()
    }

    pub(crate) fn returns_never(&self) -> bool {
        matches!(&self.sig.output, ReturnType::Type(_, ty) if matches!(peel(ty), Type::Never(_)))
    }

    fn returns_unit(&self) -> bool {
        match &self.sig.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => {
                matches!(peel(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
            }
        }
    }

    /// Why this function cannot hold the lock while it runs.
    pub(crate) fn mistakes(&self, has_on_error: bool) -> Vec<Error> {
        let mut errors = Vec::new();
        if let Some(constness) = &self.sig.constness {
            let message = "a `const fn` cannot hold a lock: it may run in the compiler";
            errors.push(Error::new(constness.span, message));
        }
        errors.extend(self.runtime_below());
        errors.extend(self.future_unguarded());
        if !has_on_error {
            errors.extend(self.panic_at_the_border());
        }
        errors
    }

    /// Above `#[tokio::main]` the lock would be acquired inside the runtime, and released while
    /// spawned tasks still run.
    fn runtime_below(&self) -> Option<Error> {
        let asyncness = self.sig.asyncness.as_ref()?;
        let runtime = self.attrs.iter().map(Attribute::path).find(|path| {
            path.segments
                .last()
                .is_some_and(|last| last.ident == "main")
        });
        if let Some(runtime) = runtime {
            let name = runtime.to_token_stream().to_string().replace(' ', "");
            let message = format!(
                "`#[{name}]` goes above `#[pidfile]`: swap them, \
                 so that the lock outlives the runtime and its tasks"
            );
            return Some(Error::new_spanned(runtime, message));
        }
        self.is_main().then(|| {
            let message = "an `async fn main` would release the lock before its runtime ends: \
                           put the runtime's attribute, such as `#[tokio::main]`, above `#[pidfile]`";
            Error::new(asyncness.span, message)
        })
    }

    fn future_unguarded(&self) -> Option<Error> {
        let ReturnType::Type(_, ty) = &self.sig.output else {
            return None;
        };
        if self.sig.asyncness.is_some() || !is_future(ty) {
            return None;
        }
        let first = ty.to_token_stream().into_iter().next()?;
        if first.span().source_text() == Some(first.to_string()) {
            let message = "this function only makes a future: the lock would be released before \
                           that runs; put `#[pidfile]` on an `async fn`, and call that here";
            return Some(Error::new_spanned(ty, message));
        }
        // Another macro has made the type, and would be shown for it.
        let message = "`#[async_trait]`, or its like, leaves a function that only makes a future: \
                       the lock would be released before that runs; put `#[pidfile]` on an \
                       `async fn` of its own outside, and call that here";
        Some(Error::new(self.sig.ident.span(), message))
    }

    fn panic_at_the_border(&self) -> Option<Error> {
        let abi = self.sig.abi.as_ref()?;
        let name = abi
            .name
            .as_ref()
            .map_or_else(|| "C".to_owned(), syn::LitStr::value);
        if name == "Rust" || name.ends_with("-unwind") {
            return None;
        }
        if !(self.returns_unit() || self.returns_never()) {
            return None;
        }
        let message = format!(
            "a refusal panics here, and a panic cannot leave an `extern \"{name}\"` function: \
             say what to do instead with `on_error = |error| ..`"
        );
        Some(Error::new_spanned(abi, message))
    }
}

/// The type without parentheses, and without the invisible ones of a `macro_rules!` macro.
fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => peel(&inner.elem),
        Type::Group(inner) => peel(&inner.elem),
        _ => ty,
    }
}

/// Whether a value of this type does its work only when it is awaited. By the looks: an alias
/// cannot be seen through.
fn is_future(ty: &Type) -> bool {
    match peel(ty) {
        Type::ImplTrait(ty) => ty.bounds.iter().any(is_future_trait),
        Type::TraitObject(ty) => ty.bounds.iter().any(is_future_trait),
        Type::Path(ty) => match last_name(&ty.path).as_str() {
            "BoxFuture" | "LocalBoxFuture" => true,
            "Pin" | "Box" => first_argument(&ty.path).is_some_and(is_future),
            _ => false,
        },
        _ => false,
    }
}

fn is_future_trait(bound: &TypeParamBound) -> bool {
    match bound {
        TypeParamBound::Trait(bound) => {
            matches!(last_name(&bound.path).as_str(), "Future" | "IntoFuture")
        }
        _ => false,
    }
}

fn last_name(path: &Path) -> String {
    path.segments
        .last()
        .map(|segment| segment.ident.to_string())
        .unwrap_or_default()
}

/// `T` of `Pin<T>`.
pub(crate) fn first_argument(path: &Path) -> Option<&Type> {
    match &path.segments.last()?.arguments {
        PathArguments::AngleBracketed(arguments) => arguments.args.iter().find_map(|argument| {
            if let GenericArgument::Type(ty) = argument {
                Some(ty)
            } else {
                None
            }
        }),
        _ => None,
    }
}

/// The attributes that a body begins with, and the rest of it.
pub(crate) fn split_inner_attributes(body: &Group) -> (TokenStream, Group) {
    let mut rest = body.stream().into_iter().peekable();
    let mut inner = TokenStream::new();
    loop {
        let mut ahead = rest.clone();
        let attribute: Vec<TokenTree> = ahead.by_ref().take(3).collect();
        let [
            TokenTree::Punct(hash),
            TokenTree::Punct(bang),
            TokenTree::Group(_),
        ] = &attribute[..]
        else {
            break;
        };
        if hash.as_char() != '#' || bang.as_char() != '!' {
            break;
        }
        inner.extend(attribute);
        rest = ahead;
    }
    if inner.is_empty() {
        return (inner, body.clone());
    }
    let mut without = Group::new(Delimiter::Brace, rest.collect());
    without.set_span(body.span());
    (inner, without)
}
