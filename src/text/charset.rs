//! Charsets by label (WHATWG Encoding Standard, plus the labels that Japanese mailers use) and by look.

use std::borrow::Cow;
use std::cell::RefCell;

use encoding_rs::{Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// The bytes looked at when a charset is guessed.
const SNIFFED: usize = 64 * 1024;

/// The bytes looked at by the guess among eight-bit charsets.
const GUESSED: usize = 2 * 1024;

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charset {
    /// Encoding of the bytes behind the mark.
    pub encoding: &'static Encoding,
    /// Length of the byte order mark in bytes; 0 where there is none.
    pub mark: usize,
}

/// The encoding of a label, including the ones that the standard does not list.
pub fn encoding(label: &[u8]) -> Option<&'static Encoding> {
    let label = label.trim_ascii();
    if let Some(known) = Encoding::for_label(label) {
        return Some(known);
    }
    let label = String::from_utf8_lossy(label)
        .to_ascii_lowercase()
        .replace('_', "-");
    match label.as_str() {
        "cp932" | "ms932" | "x-ms-cp932" | "windows-932" | "cp943" | "sjis-win"
        | "shift-jisx0213" => Some(SHIFT_JIS),
        "iso-2022-jp-1" | "iso-2022-jp-2" | "iso-2022-jp-3" | "iso-2022-jp-ms" | "cp50220"
        | "cp50221" | "jis" => Some(ISO_2022_JP),
        "eucjp" | "euc-jp-ms" | "eucjp-win" | "cp51932" => Some(encoding_rs::EUC_JP),
        other => Encoding::for_label(other.as_bytes()),
    }
}

/// The text of bytes under a label; an unknown label is guessed around.
pub fn decode(label: &[u8], bytes: &[u8]) -> String {
    match encoding(label) {
        None if super::utf7::is_label(label) => super::utf7::decode(bytes),
        Some(encoding) => encoding.decode_with_bom_removal(bytes).0.into_owned(),
        None => to_utf8(bytes).into_owned(),
    }
}

/// The charset that a text most plausibly is in, or `None` where the bytes do not look like text at all.
///
/// A byte order mark decides; then UTF-16 without a mark (every second byte of Latin text is zero), then UTF-8,
/// ISO-2022-JP by its escapes, and a guess with a Japanese hint.
pub fn sniff(bytes: &[u8]) -> Option<Charset> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return Some(Charset { encoding, mark });
    }
    let head = bytes.get(..SNIFFED).unwrap_or(bytes);
    if let Some(encoding) = utf16_by_zeros(head) {
        return Some(Charset { encoding, mark: 0 });
    }
    let controls = controls(head);
    if controls > 0 && controls.saturating_mul(100) > head.len() {
        return None;
    }
    Some(Charset {
        encoding: guess(head),
        mark: 0,
    })
}

/// Text of any plausible charset as UTF-8: what a script host, a browser or Office would read.
pub fn to_utf8(bytes: &[u8]) -> Cow<'_, str> {
    let charset = sniff(bytes).unwrap_or(Charset {
        encoding: WINDOWS_1252,
        mark: 0,
    });
    let body = bytes.get(charset.mark..).unwrap_or_default();
    charset.encoding.decode_without_bom_handling(body).0
}

/// Control characters that no text has. Written so that the compiler counts many at a time.
fn controls(head: &[u8]) -> usize {
    let is_control = |byte: u8| {
        let blank = (byte.wrapping_sub(9) < 5) | (byte == 27);
        (byte < 32) & !blank | (byte == 127)
    };
    // A chunk is short enough for its count to fit a byte.
    let in_chunk = |chunk: &[u8]| {
        chunk.iter().fold(0u8, |count, byte| {
            count.wrapping_add(u8::from(is_control(*byte)))
        })
    };
    head.chunks(128)
        .map(|chunk| usize::from(in_chunk(chunk)))
        .sum()
}

