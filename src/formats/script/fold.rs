//! Constant expressions of a script folded into the texts that they come to.
//!
//! One pass over the tokens: wherever an expression starts that is constant as far as it goes, its value takes its
//! place. Names keep the value that they were last given in the order of the source. Work is bounded by an account
//! that is proportional to the source.

use std::collections::BTreeMap;
use std::ops::Range;

use super::builtins;
use super::tokens::{Language, Token, TokenKind, Written, tokens};
use super::value::{Value, Work, joined};

/// Expressions within expressions at the most.
const DEPTH: u32 = 24;

/// Names that keep a value at the most.
const NAMES: usize = 4096;

/// Lists within lists of a value that a name keeps, at the most.
const NESTED: u32 = 8;

/// Payloads of one script at the most.
pub(super) const PAYLOADS: usize = 64;

/// How texts were put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Built {
    /// Characters given by their code.
    pub characters: u32,
    /// Pieces joined in one expression, at the most; and how long they were together.
    pub pieces: u32,
    /// Bytes of those pieces.
    pub pieces_len: usize,
    /// Texts turned around, replaced in, unescaped, formatted, cut out.
    pub rearranged: u32,
    /// Texts decoded from base64.
    pub decoded: u32,
}

/// Bytes that a script decodes, or text that it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The expression's bytes in the source.
    pub span: Range<usize>,
    /// What comes out.
    pub data: Vec<u8>,
    /// Whether it is handed to the language's own interpreter.
    pub run: bool,
}

/// What folding gave.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Folded {
    /// The script with its constant expressions replaced by texts; `None` where nothing was.
    pub text: Option<String>,
    /// What it decodes and runs.
    pub payloads: Vec<Payload>,
    /// Text literals, folded, with their offsets in the source.
    pub texts: Vec<(usize, String)>,
    /// How they were built.
    pub built: Built,
    /// Marks in literals and names.
    pub escaped: u32,
    /// Marks in names for nothing.
    pub ticks: u32,
    /// Distinct names of the form that obfuscators give, `_0x…`.
    pub scrambled: usize,
    /// Whether the work ran out: what came after is as it was.
    pub exhausted: bool,
}

/// Folds a script.
pub fn fold(source: &str, language: Language) -> Folded {
    let (tokens, Written { escaped, ticks }) = tokens(source, language);
    let mut machine = Machine {
        tokens: &tokens,
        language,
        work: Work::of_source(source.len()),
        names: builtins::names(language),
        built: Built::default(),
        payloads: Vec::new(),
        pieces: (0, 0),
    };
    let mut folded = Folded {
        escaped,
        ticks,
        scrambled: scrambled(&tokens),
        ..Folded::default()
    };
    let mut out = String::new();
    let mut copied = 0usize;
    let mut at = 0usize;
    // Ends because each round goes over at least a token.
    while at < tokens.len() {
        machine.assign(at);
        if machine.is_call(at) {
            at = at.saturating_add(1);
            continue;
        }
        let found = machine.expression(at, 0);
        let Some((value, next)) = found else {
            at = at.saturating_add(1);
            continue;
        };
        let span = machine.span(at, next);
        let single = next == at.saturating_add(1);
        let name = matches!(
            tokens.get(at).map(|token| &token.kind),
            Some(TokenKind::Name(_))
        );
        if let (Value::Text(text), false) = (&value, single && name) {
            folded.texts.push((span.start, text.clone()));
            let pieces = std::mem::take(&mut machine.pieces);
            if pieces.0 > machine.built.pieces {
                machine.built.pieces = pieces.0;
                machine.built.pieces_len = pieces.1;
            }
        }
        machine.pieces = (0, 0);
        let assigned = single && name && machine.is_target(at);
        if let Value::Text(text) = &value
            && !assigned
            && (!single || name || machine.was_escaped(source, at))
        {
            out.push_str(source.get(copied..span.start).unwrap_or_default());
            out.push_str(&quoted(text, language));
            copied = span.end;
        }
        at = next.max(at.saturating_add(1));
    }
    if copied > 0 {
        out.push_str(source.get(copied..).unwrap_or_default());
        folded.text = Some(out);
    }
    folded.exhausted = machine.work.is_spent();
    folded.payloads = machine.payloads;
    folded.built = machine.built;
    folded
}

