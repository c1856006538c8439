//! Functions and methods whose result on constants is known: ECMA-262 22 (String, Array) and annex B (unescape), the
//! .NET methods and operators that PowerShell scripts build texts with.

use std::collections::BTreeMap;

use super::tokens::Language;
use super::value::{Value, Work, joined};

/// Longest list that a text is split into.
const PIECES: usize = 1 << 16;

/// Names that have a value before the script gives them one (about_Automatic_Variables, about_Preference_Variables), of
/// which scripts cut the letters that they do not want to write.
pub(super) fn names(language: Language) -> BTreeMap<String, Value> {
    const SHELL: &[(&str, &str)] = &[
        ("$pshome", "C:\\Windows\\System32\\WindowsPowerShell\\v1.0"),
        ("$shellid", "Microsoft.PowerShell"),
        ("$verbosepreference", "SilentlyContinue"),
    ];
    let known = match language {
        Language::PowerShell => SHELL,
        Language::Js | Language::Other => &[],
    };
    let text =
        |(name, value): &(&str, &str)| ((*name).to_owned(), Value::Text((*value).to_owned()));
    known.iter().map(text).collect()
}

/// Characters of codes.
pub(super) fn characters(arguments: &[Value]) -> Option<String> {
    let mut out = String::new();
    for argument in arguments {
        match argument {
            Value::List(list) => {
                for one in list {
                    out.push(one.as_char()?);
                }
            }
            one => out.push(one.as_char()?),
        }
    }
    Some(out)
}

/// `unescape` and `decodeURIComponent`: `%XX` and `%uXXXX`.
pub(super) fn unescape(text: &str) -> String {
    let mut units: Vec<u16> = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let (digits, skip) = if rest.starts_with("%u") {
            (rest.get(2..6), 6)
        } else {
            (rest.get(1..3), 3)
        };
        let code = digits
            .filter(|_| c == '%')
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if let Some(code) = code {
            units.push(code);
            rest = rest.get(skip..).unwrap_or_default();
        } else {
            units.extend(c.encode_utf16(&mut [0; 2]).iter());
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    String::from_utf16_lossy(&units)
}

/// A method on a value; `None` where it is not known.
pub(super) fn method(
    language: Language,
    on: &Value,
    name: &str,
    arguments: &[Value],
    work: &mut Work,
) -> Option<Value> {
    let text = |at: usize| match arguments.get(at) {
        Some(Value::Text(text) | Value::Pattern(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let number = |at: usize| match arguments.get(at) {
        Some(Value::Number(number)) => usize::try_from(*number).ok(),
        _ => None,
    };
    match on {
        Value::Text(own) => match name.to_ascii_lowercase().as_str() {
            "split" => Some(split(own, &text(0)?)),
            "tochararray" => Some(split(own, "")),
            "replace" | "replaceall" => {
                let every = language != Language::Js
                    || name == "replaceAll"
                    || matches!(arguments.first(), Some(Value::Pattern(_)));
                replace(own, &text(0)?, &text(1)?, every, work)
            }
            "substr" | "slice" | "substring" => {
                let from = number(0)?;
                let chars = own.chars().skip(from);
                // Of .NET, and `substr`: a length; else an end.
                let by_length = name == "substr" || language == Language::PowerShell;
                let taken: String = match number(1) {
                    None => chars.collect(),
                    Some(len) if by_length => chars.take(len).collect(),
                    Some(end) => chars.take(end.saturating_sub(from)).collect(),
                };
                Some(Value::Text(taken))
            }
            "charat" => own
                .chars()
                .nth(number(0)?)
                .map(|c| Value::Text(c.to_string())),
            "concat" => {
                let mut out = own.clone();
                for argument in arguments {
                    out.push_str(&argument.clone().into_text());
                }
                Some(Value::Text(out))
            }
            "tostring" | "valueof" | "trim" => Some(on.clone()),
            "tolowercase" | "tolower" => Some(Value::Text(own.to_lowercase())),
            "touppercase" | "toupper" => Some(Value::Text(own.to_uppercase())),
            _ => None,
        },
        Value::List(list) => match name.to_ascii_lowercase().as_str() {
            "join" => {
                let between = if arguments.is_empty() {
                    ",".to_owned()
                } else {
                    text(0)?
                };
                joined(list, &between, work).map(Value::Text)
            }
            "reverse" => Some(Value::List(list.iter().rev().cloned().collect())),
            "tostring" => joined(list, ",", work).map(Value::Text),
            _ => None,
        },
        Value::Number(number) => {
            (name == "toString" && arguments.is_empty()).then(|| Value::Text(number.to_string()))
        }
        Value::Pattern(_) => None,
    }
}

pub(super) fn split(text: &str, at: &str) -> Value {
    let pieces: Vec<Value> = if at.is_empty() {
        text.chars()
            .take(PIECES)
            .map(|c| Value::Text(c.to_string()))
            .collect()
    } else {
        text.split(at)
            .take(PIECES)
            .map(|piece| Value::Text(piece.to_owned()))
            .collect()
    };
    Value::List(pieces)
}

/// Replaces a text; a pattern only where it is a text with escapes, and none that makes the text grow.
pub(super) fn replace(
    text: &str,
    what: &str,
    with: &str,
    every: bool,
    work: &mut Work,
) -> Option<Value> {
    let plain = what.replace('\\', "");
    let special = what.len() == plain.len()
        && plain.chars().any(|c| "[](){}*+?|^$.".contains(c))
        && plain.len() > 1;
    if plain.is_empty() || special || with.len() > plain.len().saturating_mul(4).max(16) {
        return None;
    }
    let places = if every {
        text.matches(&plain).count()
    } else {
        1
    };
    work.pay(text.len())?;
    work.pay(places.saturating_mul(with.len()))?;
    Some(Value::Text(if every {
        text.replace(&plain, with)
    } else {
        text.replacen(&plain, with, 1)
    }))
}

/// The format operator of PowerShell: `"{1}{0}" -f a, b`.
pub(super) fn format(pattern: &str, arguments: &[Value], work: &mut Work) -> Option<String> {
    let mut out = String::new();
    let mut rest = pattern;
    while let Some((before, behind)) = rest.split_once('{') {
        out.push_str(before);
        let (slot, after) = behind.split_once('}')?;
        let number: usize = slot.trim().parse().ok()?;
        let argument = arguments.get(number)?;
        work.pay(argument.size())?;
        let argument = argument.clone().into_text();
        if out.len().saturating_add(argument.len()) > 1 << 20 {
            return None;
        }
        out.push_str(&argument);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}
