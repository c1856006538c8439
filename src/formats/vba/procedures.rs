//! Procedures of a module ([MS-VBAL] 5.3.1): names, places, parameters.

use std::ops::Range;

use super::lexer::{Module, Symbol, TokenKind};

/// What a procedure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcedureKind {
    /// `Sub`
    Sub,
    /// `Function`
    Function,
    /// `Property Get`, `Let` or `Set`
    Property,
}

/// A procedure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Procedure {
    /// What it is.
    pub kind: ProcedureKind,
    /// Its name as a symbol of the module.
    pub symbol: Symbol,
    /// Its name in the module's bytes.
    pub name: Range<usize>,
    /// Names of its parameters.
    pub parameters: Vec<Symbol>,
    /// Its statements in the module's list, from the header to `End` or to where the next one starts.
    pub statements: Range<usize>,
}

/// Where the header `Sub`, `Function` or `Property` stands among the tokens of a statement, if it does; the next token
/// is the name, or for properties the accessor.
pub(super) fn header(module: &Module<'_>, tokens: &Range<usize>) -> Option<(ProcedureKind, usize)> {
    let modifiers = tokens
        .clone()
        .take_while(|at| {
            matches!(
                module.word(*at),
                "public" | "private" | "friend" | "static" | "global"
            )
        })
        .count();
    let at = tokens.start.saturating_add(modifiers);
    let (kind, name) = match module.word(at) {
        "sub" => (ProcedureKind::Sub, at.saturating_add(1)),
        "function" => (ProcedureKind::Function, at.saturating_add(1)),
        "property" if matches!(module.word(at.saturating_add(1)), "get" | "let" | "set") => {
            (ProcedureKind::Property, at.saturating_add(2))
        }
        _ => return None,
    };
    let named = module
        .tokens()
        .get(name)
        .is_some_and(|token| token.kind == TokenKind::Name);
    (named && name < tokens.end).then_some((kind, name))
}

/// Finds the procedures of a module.
pub(super) fn find(module: &Module<'_>) -> Vec<Procedure> {
    let mut found: Vec<Procedure> = Vec::new();
    let mut open = false;
    for (ordinal, statement) in module.statements().iter().enumerate() {
        let tokens = &statement.tokens;
        let Some((kind, name)) = header(module, tokens) else {
            let ends = module.word(tokens.start) == "end"
                && matches!(
                    module.word(tokens.start.saturating_add(1)),
                    "sub" | "function" | "property"
                );
            if let (true, true, Some(last)) = (ends, open, found.last_mut()) {
                last.statements.end = ordinal.saturating_add(1);
                open = false;
            }
            continue;
        };
        if let (true, Some(last)) = (open, found.last_mut()) {
            last.statements.end = ordinal;
        }
        if let Some(token) = module.tokens().get(name) {
            found.push(Procedure {
                kind,
                symbol: token.symbol,
                name: token.span(),
                parameters: parameters(module, name.saturating_add(1)..tokens.end),
                statements: ordinal..module.statements().len(),
            });
            open = true;
        }
    }
    found
}

fn parameters(module: &Module<'_>, tokens: Range<usize>) -> Vec<Symbol> {
    let mut found = Vec::new();
    let mut depth: u32 = 0;
    let mut expected = false;
    for at in tokens {
        match module.sign(at) {
            b"(" => {
                depth = depth.saturating_add(1);
                expected = depth == 1;
            }
            b")" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    break;
                }
            }
            b"," => expected = depth == 1,
            _ if expected => {
                let modifier = matches!(
                    module.word(at),
                    "byval" | "byref" | "optional" | "paramarray"
                );
                if let (false, Some(token)) = (modifier, module.tokens().get(at)) {
                    if token.kind == TokenKind::Name {
                        found.push(token.symbol);
                    }
                    expected = false;
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn procedures_are_found_with_names_and_parameters() {
        let source = b"Option Explicit\r\nPrivate Sub Document_Open()\r\nEnd Sub\r\n\
            Public Static Function f(ByVal a As String, Optional b(), c) As String\r\nf = a\r\nEnd Function\r\n\
            Property Get Size()\r\nEnd Property\r\nx.Sub 1\r\nDeclare Sub Sleep Lib \"k\" (ByVal ms As Long)\r\n";
        let module = Module::read(source);
        let found: Vec<_> = module
            .procedures()
            .iter()
            .map(|one| {
                (
                    one.kind,
                    module.name(one.symbol),
                    one.parameters.len(),
                    one.statements.clone(),
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                (ProcedureKind::Sub, "document_open", 0, 1..3),
                (ProcedureKind::Function, "f", 3, 3..6),
                (ProcedureKind::Property, "size", 0, 6..8),
            ]
        );
        let name = module.procedures().first().unwrap().name.clone();
        assert_eq!(&source[name.clone()], b"Document_Open");
        assert_eq!(name.start, 29);
    }
}
