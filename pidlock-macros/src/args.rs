//! What was asked for: the arguments of the attribute, with every mistake in them.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

use crate::keys::{self, Key, Kind};
use crate::literal;

/// The arguments, sorted by what becomes of them.
#[derive(Default)]
pub(crate) struct Args {
    /// The exact path, in place of a name and a directory.
    pub(crate) path: Option<Setting>,
    /// The calls on the builder, in the order given.
    pub(crate) settings: Vec<Setting>,
    /// What to do with the error instead of what the return type says.
    pub(crate) on_error: Option<Expr>,
    /// Where the runtime crate is found, if not under its own name.
    pub(crate) core: Option<Path>,
    /// Everything that is wrong, not just the first of it.
    pub(crate) errors: Vec<Error>,
    given: Vec<Ident>,
}

/// A call on the builder.
pub(crate) struct Setting {
    /// The user's own token, so that an editor leads from it to the setter.
    pub(crate) setter: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// A string literal that may name what is in scope.
    Text(LitStr),
    /// Text from any other expression.
    TextExpr(Expr),
    Expr(Expr),
    /// The key alone.
    True,
}

impl Parse for Args {
    /// Never fails: mistakes are gathered, and the rest is parsed all the same.
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Args::default();
        while !input.is_empty() {
            if let Err(error) = args.argument(input).and_then(|()| end_of_argument(input)) {
                args.errors.push(error);
                skip_to_comma(input);
            }
            if input.parse::<Option<Token![,]>>()?.is_none() {
                break;
            }
        }
        args.contradictions();
        Ok(args)
    }
}

impl Args {
    fn argument(&mut self, input: ParseStream<'_>) -> Result<()> {
        let fork = input.fork();
        let Ok(ident) = fork.call(Ident::parse_any) else {
            return self.positional(input);
        };
        let value_follows = fork.peek(Token![=]) && !fork.peek(Token![==]);
        let alone = fork.is_empty() || fork.peek(Token![,]);
        let name = ident.to_string();
        if matches!(name.as_str(), "true" | "false") {
            return self.positional(input);
        }
        match keys::find(&name) {
            Some(key) if value_follows || alone => self.keyed(key, input),
            Some(key)
                if !fork.peek(Token![::]) && !fork.peek(Token![.]) && !fork.peek(Token![!]) =>
            {
                Err(Error::new(
                    ident.span(),
                    format!("`{name}` is set with `=`: `{name} = {}`", key.example),
                ))
            }
            None if value_follows || alone => {
                let message = if alone && self.given.is_empty() {
                    keys::unknown_alone(&name)
                } else {
                    keys::unknown(&name)
                };
                let error = Error::new(ident.span(), message);
                input.call(Ident::parse_any)?;
                if input.parse::<Option<Token![=]>>()?.is_some() {
                    // Only to find where it ends: what is wrong with it can wait for its key.
                    let _ = input.parse::<Expr>();
                }
                Err(error)
            }
            _ => self.positional(input),
        }
    }

    fn positional(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Token![,]) {
            return Err(input.error("there is nothing before this `,`"));
        }
        let first = self.given.is_empty();
        let value = text(input.parse()?);
        let Value::Text(text) = value else {
            let message = if first {
                "only a string literal stands without its key: write `name = ..`"
            } else {
                "only the name can stand without its key: write `key = ..`"
            };
            return Err(Error::new_spanned(value, message));
        };
        if !first && !self.has("name") {
            let message = format!(
                "a name without its key comes first: move it there, or write `name = {}`",
                text.token()
            );
            self.errors.push(Error::new(text.span(), message));
        }
        let setter = Ident::new("name", text.span());
        if self.claim(&setter) {
            self.setting(setter, Kind::Text, Value::Text(text));
        }
        Ok(())
    }

    fn keyed(&mut self, key: &'static Key, input: ParseStream<'_>) -> Result<()> {
        let ident = input.call(Ident::parse_any)?;
        let fresh = self.claim(&ident);
        let Some(equals) = input.parse::<Option<Token![=]>>()? else {
            if key.kind != Kind::Switch {
                return Err(Error::new(ident.span(), needs_a_value(key)));
            }
            if fresh {
                self.setting(ident, key.kind, Value::True);
            }
            return Ok(());
        };
        if input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new(equals.span, needs_a_value(key)));
        }
        if key.kind == Kind::Core {
            let path = core_path(input)?;
            if fresh {
                self.core = Some(path);
            }
            return Ok(());
        }
        let value: Expr = input.parse()?;
        if !fresh {
            return Ok(());
        }
        match key.kind {
            Kind::OnError => self.on_error = Some(value),
            Kind::Text | Kind::Path => self.setting(ident, key.kind, text(value)),
            _ => self.setting(ident, key.kind, Value::Expr(value)),
        }
        Ok(())
    }

    fn setting(&mut self, setter: Ident, kind: Kind, value: Value) {
        if let Value::Text(text) = &value {
            if let Some(message) = literal::mistake(&setter.to_string(), text) {
                self.errors.push(Error::new(text.span(), message));
            }
        }
        let setting = Setting { setter, value };
        if kind == Kind::Path {
            self.path = Some(setting);
        } else {
            self.settings.push(setting);
        }
    }

    fn has(&self, name: &str) -> bool {
        self.given.iter().any(|given| given == name)
    }

    /// Whether the key is given for the first time; it is an error otherwise.
    fn claim(&mut self, key: &Ident) -> bool {
        let fresh = !self.has(&key.to_string());
        if fresh {
            self.given.push(key.clone());
        } else {
            self.errors
                .push(Error::new(key.span(), format!("`{key}` is given twice")));
        }
        fresh
    }

    fn contradictions(&mut self) {
        if !self.has("path") {
            return;
        }
        for key in &self.given {
            if keys::PARTS_OF_A_PATH.iter().any(|part| key == part) {
                let message =
                    format!("`{key}` has no place beside `path`, which is the whole path already");
                self.errors.push(Error::new(key.span(), message));
            }
        }
    }
}

fn needs_a_value(key: &Key) -> String {
    format!("`{0}` needs a value: `{0} = {1}`", key.name, key.example)
}

fn core_path(input: ParseStream<'_>) -> Result<Path> {
    let path = input.call(Path::parse_mod_style);
    path.map_err(|error| {
        let (span, example) = match input.parse::<Lit>() {
            Ok(Lit::Str(text)) if text.parse_with(Path::parse_mod_style).is_ok() => {
                (text.span(), text.value())
            }
            Ok(other) => (other.span(), keys::CORE_EXAMPLE.to_owned()),
            Err(_) => (error.span(), keys::CORE_EXAMPLE.to_owned()),
        };
        let message = format!("`crate` is a path, without quotes: `crate = {example}`");
        Error::new(span, message)
    })
}

fn end_of_argument(input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        Ok(())
    } else {
        Err(input.error("expected `,`"))
    }
}

/// Mistakes do not hide each other: the next argument is read whatever became of this one.
fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            break;
        }
    }
}

/// Tells a plain string literal from other text, also one that a `macro_rules!` macro passed on.
fn text(value: Expr) -> Value {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            attrs,
        }) if attrs.is_empty() => Value::Text(text),
        Expr::Group(group) => text(*group.expr),
        other => Value::TextExpr(other),
    }
}

/// The tokens of a value, for what is written.
impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self {
            Value::Text(text) => text.to_tokens(tokens),
            Value::TextExpr(value) | Value::Expr(value) => value.to_tokens(tokens),
            Value::True => {}
        }
    }
}
