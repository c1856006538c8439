//! Monikers in an OLEStream ([MS-OLEDS] 2.3.3): where the data of a linked object is.
//!
//! They are found by their class ids wherever these stand, since lengths and nesting (composite monikers) may lie.

use crate::bytes::{Reader, Short, index};

/// URL moniker, 79eac9e0-baf9-11ce-8c82-00aa004ba90b ([MS-OSHARED] 2.3.7.6).
const URL: [u8; 16] = [
    0xe0, 0xc9, 0xea, 0x79, 0xf9, 0xba, 0xce, 0x11, 0x8c, 0x82, 0, 0xaa, 0, 0x4b, 0xa9, 0x0b,
];

/// File moniker, 00000303-0000-0000-c000-000000000046 ([MS-OSHARED] 2.3.7.8).
const FILE: [u8; 16] = [3, 3, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0x46];

/// Monikers that run what they are put in front of, by the scheme under which they are registered: scriptlets
/// (06290bd3-48aa-11d2-8432-006008c3fbfc), new objects (ecabafc6-7f19-11d2-978e-0000f8757e2a) and SOAP
/// (ecabb0c7-7f19-11d2-978e-0000f8757e2a).
const RUNNING: &[(&str, [u8; 16])] = &[
    (
        "script",
        [
            0xd3, 0x0b, 0x29, 0x06, 0xaa, 0x48, 0xd2, 0x11, 0x84, 0x32, 0, 0x60, 8, 0xc3, 0xfb,
            0xfc,
        ],
    ),
    (
        "new",
        [
            0xc6, 0xaf, 0xab, 0xec, 0x19, 0x7f, 0xd2, 0x11, 0x97, 0x8e, 0, 0, 0xf8, 0x75, 0x7e,
            0x2a,
        ],
    ),
    (
        "soap",
        [
            0xc7, 0xb0, 0xab, 0xec, 0x19, 0x7f, 0xd2, 0x11, 0x97, 0x8e, 0, 0, 0xf8, 0x75, 0x7e,
            0x2a,
        ],
    ),
];

/// Targets of one class told at the most.
const TARGETS: usize = 16;

/// Characters of one target that are told.
const LONGEST: usize = 2048;

/// Offset and address of every moniker, in their order.
pub fn targets(stream: &[u8]) -> Vec<(usize, String)> {
    let urls = places(stream, &URL).map(|at| (at, url(stream, at)));
    let files = places(stream, &FILE).map(|at| (at, file(stream, at)));
    let mut found: Vec<(usize, String)> = urls
        .chain(files)
        .filter_map(|(at, target)| Some((at, target.ok()?)))
        .filter(|(_, target)| !target.is_empty())
        .collect();
    found.sort();
    let plain = found
        .first()
        .map(|(_, target)| target.clone())
        .unwrap_or_default();
    for (scheme, class) in RUNNING {
        let here = places(stream, class).take(1);
        found.extend(here.map(|at| (at, format!("{scheme}:{plain}"))));
    }
    found.sort();
    found
}

fn places<'a>(stream: &'a [u8], class: &'a [u8; 16]) -> impl Iterator<Item = usize> + 'a {
    memchr::memmem::find_iter(stream, class).take(TARGETS)
}

fn url(stream: &[u8], at: usize) -> Result<String, Short> {
    let mut reader = Reader::new(stream);
    reader.skip("moniker", at)?;
    reader.skip("class and length", 20)?;
    Ok(wide(reader.peek()))
}

fn file(stream: &[u8], at: usize) -> Result<String, Short> {
    let mut reader = Reader::new(stream);
    reader.skip("moniker", at)?;
    reader.skip("class and cAnti", 18)?;
    let len = index(reader.u32("ansiLength")?);
    let ansi = reader.take("ansiPath", len)?;
    let ansi = ansi.split(|byte| *byte == 0).next().unwrap_or_default();
    let plain: String = ansi.iter().take(LONGEST).map(|b| char::from(*b)).collect();
    // The path in UTF-16 stands behind only where the plain one could not say it.
    let unicode = |reader: &mut Reader<'_>| {
        reader.skip("endServer, versionNumber, reserved", 24)?;
        reader.u32("cbUnicodePathSize").map(index)
    };
    match unicode(&mut reader) {
        Ok(size) if size > 6 => {
            reader.skip("cbUnicodePathBytes, usKeyValue", 6)?;
            let rest = reader.peek();
            Ok(wide(rest.get(..size.saturating_sub(6)).unwrap_or(rest)))
        }
        _ => Ok(plain),
    }
}

/// UTF-16 up to its NUL.
fn wide(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|unit| *unit != 0)
        .take(LONGEST);
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn told(stream: &[u8]) -> Vec<String> {
        let targets = targets(stream).into_iter();
        targets.map(|(_, target)| target).collect()
    }

    #[test]
    fn addresses_and_files_are_told() {
        let mut stream = vec![1, 0, 0, 2, 1, 0, 0, 0];
        stream.extend(URL);
        stream.extend([60, 0, 0, 0]);
        stream.extend(utf16("http://h.example/a\0"));
        stream.extend(FILE);
        stream.extend([0, 0, 6, 0, 0, 0]);
        stream.extend(b"\\\\h\\a\0");
        assert_eq!(told(&stream), ["http://h.example/a", "\\\\h\\a"]);
        stream.extend([0; 24]);
        stream.extend([10, 0, 0, 0, 4, 0, 0, 0, 3, 0]);
        stream.extend(utf16("報告"));
        assert_eq!(told(&stream), ["http://h.example/a", "報告"]);
        assert!(told(&stream[..30]).iter().all(|target| target.len() < 8));
    }

    #[test]
    fn monikers_that_run_something_are_told_by_their_scheme() {
        let mut stream = RUNNING[0].1.to_vec();
        stream.extend(FILE);
        stream.extend([0, 0, 9, 0, 0, 0]);
        stream.extend(b"C:\\a.sct\0");
        assert_eq!(told(&stream), ["script:C:\\a.sct", "C:\\a.sct"]);
        assert!(told(b"\x01\0\0\x02").is_empty());
    }
}
