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

/// Targets told at the most.
const TARGETS: usize = 16;

/// Characters of one target that are told.
const LONGEST: usize = 2048;

/// Offset and address of every moniker in order.
pub fn targets(stream: &[u8]) -> Vec<(usize, String)> {
    let urls = memchr::memmem::find_iter(stream, &URL).filter_map(|at| Some((at, url(stream, at)?)));
    let files =
        memchr::memmem::find_iter(stream, &FILE).filter_map(|at| Some((at, file(stream, at).ok()?)));
    let mut found: Vec<_> = urls.take(TARGETS).chain(files.take(TARGETS)).collect();
    found.retain(|(_, target)| !target.is_empty());
    found.sort();
    found
}

fn url(stream: &[u8], at: usize) -> Option<String> {
    let mut reader = Reader::at(stream, at);
    reader.skip("class", 16).ok()?;
    reader.skip("length", 4).ok()?;
    Some(wide(reader.rest()))
}

fn file(stream: &[u8], at: usize) -> Result<String, Short> {
    let mut reader = Reader::at(stream, at);
    reader.skip("class and cAnti", 18)?;
    let len = index(reader.u32("ansiLength")?);
    let ansi = reader.take("ansiPath", len)?;
    let ansi = ansi.split(|byte| *byte == 0).next().unwrap_or_default();
    let plain: String = ansi.iter().take(LONGEST).map(|byte| char::from(*byte)).collect();
    // The Unicode path stands behind only where the plain one could not say it.
    let unicode = |reader: &mut Reader<'_>| {
        reader.skip("endServer, versionNumber, reserved", 24)?;
        reader.u32("cbUnicodePathSize").map(index)
    };
    match unicode(&mut reader) {
        Ok(size) if size > 6 => {
            reader.skip("cbUnicodePathBytes, usKeyValue", 6)?;
            let rest = reader.rest();
            let path = rest.get(..size.saturating_sub(6)).unwrap_or(rest);
            Ok(wide(path))
        }
        _ => Ok(plain),
    }
}

/// UTF-16 up to its NUL.
fn wide(bytes: &[u8]) -> String {
    let units = bytes
        .chunks_exact(2)
        .filter_map(|pair| pair.try_into().ok().map(u16::from_le_bytes))
        .take_while(|unit| *unit != 0)
        .take(LONGEST);
    char::decode_utf16(units)
        .map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_files_are_told() {
        let mut stream = vec![1, 0, 0, 2, 1, 0, 0, 0];
        stream.extend(URL);
        stream.extend([60, 0, 0, 0]);
        stream.extend("http://h.example/a\0".encode_utf16().flat_map(u16::to_le_bytes));
        stream.extend(FILE);
        stream.extend([0, 0, 6, 0, 0, 0]);
        stream.extend(b"\\\\h\\a\0");
        let found: Vec<String> = targets(&stream).into_iter().map(|(_, target)| target).collect();
        assert_eq!(found, ["http://h.example/a", "\\\\h\\a"]);
    }
}
