//! Data written as text: tables, calendars, cards, JSON, style sheets, armoured and encoded files.

use crate::model::Kind;

use super::words::Words;

/// Kinds that say what they are in their first lines.
pub(super) fn by_first_line(start: &str) -> Option<Kind> {
    // Excel takes a bare carriage return for the end of a line too.
    let first = start.split(['\r', '\n']).next().unwrap_or_default();
    let first = first.trim_end();
    let upper = first
        .get(..first.floor_char_boundary(64))
        .unwrap_or(first)
        .to_ascii_uppercase();
    let begins = |mark: &str| upper.starts_with(mark);
    if begins("ID;") {
        return is_sylk(start).then_some(Kind::Sylk);
    }
    if begins("BEGIN:VCALENDAR") {
        return Some(Kind::Ics);
    }
    if begins("BEGIN:VCARD") {
        return Some(Kind::Vcf);
    }
    if begins("-----BEGIN ") {
        return armour(&upper);
    }
    if begins("(THIS FILE MUST BE CONVERTED WITH BINHEX") {
        return Some(Kind::BinHex);
    }
    if begins("BEGIN") && is_uuencoded(start) {
        return Some(Kind::Uue);
    }
    if upper == "WEB" && is_web_query(start) {
        return Some(Kind::Iqy);
    }
    if upper.starts_with("QUERYTYPE=") && has_connection(start) {
        return Some(Kind::Iqy);
    }
    if upper == "XLODBC" && lines(start).nth(2).is_some_and(|line| line.contains('=')) {
        return Some(Kind::Iqy);
    }
    if is_application_reference(first) {
        return Some(Kind::ClickOnce);
    }
    let entry = begins("DN: ") || begins("DN:: ");
    let version = begins("VERSION: 1")
        && start
            .lines()
            .skip(1)
            .take(8)
            .any(|line| line.starts_with("dn:"));
    (entry
        && start
            .lines()
            .skip(1)
            .take(20)
            .filter(|line| line.contains(": "))
            .count()
            >= 2
        || version)
        .then_some(Kind::Ldif)
}

/// Records of a letter or two and fields behind semicolons, to the one that ends them: what follows it is not read.
fn is_sylk(start: &str) -> bool {
    let record = |line: &str| {
        let tag = line.split(';').next().unwrap_or_default();
        line.is_empty()
            || (1..=3).contains(&tag.len()) && tag.chars().all(|c| c.is_ascii_uppercase())
            || tag == "ID"
    };
    start
        .lines()
        .skip(1)
        .take(8)
        .map(str::trim)
        .take_while(|line| *line != "E")
        .all(record)
}

fn armour(upper: &str) -> Option<Kind> {
    if upper.contains("BEGIN PGP") {
        Some(Kind::Pgp)
    } else if upper.contains("PKCS7") || upper.contains("CMS") {
        Some(Kind::P7m)
    } else if upper.contains("CERTIFICATE")
        || upper.contains("KEY")
        || upper.contains("PARAMETERS")
        || upper.contains("CRL")
    {
        Some(Kind::Cert)
    } else {
        None
    }
}

/// `begin MODE NAME`, then lines whose first character tells their length (POSIX uuencode), or base64.
fn is_uuencoded(start: &str) -> bool {
    let mut lines = start.lines();
    let first = lines.next().unwrap_or_default();
    let mut words = first.split_ascii_whitespace();
    let begin = words.next();
    let mode = words.next().unwrap_or_default();
    if words.next().is_none()
        || !(3..=4).contains(&mode.len())
        || !mode.bytes().all(|b| (b'0'..=b'7').contains(&b))
    {
        return false;
    }
    let Some(line) = lines.next() else {
        return false;
    };
    if begin == Some("begin-base64") {
        return line.bytes().all(crate::formats::base64::is_base64);
    }
    let line = line.trim_end_matches('\r');
    if crate::formats::uuencode::is_xx_line(line.as_bytes()) {
        return begin == Some("begin");
    }
    let Some((length, body)) = line.as_bytes().split_first() else {
        return false;
    };
    let bytes = usize::from(length.wrapping_sub(b' ') & 0x3f);
    let characters = bytes.div_ceil(3).saturating_mul(4);
    if !line.bytes().all(|byte| (b' '..=b'`').contains(&byte)) {
        return line == "end";
    }
    begin == Some("begin")
        && (body.len() >= characters.min(4) && body.len() <= characters.saturating_add(2)
            || line == "end"
            || line == "`")
}

