//! Charsets by label (WHATWG Encoding Standard, plus the labels that Japanese mailers use) and by look.

use std::borrow::Cow;
use std::cell::RefCell;

use encoding_rs::{
    EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252,
};

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
        "eucjp" | "euc-jp-ms" | "eucjp-win" | "cp51932" => Some(EUC_JP),
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
    if charset.encoding == ISO_2022_JP {
        return from_iso_2022_jp(body);
    }
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

/// Whether most of what the escapes of ISO-2022-JP shift to other sets fits those: plain lines that go on behind such a
/// shift are read as plain lines by whoever knows none.
fn is_iso_2022_jp(head: &[u8]) -> bool {
    /// Plain lines behind a shift without an end that make the text no Japanese one.
    const LINES: usize = 2;
    let (mut good, mut bad) = (0usize, 0usize);
    // Plain lines since a shift that its line did not end.
    let mut open: Option<usize> = None;
    for (line, end) in lines(head) {
        let stretches = stretches(line);
        open = match open {
            Some(plain) if stretches.len() == 1 => {
                Some(plain.saturating_add(usize::from(!line.is_empty())))
            }
            _ => None,
        };
        if open.is_some_and(|plain| plain >= LINES) {
            return false;
        }
        for stretch in stretches {
            if matches!(stretch.set, Set::Ascii | Set::Roman) {
                continue;
            }
            // The end of the window may stand within a character.
            let cut = !stretch.ended && end.is_empty();
            if !stretch.body.is_empty() && stretch.set.fits(stretch.body) {
                good = good.saturating_add(1);
            } else if !cut {
                bad = bad.saturating_add(1);
            }
            if !stretch.ended && !cut {
                open = Some(0);
            }
        }
    }
    good > bad
}

/// Text in ISO-2022-JP; where it is broken or shows a path in the Roman set, every line starts in ASCII anew.
fn from_iso_2022_jp(bytes: &[u8]) -> Cow<'_, str> {
    let (text, broken) = ISO_2022_JP.decode_without_bom_handling(bytes);
    if !broken && !is_path(&text, '\u{a5}') {
        return text;
    }
    let mut out = String::with_capacity(bytes.len());
    for (line, end) in lines(bytes) {
        for stretch in stretches(line) {
            stretch.decode(&mut out);
        }
        push_plain(end, &mut out);
    }
    Cow::Owned(out)
}

/// Whether the sign that is one of money in the Roman set stands in a path or an escape: a price goes on with digits.
fn is_path(text: &str, sign: char) -> bool {
    let mut behind = text.split(sign).skip(1);
    behind.any(|rest| !rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Lines and what ends each, of one byte at most.
fn lines(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let pieces = bytes.split_inclusive(|byte| matches!(byte, b'\r' | b'\n'));
    pieces.map(|piece| match piece {
        [line @ .., b'\r' | b'\n'] => (line, piece.get(line.len()..).unwrap_or_default()),
        _ => (piece, Default::default()),
    })
}

/// A set of characters that ISO-2022-JP shifts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    Ascii,
    /// ASCII with a sign of money and an overline.
    Roman,
    /// Half-width kana.
    Kana,
    /// JIS X 0208.
    Kanji,
    /// JIS X 0212.
    Rare,
}

impl Set {
    /// The set that an escape shifts to and the length of the escape.
    fn shifted(escape: &[u8]) -> Option<(Self, usize)> {
        match escape {
            [0x1b, b'(', b'B', ..] => Some((Self::Ascii, 3)),
            [0x1b, b'(', b'J', ..] => Some((Self::Roman, 3)),
            [0x1b, b'(', b'I', ..] => Some((Self::Kana, 3)),
            [0x1b, b'$', b'@' | b'B', ..] => Some((Self::Kanji, 3)),
            [0x1b, b'$', b'(', b'D', ..] => Some((Self::Rare, 4)),
            _ => None,
        }
    }

    /// Whether bytes may be of this set.
    fn fits(self, body: &[u8]) -> bool {
        match self {
            Self::Ascii | Self::Roman => true,
            Self::Kana => body.iter().all(|byte| matches!(byte, 0x21..=0x5f)),
            Self::Kanji | Self::Rare => {
                body.len().is_multiple_of(2) && body.iter().all(|byte| matches!(byte, 0x21..=0x7e))
            }
        }
    }
}

/// What stands in one set within a line.
#[derive(Debug)]
struct Stretch<'a> {
    set: Set,
    body: &'a [u8],
    /// Whether an escape ends it, not the line.
    ended: bool,
}

impl Stretch<'_> {
    /// Appends the text; what does not fit its set is plain.
    fn decode(&self, out: &mut String) {
        if !self.set.fits(self.body) {
            return push_plain(self.body, out);
        }
        let high = |byte: &u8| *byte | 0x80;
        // EUC-JP has the same tables.
        let unix: Vec<u8> = match self.set {
            Set::Ascii => return push_plain(self.body, out),
            Set::Roman => {
                let mut plain = String::new();
                push_plain(self.body, &mut plain);
                if !is_path(&plain, '\\') {
                    plain = plain.replace('\\', "\u{a5}").replace('~', "\u{203e}");
                }
                out.push_str(&plain);
                return;
            }
            Set::Kana => {
                let kana = self.body.iter().flat_map(|byte| [0x8e, high(byte)]);
                kana.collect()
            }
            Set::Kanji => self.body.iter().map(high).collect(),
            Set::Rare => {
                let pairs = self.body.chunks(2);
                pairs
                    .flat_map(|pair| std::iter::once(0x8f).chain(pair.iter().map(high)))
                    .collect()
            }
        };
        out.push_str(&EUC_JP.decode_without_bom_handling(&unix).0);
    }
}

