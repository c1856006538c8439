//! Objects of OLE 1.0 ([MS-OLEDS] 2.2) as they stand in rich text, and packages ([MS-OLEDS] 2.3.6).
//!
//! Lengths that lead out of the data are cut to it: Word loads such objects too.

use crate::bytes::{Reader, Short, index};

/// Class names and paths that are kept, in bytes.
const LONGEST: usize = 4096;

/// An object by its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Object<'a> {
    /// EmbeddedObject (2.2.5).
    Embedded {
        /// ClassName.
        class: Vec<u8>,
        /// Offset of the native data.
        at: usize,
        /// The native data, as much of it as is there.
        data: &'a [u8],
        /// Bytes claimed.
        claimed: usize,
    },
    /// LinkedObject (2.2.6).
    Linked {
        /// ClassName.
        class: Vec<u8>,
        /// TopicName: the file or address.
        topic: Vec<u8>,
        /// ItemName.
        item: Vec<u8>,
        /// NetworkName.
        network: Vec<u8>,
    },
}

/// Reads an object. The version is not looked at: Word takes any.
pub fn object(data: &[u8]) -> Result<Object<'_>, Short> {
    let mut reader = Reader::new(data);
    reader.u32("OLEVersion")?;
    let format = reader.u32("FormatID")?;
    let wrong = Short {
        field: "FormatID 1 or 2",
        expected: 4,
        found: 0,
        offset: 4,
    };
    if !matches!(format, 1 | 2) {
        return Err(wrong);
    }
    let class = text(&mut reader, "ClassName")?;
    let topic = text(&mut reader, "TopicName")?;
    let item = text(&mut reader, "ItemName")?;
    if format == 1 {
        let network = text(&mut reader, "NetworkName").unwrap_or_default();
        return Ok(Object::Linked {
            class,
            topic,
            item,
            network,
        });
    }
    let claimed = index(reader.u32("NativeDataSize")?);
    let at = reader.offset();
    let rest = reader.peek();
    let data = rest.get(..claimed).unwrap_or(rest);
    Ok(Object::Embedded {
        class,
        at,
        data,
        claimed,
    })
}

/// LengthPrefixedAnsiString (2.1.4), without the zeros at its end.
fn text(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u8>, Short> {
    let len = index(reader.u32(field)?);
    let bytes = reader.take(field, len)?;
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    let bytes = bytes.get(..end).unwrap_or_default();
    Ok(bytes.get(..LONGEST).unwrap_or(bytes).to_vec())
}

/// A file put into a document by the Object Packager.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package<'a> {
    /// The name under the icon, in an eight-bit charset.
    pub label: Vec<u8>,
    /// Where the file came from.
    pub path: Vec<u8>,
    /// Where the file is put when it is opened.
    pub temporary: Vec<u8>,
    /// The label, path and temporary path in UTF-16, where they stand behind the data.
    pub wide: Vec<String>,
    /// Offset of the file's bytes.
    pub at: usize,
    /// The file's bytes, as much of them as is there.
    pub data: &'a [u8],
    /// Bytes claimed.
    pub claimed: usize,
}

/// The two ways in which a package is stored.
const EMBEDDED: u16 = 3;

/// Reads a package without the length in front of it. Layout as the packager writes it: a word (2), label, path, a
/// word (0), a word (3: embedded), the temporary path with its length, the data with its length, then the three names
/// again in UTF-16.
pub fn package(data: &[u8]) -> Result<Package<'_>, Short> {
    let mut reader = Reader::new(data);
    reader.u16("type")?;
    let label = zero_ended(&mut reader, "label")?;
    let path = zero_ended(&mut reader, "path")?;
    reader.u16("reserved")?;
    let form = reader.u16("form")?;
    if form != EMBEDDED {
        return Err(Short {
            field: "form 3 (embedded)",
            expected: 2,
            found: 0,
            offset: reader.offset(),
        });
    }
    let len = index(reader.u32("length of the temporary path")?);
    let temporary = reader.take("temporary path", len)?;
    let temporary = temporary
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default()
        .to_vec();
    let claimed = index(reader.u32("size")?);
    let at = reader.offset();
    let rest = reader.peek();
    let bytes = rest.get(..claimed).unwrap_or(rest);
    // Cannot fail: so much is there.
    reader.skip("data", bytes.len())?;
    let mut wide = Vec::new();
    for field in ["wide temporary path", "wide label", "wide path"] {
        let Ok(units) = reader.u32(field) else { break };
        let Ok(text) = reader.take(field, index(units).saturating_mul(2)) else {
            break;
        };
        let units = text
            .as_chunks::<2>()
            .0
            .iter()
            .map(|pair| u16::from_le_bytes(*pair))
            .take(LONGEST);
        let text: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
        wide.push(String::from_utf16_lossy(&text));
    }
    Ok(Package {
        label,
        path,
        temporary,
        wide,
        at,
        data: bytes,
        claimed,
    })
}