/// The address of a ClickOnce manifest and, behind a number sign, the identity of the program (`.appref-ms`).
fn is_application_reference(first: &str) -> bool {
    first.split_once('#').is_some_and(|(address, identity)| {
        address.contains(':')
            && identity.contains("Culture=")
            && identity.contains("PublicKeyToken=")
    })
}

/// `WEB`, a version and an address; the version may be missing.
fn is_web_query(start: &str) -> bool {
    let mut lines = start
        .split(['\r', '\n'])
        .skip(1)
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let address = |line: &str| {
        let lower = line.to_ascii_lowercase();
        line.contains("://") || lower.starts_with("\\\\") || lower.starts_with("file:")
    };
    // The version is a number; a text about the web has words there.
    let Some(first) = lines.next() else {
        return false;
    };
    let number = first.bytes().all(|byte| byte.is_ascii_digit());
    address(first) || number && lines.next().is_some_and(address)
}

/// A query of a cube or database (`.oqy`, `.rqy`) names its connection within the first lines.
fn has_connection(start: &str) -> bool {
    lines(start).take(20).any(|line| {
        line.get(..11)
            .is_some_and(|key| key.eq_ignore_ascii_case("Connection="))
    })
}

/// Lines that end as Excel ends them, without the empty ones.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.split(['\r', '\n']).map(str::trim);
    lines.filter(|line| !line.is_empty())
}

/// Kinds that are told by their grammar.
pub(super) fn by_grammar(words: &Words<'_>) -> Option<Kind> {
    if is_json(words.start(), words.whole) {
        return Some(Kind::Json);
    }
    is_style_sheet(words.start()).then_some(Kind::Css)
}

/// JSON (RFC 8259), one value or several on lines of their own, as far as the head goes: structure, strings, numbers
/// and the three words, and at least one member or a list of several values.
fn is_json(start: &str, whole: bool) -> bool {
    if !start.starts_with(['{', '[']) {
        return false;
    }
    let mut open: Vec<u8> = Vec::new();
    let mut members = 0usize;
    let mut values = 0usize;
    let mut bytes = start.as_bytes();
    while let Some((&byte, rest)) = bytes.split_first() {
        bytes = rest;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {}
            b'{' | b'[' => open.push(byte),
            b'}' if open.pop() == Some(b'{') => {}
            b']' if open.pop() == Some(b'[') => {}
            b':' => members = members.saturating_add(1),
            b'"' => {
                let Some(after) = end_of_string(rest) else {
                    return !whole && members > 0;
                };
                bytes = after;
                values = values.saturating_add(1);
            }
            b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => {
                let len = rest
                    .iter()
                    .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
                    .count();
                let (word, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
                let good = match byte {
                    b't' => word == b"rue",
                    b'f' => word == b"alse",
                    b'n' => word == b"ull",
                    _ => word.iter().all(|b| {
                        b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b'e' | b'E')
                    }),
                };
                // A word cut by the end of the head is good as far as it goes.
                if !good && (whole || !after.is_empty()) {
                    return false;
                }
                bytes = after;
                values = values.saturating_add(1);
            }
            _ => return false,
        }
    }
    (open.is_empty() || !whole) && (members > 0 || values > 1)
}

/// What follows the closing quotation mark.
fn end_of_string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let at = memchr::memchr3(b'"', b'\\', b'\n', rest)?;
        match rest.get(at)? {
            b'"' => return rest.get(at.checked_add(1)?..),
            b'\n' => return None,
            _ => rest = rest.get(at.checked_add(2)?..)?,
        }
    }
}