fn scrambled(tokens: &[Token<'_>]) -> usize {
    let names = tokens.iter().filter_map(|token| match &token.kind {
        TokenKind::Name(name) => Some(name.as_ref()),
        _ => None,
    });
    let is_scrambled = |name: &&str| {
        let digits = name.strip_prefix("_0x");
        digits.is_some_and(|digits| {
            digits.len() >= 2 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        })
    };
    names
        .filter(is_scrambled)
        .collect::<std::collections::BTreeSet<_>>()
        .len()
}

/// A text as a literal of the language.
fn quoted(text: &str, language: Language) -> String {
    let mut out = String::with_capacity(text.len().saturating_add(2));
    if language == Language::PowerShell {
        out.push('\'');
        out.push_str(&text.replace('\'', "''"));
        out.push('\'');
        return out;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

pub(super) struct Machine<'t> {
    pub(super) tokens: &'t [Token<'t>],
    pub(super) language: Language,
    pub(super) work: Work,
    pub(super) names: BTreeMap<String, Value>,
    pub(super) built: Built,
    pub(super) payloads: Vec<Payload>,
    /// Pieces of the expression at hand and their bytes.
    pub(super) pieces: (u32, usize),
}

pub(super) type Parsed = Option<(Value, usize)>;

impl<'t> Machine<'t> {
    pub(super) fn kind(&self, at: usize) -> Option<&'t TokenKind<'t>> {
        self.tokens.get(at).map(|token| &token.kind)
    }

    pub(super) fn is_sign(&self, at: usize, sign: u8) -> bool {
        self.kind(at) == Some(&TokenKind::Sign(sign))
    }

    pub(super) fn name(&self, at: usize) -> Option<&'t str> {
        match self.kind(at)? {
            TokenKind::Name(name) => Some(name),
            TokenKind::Text(_)
            | TokenKind::Pattern(_)
            | TokenKind::Number(_)
            | TokenKind::Sign(_)
            | TokenKind::Line => None,
        }
    }

    /// Whether the parenthesis or bracket at a place belongs to what stands in front of it.
    pub(super) fn is_call(&self, at: usize) -> bool {
        let opens = self.is_sign(at, b'(') || self.is_sign(at, b'[');
        let before = at.checked_sub(1).and_then(|before| self.kind(before));
        let follows = match before {
            Some(TokenKind::Name(name)) => name != "return",
            Some(TokenKind::Sign(sign)) => b")]".contains(sign),
            _ => false,
        };
        opens
            && follows
            && self
                .tokens
                .get(at)
                .zip(self.tokens.get(at.saturating_sub(1)))
                .is_some_and(|(token, before)| {
                    // A command of PowerShell is given its argument behind a blank.
                    self.language != Language::PowerShell || token.span.start == before.span.end
                })
    }

    pub(super) fn span(&self, at: usize, next: usize) -> Range<usize> {
        let start = self.tokens.get(at).map_or(0, |token| token.span.start);
        let end = self
            .tokens
            .get(next.saturating_sub(1))
            .map_or(start, |token| token.span.end);
        start..end.max(start)
    }

    /// Whether a literal is not written as it reads.
    pub(super) fn was_escaped(&self, source: &str, at: usize) -> bool {
        let Some(token) = self.tokens.get(at) else {
            return false;
        };
        let written = source.get(token.span.clone()).unwrap_or_default();
        let mut marks = memchr::memchr_iter(b'\\', written.as_bytes());
        let next = |at: usize| written.as_bytes().get(at.saturating_add(1));
        self.language == Language::Js
            && marks.any(|at| matches!(next(at), Some(b'x' | b'u' | b'0'..=b'7')))
    }

    pub(super) fn pay(&mut self, size: usize) -> Option<()> {
        self.work.pay(size)
    }

    /// Whether the name at a place is given a value there.
    pub(super) fn is_target(&self, at: usize) -> bool {
        let next = at.saturating_add(1);
        let plain = self.is_sign(next, b'=') && !self.is_sign(next.saturating_add(1), b'=');
        let plus = self.is_sign(next, b'+') && self.is_sign(next.saturating_add(1), b'=');
        plain || plus
    }

    /// Keeps what a name is given, where an assignment starts here.
    pub(super) fn assign(&mut self, at: usize) {
        let Some(name) = self.name(at) else {
            return;
        };
        if !self.is_target(at)
            || at
                .checked_sub(1)
                .is_some_and(|before| self.is_sign(before, b'.'))
        {
            return;
        }
        let plus = self.is_sign(at.saturating_add(1), b'+');
        let from = at.saturating_add(if plus { 3 } else { 2 });
        let kept = (self.built, self.payloads.len());
        let value = self.expression(from, 0);
        let ends = |next: usize| match self.kind(next) {
            None | Some(TokenKind::Line) => true,
            Some(TokenKind::Sign(sign)) => b";,)}".contains(sign),
            Some(TokenKind::Name(_)) => self.language == Language::Js,
            Some(TokenKind::Text(_) | TokenKind::Pattern(_) | TokenKind::Number(_)) => false,
        };
        let value = value
            .filter(|(_, next)| ends(*next))
            .map(|(value, _)| value);
        // The expression is met again in its turn, and counted then.
        self.built = kept.0;
        self.payloads.truncate(kept.1);
        self.pieces = (0, 0);
        let value = match (plus, value, self.names.remove(name)) {
            (false, value, _) => value,
            (true, Some(more), Some(Value::Text(mut text))) => {
                let more = more.into_text();
                if self.pay(more.len()).is_none() {
                    return;
                }
                text.push_str(&more);
                Some(Value::Text(text))
            }
            (true, _, _) => None,
        };
        if let Some(value) = value
            && self.names.len() < NAMES
            && value.is_within(NESTED)
        {
            self.names.insert(name.to_owned(), value);
        }
    }

    /// `term (+ term)*`, as far as it is constant.
    pub(super) fn expression(&mut self, at: usize, depth: u32) -> Parsed {
        let (mut value, mut next) = self.term(at, depth)?;
        let mut count = 0u32;
        // Ends because each round goes over tokens.
        loop {
            let after = self.over_lines(next);
            let joins = self.is_sign(after, b'+')
                && !self.is_sign(after.saturating_add(1), b'=')
                && !self.is_sign(after.saturating_add(1), b'+');
            let dotted = self.language == Language::Other
                && self.is_sign(after, b'.')
                && matches!(self.kind(after.saturating_add(1)), Some(TokenKind::Text(_)));
            if !joins && !dotted {
                break;
            }
            let start = self.over_lines(after.saturating_add(1));
            let Some((right, behind)) = self.term(start, depth) else {
                break;
            };
            self.pay(right.size())?;
            value = match (value, right) {
                (Value::Number(left), Value::Number(right)) => {
                    Value::Number(left.saturating_add(right))
                }
                (Value::Text(mut left), right) => {
                    let right = right.into_text();
                    if count == 0 {
                        self.note_piece(left.len());
                    }
                    self.note_piece(right.len());
                    left.push_str(&right);
                    Value::Text(left)
                }
                (Value::List(mut left), Value::List(right))
                    if self.language == Language::PowerShell =>
                {
                    left.extend(right);
                    Value::List(left)
                }
                (left, right) => {
                    let mut text = left.into_text();
                    text.push_str(&right.into_text());
                    Value::Text(text)
                }
            };
            count = count.saturating_add(1);
            next = behind;
        }
        if self.language == Language::PowerShell {
            return self.operators(value, next, depth);
        }
        Some((value, next))
    }

    pub(super) fn note_piece(&mut self, len: usize) {
        self.pieces.0 = self.pieces.0.saturating_add(1);
        self.pieces.1 = self.pieces.1.saturating_add(len);
    }

    pub(super) fn rearranged(&mut self) {
        self.built.rearranged = self.built.rearranged.saturating_add(1);
    }

    pub(super) fn over_lines(&self, mut at: usize) -> usize {
        if self.language == Language::PowerShell {
            return at;
        }
        while self.kind(at) == Some(&TokenKind::Line) {
            at = at.saturating_add(1);
        }
        at
    }

    /// `-f`, `-join`, `-replace`, `-split` behind a value.
    pub(super) fn operators(&mut self, value: Value, next: usize, depth: u32) -> Parsed {
        let mut value = value;
        let mut next = next;
        // Ends because each round goes over tokens.
        while self.is_sign(next, b'-') {
            let Some(word) = self.name(next.saturating_add(1)) else {
                break;
            };
            let operator = word.trim_start_matches(['c', 'i']);
            if !matches!(operator, "f" | "join" | "replace" | "split") || depth >= DEPTH {
                break;
            }
            let Some((arguments, behind)) =
                self.list_of_terms(next.saturating_add(2), depth.saturating_add(1))
            else {
                break;
            };
            self.pay(value.size())?;
            let text = |at: usize| arguments.get(at).cloned().map(Value::into_text);
            let result = match (operator, &value) {
                ("f", Value::Text(pattern)) => {
                    let text = builtins::format(pattern, &flat(&arguments), &mut self.work);
                    text.map(Value::Text)
                }
                ("join", Value::List(list)) => text(0)
                    .and_then(|between| joined(list, &between, &mut self.work))
                    .map(Value::Text),
                ("replace", Value::Text(own)) => text(0).and_then(|what| {
                    let with = text(1).unwrap_or_default();
                    builtins::replace(own, &what, &with, true, &mut self.work)
                }),
                ("split", Value::Text(own)) => text(0).map(|what| builtins::split(own, &what)),
                _ => None,
            };
            let Some(result) = result else {
                break;
            };
            self.rearranged();
            value = result;
            next = behind;
        }
        Some((value, next))
    }

    /// Terms between commas.
    pub(super) fn list_of_terms(&mut self, at: usize, depth: u32) -> Option<(Vec<Value>, usize)> {
        let (first, mut next) = self.term(at, depth)?;
        let mut list = vec![first];
        while self.is_sign(next, b',') {
            let Some((value, behind)) = self.term(next.saturating_add(1), depth) else {
                break;
            };
            list.push(value);
            next = behind;
        }
        Some((list, next))
    }

    pub(super) fn term(&mut self, at: usize, depth: u32) -> Parsed {
        if depth >= DEPTH {
            return None;
        }
        self.pay(0)?;
        let (mut value, mut next) = self.primary(at, depth)?;
        // Ends because each round goes over tokens.
        loop {
            if self.is_sign(next, b'.')
                && let Some(name) = self.name(next.saturating_add(1))
                && self.is_sign(next.saturating_add(2), b'(')
            {
                let Some((arguments, behind)) = self.arguments(next.saturating_add(3), depth)
                else {
                    break;
                };
                self.pay(value.size())?;
                let Some(result) =
                    builtins::method(self.language, &value, name, &arguments, &mut self.work)
                else {
                    break;
                };
                if !matches!(
                    name,
                    "toString" | "valueOf" | "trim" | "toLowerCase" | "toUpperCase" | "concat"
                ) {
                    self.rearranged();
                }
                value = result;
                next = behind;
                continue;
            }
            let Some((result, behind)) = self.element(&value, next, depth) else {
                break;
            };
            value = result;
            next = behind;
        }
        Some((value, next))
    }

    pub(super) fn primary(&mut self, at: usize, depth: u32) -> Parsed {
        let next = at.saturating_add(1);
        match self.kind(at)? {
            TokenKind::Text(text) => {
                self.pay(text.len())?;
                Some((Value::Text(text.to_string()), next))
            }
            TokenKind::Pattern(text) => Some((Value::Pattern((*text).to_owned()), next)),
            TokenKind::Number(number) => Some((Value::Number(*number), next)),
            TokenKind::Sign(b'(') => {
                let (list, behind) = self.arguments(next, depth)?;
                let mut list = list;
                match list.len() {
                    1 => Some((list.pop()?, behind)),
                    0 => None,
                    _ if self.language == Language::PowerShell => Some((Value::List(list), behind)),
                    _ => Some((list.pop()?, behind)),
                }
            }
            TokenKind::Sign(b'@') if self.is_sign(next, b'(') => {
                let (list, behind) = self.arguments(next.saturating_add(1), depth)?;
                Some((Value::List(flat(&list)), behind))
            }
            TokenKind::Sign(b'[') if self.language == Language::PowerShell => self.cast(at, depth),
            TokenKind::Sign(b'[') => {
                let (list, behind) = self.items(next, b']', depth)?;
                Some((Value::List(list), behind))
            }
            TokenKind::Sign(b'-')
                if self.language == Language::PowerShell && self.name(next) == Some("join") =>
            {
                let (value, behind) = self.term(next.saturating_add(1), depth.saturating_add(1))?;
                let Value::List(list) = value else {
                    return None;
                };
                self.rearranged();
                let text = joined(&list, "", &mut self.work)?;
                Some((Value::Text(text), behind))
            }
            TokenKind::Name(name) => self.named(at, name, depth),
            TokenKind::Sign(_) | TokenKind::Line => None,
        }
    }

    /// `[1]` behind a list, and of PowerShell `[1,2]` and `[-1..-9]` behind a text.
    fn element(&mut self, value: &Value, open: usize, depth: u32) -> Parsed {
        let shell = self.language == Language::PowerShell;
        if !self.is_sign(open, b'[') {
            return None;
        }
        self.pay(value.size())?;
        let list = match value {
            Value::List(list) => list.clone(),
            Value::Text(text) => match builtins::split(text, "") {
                Value::List(list) => list,
                other => vec![other],
            },
            Value::Number(_) | Value::Pattern(_) => return None,
        };
        let first = open.saturating_add(1);
        let turned = [b'-', b'.', b'.', b'-'];
        let places = [
            first,
            first.saturating_add(2),
            first.saturating_add(3),
            first.saturating_add(4),
        ];
        let mut signs = turned.iter().zip(places);
        if shell
            && self.kind(first.saturating_add(1)) == Some(&TokenKind::Number(1))
            && signs.all(|(sign, at)| self.is_sign(at, *sign))
        {
            // Down to where it ends is as good as always the start.
            let behind =
                (places[3]..places[3].saturating_add(12)).find(|at| self.is_sign(*at, b']'))?;
            self.rearranged();
            let turned = list.into_iter().rev().collect();
            return Some((Value::List(turned), behind.saturating_add(1)));
        }
        let (places, behind) = self.items(first, b']', depth)?;
        let places: Option<Vec<Value>> = places
            .into_iter()
            .map(|place| match place {
                Value::Number(place) => list.get(usize::try_from(place).ok()?).cloned(),
                Value::Text(_) | Value::List(_) | Value::Pattern(_) => None,
            })
            .collect();
        let mut places = places?;
        match places.len() {
            1 => Some((places.pop()?, behind)),
            _ if shell => Some((Value::List(places), behind)),
            _ => None,
        }
    }

    /// Values between commas up to a closing parenthesis.
    pub(super) fn arguments(&mut self, at: usize, depth: u32) -> Option<(Vec<Value>, usize)> {
        self.items(at, b')', depth)
    }

    pub(super) fn items(
        &mut self,
        at: usize,
        close: u8,
        depth: u32,
    ) -> Option<(Vec<Value>, usize)> {
        let mut list = Vec::new();
        let mut next = self.over_all_lines(at);
        if self.is_sign(next, close) {
            return Some((list, next.saturating_add(1)));
        }
        // Ends because each round goes over tokens.
        loop {
            let (value, behind) = self.expression(next, depth.saturating_add(1))?;
            list.push(value);
            next = self.over_all_lines(behind);
            if self.is_sign(next, close) {
                return Some((list, next.saturating_add(1)));
            }
            if !self.is_sign(next, b',') {
                return None;
            }
            next = self.over_all_lines(next.saturating_add(1));
            if self.is_sign(next, close) {
                return Some((list, next.saturating_add(1)));
            }
        }
    }

    pub(super) fn over_all_lines(&self, mut at: usize) -> usize {
        while self.kind(at) == Some(&TokenKind::Line) {
            at = at.saturating_add(1);
        }
        at
    }
}

