//! Objects as a file (ISO 32000-2 7.3, 7.5): each by itself behind the other, then a table of references. Nothing is
//! packed into object streams, so that every reader sees what is there.
//!
//! The crate's own writer goes over a string once for each of its bytes that needs an escape.

use std::collections::BTreeMap;
use std::io::Write as _;

use lopdf::{Dictionary, Document, Object, StringFormat};

use super::{DEEPEST, Refusal};
use crate::limits::Budget;

/// Keys of a trailer that tell of the old file's references, which may have stood in a stream.
const OLD: &[&[u8]] = &[
    b"Type",
    b"Size",
    b"Prev",
    b"XRefStm",
    b"W",
    b"Index",
    b"Length",
    b"Filter",
    b"DecodeParms",
];

/// The file; what tells of the old file's layout does not come along.
pub(super) fn written(
    document: &Document,
    capacity: usize,
    budget: &Budget,
) -> Result<Vec<u8>, Refusal> {
    let mut writer = Writer(Vec::with_capacity(capacity));
    writer.put(b"%PDF-");
    writer.put(document.version.as_bytes());
    writer.put(b"\n%\xe2\xe3\xcf\xd3\n");
    let mut offsets = BTreeMap::new();
    for ((number, generation), object) in &document.objects {
        budget.tick().map_err(Refusal::Limit)?;
        let layout = ["ObjStm", "XRef", "Linearized"];
        let kind = object.type_name().unwrap_or_default();
        if layout.iter().any(|name| name.as_bytes() == kind) {
            continue;
        }
        offsets.insert(*number, (writer.0.len(), *generation));
        writer.number((*number).into());
        writer.put(b" ");
        writer.number((*generation).into());
        writer.put(b" obj\n");
        writer.object(object, DEEPEST)?;
        writer.put(b"\nendobj\n");
    }
    let table = writer.0.len();
    writer.table(&offsets);
    writer.put(b"trailer\n<<");
    for (key, value) in document.trailer.iter() {
        if !OLD.contains(&key.as_slice()) {
            writer.pair(key, value, DEEPEST)?;
        }
    }
    let last = offsets.last_key_value().map_or(0, |(number, _)| *number);
    writer.put(b"/Size ");
    writer.number(i64::from(last).saturating_add(1));
    writer.put(b">>\nstartxref\n");
    writer.number(i64::try_from(table).unwrap_or_default());
    writer.put(b"\n%%EOF\n");
    Ok(writer.0)
}

struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn show(&mut self, what: std::fmt::Arguments<'_>) {
        // Memory takes all that is written to it.
        self.0.write_fmt(what).unwrap_or_default();
    }

    fn number(&mut self, number: i64) {
        self.show(format_args!("{number}"));
    }

    /// The table of references (7.5.4): a section for numbers that follow one another.
    fn table(&mut self, offsets: &BTreeMap<u32, (usize, u16)>) {
        let mut sections: Vec<(u32, Vec<String>)> =
            vec![(0, vec!["0000000000 65535 f \n".to_owned()])];
        for (number, (offset, generation)) in offsets.iter().filter(|(number, _)| **number > 0) {
            let entry = format!("{offset:010} {generation:05} n \n");
            match sections.last_mut() {
                Some((first, entries))
                    if usize::try_from(number.saturating_sub(*first)) == Ok(entries.len()) =>
                {
                    entries.push(entry);
                }
                _ => sections.push((*number, vec![entry])),
            }
        }
        self.put(b"xref\n");
        for (first, entries) in sections {
            self.show(format_args!("{first} {}\n", entries.len()));
            for entry in entries {
                self.put(entry.as_bytes());
            }
        }
    }

    /// Recursion ends with the depth.
    fn object(&mut self, object: &Object, depth: usize) -> Result<(), Refusal> {
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Refusal::Broken("objects are nested too deep".to_owned()));
        };
        match object {
            Object::Null => self.put(b"null"),
            Object::Boolean(true) => self.put(b"true"),
            Object::Boolean(false) => self.put(b"false"),
            Object::Integer(number) => self.number(*number),
            Object::Real(number) => self.real(*number),
            Object::Name(name) => self.name(name),
            Object::String(text, StringFormat::Literal) => self.literal(text),
            Object::String(text, StringFormat::Hexadecimal) => self.hexadecimal(text),
            Object::Reference((number, generation)) => {
                self.number((*number).into());
                self.put(b" ");
                self.number((*generation).into());
                self.put(b" R");
            }
            Object::Array(items) => {
                self.put(b"[");
                let mut first = true;
                for item in items {
                    if !first && is_bare(item) {
                        self.put(b" ");
                    }
                    first = false;
                    self.object(item, depth)?;
                }
                self.put(b"]");
            }
            Object::Dictionary(dict) => self.dictionary(dict, depth)?,
            Object::Stream(stream) => {
                self.put(b"<<");
                for (key, value) in stream.dict.iter().filter(|(key, _)| *key != b"Length") {
                    self.pair(key, value, depth)?;
                }
                self.put(b"/Length ");
                self.number(i64::try_from(stream.content.len()).unwrap_or_default());
                self.put(b">>stream\n");
                self.put(&stream.content);
                self.put(b"\nendstream");
            }
        }
        Ok(())
    }

    fn dictionary(&mut self, dict: &Dictionary, depth: usize) -> Result<(), Refusal> {
        self.put(b"<<");
        for (key, value) in dict.iter() {
            self.pair(key, value, depth)?;
        }
        self.put(b">>");
        Ok(())
    }

    fn pair(&mut self, key: &[u8], value: &Object, depth: usize) -> Result<(), Refusal> {
        self.name(key);
        if is_bare(value) {
            self.put(b" ");
        }
        self.object(value, depth)
    }

    /// A number with a point, which a whole one would lose; there is none that is no number.
    fn real(&mut self, number: f32) {
        let number = if number.is_finite() { number } else { 0.0 };
        let start = self.0.len();
        self.show(format_args!("{number}"));
        if !self.0.get(start..).unwrap_or_default().contains(&b'.') {
            self.put(b".0");
        }
    }

    fn name(&mut self, name: &[u8]) {
        self.put(b"/");
        for byte in name {
            match byte {
                b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%' | b'#' => {
                    self.code(b"#", *byte);
                }
                b'!'..=b'~' => self.0.push(*byte),
                _ => self.code(b"#", *byte),
            }
        }
    }

    /// A string in parentheses (7.3.4.2).
    fn literal(&mut self, text: &[u8]) {
        self.put(b"(");
        let mut rest = text;
        // Ends because each turn takes a byte that needs an escape.
        while let Some(at) = rest
            .iter()
            .position(|byte| matches!(byte, b'(' | b')' | b'\\' | b'\r'))
        {
            let (plain, behind) = rest.split_at_checked(at).unwrap_or((rest, &[]));
            self.put(plain);
            self.put(b"\\");
            let Some((byte, behind)) = behind.split_first() else {
                break;
            };
            self.0.push(if *byte == b'\r' { b'r' } else { *byte });
            rest = behind;
        }
        self.put(rest);
        self.put(b")");
    }

    /// A string in angle brackets (7.3.4.3).
    fn hexadecimal(&mut self, text: &[u8]) {
        self.put(b"<");
        for byte in text {
            self.code(b"", *byte);
        }
        self.put(b">");
    }

    fn code(&mut self, lead: &[u8], byte: u8) {
        let digit = |value: u8| match value {
            0..=9 => b'0'.saturating_add(value),
            _ => b'A'.saturating_sub(10).saturating_add(value),
        };
        self.put(lead);
        self.0.extend([digit(byte >> 4), digit(byte & 15)]);
    }
}