/// Two rules of selector and declarations, or one behind an at-rule; comments aside.
fn is_style_sheet(start: &str) -> bool {
    let mut rest = start;
    let mut rules = 0;
    let charset = start.starts_with("@charset") || start.starts_with("@import");
    for _ in 0..32 {
        rest = rest.trim_start();
        if let Some(comment) = rest.strip_prefix("/*") {
            let Some((_, after)) = comment.split_once("*/") else {
                break;
            };
            rest = after;
            continue;
        }
        let Some((selector, body)) = rest.split_once('{') else {
            break;
        };
        let selector = selector.rsplit(';').next().unwrap_or_default().trim();
        if selector.starts_with("@media") || selector.starts_with("@supports") {
            rest = body;
            continue;
        }
        let Some((declarations, after)) = body.split_once('}') else {
            break;
        };
        if !is_selector(selector) || !declarations.split(';').all(is_declaration) {
            return false;
        }
        rules += 1;
        rest = after.trim_start().trim_start_matches('}');
    }
    rules >= 2 || charset && rules >= 1
}

fn is_selector(selector: &str) -> bool {
    !selector.is_empty()
        && selector.len() < 2000
        && !selector.contains(['=', ';']) | selector.contains('[')
        && !["function", "if", "for", "while", "var", "class"]
            .iter()
            .any(|word| selector.split_whitespace().next() == Some(word))
}

fn is_declaration(declaration: &str) -> bool {
    let declaration = declaration.trim();
    let declaration = declaration.rsplit("*/").next().unwrap_or_default().trim();
    declaration.is_empty()
        || declaration
            .split_once(':')
            .is_some_and(|(property, value)| {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '*');
                !property.trim().is_empty()
                    && property.trim().chars().all(plain)
                    && !value.trim().is_empty()
            })
}

/// A table: the same number of delimiters on every line. Two columns need more lines than three, since prose may
/// have one comma a line by chance.
pub(super) fn by_table(words: &Words<'_>) -> Option<Kind> {
    [b',', b';', b'\t', b'|']
        .into_iter()
        .any(|delimiter| is_table(&words.head, delimiter, words.whole))
        .then_some(Kind::Csv)
}

/// Lines counted, at most.
const RECORDS: usize = 200;

/// Lines after which prose is told from a table with a title.
const EARLY: usize = 8;

/// Whether no line has a delimiter, or fewer than half of the lines have the most of them.
fn uneven(counts: &[usize]) -> bool {
    let most = counts.iter().max();
    most == Some(&0)
        || counts.iter().filter(|count| Some(*count) == most).count() * 2 < counts.len()
}

