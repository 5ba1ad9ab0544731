//! Parses the attribute's arguments and collects all errors.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, ExprLit, Ident, Lit, LitStr, Path, Result, Token};

use crate::keys::{self, Key, KeyKind};
use crate::literal;

/// The parsed arguments of the attribute.
#[derive(Default)]
pub(crate) struct Args {
    /// The value of `path`, which selects the builder's constructor.
    pub(crate) path: Option<Setting>,
    /// The builder calls, in the order written.
    pub(crate) settings: Vec<Setting>,
    /// The value of `on_error`, which replaces the default for the return type.
    pub(crate) on_error: Option<Expr>,
    /// The variable that refers to the guard.
    pub(crate) guard: Option<Ident>,
    /// The path to the runtime crate, if not `::pidlock_core`.
    pub(crate) core: Option<Path>,
    /// All errors, not only the first.
    pub(crate) errors: Vec<Error>,
    /// The keys seen so far; a positional name counts as `name`.
    seen: Vec<Ident>,
}

/// One builder call.
pub(crate) struct Setting {
    /// The user's own token, so that go-to-definition on the key leads to the setter.
    pub(crate) setter: Ident,
    pub(crate) value: Value,
}

/// The value of a key.
pub(crate) enum Value {
    /// A string literal for a text key, possibly with format placeholders.
    Text(LitStr),
    /// Any other expression for a text key.
    TextExpr(Expr),
    /// An expression for a key that does not take text.
    Expr(Expr),
    /// A switch without a value.
    True,
}

impl Parse for Args {
    /// Infallible: errors are collected in [`Args::errors`], and parsing continues.
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
        args.check_conflicts();
        Ok(args)
    }
}