/// Lists within a list laid out flat, one level.
fn flat(list: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    for value in list {
        match value {
            Value::List(inner) => out.extend(inner.iter().cloned()),
            other => out.push(other.clone()),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn js(source: &str) -> String {
        fold(source, Language::Js).text.unwrap_or_default()
    }

    fn shell(source: &str) -> String {
        fold(source, Language::PowerShell).text.unwrap_or_default()
    }

    #[test]
    fn texts_of_javascript_are_put_together() {
        for (source, expected) in [
            ("f('a'+\"b\" + 'c')", "f(\"abc\")"),
            ("f(String.fromCharCode(97,98)+'c')", "f(\"abc\")"),
            ("f(unescape('%61%u0062c'))", "f(\"abc\")"),
            ("f('cba'.split('').reverse().join(''))", "f(\"abc\")"),
            ("f(['a','b','c'].join(''))", "f(\"abc\")"),
            ("f('aXbXc'.replace(/X/g,''))", "f(\"abc\")"),
            ("f('\\x61\\x62c')", "f(\"abc\")"),
            ("var l=['x','abc'];f(l[1])", "var l=['x','abc'];f(\"abc\")"),
            ("var a='b';a+='c';f('a'+a)", "var a='b';a+='c';f(\"abc\")"),
            ("f(atob('YWJjZGVm'))", "f(\"abcdef\")"),
        ] {
            assert_eq!(js(source), expected, "{source}");
        }
        assert_eq!(fold("f('abc');x=y+z;", Language::Js).text, None);
    }

    #[test]
    fn texts_of_powershell_are_put_together() {
        for (source, expected) in [
            ("& ('a'+'bc')", "& 'abc'"),
            ("& (\"{1}{0}\" -f 'bc','a')", "& 'abc'"),
            ("& ([char]97+[char]98+'c')", "& 'abc'"),
            ("& (-join([char[]](97,98,99)))", "& 'abc'"),
            ("& ('aXbc'.Replace('X',''))", "& 'abc'"),
            ("& (-join 'cba'[-1..-3])", "& 'abc'"),
            ("& ('cab'[1,2,0] -join '')", "& 'abc'"),
            ("& ($pshome[4]+$pshome[30]+'x')", "& 'iex'"),
            ("& ('aXbc' -replace 'X','')", "& 'abc'"),
            ("& ([string]::Join('',('a','bc')))", "& 'abc'"),
        ] {
            assert_eq!(shell(source), expected, "{source}");
        }
    }

    #[test]
    fn what_is_decoded_or_evaluated_is_a_payload() {
        let folded = fold(
            "[System.Convert]::FromBase64String('H4sIAAAAAAAA')",
            Language::PowerShell,
        );
        assert_eq!(folded.payloads.len(), 1);
        let folded = fold("eval('WScript.'+'Echo(1)')", Language::Js);
        assert_eq!(folded.payloads.len(), 1);
        assert!(folded.payloads[0].run);
        assert_eq!(folded.payloads[0].data, b"WScript.Echo(1)");
    }

    #[test]
    fn lists_of_lists_are_paid_for_with_all_that_is_in_them() {
        let doubled: String = (1..60)
            .map(|at| format!("v{at}=[v{0},v{0}];", at - 1))
            .collect();
        let source = format!("v0=['abcdefgh','ijklmnop'];{doubled}f(v59.join(v59.join('x')))");
        drop(fold(&source, Language::Js));
        drop(fold(
            &format!("a=['x'];{}", "a=[a];".repeat(100_000)),
            Language::Js,
        ));
        let joined = format!(
            "a='{}';{}",
            "x".repeat(2_000),
            "a=a.split('x').join(a);".repeat(30)
        );
        assert!(fold(&joined, Language::Js).exhausted);
        let formatted = format!(
            "$a='{}';{}",
            "x".repeat(50_000),
            "('{0}{0}{0}'-f $a);".repeat(5_000)
        );
        assert!(fold(&formatted, Language::PowerShell).exhausted);
    }

    #[test]
    fn one_of_a_long_list_costs_what_it_is() {
        let texts: String = (0..20_000).map(|at| format!("'s{at}',")).collect();
        let uses: String = (0..20_000).map(|at| format!("x+=l[{at}];")).collect();
        let folded = fold(&format!("var l=[{texts}];x='';{uses}f(x)"), Language::Js);
        assert!(!folded.exhausted);
        assert!(folded.text.unwrap().contains("s0s1s2s3"));
    }

    #[test]
    fn hostile_nesting_ends() {
        for text in [
            "(".repeat(50_000),
            "['a',".repeat(20_000),
            "a='a'+a+a;".repeat(5_000),
            "[[[['a'+".repeat(9_000),
        ] {
            drop(fold(&text, Language::Js));
            drop(fold(&text, Language::PowerShell));
        }
    }
}