fn is_table(text: &str, delimiter: u8, whole: bool) -> bool {
    if memchr::memchr(delimiter, text.as_bytes()).is_none() {
        return false;
    }
    let mut counts: Vec<usize> = Vec::new();
    let mut longest = 0usize;
    let mut fields = 0usize;
    let mut quoted = false;
    let mut count = 0usize;
    let mut blank = true;
    let mut letters = 0usize;
    for byte in text.bytes() {
        match byte {
            b'"' => (quoted, blank) = (!quoted, false),
            b'\n' if !quoted => {
                if !blank {
                    counts.push(count);
                }
                (count, blank) = (0, true);
                (longest, letters) = (longest.max(letters), 0);
                if counts.len() >= RECORDS || counts.len() == EARLY && uneven(&counts) {
                    break;
                }
            }
            b'\r' => {}
            byte if byte == delimiter && !quoted => {
                count = count.saturating_add(1);
                fields = fields.saturating_add(1);
                blank = false;
                (longest, letters) = (longest.max(letters), 0);
            }
            byte => {
                blank &= byte.is_ascii_whitespace();
                // A field of many unquoted words is prose.
                letters = letters.saturating_add(usize::from(!quoted && byte == b' '));
            }
        }
    }
    if whole && !blank && counts.len() < RECORDS {
        counts.push(count);
        longest = longest.max(letters);
    }
    let most = counts.iter().copied().max().unwrap_or(0);
    let typical = counts.iter().filter(|count| **count == most).count();
    // A title or a total may stand above or below the table.
    let consistent = typical.saturating_mul(10) >= counts.len().saturating_mul(9);
    let enough = match most {
        0 => false,
        1 => typical >= 5 && longest <= 3,
        2 => typical >= 3 && longest <= 6,
        _ => typical >= 2 && longest <= 12,
    };
    consistent && enough
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<Kind> {
        let words = Words::new(text.as_bytes()).unwrap();
        by_first_line(words.start())
            .or_else(|| by_grammar(&words))
            .or_else(|| by_table(&words))
    }

    #[test]
    fn first_lines_tell_the_kind() {
        for (text, expected) in [
            (
                "ID;PWXL;N;E\r\nP;PGeneral\r\nC;Y1;X1;K\"a\"\r\nE\r\n",
                Kind::Sylk,
            ),
            ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n", Kind::Ics),
            ("begin:vcard\r\nversion:3.0\r\n", Kind::Vcf),
            ("-----BEGIN PGP MESSAGE-----\n", Kind::Pgp),
            ("-----BEGIN CERTIFICATE-----\nMIIB\n", Kind::Cert),
            ("-----BEGIN RSA PRIVATE KEY-----\nMIIB\n", Kind::Cert),
            ("-----BEGIN PKCS7-----\nMIIB\n", Kind::P7m),
            (
                "(This file must be converted with BinHex 4.0)\n\n:abc",
                Kind::BinHex,
            ),
            ("begin 644 a.exe\n#0V%T\n`\nend\n", Kind::Uue),
            ("WEB\n1\nhttp://192.0.2.1/q.dat\n", Kind::Iqy),
            ("WEB\r1\rhttp://192.0.2.1/q.dat\r", Kind::Iqy),
            (
                "QueryType=OLEDB\nVersion=1\nConnection=Provider=MSOLAP;Data Source=x\n",
                Kind::Iqy,
            ),
            (
                "dn: cn=a,dc=example\nobjectClass: person\ncn: a\n",
                Kind::Ldif,
            ),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn first_lines_that_only_look_alike_are_text() {
        for text in [
            "ID; name; and more about identity cards in prose\nThis is the second line of it.\n",
            "begin with the end in mind\nand go on from there\n",
            "begin 644 words\nThe second line is a sentence and no data.\n",
            "WEB\n1\nnothing here\n",
            "-----BEGIN-----\n",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn json_is_told_by_its_grammar() {
        assert_eq!(
            kind("{\"a\": [1, 2.5e3, true, null, \"x\\\"y\"]}"),
            Some(Kind::Json)
        );
        assert_eq!(kind("{\"a\":1}\n{\"a\":2}\n"), Some(Kind::Json));
        assert_eq!(kind("{a: 1}"), None);
        assert_eq!(kind("[see below] for more"), None);
        assert_eq!(kind("{\"a\": 1"), None);
        assert_eq!(kind("[1]"), None);
    }

    #[test]
    fn style_sheets_have_rules() {
        assert_eq!(
            kind("/* c */ body { color: red; }\n.a > b:hover { margin: 0 }"),
            Some(Kind::Css)
        );
        assert_eq!(
            kind("@media print { a { color: red } b { x: y } }"),
            Some(Kind::Css)
        );
        assert_eq!(
            kind("function f() { return 1; } function g() { x: 1 }"),
            None
        );
    }

    #[test]
    fn tables_have_the_same_delimiters_on_every_line() {
        assert_eq!(kind("a,b,c\n1,2,3\n\"x, y\",5,6\n"), Some(Kind::Csv));
        assert_eq!(
            kind("名前;金額;日付\n山田;100;2024-01-01\n佐藤;200;2024-01-02\n"),
            Some(Kind::Csv)
        );
        assert_eq!(kind("a\tb\n1\t2\n3\t4\n5\t6\n7\t8\n"), Some(Kind::Csv));
        let letter = "Dear all,\n\nthank you, as ever, for your help.\nWe met on Monday, and talked.\nYours,\nA. Person\n";
        assert_eq!(kind(letter), None);
        assert_eq!(kind("one, and only one comma in this line of prose\nanother, with one comma again in prose\n".repeat(4).as_str()), None);
    }
}