impl Args {
    /// Parses one argument, up to its comma.
    fn argument(&mut self, input: ParseStream<'_>) -> Result<()> {
        let fork = input.fork();
        let Ok(ident) = fork.call(Ident::parse_any) else {
            return self.positional(input);
        };
        let value_follows =
            fork.peek(Token![=]) && !fork.peek(Token![==]) && !fork.peek(Token![=>]);
        let other_sign = fork.peek(Token![=>]) || fork.peek(Token![:]) && !fork.peek(Token![::]);
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
            None if value_follows || other_sign || alone => {
                let message = if alone && self.seen.is_empty() {
                    keys::unknown_word(&name)
                } else {
                    keys::unknown(&name)
                };
                let error = Error::new(ident.span(), message);
                // Skip the value; only the key is reported.
                input.call(Ident::parse_any)?;
                if value_follows {
                    input.parse::<Token![=]>()?;
                    let _ = input.parse::<Expr>();
                }
                Err(error)
            }
            _ => self.positional(input),
        }
    }

    /// Parses a name without its key.
    fn positional(&mut self, input: ParseStream<'_>) -> Result<()> {
        if input.peek(Token![,]) {
            return Err(input.error("there is nothing before this `,`"));
        }
        let first = self.seen.is_empty();
        let value = classify_text(input.parse()?);
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
        if self.first_use(&setter) {
            self.setting(setter, KeyKind::Text, Value::Text(text), input)?;
        }
        Ok(())
    }

    /// Parses `key = value`, or a switch without a value.
    fn keyed(&mut self, key: &'static Key, input: ParseStream<'_>) -> Result<()> {
        let ident = input.call(Ident::parse_any)?;
        let is_first = self.first_use(&ident);
        let Some(equals) = input.parse::<Option<Token![=]>>()? else {
            if key.kind != KeyKind::Switch {
                return Err(Error::new(ident.span(), needs_a_value(key)));
            }
            if is_first {
                self.setting(ident, key.kind, Value::True, input)?;
            }
            return Ok(());
        };
        if input.is_empty() || input.peek(Token![,]) {
            return Err(Error::new(equals.span, needs_a_value(key)));
        }
        if key.kind == KeyKind::Core {
            let path = core_path(input)?;
            if is_first {
                self.core = Some(path);
            }
            return Ok(());
        }
        if key.kind == KeyKind::Guard {
            let message = |error: Error| {
                let message = "`guard` is the name of a variable: `guard = lock`";
                Error::new(error.span(), message)
            };
            let guard = input.parse().map_err(message)?;
            if is_first {
                self.guard = Some(guard);
            }
            return Ok(());
        }
        let value: Expr = input.parse()?;
        if !is_first {
            return Ok(());
        }
        match key.kind {
            KeyKind::OnError => {
                self.on_error = Some(value);
                Ok(())
            }
            KeyKind::Text | KeyKind::Path => {
                self.setting(ident, key.kind, classify_text(value), input)
            }
            _ => self.setting(ident, key.kind, Value::Expr(value), input),
        }
    }

    /// Stores a builder call, and checks its value if that is a literal.
    fn setting(
        &mut self,
        setter: Ident,
        kind: KeyKind,
        value: Value,
        input: ParseStream<'_>,
    ) -> Result<()> {
        let key = setter.to_string();
        let error = match &value {
            Value::Text(text) => {
                let arguments = if literal::takes_arguments(text) {
                    format_arguments(input)?
                } else {
                    Vec::new()
                };
                if arguments.is_empty() {
                    literal::error(&key, text)
                } else {
                    Some(literal::named(&key, text, &arguments))
                }
            }
            Value::Expr(value) if key == "mode" => literal::mode_error(value),
            _ => None,
        };
        if let Some(message) = error {
            self.errors.push(Error::new_spanned(&value, message));
        }
        let setting = Setting { setter, value };
        if kind == KeyKind::Path {
            self.path = Some(setting);
        } else {
            self.settings.push(setting);
        }
        Ok(())
    }

    fn has(&self, name: &str) -> bool {
        self.seen.iter().any(|seen| seen == name)
    }

    /// Returns `true` if the key has not been seen before; otherwise records an error.
    fn first_use(&mut self, key: &Ident) -> bool {
        let is_first = !self.has(&key.to_string());
        if is_first {
            self.seen.push(key.clone());
        } else {
            self.errors
                .push(Error::new(key.span(), format!("`{key}` is given twice")));
        }
        is_first
    }

    /// Reports keys that cannot be combined with `path`.
    fn check_conflicts(&mut self) {
        if self.has("timeout") && self.has("wait") {
            for key in self.seen.iter().filter(|key| *key == "wait") {
                let message = "`wait` has no time limit, and `timeout` is one: remove one of them";
                self.errors.push(Error::new(key.span(), message));
            }
        }
        if !self.has("path") {
            return;
        }
        for key in &self.seen {
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

/// Parses the value of `crate`.
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

/// Parses the arguments that a user of `format!` writes after a string such as `"worker-{}"`.
fn format_arguments(input: ParseStream<'_>) -> Result<Vec<Expr>> {
    let mut arguments = Vec::new();
    loop {
        let fork = input.fork();
        let Ok(Some(_)) = fork.parse::<Option<Token![,]>>() else {
            return Ok(arguments);
        };
        let word = fork.fork().call(Ident::parse_any);
        if fork.is_empty() || word.is_ok_and(|word| keys::find(&word.to_string()).is_some()) {
            return Ok(arguments);
        }
        match fork.parse() {
            Ok(Expr::Assign(_)) | Err(_) => return Ok(arguments),
            Ok(argument) => {
                input.parse::<Token![,]>()?;
                input.parse::<Expr>()?;
                arguments.push(argument);
            }
        }
    }
}

fn end_of_argument(input: ParseStream<'_>) -> Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        Ok(())
    } else {
        Err(input.error("expected `,`"))
    }
}

/// Resynchronises at the next comma, so that later errors are reported too.
fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        if input.parse::<TokenTree>().is_err() {
            break;
        }
    }
}

/// Distinguishes a string literal from other expressions. A literal that was passed through
/// `macro_rules!` is wrapped in a group without delimiters.
fn classify_text(value: Expr) -> Value {
    match value {
        Expr::Lit(ExprLit {
            lit: Lit::Str(text),
            attrs,
        }) if attrs.is_empty() => Value::Text(text),
        Expr::Group(group) => classify_text(*group.expr),
        other => Value::TextExpr(other),
    }
}

/// The user's tokens, for the spans of errors.
impl ToTokens for Value {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        match self {
            Value::Text(text) => text.to_tokens(tokens),
            Value::TextExpr(value) | Value::Expr(value) => value.to_tokens(tokens),
            Value::True => {}
        }
    }
}
