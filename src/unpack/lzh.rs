//! LHA archives (header levels 0 to 3), by the delharc crate over the bytes in memory.
//!
//! Names are taken raw, from the header or its extensions: in Japan they are Shift_JIS.

use std::io::Cursor;

use bytes::Bytes;
use delharc::{LhaDecodeReader, LhaHeader};

use crate::bytes::{index, length};
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Extension with the file name.
const FILE_NAME: u8 = 0x01;

/// Extension with the folder, its parts divided by 0xff.
const FOLDER: u8 = 0x02;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let source = Cursor::new(artifact.data.clone());
    let mut reader = LhaDecodeReader::new(source)
        .map_err(|error| Trouble::Broken(text::excerpt(&error.to_string())))?;
    // Ends because each header takes bytes of the archive.
    loop {
        nest.tick()?;
        push(&mut reader, nest)?;
        match reader.seek_next_file() {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                // The reader must not be asked again.
                let what = text::excerpt(&error.to_string());
                nest.note(Trouble::Broken(what).into_fact("the rest of the archive"));
                return Ok(());
            }
        }
    }
}

fn push(reader: &mut LhaDecodeReader<Cursor<Bytes>>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let header = reader.header();
    let raw = raw_name(header);
    if header.is_directory() {
        return Ok(());
    }
    let name = Name::from_raw(&raw);
    let shown = text::excerpt(&name.text);
    if !reader.is_decoder_supported() {
        let method = String::from_utf8_lossy(&header.compression).into_owned();
        nest.note(
            Trouble::NoReader(format!("LHA method {}", text::excerpt(&method))).into_fact(&shown),
        );
        return Ok(());
    }
    let (packed, size) = (header.compressed_size, header.original_size);
    let mut decoded = nest.read(reader, index(packed), size);
    if decoded.fault.is_none() {
        let what = match length(decoded.data.len()) == size {
            true if reader.crc_is_ok() => None,
            true => Some("the checksum does not hold"),
            false => Some("it breaks off"),
        };
        decoded.fault = what.map(|what| crate::limits::Fault::Broken(what.to_owned()));
    }
    let child = Child::new("lzh-member", Payload::Paid(decoded.data.into())).named(name);
    nest.push_decoded(child, decoded.fault, &shown)?;
    Ok(())
}

/// The name with its folder.
fn raw_name(header: &LhaHeader) -> Vec<u8> {
    let (mut folder, mut file) = (Vec::new(), header.filename.to_vec());
    for extension in header.iter_extra() {
        match extension.split_first() {
            Some((&FILE_NAME, name)) => file = name.to_vec(),
            Some((&FOLDER, name)) => folder = name.to_vec(),
            _ => {}
        }
    }
    if !folder.is_empty() && folder.last() != Some(&0xff) {
        folder.push(0xff);
    }
    for byte in &mut folder {
        if *byte == 0xff {
            *byte = b'/';
        }
    }
    folder.extend(file);
    folder
}

#[cfg(test)]
pub(super) mod tests {
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    fn crc16(data: &[u8]) -> u16 {
        data.iter().fold(0u16, |crc, byte| {
            (0..8).fold(crc ^ u16::from(*byte), |crc, _| match crc & 1 {
                0 => crc >> 1,
                _ => (crc >> 1) ^ 0xa001,
            })
        })
    }

    /// A level 0 header and stored data.
    pub(crate) fn member(name: &[u8], data: &[u8], method: &[u8; 5]) -> Vec<u8> {
        let size = u32::try_from(data.len()).unwrap().to_le_bytes();
        let body = [
            method.as_slice(),
            &size,
            &size,
            &[0, 0, 0x21, 0x58, 0x20, 0],
            &[u8::try_from(name.len()).unwrap()],
            name,
            &crc16(data).to_le_bytes(),
        ]
        .concat();
        let sum = body.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        [
            &[u8::try_from(body.len()).unwrap(), sum],
            body.as_slice(),
            data,
        ]
        .concat()
    }

    #[test]
    fn names_in_shift_jis_are_read() {
        let (name, _, _) = encoding_rs::SHIFT_JIS.encode("見積書.doc");
        let data = [
            member(&name, b"one", b"-lh0-"),
            member(b"b.txt", b"two", b"-lh0-"),
            vec![0],
        ]
        .concat();
        let (children, facts) = opened("lzh", &data);
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        assert_eq!(got, [("見積書.doc", b"one".as_slice()), ("b.txt", b"two")]);
    }

    #[test]
    fn damage_and_unknown_methods_are_told() {
        let mut data = [
            member(b"a.txt", b"one", b"-lh0-"),
            member(b"b.txt", b"two", b"-lh0-"),
            vec![0],
        ]
        .concat();
        let at = data.windows(3).position(|three| three == b"one").unwrap();
        data[at] = b'O';
        let (children, facts) = opened("lzh", &data);
        assert_eq!(children.len(), 2);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
        let odd = [member(b"a.txt", b"one", b"-lh9-"), vec![0]].concat();
        let (children, facts) = opened("lzh", &odd);
        assert!(children.is_empty());
        assert!(
            matches!(facts.as_slice(), [Fact::NoReader { .. }]),
            "{facts:?}"
        );
        let whole = member(b"a.txt", b"one", b"-lh0-");
        let (_, facts) = opened("lzh", &whole[..whole.len() - 1]);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }, ..]),
            "{facts:?}"
        );
    }
}