/// Whether nothing marks where an object starts, so that a blank must stand before it.
fn is_bare(object: &Object) -> bool {
    matches!(
        object,
        Object::Null
            | Object::Boolean(_)
            | Object::Integer(_)
            | Object::Real(_)
            | Object::Reference(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    /// Objects of every kind come back as they were, wherever the table says that they stand.
    #[test]
    fn what_is_written_is_read_again() {
        let mut dict = Dictionary::new();
        dict.set("Odd /name#", Object::Name(b"a b\xff".to_vec()));
        dict.set(
            "Numbers",
            vec![1.into(), Object::Real(-0.5), Object::Real(7.0), (-3).into()],
        );
        dict.set(
            "Mixed",
            vec![
                Object::Null,
                true.into(),
                Object::Reference((9, 2)),
                Object::Array(Vec::new()),
            ],
        );
        let literal = b"((\\)\r\n\x00 ends)";
        dict.set(
            "Text",
            Object::String(literal.to_vec(), StringFormat::Literal),
        );
        let wide = b"\xfe\xff\x00(";
        dict.set(
            "Wide",
            Object::String(wide.to_vec(), StringFormat::Hexadecimal),
        );
        let mut document = Document::new();
        document.version = "1.7".to_owned();
        let stream = lopdf::Stream::new(dict.clone(), b"endstream\nendobj".to_vec());
        document.objects.insert((2, 0), Object::Dictionary(dict));
        document.objects.insert((3, 0), Object::Stream(stream));
        document.objects.insert((9, 2), Object::Integer(5));
        document.trailer.set("Root", Object::Reference((2, 0)));
        document.trailer.set("Prev", 77);
        let budget = Budget::new(Limits::default(), None);
        let out = written(&document, 0, &budget).unwrap();
        let read = Document::load_mem(&out).unwrap();
        assert_eq!(read.objects, document.objects);
        assert_eq!(read.version, "1.7");
        assert!(read.xref_recovery.is_none(), "{:?}", read.xref_recovery);
        assert_eq!(read.trailer.get(b"Size").unwrap().as_i64().unwrap(), 10);
        assert!(!read.trailer.has(b"Prev"));
        let own = crate::formats::pdf::read(&out, &budget).unwrap();
        let numbers: Vec<u32> = own.objects.iter().map(|object| object.number).collect();
        assert_eq!(numbers, [2, 3, 9]);
    }

    #[test]
    fn strings_full_of_escapes_take_no_longer_than_others() {
        let mut document = Document::new();
        let text = b"\\".repeat(4 << 20);
        let object = Object::String(text, StringFormat::Literal);
        document.objects.insert((1, 0), object);
        let budget = Budget::new(Limits::default(), None);
        let out = written(&document, 0, &budget).unwrap();
        assert!(out.len() > 8 << 20);
    }

    #[test]
    fn what_is_nested_too_deep_is_refused() {
        let nested = |depth: usize| {
            let start = Object::Array(Vec::new());
            (1..depth).fold(start, |inner, _| Object::Array(vec![inner]))
        };
        let budget = Budget::new(Limits::default(), None);
        for (depth, holds) in [(DEEPEST, true), (DEEPEST + 1, false)] {
            let mut document = Document::new();
            document.objects.insert((1, 0), nested(depth));
            assert_eq!(written(&document, 0, &budget).is_ok(), holds, "{depth}");
        }
    }
}