fn zero_ended(reader: &mut Reader<'_>, field: &'static str) -> Result<Vec<u8>, Short> {
    let rest = reader.peek();
    let Some(end) = memchr::memchr(0, rest) else {
        return Err(Short {
            field,
            expected: rest.len().saturating_add(1),
            found: rest.len(),
            offset: reader.offset(),
        });
    };
    let text = reader.take(field, end)?;
    reader.skip(field, 1)?;
    Ok(text.get(..LONGEST).unwrap_or(text).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(text: &[u8]) -> Vec<u8> {
        let len = u32::try_from(text.len() + 1).unwrap().to_le_bytes();
        [&len[..], text, b"\0"].concat()
    }

    #[test]
    fn embedded_objects_give_their_data_and_their_lies() {
        let head = [1, 5, 0, 0, 2, 0, 0, 0].to_vec();
        let empty = [0; 8].to_vec();
        let data = [
            head.clone(),
            prefixed(b"Package"),
            empty.clone(),
            vec![3, 0, 0, 0],
            b"abcdef".to_vec(),
        ]
        .concat();
        let Ok(Object::Embedded {
            class,
            data: native,
            claimed,
            ..
        }) = object(&data)
        else {
            panic!()
        };
        assert_eq!(
            (class.as_slice(), native, claimed),
            (&b"Package"[..], &b"abc"[..], 3)
        );
        let lying = [head, prefixed(b"x"), empty, vec![255; 4], b"abc".to_vec()].concat();
        let Ok(Object::Embedded { data: native, .. }) = object(&lying) else {
            panic!()
        };
        assert_eq!(native, b"abc");
        assert!(object(&data[..10]).is_err() && object(&[1, 5, 0, 0, 3, 0, 0, 0]).is_err());
    }

    #[test]
    fn links_tell_where_they_lead() {
        let data = [
            vec![1, 5, 0, 0, 1, 0, 0, 0],
            prefixed(b"Word.Document.8"),
            prefixed(b"http://192.0.2.1/a.doc"),
            prefixed(b"x"),
            prefixed(b""),
        ]
        .concat();
        let Ok(Object::Linked { topic, item, .. }) = object(&data) else {
            panic!()
        };
        assert_eq!(
            (topic.as_slice(), item.as_slice()),
            (&b"http://192.0.2.1/a.doc"[..], &b"x"[..])
        );
    }

    #[test]
    fn packages_give_the_file_and_its_names() {
        let mut data = b"\x02\0note.txt\0C:\\note.txt\0\0\0\x03\0".to_vec();
        data.extend(prefixed(b"C:\\Temp\\note.txt"));
        data.extend(5u32.to_le_bytes());
        data.extend(b"hello");
        for text in ["C:\\t", "報告.txt", "C:\\報告.txt"] {
            let units: Vec<u16> = text.encode_utf16().collect();
            data.extend(u32::try_from(units.len()).unwrap().to_le_bytes());
            data.extend(units.iter().flat_map(|unit| unit.to_le_bytes()));
        }
        let read = package(&data).unwrap();
        assert_eq!(
            (read.label.as_slice(), read.data, read.claimed),
            (&b"note.txt"[..], &b"hello"[..], 5)
        );
        assert_eq!(read.temporary, b"C:\\Temp\\note.txt");
        assert_eq!(read.wide[1], "報告.txt");
        for len in 0..30 {
            assert!(package(&data[..len]).is_err(), "{len}");
        }
        // A link to a file is no embedded one.
        let link = b"\x02\0a\0b\0\0\0\x01\0";
        assert!(package(link).is_err());
    }
}