fn guess(head: &[u8]) -> &'static Encoding {
    if head.is_ascii() {
        let escapes =
            memchr::memmem::find(head, b"\x1b$").or_else(|| memchr::memmem::find(head, b"\x1b("));
        return if escapes.is_some() && is_iso_2022_jp(head) {
            ISO_2022_JP
        } else {
            UTF_8
        };
    }
    // Goes many bytes at a time, which the standard library's check does not.
    let valid = Encoding::utf8_valid_up_to(head);
    let rest = head.get(valid..).unwrap_or_default();
    // Cut in the middle of a character by the sniffing window.
    let is_cut = |rest: &[u8]| {
        let checked = std::str::from_utf8(rest);
        checked.is_err_and(|error| error.error_len().is_none())
    };
    if rest.is_empty() || is_cut(rest) {
        return UTF_8;
    }
    // The detector is slow and needs little: it gets what follows the first byte that tells anything.
    let telling = Encoding::ascii_valid_up_to(head);
    let window = head.get(telling..).unwrap_or_default();
    let window = window.get(..GUESSED).unwrap_or(window);
    let known = GUESSES.with(|guesses| guesses.try_borrow().ok()?.of(window));
    known.unwrap_or_else(|| {
        let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
        detector.feed(window, true);
        let guess = detector.guess(Some(b"jp"), chardetng::Utf8Detection::Allow);
        GUESSES.with(|guesses| {
            if let Ok(mut guesses) = guesses.try_borrow_mut() {
                guesses.keep(window, guess);
            }
        });
        guess
    })
}

/// Whether a text with the escapes of ISO-2022-JP keeps to it: what goes on in plain lines behind a shift to another
/// set is read as plain lines by whoever knows no such shift.
fn is_iso_2022_jp(head: &[u8]) -> bool {
    let mut decoder = ISO_2022_JP.new_decoder_without_bom_handling();
    let most = decoder.max_utf8_buffer_length_without_replacement(head.len());
    let mut out = String::with_capacity(most.unwrap_or_default());
    // The end of the window may stand within a character.
    let (result, _) = decoder.decode_to_string_without_replacement(head, &mut out, false);
    // The Roman set has a sign of money where paths and escapes have their own: a price goes on with digits.
    let is_path = || {
        let mut behind = out.split('\u{a5}').skip(1);
        behind.any(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_alphabetic()))
    };
    let kept = result == encoding_rs::DecoderResult::InputEmpty;
    kept && (memchr::memmem::find(head, b"\x1b(J").is_none() || !is_path())
}

thread_local! {
    static GUESSES: RefCell<Guesses> = RefCell::default();
}

