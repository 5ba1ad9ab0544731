//! Formats tokens roughly like rustfmt: one statement per line, blocks indented.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Keywords that are followed by a space, even before a parenthesis or a path.
const SPACED: &[&str] = &["as", "else", "if", "in", "let", "match", "move", "return"];

/// Punctuation that consists of two tokens.
const OPERATORS: &[&str] = &[
    "::", "->", "=>", "..", "&&", "||", "==", "!=", "<=", ">=", "+=",
];

/// Formats the tokens.
pub(super) fn print(tokens: TokenStream) -> String {
    let mut printer = Printer::default();
    printer.tokens(tokens, false);
    printer.end_line();
    printer.text
}

/// The text so far, and the state of the formatting.
#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
    /// No space before the next token.
    tight: bool,
    /// Between the `|`s of a closure.
    in_closure_parameters: bool,
}

impl Printer {
    fn tokens(&mut self, tokens: TokenStream, in_block: bool) {
        let mut rest = tokens.into_iter().peekable();
        while let Some(tree) = rest.next() {
            match tree {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.block(group.stream());
                    let continues = matches!(
                        rest.peek(), Some(TokenTree::Punct(next)) if ",;.".contains(next.as_char())
                    );
                    if !continues && rest.peek().is_some() {
                        self.end_line();
                    }
                }
                TokenTree::Group(group) => self.enclosed(&group),
                TokenTree::Punct(punct) => {
                    let mut mark = punct.to_string();
                    if let Some(TokenTree::Punct(next)) = rest.next_if(|next| {
                        punct.spacing() == Spacing::Joint
                            && OPERATORS.contains(&&*format!("{punct}{next}"))
                    }) {
                        mark.push(next.as_char());
                    }
                    self.mark(&mark);
                    if in_block && (mark == ";" || mark == "," && !self.in_generics()) {
                        self.end_line();
                    }
                }
                word => self.spaced(&word.to_string()),
            }
        }
    }

    fn block(&mut self, inside: TokenStream) {
        self.spaced("{");
        if !inside.is_empty() {
            self.depth += 1;
            self.end_line();
            self.tokens(inside, true);
            self.depth -= 1;
            self.end_line();
        }
        self.joined("}");
    }

    fn enclosed(&mut self, group: &Group) {
        let (open, close) = match group.delimiter() {
            Delimiter::Parenthesis => ("(", ")"),
            Delimiter::Bracket => ("[", "]"),
            _ => ("", ""),
        };
        let inner_attribute = self.text.ends_with("#!");
        if self.attaches_to("_>#!)") {
            self.joined(open);
        } else {
            self.spaced(open);
        }
        self.tight = true;
        self.tokens(group.stream(), false);
        self.joined(close);
        if inner_attribute {
            self.end_line();
        }
    }

    fn mark(&mut self, mark: &str) {
        match mark {
            "," | ";" | "?" | ":" | ">" | ">>" => self.joined(mark),
            "." => {
                self.joined(mark);
                self.tight = true;
            }
            "!" if self.text.ends_with('#') || self.attaches_to("_") => self.joined(mark),
            "::" | "<" => {
                if self.attaches_to("_>") {
                    self.joined(mark);
                } else {
                    self.spaced(mark);
                }
                self.tight = true;
            }
            "|" if self.in_closure_parameters => {
                self.in_closure_parameters = false;
                self.joined(mark);
            }
            _ => {
                self.spaced(mark);
                self.tight = matches!(mark, "&" | "*" | "!" | "#" | "'" | "|");
                self.in_closure_parameters = mark == "|";
            }
        }
    }

    /// Returns `true` if the next token attaches to the last one, which is a name or ends with one
    /// of these marks.
    fn attaches_to(&self, marks: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let last = self.text.rsplit(|c| !is_part(c)).next().unwrap_or_default();
        let attaches = self.text.ends_with(|c| is_part(c) || marks.contains(c));
        attaches
            && !SPACED.contains(&last)
            && !self.text.ends_with("->")
            && !self.text.ends_with("=>")
    }

    /// Returns `true` if a `<` is open on the current line.
    fn in_generics(&self) -> bool {
        let line = self.text.lines().next_back().unwrap_or_default();
        let line = line.replace("->", "").replace("=>", "");
        line.matches('<').count() > line.matches('>').count()
    }

    /// Appends with a space before, except at the start of a line.
    fn spaced(&mut self, text: &str) {
        if !self.tight && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
        self.joined(text);
    }

    /// Appends without a space; indents at the start of a line.
    fn joined(&mut self, text: &str) {
        if self.text.ends_with('\n') {
            self.text.push_str(&"    ".repeat(self.depth));
        }
        self.text.push_str(text);
        self.tight = false;
    }

    fn end_line(&mut self) {
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }
}