/// Appends ASCII; other bytes and stray escapes have no character.
fn push_plain(bytes: &[u8], out: &mut String) {
    out.extend(bytes.iter().map(|byte| match byte {
        0x0e | 0x0f | 0x1b | 0x80.. => char::REPLACEMENT_CHARACTER,
        byte => char::from(*byte),
    }));
}

/// The parts of a line by their set, at least one; a line starts in ASCII.
fn stretches(line: &[u8]) -> Vec<Stretch<'_>> {
    let mut all = Vec::new();
    let mut set = Set::Ascii;
    let mut from = 0usize;
    for at in memchr::memchr_iter(0x1b, line) {
        let Some((next, length)) = Set::shifted(line.get(at..).unwrap_or_default()) else {
            continue;
        };
        all.push(Stretch {
            set,
            body: line.get(from..at).unwrap_or_default(),
            ended: true,
        });
        set = next;
        from = at.saturating_add(length);
    }
    all.push(Stretch {
        set,
        body: line.get(from..).unwrap_or_default(),
        ended: false,
    });
    all
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
    if !starts_as_markup(head) && has_plain_run(head) {
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

/// Whether a text starts with a tag in two bytes a letter.
fn starts_as_markup(head: &[u8]) -> bool {
    match head {
        [b'<', 0, next, 0, ..] | [0, b'<', 0, next, ..] => {
            matches!(*next, b'?' | b'!') || next.is_ascii_alphabetic()
        }
        _ => false,
    }
}

/// Whether lines of plain text stand among zeros. Kana and some kanji are two printable bytes each as well, but have
/// no blanks and line ends as lines do.
fn has_plain_run(head: &[u8]) -> bool {
    /// Shorter runs tell nothing.
    const RUN: usize = 24;
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let mut runs = head.split(|byte| !is_plain(byte));
    runs.any(|run| run.len() >= RUN && is_of_lines(run))
}

/// Whether printable bytes are text of one byte a letter: a line ends in them, or blanks stand at even and at odd
/// places, neither of which are nearly all the same, as the halves of kana are.
fn is_of_lines(run: &[u8]) -> bool {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n');
    let is_mixed = |parity: usize| {
        let half = || run.iter().skip(parity).step_by(2);
        let mut counts = [0usize; 128];
        for byte in half() {
            if let Some(count) = counts.get_mut(usize::from(*byte)) {
                *count = count.saturating_add(1);
            }
        }
        let most = counts.iter().max().copied().unwrap_or_default();
        half().any(is_blank) && most.saturating_mul(8) < half().count().saturating_mul(7)
    };
    memchr::memmem::find(run, b"\r\n").is_some() || (is_mixed(0) && is_mixed(1))
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
            let (unix, _, _) = EUC_JP.encode("報告書をお送りします");
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

    #[test]
    fn printable_halves_of_letters_make_no_plain_lines() {
        for text in [
            "<?xml version=\"1.0\"?><!--ということではないかと--><a b=\"c\"/>",
            "<html>「ということではないかと」と「ということではないかと」</html><p>a</p><p>bcdefghij</p>",
            "var text = 'ということではないかと思う'; a();",
            "var text = '慡慡慡慡慡慡慡慡慡慡慡慡慡慡'; a();",
        ] {
            let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(to_utf8(&little), text);
            let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
            assert_eq!(to_utf8(&big), text);
        }
    }

    #[test]
    fn one_odd_line_leaves_japanese_japanese() {
        let first = "\x1b$BJs9p\x1b(B orchid \x1b$BJs9p\x1b(J\r\n";
        for (line, shown) in [
            ("C:\\Users\\a\r\n", "C:\\Users\\a\r\n"),
            ("\x1b(J\\\\host\\a\r\n", "\\\\host\\a\r\n"),
            ("\x1b$(D0!\x1b(B\r\n", "\u{4e02}\r\n"),
            ("\x1b$B~~\x1b(B\r\n", "\u{fffd}\r\n"),
            ("\x1b$BJs9p\r\nabc\x1b(B\r\n", "報告\r\nabc\r\n"),
            ("\x1b$BURL=a b\r\n", "URL=a b\r\n"),
            ("\x1b(I1\x1b(B\x1b$B~~\x1b(B", "\u{ff71}\u{fffd}"),
        ] {
            let text = [first, line].concat();
            assert_eq!(
                to_utf8(text.as_bytes()),
                format!("報告 orchid 報告\r\n{shown}")
            );
        }
        let hidden = [first, "\x1b$BJs9p\r\n[InternetShortcut]\r\nURL=a\r\n"].concat();
        assert_eq!(to_utf8(hidden.as_bytes()), hidden);
    }
}