/// What the last few windows were told to be: everyone who looks at a text asks for its charset anew, and so do those
/// who look at the mail that it stands in.
#[derive(Debug, Default)]
struct Guesses {
    kept: [Option<(Vec<u8>, &'static Encoding)>; 4],
    next: usize,
}

impl Guesses {
    fn of(&self, window: &[u8]) -> Option<&'static Encoding> {
        let mut kept = self.kept.iter().flatten();
        kept.find(|(known, _)| known == window)
            .map(|(_, guess)| *guess)
    }

    fn keep(&mut self, window: &[u8], guess: &'static Encoding) {
        let next = self.next;
        self.next = next.wrapping_add(1) % self.kept.len();
        if let Some(place) = self.kept.get_mut(next) {
            *place = Some((window.to_vec(), guess));
        }
    }
}

/// UTF-16 without a mark: nearly all bytes of one parity are zero and hardly any of the other.
fn utf16_by_zeros(head: &[u8]) -> Option<&'static Encoding> {
    if head.len() < 4 || memchr::memchr(0, head).is_none() {
        return None;
    }
    let mut zeros = [0usize; 2];
    for pair in head.chunks_exact(2) {
        for (count, byte) in zeros.iter_mut().zip(pair) {
            *count = count.saturating_add(usize::from(*byte == 0));
        }
    }
    let pairs = head.len() / 2;
    let many = |count: usize| count.saturating_mul(10) >= pairs.saturating_mul(4);
    let few = |count: usize| count.saturating_mul(50) <= pairs;
    if has_plain_run(head) {
        return None;
    }
    let [even, odd] = zeros;
    if many(odd) && few(even) {
        Some(UTF_16LE)
    } else if many(even) && few(odd) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether letters stand one behind another as no text of two bytes a letter has them: lines of plain text among zeros.
fn has_plain_run(head: &[u8]) -> bool {
    /// As many characters of two bytes each by chance are none of a language.
    const RUN: usize = 20;
    let mut run = 0usize;
    head.iter().any(|byte| {
        let plain = matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
        run = if plain { run.saturating_add(1) } else { 0 };
        run >= RUN
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_japanese_mailers_are_known() {
        for label in ["CP932", "x-ms-cp932", "windows-31j", "Shift_JIS"] {
            assert_eq!(encoding(label.as_bytes()), Some(SHIFT_JIS), "{label}");
        }
        assert_eq!(encoding(b"utf_8"), Some(UTF_8));
        assert_eq!(encoding(b"no-such-charset"), None);
    }

    #[test]
    fn charsets_are_told_by_their_look() {
        let utf16: Vec<u8> = "WScript.Echo 1"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(to_utf8(&utf16), "WScript.Echo 1");
        assert_eq!(to_utf8(b"\xef\xbb\xbfabc"), "abc");
        assert_eq!(to_utf8(b"\x1b$BJs9p\x1b(B"), "報告");
        let (sjis, _, _) = SHIFT_JIS.encode("四半期の売上報告書をお送りします。");
        assert_eq!(to_utf8(&sjis), "四半期の売上報告書をお送りします。");
        assert_eq!(sniff(&[0, 1, 2, 3, 4, 5, 6, 7]), None);
    }

    #[test]
    fn guesses_are_repeated_for_equal_bytes_alone() {
        for _ in 0..2 {
            for text in ["四半期の売上", "報告書をお送りします", "見積書の件です"]
            {
                let (sjis, _, _) = SHIFT_JIS.encode(text);
                assert_eq!(to_utf8(&sjis), text);
            }
            let (unix, _, _) = encoding_rs::EUC_JP.encode("報告書をお送りします");
            assert_eq!(to_utf8(&unix), "報告書をお送りします");
        }
        let mut guesses = Guesses::default();
        for number in 0..6u8 {
            guesses.keep(&[number], UTF_8);
        }
        let known = (0..6u8).filter(|number| guesses.of(&[*number]).is_some());
        assert_eq!(known.collect::<Vec<_>>(), [2, 3, 4, 5]);
    }

    #[test]
    fn a_shift_to_another_set_hides_no_plain_lines() {
        for shift in ["\x1b$B", "\x1b(I", "; \x1b$@"] {
            let text = format!("{shift}\r\n[InternetShortcut]\r\nURL=a\r\n");
            assert_eq!(to_utf8(text.as_bytes()), text);
        }
        let path = "\x1b(Ja=\\\\host\\a\r\n";
        assert_eq!(to_utf8(path.as_bytes()), path);
        assert_eq!(to_utf8(b"\x1b(J\\100 \x1b$BJs9p\x1b(B"), "\u{a5}100 報告");
        assert_eq!(to_utf8(b"a\r\n\x1b$BJs9p\x1b(B\r\nb"), "a\r\n報告\r\nb");
    }

    #[test]
    fn zeros_around_plain_lines_make_no_text_of_two_bytes() {
        let line = b"start mshta http://a.example/a\r\n";
        for text in [
            [&line[..], &b"x\0".repeat(500)].concat(),
            [&b"x\0".repeat(500), &line[..]].concat(),
        ] {
            assert_eq!(sniff(&text), None);
        }
        let wide: Vec<u8> = "start mshta 報告書"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        assert_eq!(to_utf8(&wide), "start mshta 報告書");
    }
}
