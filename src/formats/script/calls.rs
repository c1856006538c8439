//! Casts, static methods and functions in constant expressions: what they give, and what they decode.

use super::builtins;
use super::fold::{Machine, PAYLOADS, Parsed, Payload};
use super::tokens::TokenKind;
use super::value::{Value, joined};
use crate::formats::base64;

/// Functions that decode or run a text, in lower case.
const KNOWN: &[&str] = &[
    "fromcharcode",
    "unescape",
    "decodeuricomponent",
    "decodeuri",
    "atob",
    "chr",
    "eval",
    "frombase64string",
    "b64decode",
    "base64_decode",
    "exec",
    "function",
];

impl Machine<'_> {
    /// `[char]65`, `[char[]](65,66)`, `[string]…`, `[type]::method(…)`.
    pub(super) fn cast(&mut self, at: usize, depth: u32) -> Parsed {
        let mut next = at.saturating_add(1);
        let mut word = String::new();
        // A type's name: names and dots, a pair of brackets for a list.
        for _ in 0..16 {
            if let Some(name) = self.name(next) {
                word.clear();
                word.push_str(name);
            } else if self.is_sign(next, b'[') && self.is_sign(next.saturating_add(1), b']') {
                word.push_str("[]");
                next = next.saturating_add(1);
            } else if !self.is_sign(next, b'.') {
                break;
            }
            next = next.saturating_add(1);
        }
        if !self.is_sign(next, b']') {
            return None;
        }
        next = next.saturating_add(1);
        if self.is_sign(next, b':') && self.is_sign(next.saturating_add(1), b':') {
            let method = self.name(next.saturating_add(2))?;
            if !self.is_sign(next.saturating_add(3), b'(') {
                return None;
            }
            let (arguments, behind) = self.arguments(next.saturating_add(4), depth)?;
            return self.static_method(at, &word, method, &arguments, behind);
        }
        let (value, behind) = self.term(next, depth.saturating_add(1))?;
        let value = match (word.as_str(), value) {
            ("char", value) => {
                self.note_characters(1);
                Value::Text(value.as_char()?.to_string())
            }
            ("char[]", Value::List(list)) => {
                self.note_characters(list.len());
                let chars: Option<Vec<Value>> = list
                    .iter()
                    .map(|code| code.as_char().map(|c| Value::Text(c.to_string())))
                    .collect();
                Value::List(chars?)
            }
            ("char[]", Value::Text(text)) => {
                self.pay(text.len())?;
                builtins::split(&text, "")
            }
            ("string", value) => Value::Text(match value {
                Value::List(list) => joined(&list, " ", &mut self.work)?,
                other => other.into_text(),
            }),
            ("int" | "byte", Value::Text(text)) => Value::Number(text.trim().parse().ok()?),
            ("byte[]" | "int[]" | "string[]" | "object[]" | "int" | "byte", value) => value,
            _ => return None,
        };
        Some((value, behind))
    }

    pub(super) fn note_characters(&mut self, count: usize) {
        self.built.characters = self
            .built
            .characters
            .saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn static_method(
        &mut self,
        at: usize,
        word: &str,
        method: &str,
        arguments: &[Value],
        behind: usize,
    ) -> Parsed {
        match (word, method, arguments) {
            ("convert", "frombase64string", [Value::Text(text)]) => {
                let text = text.clone();
                self.base64(at, behind, &text)
            }
            ("string", "join", [between, Value::List(list)]) => {
                self.rearranged();
                let between = between.clone().into_text();
                let text = joined(list, &between, &mut self.work)?;
                Some((Value::Text(text), behind))
            }
            ("regex", "replace", [Value::Text(text), what, with]) => {
                self.rearranged();
                let (what, with) = (what.clone().into_text(), with.clone().into_text());
                let value = builtins::replace(text, &what, &with, true, &mut self.work)?;
                Some((value, behind))
            }
            _ => None,
        }
    }

    /// Base64 that the script decodes: a payload, and a text where it is one.
    pub(super) fn base64(&mut self, at: usize, behind: usize, text: &str) -> Parsed {
        self.pay(text.len())?;
        let data = base64::decode(text.as_bytes()).data;
        if data.len() < 4 {
            return None;
        }
        self.built.decoded = self.built.decoded.saturating_add(1);
        let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        let value = data
            .iter()
            .all(plain)
            .then(|| String::from_utf8_lossy(&data).into_owned());
        let span = self.span(at, behind);
        self.keep(Payload {
            span,
            data,
            run: false,
        });
        Some((Value::Text(value?), behind))
    }

    pub(super) fn keep(&mut self, payload: Payload) {
        // An expression within a larger one is met again where the larger one fails.
        let known = self
            .payloads
            .iter()
            .any(|known| known.span.end == payload.span.end && known.data == payload.data);
        if self.payloads.len() < PAYLOADS && !known {
            self.payloads.push(payload);
        }
    }

    /// A known name, a function, or a name with a value.
    pub(super) fn named(&mut self, at: usize, name: &str, depth: u32) -> Parsed {
        let next = at.saturating_add(1);
        if name == "String"
            && self.is_sign(next, b'.')
            && self.name(next.saturating_add(1)) == Some("fromCharCode")
        {
            return self.call(at, "fromCharCode", next.saturating_add(2), depth);
        }
        if self.is_call(next) && self.is_sign(next, b'(') {
            return self.call(at, name, next, depth);
        }
        if self.is_target(at)
            || at
                .checked_sub(1)
                .is_some_and(|before| self.is_sign(before, b'.'))
        {
            return None;
        }
        // One of a list of thousands, as scripts keep their texts: the others are not touched.
        let place = match self.kind(next.saturating_add(1)) {
            Some(TokenKind::Number(place))
                if self.is_sign(next, b'[') && self.is_sign(next.saturating_add(2), b']') =>
            {
                usize::try_from(*place).ok()
            }
            _ => None,
        };
        let (value, next) = match (self.names.get(name)?, place) {
            (Value::List(list), Some(place)) => (list.get(place)?, next.saturating_add(3)),
            (value, _) => (value, next),
        };
        self.work.pay(value.size())?;
        Some((value.clone(), next))
    }

    pub(super) fn call(&mut self, at: usize, name: &str, open: usize, depth: u32) -> Parsed {
        let mut known = KNOWN.iter();
        let lower = known.find(|known| known.eq_ignore_ascii_case(name))?;
        if !self.is_sign(open, b'(') {
            return None;
        }
        let (arguments, behind) = self.arguments(open.saturating_add(1), depth)?;
        let first = arguments.first().cloned();
        match (*lower, first) {
            ("fromcharcode" | "chr", Some(_)) => {
                let text = builtins::characters(&arguments)?;
                self.note_characters(text.chars().count());
                Some((Value::Text(text), behind))
            }
            ("unescape" | "decodeuricomponent" | "decodeuri", Some(Value::Text(text))) => {
                if text.contains('%') {
                    self.rearranged();
                }
                Some((Value::Text(builtins::unescape(&text)), behind))
            }
            (
                "atob" | "frombase64string" | "b64decode" | "base64_decode",
                Some(Value::Text(text)),
            ) => self.base64(at, behind, &text),
            ("eval" | "exec" | "function", Some(Value::Text(text))) if text.len() > 8 => {
                let span = self.span(at, behind);
                self.keep(Payload {
                    span,
                    data: text.into_bytes(),
                    run: true,
                });
                None
            }
            _ => None,
        }
    }
}
