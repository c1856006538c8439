//! Tokens → statements ([MS-VBAL] 5.4): lines are cut at colons, behind `Then` and around `Else`.

use std::ops::Range;

use super::lexer::{Module, TokenKind};

/// One statement: a range of tokens without its separator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Its tokens; never empty.
    pub tokens: Range<usize>,
    /// Ordinal of its logical line.
    pub line: usize,
}

impl Statement {
    /// Its bytes in the module.
    pub fn span(&self, module: &Module<'_>) -> Range<usize> {
        let edge = |at: usize| module.tokens().get(at).map(|token| token.span());
        let start = edge(self.tokens.start).map_or(0, |span| span.start);
        let last = self.tokens.end.saturating_sub(1);
        let mut end = edge(last).map_or(start, |span| span.end);
        // A bracketed name's span leaves its bracket out.
        if module.data().get(end) == Some(&b']') {
            end = end.saturating_add(1);
        }
        start..end
    }

    /// Its source text.
    pub fn source(&self, module: &Module<'_>) -> String {
        let bytes = module.data().get(self.span(module)).unwrap_or_default();
        module.decode(bytes).into_owned()
    }

    /// Whether it is an `Attribute` line, an option or a directive: no code.
    pub fn is_declarative(&self, module: &Module<'_>) -> bool {
        matches!(module.word(self.tokens.start), "attribute" | "option")
            || module.sign(self.tokens.start) == b"#"
    }
}

/// Cuts a module into statements.
pub(super) fn split(module: &Module<'_>) -> Vec<Statement> {
    let mut statements = Vec::new();
    let mut start: usize = 0;
    let mut line: usize = 0;
    for (at, token) in module.tokens().iter().enumerate() {
        let after = at.saturating_add(1);
        let (end, next) = match token.kind {
            TokenKind::EndOfLine => (at, after),
            TokenKind::Sign if module.bytes(token) == b":" => (at, after),
            // `Then` stays with its condition; a member of that name is no keyword.
            TokenKind::Name if module.name(token.symbol) == "then" && !is_member(module, at) => {
                (after, after)
            }
            TokenKind::Name if module.name(token.symbol) == "else" && !is_member(module, at) => {
                push(module, &mut statements, start..at, line);
                start = at;
                (after, after)
            }
            _ => continue,
        };
        let directive = module.sign(start) == b"#" && token.kind != TokenKind::EndOfLine;
        let case_else = module.word(start) == "case" && token.kind == TokenKind::Name;
        if directive || case_else {
            continue;
        }
        push(module, &mut statements, start..end, line);
        start = next;
        if token.kind == TokenKind::EndOfLine {
            line = line.saturating_add(1);
        }
    }
    statements
}

fn is_member(module: &Module<'_>, at: usize) -> bool {
    at.checked_sub(1)
        .is_some_and(|before| matches!(module.sign(before), b"." | b"!"))
}

/// A line may start with its number ([MS-VBAL] 5.4.1.1), which is no part of the statement.
fn behind_number(module: &Module<'_>, start: usize) -> usize {
    let kind = |at: usize| module.tokens().get(at).map(|token| token.kind);
    let first = start
        .checked_sub(1)
        .is_none_or(|before| kind(before) == Some(TokenKind::EndOfLine));
    if first && kind(start) == Some(TokenKind::Number) {
        start.saturating_add(1)
    } else {
        start
    }
}

fn push(
    module: &Module<'_>,
    statements: &mut Vec<Statement>,
    mut tokens: Range<usize>,
    line: usize,
) {
    tokens.start = behind_number(module, tokens.start);
    if !tokens.is_empty() {
        statements.push(Statement { tokens, line });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(source: &str) -> Vec<String> {
        let module = Module::read(source.as_bytes());
        module
            .statements()
            .iter()
            .map(|statement| statement.source(&module))
            .collect()
    }

    #[test]
    fn lines_are_cut_at_colons_and_around_then_and_else() {
        assert_eq!(
            sources("a = 1: b = \"x:y\"\r\nIf a Then Shell b Else c 1\r\nEnd If"),
            [
                "a = 1",
                "b = \"x:y\"",
                "If a Then",
                "Shell b",
                "Else",
                "c 1",
                "End If"
            ]
        );
        assert_eq!(
            sources("#If Mac Then\r\nf x:=1\r\n"),
            ["#If Mac Then", "f x:=1"]
        );
        assert_eq!(sources("Case Else\r\n x"), ["Case", "Else", "x"]);
        assert_eq!(
            sources("10 Shell b\r\n20 End Sub\r\n30\r\nx = _\r\n40"),
            ["Shell b", "End Sub", "x = _\r\n40"]
        );
    }
}
