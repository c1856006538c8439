//! Texts that are another text or a program in hexadecimal digits or base64 as a whole, also written backwards.

use super::base64;

/// Shortest text that is taken for an encoded one.
const SHORTEST: usize = 16;

/// Longest text that is decoded.
const LONGEST: usize = 1 << 20;

/// What an encoded text means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A text.
    Text(String),
    /// A Windows program of so many bytes.
    Program(usize),
}

/// What a text means that is encoded as a whole; nothing where it is not, or where neither text nor program comes out.
pub fn whole(text: &str) -> Option<Meaning> {
    let text = text.trim();
    if !(SHORTEST..=LONGEST).contains(&text.len()) || !text.is_ascii() {
        return None;
    }
    forwards(text).or_else(|| {
        let head: Vec<u8> = text.bytes().rev().take(HEAD).collect();
        if !promises(&head) {
            return None;
        }
        let reversed: String = text.chars().rev().collect();
        forwards(&reversed)
    })
}

/// The longest run of base64 in a text, such as a command line, that means something.
pub fn within(text: &str) -> Option<Meaning> {
    let of_run = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    text.as_bytes()
        .split(|byte| !of_run(byte))
        .filter(|run| run.len() >= SHORTEST.saturating_mul(2))
        .max_by_key(|run| run.len())
        .and_then(|run| forwards(std::str::from_utf8(run).ok()?))
}

/// Whether a text looks encoded: long, without blanks, of hexadecimal digits or of all classes of base64.
pub fn looks_encoded(text: &str) -> bool {
    if !(SHORTEST..=LONGEST).contains(&text.len()) {
        return false;
    }
    let all = |class: fn(&u8) -> bool| text.as_bytes().iter().all(class);
    let any = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
    let base64 = all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
    let mixed =
        any(u8::is_ascii_lowercase) && any(u8::is_ascii_uppercase) && any(u8::is_ascii_digit);
    all(u8::is_ascii_hexdigit) && any(u8::is_ascii_digit) || base64 && mixed
}

/// Characters of a text by which it is told that it means nothing.
const HEAD: usize = 64;

/// Whether a text that starts with these characters may mean something.
fn promises(head: &[u8]) -> bool {
    let whole = head.len() >= HEAD && head.iter().all(|byte| base64::is_base64(*byte));
    if !whole || head.iter().all(u8::is_ascii_hexdigit) {
        return true;
    }
    let decoded = base64::decode(head).data;
    decoded.starts_with(b"MZ") || meaning(&decoded).is_some()
}

fn forwards(text: &str) -> Option<Meaning> {
    let head = text.as_bytes().get(..HEAD).unwrap_or_default();
    if !promises(head) {
        return None;
    }
    hexadecimal(text).as_deref().and_then(meaning).or_else(|| {
        let fits = text.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'\r' | b'\n')
        });
        let decoded = fits.then(|| base64::decode(text.as_bytes()).data)?;
        meaning(&decoded)
    })
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect()
}

fn meaning(bytes: &[u8]) -> Option<Meaning> {
    if bytes.starts_with(b"MZ") && bytes.len() > 64 {
        return Some(Meaning::Program(bytes.len()));
    }
    let printable = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    if bytes.len() >= 6 && bytes.iter().all(printable) {
        return Some(Meaning::Text(String::from_utf8_lossy(bytes).into_owned()));
    }
    let wide = bytes.len() >= 12
        && bytes.len().is_multiple_of(2)
        && bytes
            .chunks_exact(2)
            .all(|pair| pair.first().is_some_and(printable) && pair.last() == Some(&0));
    wide.then(|| {
        Meaning::Text(
            bytes
                .iter()
                .step_by(2)
                .map(|byte| char::from(*byte))
                .collect(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_base64_and_their_reverse_are_decoded() {
        let text = Some(Meaning::Text("http://example.invalid/".to_owned()));
        assert_eq!(
            whole("687474703a2f2f6578616d706c652e696e76616c69642f"),
            text
        );
        assert_eq!(whole("aHR0cDovL2V4YW1wbGUuaW52YWxpZC8="), text);
        let reversed: String = "aHR0cDovL2V4YW1wbGUuaW52YWxpZC8=".chars().rev().collect();
        assert_eq!(whole(&reversed), text);
    }

    #[test]
    fn long_texts_are_told_by_their_start_and_decoded_whole() {
        let said = "see http://example.invalid/ ".repeat(20);
        let coded = base64::encode(said.as_bytes());
        let text = Some(Meaning::Text(said.clone()));
        assert_eq!(whole(&coded), text);
        assert_eq!(whole(&coded.chars().rev().collect::<String>()), text);
        assert_eq!(within(&format!("f('{coded}')")), text);
        let wide: Vec<u8> = said.bytes().flat_map(|byte| [byte, 0]).collect();
        assert_eq!(whole(&base64::encode(&wide)), text);
        let program = [b"MZ\x90".as_slice(), &[7; 200]].concat();
        assert_eq!(
            whole(&base64::encode(&program)),
            Some(Meaning::Program(203))
        );
        let picture = [b"\x89PNG".as_slice(), said.as_bytes()].concat();
        assert_eq!(whole(&base64::encode(&picture)), None);
        assert_eq!(within(&format!("f('{}')", base64::encode(&picture))), None);
    }

    #[test]
    fn ordinary_texts_are_not_encoded() {
        for text in [
            "Please select a file",
            "ThisIsALongIdentifierName",
            "0123456789012345",
            "SheetNameAndRange01",
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
        assert!(!looks_encoded("SELECT * FROM table"));
        assert!(looks_encoded("687474703a2f2f6578616d70"));
    }

    #[test]
    fn the_command_behind_an_encoded_command_is_shown() {
        let line = "powershell -enc VwByAGkAdABlAC0ASABvAHMAdAAgAGgAZQBsAGwAbwA=";
        assert_eq!(
            within(line),
            Some(Meaning::Text("Write-Host hello".to_owned()))
        );
    }
}
