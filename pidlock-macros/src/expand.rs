//! What is written in place of the function.
//!
//! The guard is declared first, hence dropped last; everything that belongs to the function is
//! moved or made inside. Tokens of ours are mixed-site: names of ours and of the user's cannot
//! meet, lints know the code for a macro's, and blocks follow the rules of this crate's edition.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::parse::{Parse, Parser};
use syn::spanned::Spanned;
use syn::{Error, Expr, ExprClosure, Pat, ReturnType, Token};

use crate::args::{Args, Setting, Value};
use crate::function::{Function, split_inner_attributes};
use crate::literal;
use crate::params;
use crate::spans::{ends, located};

/// The function with its lock; or, with the mistakes, as it was, so that they do not make others.
pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let args = match Args::parse.parse2(args) {
        Ok(args) => args,
        Err(error) => return with_errors([error], item),
    };
    match Function::parse.parse2(item.clone()) {
        Err(error) => with_errors(args.errors.into_iter().chain([error]), item),
        Ok(function) => {
            let mistakes = function.mistakes(args.on_error.is_some());
            if args.errors.is_empty() && mistakes.is_empty() {
                expand(&args, function)
            } else {
                with_errors(args.errors.into_iter().chain(mistakes), item)
            }
        }
    }
}

fn with_errors(errors: impl IntoIterator<Item = Error>, item: TokenStream) -> TokenStream {
    errors
        .into_iter()
        .map(|error| error.to_compile_error())
        .chain([item])
        .collect()
}

