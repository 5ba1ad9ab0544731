//! The annotated function, and whether it can be guarded.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{
    Abi, Attribute, Error, GenericArgument, Generics, Path, PathArguments, Result, ReturnType,
    Safety, Signature, Token, Type, TypeParamBound, Visibility, WherePredicate,
};

/// The annotated function.
pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) default: Option<Token![default]>,
    pub(crate) sig: Signature,
    /// The body, unparsed, so that editors can complete half-typed code.
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
        // rustc may accept syntax that syn does not; never emit such a function unguarded.
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

impl ToTokens for Function {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(self.header());
        self.body.to_tokens(tokens);
    }
}

/// Returns `true` if the input continues with a function.
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

/// Returns the body's brace group, also from within the groups without delimiters that
/// `macro_rules!` wraps around its arguments.
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
    /// Returns everything but the body.
    pub(crate) fn header(&self) -> TokenStream {
        let Function {
            attrs,
            vis,
            default,
            sig,
            ..
        } = self;
        quote! { #(#attrs)* #vis #default #sig }
    }

    /// Returns `true` if this looks like the program's entry point. The module is not known.
    pub(crate) fn is_main(&self) -> bool {
        self.sig.ident == "main"
            && self.sig.inputs.is_empty()
            && self.sig.generics.params.is_empty()
    }

    /// Returns `true` if the return type is written as `!`.
    pub(crate) fn returns_never(&self) -> bool {
        match &self.sig.output {
            ReturnType::Default => false,
            ReturnType::Type(_, ty) => matches!(strip_groups(ty), Type::Never(_)),
        }
    }

    /// Returns `true` if the return type is `()`, written or left out.
    fn returns_unit(&self) -> bool {
        match &self.sig.output {
            ReturnType::Default => true,
            ReturnType::Type(_, ty) => {
                matches!(strip_groups(ty), Type::Tuple(tuple) if tuple.elems.is_empty())
            }
        }
    }

    /// Returns the place of `E` in a return type such as `Result<T, E>`, or else that of the return
    /// type.
    pub(crate) fn error_type(&self) -> Span {
        let ReturnType::Type(_, ty) = &self.sig.output else {
            return Span::call_site();
        };
        let second = match strip_groups(ty) {
            Type::Path(ty) => type_arguments(&ty.path).nth(1),
            _ => None,
        };
        second.unwrap_or(ty).span()
    }

    /// Returns the reasons why the function cannot be guarded.
    pub(crate) fn errors(&self, has_on_error: bool) -> Vec<Error> {
        let mut errors = Vec::new();
        if let Some(constness) = &self.sig.constness {
            let message = "a `const fn` cannot hold a lock: it may run in the compiler";
            errors.push(Error::new(constness.span, message));
        }
        errors.extend(self.check_runtime_order());
        errors.extend(self.check_returned_future());
        if !has_on_error {
            errors.extend(self.check_ffi_panic());
        }
        errors.extend(self.check_moved_body());
        errors
    }

    /// Rejects what `#[ctor]` or `#[dtor]` above leaves. The body is in a second function inside this
    /// one, and the program calls the second function before or after `main`, without the lock.
    fn check_moved_body(&self) -> Option<Error> {
        let name = self.body.stream().into_iter().find_map(|token| {
            let name = token.to_string();
            let macro_name = name.strip_prefix("__")?.strip_suffix("_private_inner")?;
            ["ctor", "dtor"]
                .contains(&macro_name)
                .then(|| macro_name.to_owned())
        })?;
        let message = format!(
            "`#[{name}]` has moved the body to where it would run without the lock: put \
             `#[pidfile]` above `#[{name}]`"
        );
        Some(Error::new(self.sig.ident.span(), message))
    }

    /// Rejects an `async fn` with a runtime attribute such as `#[tokio::main]` below `#[pidfile]`: the
    /// lock would be acquired inside the runtime and released while spawned tasks still run.
    fn check_runtime_order(&self) -> Option<Error> {
        let asyncness = self.sig.asyncness.as_ref()?;
        let runtime = self.attrs.iter().map(Attribute::path).find(|path| {
            path.segments
                .last()
                .is_some_and(|last| last.ident == "main")
        });
        if let Some(runtime) = runtime {
            let name = runtime.to_token_stream().to_string().replace(' ', "");
            let message = if keeps_async_main(runtime) {
                format!(
                    "`#[{name}]` runs an `async fn main` within its own `main`, and the lock would \
                     be released before the runtime ends: put `#[pidfile]` on a `fn main` that \
                     calls `block_on` instead"
                )
            } else {
                format!(
                    "`#[{name}]` goes above `#[pidfile]`: swap them, \
                     so that the lock outlives the runtime and its tasks"
                )
            };
            return Some(Error::new_spanned(runtime, message));
        }
        self.is_main().then(|| {
            let message = "an `async fn main` would release the lock before its runtime ends: put \
                           the runtime's attribute, such as `#[tokio::main]`, above `#[pidfile]`; \
                           if it is there and keeps the `async fn`, as `#[async_std::main]` does, \
                           put `#[pidfile]` on a `fn main` that calls `block_on` instead";
            Error::new(asyncness.span, message)
        })
    }

    /// Rejects a function that is not `async` and returns a future: the lock would be released
    /// before the future runs.
    fn check_returned_future(&self) -> Option<Error> {
        let ReturnType::Type(_, ty) = &self.sig.output else {
            return None;
        };
        if self.sig.asyncness.is_some() {
            return None;
        }
        let future = find_future(ty, &future_params(&self.sig.generics))?;
        let first = future.clone().into_iter().next()?;
        let source = first.span().source_text();
        if source.is_some_and(|source| source.starts_with(&first.to_string())) {
            let message = "this function returns a future: the lock would be released before the \
                           future runs; put `#[pidfile]` on an `async fn`, and call that here";
            return Some(Error::new_spanned(future, message));
        }
        // The type came from another macro; point at the name instead.
        let message = "another attribute made this function return a future: the lock would be \
                       released before the future runs; move `#[pidfile]` above that attribute, \
                       or, as with `#[async_trait]`, put it on an `async fn` of its own that this \
                       one calls";
        Some(Error::new(self.sig.ident.span(), message))
    }

    /// Rejects a function whose refusal would panic across a foreign ABI.
    fn check_ffi_panic(&self) -> Option<Error> {
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

/// Strips parentheses, and the groups without delimiters that `macro_rules!` adds.
fn strip_groups(ty: &Type) -> &Type {
    match ty {
        Type::Paren(inner) => strip_groups(&inner.elem),
        Type::Group(inner) => strip_groups(&inner.elem),
        _ => ty,
    }
}

/// Returns `true` if the runtime's attribute is known to expand to an `async fn main` within the
/// real `main`, with the attributes below it.
fn keeps_async_main(runtime: &Path) -> bool {
    let mut names = runtime.segments.iter().map(|segment| &segment.ident);
    names.any(|name| name == "async_std" || name == "smol_potat")
}

/// Returns the type parameters that have a future as a bound.
fn future_params(generics: &Generics) -> Vec<String> {
    let params = generics.type_params();
    let inline = params.map(|param| (param.ident.to_string(), &param.bounds));
    let clauses = generics.where_clause.iter();
    let in_clauses = clauses
        .flat_map(|clause| &clause.predicates)
        .filter_map(|predicate| {
            let WherePredicate::Type(predicate) = predicate else {
                return None;
            };
            let name = predicate.bounded_ty.to_token_stream().to_string();
            Some((name, &predicate.bounds))
        });
    let is_future = |bound: &TypeParamBound| match bound {
        TypeParamBound::Trait(bound) => is_named_future(&bound.path),
        _ => false,
    };
    let all = inline.chain(in_clauses);
    let found = all.filter(|(_, bounds)| bounds.iter().any(is_future));
    found.map(|(name, _)| name).collect()
}

/// Returns `true` if the last name in the path ends in `Future`.
fn is_named_future(path: &Path) -> bool {
    let last = path.segments.last();
    last.is_some_and(|last| last.ident.to_string().ends_with("Future"))
}

/// Returns the future that a value of this type is or contains. The check is syntactic: a type is a
/// future if its name, or that of its trait, ends in `Future`, or if it is one of the parameters.
///
/// What a closure or function pointer would return is not part of its value.
fn find_future(ty: &Type, params: &[String]) -> Option<TokenStream> {
    match ty {
        Type::Paren(ty) => find_future(&ty.elem, params),
        Type::Group(ty) => find_future(&ty.elem, params),
        Type::Reference(ty) => find_future(&ty.elem, params),
        Type::Ptr(ty) => find_future(&ty.elem, params),
        Type::Array(ty) => find_future(&ty.elem, params),
        Type::Slice(ty) => find_future(&ty.elem, params),
        Type::Tuple(ty) => ty.elems.iter().find_map(|ty| find_future(ty, params)),
        Type::ImplTrait(ty) => find_future_in_bounds(&ty.bounds, ty, params),
        Type::TraitObject(ty) => find_future_in_bounds(&ty.bounds, ty, params),
        Type::Path(ty) => find_future_in_path(&ty.path, ty, params),
        _ => None,
    }
}

/// Returns the type if one of its bounds is a future, or else the future in a bound's arguments.
fn find_future_in_bounds<'a>(
    bounds: impl IntoIterator<Item = &'a TypeParamBound>,
    ty: &impl ToTokens,
    params: &[String],
) -> Option<TokenStream> {
    bounds.into_iter().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => find_future_in_path(&bound.path, ty, params),
        _ => None,
    })
}

/// Returns the type if its path names a future, or else the future in the path's arguments.
fn find_future_in_path(path: &Path, ty: &impl ToTokens, params: &[String]) -> Option<TokenStream> {
    if is_named_future(path) || params.iter().any(|param| path.is_ident(param)) {
        return Some(ty.to_token_stream());
    }
    let PathArguments::AngleBracketed(arguments) = &path.segments.last()?.arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::Type(ty) => find_future(ty, params),
        GenericArgument::AssocType(item) => find_future(&item.ty, params),
        GenericArgument::Constraint(item) => find_future_in_bounds(&item.bounds, item, params),
        _ => None,
    })
}

/// Returns the type arguments of a path, such as `T` in `Pin<T>`.
pub(crate) fn type_arguments(path: &Path) -> impl Iterator<Item = &Type> {
    let arguments = match path.segments.last().map(|last| &last.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => Some(arguments.args.iter()),
        _ => None,
    };
    (arguments.into_iter().flatten()).filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Splits a body into its inner attributes and the rest.
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
