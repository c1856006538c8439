//! Programs in text: what their constant expressions come to.
//!
//! No interpreter: texts put together from pieces, character codes and codings are folded into what they say, in one
//! pass whose work is bounded. Nothing here says what is bad.

mod bases;
pub mod batch;
mod blocks;
mod builtins;
mod calls;
mod codes;
mod fold;
mod kept;
mod tokens;
mod value;

pub use bases::based_texts;
pub use blocks::{Dialect, blocks, blocks_of};
pub use codes::{code_texts, masked_texts};
pub use fold::{Built, Folded, Payload, fold};
pub use kept::folded;
pub use tokens::{Language, Token, TokenKind, tokens};
pub use value::Value;

use std::ops::Range;

use super::base64;

/// Characters of an encoded command at the least.
const SHORTEST_COMMAND: usize = 16;

/// Encoded commands of one text at the most.
const COMMANDS: usize = 32;

/// The commands behind `-EncodedCommand` of PowerShell (about_PowerShell_exe): base64 of UTF-16, with where they stand.
pub fn encoded_commands(text: &str) -> Vec<(Range<usize>, String)> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    for at in memchr::memchr2_iter(b'-', b'/', bytes) {
        let Some((start, option)) = option_at(text, at) else {
            continue;
        };
        // Any beginning of the option is taken, and `ec`.
        let is_option = "encodedcommand".starts_with(&option) || option == "ec";
        if !is_option || found.len() >= COMMANDS {
            continue;
        }
        let rest = text.get(start..).unwrap_or_default();
        let skip = rest.len().saturating_sub(
            rest.trim_start_matches(|c: char| {
                c.is_whitespace() || matches!(c, '"' | '\'' | '^' | ':')
            })
            .len(),
        );
        let from = start.saturating_add(skip);
        let run = bytes.get(from..).unwrap_or_default();
        let len = run
            .iter()
            .take_while(|byte| base64::is_base64(**byte) || **byte == b'=')
            .count();
        if skip == 0 || len < SHORTEST_COMMAND {
            continue;
        }
        let range = from..from.saturating_add(len);
        let decoded = base64::decode(bytes.get(range.clone()).unwrap_or_default()).data;
        if let Some(command) = wide_text(&decoded) {
            found.push((range, command));
        }
    }
    found
}

/// The option word that starts at a dash or slash, in lower case, and where it ends.
fn option_at(text: &str, at: usize) -> Option<(usize, String)> {
    let before = at
        .checked_sub(1)
        .and_then(|before| text.as_bytes().get(before));
    if before.is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let rest = text.as_bytes().get(at.checked_add(1)?..)?;
    let len = rest
        .iter()
        .take(24)
        .take_while(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'^' | b'`'))
        .count();
    // No other option is looked for.
    let mut letters = rest
        .get(..len)?
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic());
    if !letters
        .next()
        .is_some_and(|first| first.eq_ignore_ascii_case(&b'e'))
    {
        return None;
    }
    let word: String = rest
        .get(..len)?
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    let end = at.checked_add(1)?.checked_add(len)?;
    (!word.is_empty()).then_some((end, word))
}

/// Text of two bytes a character, all of it printable.
fn wide_text(bytes: &[u8]) -> Option<String> {
    let pairs = bytes.as_chunks::<2>().0;
    if pairs.len() < 3 {
        return None;
    }
    let text = String::from_utf16(
        &pairs
            .iter()
            .map(|pair| u16::from_le_bytes(*pair))
            .collect::<Vec<_>>(),
    )
    .ok()?;
    let plain = |c: char| !c.is_control() || matches!(c, '\t' | '\r' | '\n');
    let ascii = text.chars().filter(char::is_ascii).count();
    (text.chars().all(plain) && ascii.saturating_mul(2) >= text.chars().count()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_commands_are_found_under_any_beginning_of_the_option() {
        for option in ["-e", "-enc", "/EncodedCommand", "-^e^n^c", "-ec"] {
            let line = format!(
                "powershell -nop {option} \"VwByAGkAdABlAC0ASABvAHMAdAAgAGgAZQBsAGwAbwA=\""
            );
            let found: Vec<String> = encoded_commands(&line)
                .into_iter()
                .map(|(_, text)| text)
                .collect();
            assert_eq!(found, ["Write-Host hello"], "{option}");
        }
        for line in [
            "a -e VwByAGkAdABl",
            "tar -xe AAAABBBBCCCC",
            "x -exclude VwByAGkAdABlAC0ASABvAHMAdAA=",
        ] {
            assert!(encoded_commands(line).is_empty(), "{line}");
        }
    }
}
