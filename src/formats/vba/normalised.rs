//! A module without what differs between two copies of the same macro: comments, attributes, layout, case, literals,
//! and the names that its author (or the program that garbles it) chose. What is left tells that two macros are of one
//! hand, not that they do the same: never to be trusted by.

use std::collections::BTreeMap;

use super::lexer::{Module, Symbol, TokenKind};
use super::statements::Statement;

/// Words in front of the names of a declaration ([MS-VBAL] 5.2.3).
const MODIFIERS: &[&str] = &[
    "dim",
    "redim",
    "preserve",
    "const",
    "static",
    "private",
    "public",
    "global",
    "friend",
    "withevents",
    "type",
    "enum",
    "event",
    "shared",
];

/// The statements of a module, one a line, tokens separated by one blank; names that the module declares or assigns are
/// numbered in order of appearance.
pub fn normalised(data: &[u8]) -> Vec<u8> {
    let module = Module::read(data);
    let chosen = chosen(&module);
    let mut numbers: BTreeMap<Symbol, usize> = BTreeMap::new();
    let mut out = Vec::new();
    for statement in module.statements() {
        if statement.is_declarative(&module) {
            continue;
        }
        let mut member = false;
        for token in module
            .tokens()
            .get(statement.tokens.clone())
            .unwrap_or_default()
        {
            if token.kind == TokenKind::Name && !member && is(&chosen, token.symbol) {
                let next = numbers.len();
                let number = *numbers.entry(token.symbol).or_insert(next);
                out.extend_from_slice(format!("v{number}").as_bytes());
            } else {
                match token.kind {
                    TokenKind::Name => out.extend_from_slice(module.name(token.symbol).as_bytes()),
                    TokenKind::Text => out.extend_from_slice(b"\"\""),
                    TokenKind::Number | TokenKind::Date => out.push(b'0'),
                    TokenKind::Sign | TokenKind::EndOfLine => {
                        out.extend_from_slice(module.bytes(token));
                    }
                }
            }
            member = token.kind == TokenKind::Sign && matches!(module.bytes(token), b"." | b"!");
            out.push(b' ');
        }
        if let Some(last) = out.last_mut() {
            *last = b'\n';
        }
    }
    out
}

fn is(chosen: &[bool], symbol: Symbol) -> bool {
    let at = usize::try_from(symbol).unwrap_or(usize::MAX);
    chosen.get(at).copied().unwrap_or_default()
}

/// Which names of the module are its own, by symbol.
fn chosen(module: &Module<'_>) -> Vec<bool> {
    let mut chosen = vec![false; module.names().len()];
    let mut choose = |symbol: Symbol| {
        let at = usize::try_from(symbol).unwrap_or(usize::MAX);
        if let Some(chosen) = chosen.get_mut(at) {
            *chosen = true;
        }
    };
    for procedure in module.procedures() {
        choose(procedure.symbol);
        procedure.parameters.iter().copied().for_each(&mut choose);
    }
    for statement in module.statements() {
        declared(module, statement, &mut choose);
    }
    chosen
}

/// Hands over the names that a statement declares or assigns.
fn declared(module: &Module<'_>, statement: &Statement, choose: &mut impl FnMut(Symbol)) {
    let tokens = &statement.tokens;
    let first = module.word(tokens.start);
    let name = |at: usize| {
        let token = module.tokens().get(at).filter(|_| at < tokens.end)?;
        (token.kind == TokenKind::Name).then_some(token.symbol)
    };
    if !MODIFIERS.contains(&first) {
        let at = match first {
            "let" | "set" => tokens.start.saturating_add(1),
            "for" if module.word(tokens.start.saturating_add(1)) == "each" => {
                tokens.start.saturating_add(2)
            }
            "for" => tokens.start.saturating_add(1),
            _ => tokens.start,
        };
        let assigned = module.sign(at.saturating_add(1)) == b"=" || first == "for";
        if let (true, Some(symbol)) = (assigned, name(at)) {
            choose(symbol);
        }
        return;
    }
    let mut depth: u32 = 0;
    let mut expected = true;
    for at in tokens.clone() {
        match module.sign(at) {
            b"(" => depth = depth.saturating_add(1),
            b")" => depth = depth.saturating_sub(1),
            b"," => expected = depth == 0,
            _ => {}
        }
        match (module.word(at), name(at)) {
            // What they name is outside of the module, or was taken as a procedure.
            ("declare" | "sub" | "function" | "property", _) => return,
            (word, Some(_)) if MODIFIERS.contains(&word) => {}
            (_, Some(symbol)) if expected && depth == 0 => {
                choose(symbol);
                expected = false;
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        String::from_utf8(normalised(source.as_bytes())).unwrap()
    }

    #[test]
    fn two_copies_under_other_names_are_one() {
        let one = "Attribute VB_Name = \"Module1\"\r\nSub AutoOpen()\r\n  ' first\r\n  Dim shellName As String, n%\r\n  shellName = \"cmd\"\r\n  \
            For n = 1 To 3: Set o = CreateObject(\"WScript.Shell\"): Next\r\n  o.Run shellName\r\nEnd Sub\r\n";
        let other = "Attribute VB_Name = \"x\"\r\nOption Explicit\r\nsub autoopen( )\r\nDIM qqq as string, \
            zz%\r\nqqq = _\r\n \"cmd\"\r\nfor zz = 1 to 3\r\nset kkk = createobject(\"WScript.Shell\")\r\nnext\r\nkkk.run qqq ' last\r\nEND SUB";
        assert_eq!(text(one), text(other));
        assert!(text(one).contains("v3 . run v1"), "{}", text(one));
    }

    #[test]
    fn what_a_macro_calls_stays_and_what_it_says_does_not() {
        let one = text("Sub a()\r\nShell \"calc\", 1\r\nEnd Sub");
        assert_eq!(one, "sub v0 ( )\nshell \"\" , 0\nend sub\n");
        assert_eq!(one, text("Sub b()\r\nShell \"cmd\", &H2\r\nEnd Sub"));
        assert_ne!(one, text("Sub a()\r\nKill \"calc\", 1\r\nEnd Sub"));
        let imported = text(
            "Private Declare PtrSafe Function URLDownloadToFileA Lib \"urlmon\" (ByVal a As Long) As Long",
        );
        assert!(imported.contains("urldownloadtofilea"), "{imported}");
    }

    #[test]
    fn members_keep_their_names_even_where_a_variable_has_one_of_them() {
        let text = text("Dim Run\r\nRun = 1\r\no.Run Run\r\n");
        assert_eq!(text, "dim v0\nv0 = 0\no . run v0\n");
    }
}