fn expand(args: &Args, mut function: Function) -> TokenStream {
    let here = Span::mixed_site();
    let writer = Writer::new(args, &function);
    let moves = params::rebind(&mut function.sig);
    let (inner_attributes, body) = split_inner_attributes(&function.body);
    // In a match arm no lint takes the user's braces for superfluous, however short his body is.
    let body = quote_spanned! {here=> match () { () => #body } };
    let block = match function
        .sig
        .receiver()
        .filter(|receiver| params::is_owned(receiver))
    {
        Some(receiver) => writer.owning(&receiver.self_token, &moves, &body),
        None => writer.plain(&moves, &body),
    };

    let mut outer = Group::new(Delimiter::Brace, quote! { #inner_attributes #block });
    outer.set_span(function.body.span());
    let Function {
        attrs,
        vis,
        default,
        sig,
        ..
    } = &function;
    quote! { #(#attrs)* #vis #default #sig #outer }
}

/// The pieces that the shapes of functions are put together from.
struct Writer<'a> {
    args: &'a Args,
    /// The hidden module of the runtime crate.
    core: TokenStream,
    /// The return type where it can be named, with `_` for what cannot.
    output: TokenStream,
    is_async: bool,
    is_main: bool,
    returns_never: bool,
}

impl<'a> Writer<'a> {
    fn new(args: &'a Args, function: &Function) -> Self {
        let here = Span::mixed_site();
        let core = args.core.as_ref().map_or_else(
            || quote_spanned! {here=> ::pidlock_core },
            ToTokens::to_token_stream,
        );
        Writer {
            args,
            core: quote_spanned! {here=> #core::__private },
            output: match &function.sig.output {
                ReturnType::Default => quote_spanned! {here=> () },
                ReturnType::Type(_, ty) => nameable(ty.to_token_stream()),
            },
            is_async: function.sig.asyncness.is_some(),
            is_main: function.is_main(),
            returns_never: function.returns_never(),
        }
    }

    fn plain(&self, moves: &TokenStream, body: &TokenStream) -> TokenStream {
        let here = Span::mixed_site();
        let guard = Ident::new("__plg", here);
        let acquired = self.acquired();
        quote_spanned! {here=> {
            let #guard;
            #moves
            #guard = #acquired;
            #body
        } }
    }

    /// For a function that owns its `self`: no `let` can move that, so the whole runs in a closure
    /// that captures it, or in an `async` block.
    fn owning(&self, this: &Token![self], moves: &TokenStream, body: &TokenStream) -> TokenStream {
        let here = Span::mixed_site();
        let (guard, slot) = (Ident::new("__plg", here), Ident::new("__pls", here));
        let Writer { core, output, .. } = self;
        let acquired = self.acquired();
        let before = quote_spanned! {here=>
            let _ = &#this;
            #moves
            *#slot = #core::Some(#acquired);
        };
        let run = if !self.is_async {
            quote_spanned! {here=> #core::once(move || -> #output { #before #body }) }
        } else if self.returns_never {
            // An async block cannot be told that it is `!`: it gets a type that nobody returns. A
            // `let` can be told, by a detour, as the type has no stable name outside of signatures.
            quote_spanned! {here=>
                async move {
                    if false {
                        return #core::never::<[(); 0]>();
                    }
                    #before
                    let _: <fn() -> ! as #core::Returns>::Output = #body;
                }.await;
                #core::never()
            }
        } else {
            quote_spanned! {here=>
                async move {
                    if false {
                        return #core::never::<#output>();
                    }
                    #before
                    #body
                }.await
            }
        };
        quote_spanned! {here=> {
            let mut #guard = #core::None;
            let #slot = &mut #guard;
            #run
        } }
    }

    /// The guard, or a return from the function.
    fn acquired(&self) -> TokenStream {
        let here = Span::mixed_site();
        let (builder, guard, error) = (
            Ident::new("__plb", here),
            Ident::new("__plg", here),
            Ident::new("__ple", here),
        );
        let (core, asked, refused) = (&self.core, self.builder(), self.refused(&error));
        // The builder has a statement of its own, where the temporaries of the values end: one of
        // them may be the guard of a mutex.
        quote_spanned! {here=> {
            let #builder = #asked;
            match #core::acquire(&#builder) {
                #core::Ok(#guard) => #guard,
                #core::Err(#error) => #refused,
            }
        } }
    }

    fn builder(&self) -> TokenStream {
        let here = Span::mixed_site();
        let core = &self.core;
        let mut builder = match &self.args.path {
            Some(Setting { setter, value }) => {
                let (value, key) = (self.value(value), here.located_at(setter.span()));
                let (core, at) = (located(core.clone(), key), Ident::new("at", setter.span()));
                quote_spanned! {key=> #core::PidFile::#at(#value) }
            }
            None => quote_spanned! {here=> <#core::PidFile as #core::Default>::default() },
        };
        for setting in &self.args.settings {
            let (setter, value) = (&setting.setter, self.value(&setting.value));
            builder.extend(quote_spanned! {here=> .#setter(#value) });
        }
        builder
    }

    fn value(&self, value: &Value) -> TokenStream {
        let here = Span::mixed_site().located_at(value.span());
        let core = &self.core;
        match value {
            Value::Text(text) if literal::is_format(text) => {
                quote_spanned! {here=> &#core::format!(#text) }
            }
            Value::Text(text) => text.to_token_stream(),
            Value::TextExpr(text) => borrowed(text),
            Value::Expr(value) => value.to_token_stream(),
            Value::True => quote_spanned! {here=> true },
        }
    }

    /// How the function ends when it is refused. What is known to diverge must not follow a
    /// `return`, or the compiler calls it unreachable.
    fn refused(&self, error: &Ident) -> TokenStream {
        let here = Span::mixed_site();
        let Writer {
            core,
            output,
            is_main,
            ..
        } = self;
        let outcome = match &self.args.on_error {
            None if self.returns_never => {
                quote_spanned! {here=> #core::refused_never(#error, #is_main) }
            }
            None => quote_spanned! {here=> #core::refused::<#output>(#error, #is_main) },
            Some(Expr::Closure(closure)) if matches!(closure.output, ReturnType::Default) => {
                self.typed_closure(closure, error)
            }
            Some(on_error) => {
                // At the value, not at the attribute, the compiler tells what does not fit.
                let (first, last) = ends(on_error);
                let error = Ident::new(&error.to_string(), first);
                let call = if matches!(on_error, Expr::Path(_)) {
                    let argument = quote_spanned! {last=> (#error) };
                    quote_spanned! {first=> #on_error #argument }
                } else {
                    let core = located(core.clone(), first);
                    let arguments = quote_spanned! {last=> (#on_error, #error) };
                    quote_spanned! {first=> #core::refused_by #arguments }
                };
                quote_spanned! {here=>
                    (|#error: #core::PidFileError| -> #output { #call })(#error)
                }
            }
        };
        if self.returns_never {
            outcome
        } else {
            quote_spanned! {here=> return #outcome }
        }
    }

    /// A closure is given its types, so that it reads as if it were part of the function.
    fn typed_closure(&self, closure: &ExprClosure, error: &Ident) -> TokenStream {
        let here = Span::mixed_site();
        let Writer { core, output, .. } = self;
        let ExprClosure {
            attrs,
            lifetimes,
            asyncness,
            capture,
            inputs,
            body,
            ..
        } = closure;
        let input = match inputs.first() {
            Some(pat) if inputs.len() == 1 && !matches!(pat, Pat::Type(_)) => {
                quote_spanned! {here=> #pat: #core::PidFileError }
            }
            _ => inputs.to_token_stream(),
        };
        let (first, last) = ends(closure);
        let error = Ident::new(
            &error.to_string(),
            inputs.first().map_or(first, |input| ends(input).0),
        );
        let argument = quote_spanned! {last=> (#error) };
        quote_spanned! {first=>
            (#(#attrs)* #lifetimes #asyncness #capture |#input| -> #output { #body }) #argument
        }
    }
}

/// Borrowed, so that a parameter can be used in a value and in the body.
fn borrowed(value: &Expr) -> TokenStream {
    let (first, last) = ends(value);
    let mut inside = Group::new(Delimiter::Parenthesis, value.to_token_stream());
    inside.set_span(last);
    quote_spanned! {first=> & #inside }
}

/// A type as it may be written inside the function: `_` for each `impl Trait`, with its bounds.
fn nameable(ty: TokenStream) -> TokenStream {
    let mut written = TokenStream::new();
    let mut rest = ty.into_iter().peekable();
    while let Some(token) = rest.next() {
        match token {
            TokenTree::Ident(word) if word == "impl" => {
                let here = Span::mixed_site().located_at(word.span());
                written.extend(quote_spanned! {here=> _ });
                let mut depth = 0_usize;
                let mut before = ' ';
                while let Some(next) = rest.peek() {
                    let mark = if let TokenTree::Punct(punct) = next {
                        punct.as_char()
                    } else {
                        ' '
                    };
                    match mark {
                        '<' => depth += 1,
                        // Of an arrow: `impl Fn() -> T`.
                        '>' if before == '-' => {}
                        '>' | ',' | ';' if depth == 0 => break,
                        '>' => depth -= 1,
                        _ => {}
                    }
                    before = mark;
                    rest.next();
                }
            }
            TokenTree::Group(group) if group.delimiter() != Delimiter::Brace => {
                let mut inside = Group::new(group.delimiter(), nameable(group.stream()));
                inside.set_span(group.span());
                written.extend([TokenTree::Group(inside)]);
            }
            other => written.extend([other]),
        }
    }
    written
}

#[cfg(test)]
mod tests;
