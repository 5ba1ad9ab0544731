//! Tokens as a person would set them, near enough: one statement a line, blocks indented.

use proc_macro2::{Delimiter, Group, Spacing, TokenStream, TokenTree};

/// Words that a parenthesis or a path does not belong to.
const APART: &[&str] = &["as", "else", "if", "in", "let", "match", "move", "return"];

/// Marks that are one.
const OPERATORS: &[&str] = &[
    "::", "->", "=>", "..", "&&", "||", "==", "!=", "<=", ">=", "+=",
];

pub(super) fn print(tokens: TokenStream) -> String {
    let mut page = Page::default();
    page.tokens(tokens, false);
    page.end_line();
    page.text
}

#[derive(Default)]
struct Page {
    text: String,
    depth: usize,
    /// Nothing comes between this and the next.
    tight: bool,
    in_closure_parameters: bool,
}

impl Page {
    fn tokens(&mut self, tokens: TokenStream, in_block: bool) {
        let mut rest = tokens.into_iter().peekable();
        while let Some(tree) = rest.next() {
            match tree {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    self.block(group.stream());
                    let goes_on = matches!(
                        rest.peek(), Some(TokenTree::Punct(next)) if ",;.".contains(next.as_char())
                    );
                    if !goes_on && rest.peek().is_some() {
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
                word => self.apart(&word.to_string()),
            }
        }
    }

    fn block(&mut self, inside: TokenStream) {
        self.apart("{");
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
        if self.belongs_to_the_last("_>#!)") {
            self.joined(open);
        } else {
            self.apart(open);
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
            "!" if self.text.ends_with('#') || self.belongs_to_the_last("_") => self.joined(mark),
            "::" | "<" => {
                if self.belongs_to_the_last("_>") {
                    self.joined(mark);
                } else {
                    self.apart(mark);
                }
                self.tight = true;
            }
            "|" if self.in_closure_parameters => {
                self.in_closure_parameters = false;
                self.joined(mark);
            }
            _ => {
                self.apart(mark);
                self.tight = matches!(mark, "&" | "*" | "!" | "#" | "'" | "|");
                self.in_closure_parameters = mark == "|";
            }
        }
    }

    /// Whether what comes next goes with a name before it, or with one of the marks.
    fn belongs_to_the_last(&self, marks: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let last = self.text.rsplit(|c| !is_part(c)).next().unwrap_or_default();
        let goes = self.text.ends_with(|c| is_part(c) || marks.contains(c));
        goes && !APART.contains(&last) && !self.text.ends_with("->") && !self.text.ends_with("=>")
    }

    fn in_generics(&self) -> bool {
        let line = self.text.lines().next_back().unwrap_or_default();
        let line = line.replace("->", "").replace("=>", "");
        line.matches('<').count() > line.matches('>').count()
    }

    /// With a space before it, but at the start of a line.
    fn apart(&mut self, text: &str) {
        if !self.tight && !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push(' ');
        }
        self.joined(text);
    }

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
