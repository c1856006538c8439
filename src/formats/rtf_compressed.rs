//! Compressed rich text of Outlook ([MS-OXRTFCP]): the body of a message as `.msg` files and TNEF keep it.
//!
//! Sizes and checksum of the header are claims: the content is read as far as it goes, and what does not agree is
//! told.

use crate::bytes::{Deviation, Reader, Short, index, length};

/// COMPTYPE (2.1.3.1.3) of compressed and of plain content.
const COMPRESSED: u32 = 0x7546_5a4c;
const UNCOMPRESSED: u32 = 0x414c_454d;

/// Bytes of the header, and how many of them COMPSIZE does not count.
const HEADER: usize = 16;
const NOT_COUNTED: usize = 4;

/// The dictionary is a ring of this many bytes (2.1.3.1.4).
const RING: usize = 4096;

/// What the dictionary starts with (2.1.3.1.4).
const START: &[u8; 207] = b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \
\\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx";

/// Rich text, and what was odd about its container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RichText {
    /// The bytes: at most nine for one of the input.
    pub data: Vec<u8>,
    /// What did not agree.
    pub deviations: Vec<Deviation>,
    /// Whether the content breaks off before its end.
    pub cut: bool,
}

/// Text as the value of PidTagRtfCompressed, not compressed; none where it is too long for one.
pub fn stored(text: &[u8]) -> Option<Vec<u8>> {
    let raw = u32::try_from(text.len()).ok()?;
    let claimed = raw.checked_add(u32::try_from(HEADER - NOT_COUNTED).ok()?)?;
    let head = [claimed, raw, UNCOMPRESSED, 0]
        .map(u32::to_le_bytes)
        .concat();
    Some([&head, text].concat())
}

/// Reads the value of PidTagRtfCompressed. Fails on less than a header and on an unknown COMPTYPE.
pub fn decompress(data: &[u8]) -> Result<RichText, Short> {
    let mut reader = Reader::new(data);
    let claimed = index(reader.u32("COMPSIZE")?);
    let raw = index(reader.u32("RAWSIZE")?);
    let form = reader.u32("COMPTYPE")?;
    let checksum = reader.u32("CRC")?;
    let there = reader.rest();
    let content = there
        .get(..claimed.saturating_sub(HEADER - NOT_COUNTED))
        .unwrap_or(there);
    let mut rich = RichText {
        cut: claimed > data.len().saturating_sub(NOT_COUNTED),
        ..RichText::default()
    };
    match form {
        COMPRESSED => {
            let (out, ended) = expand(content);
            rich.data = out;
            // Writers pad the text behind its end: the mark decides, and where there is none the size does.
            rich.cut = !ended && rich.data.len() < raw;
            if crc(content) != checksum {
                rich.deviations
                    .push(Deviation::new(12, "the checksum does not agree"));
            }
        }
        UNCOMPRESSED => rich.data = content.get(..raw).unwrap_or(content).to_vec(),
        _ => {
            return Err(Short {
                field: "COMPTYPE (LZFu or MELA)",
                expected: 4,
                found: 0,
                offset: 8,
            });
        }
    }
    if rich.data.len() != raw {
        let found = length(rich.data.len());
        rich.deviations.push(Deviation::new(
            4,
            format!("RAWSIZE: expected {raw} bytes, found {found}"),
        ));
    }
    Ok(rich)
}

/// Expands the content (2.2.2.2), and whether its end mark was met.
fn expand(content: &[u8]) -> (Vec<u8>, bool) {
    let mut ring = [0u8; RING];
    for (slot, byte) in ring.iter_mut().zip(START) {
        *slot = *byte;
    }
    let mut write = START.len();
    let mut out: Vec<u8> = Vec::new();
    let mut reader = Reader::new(content);
    // Ends because each round takes at least the control byte.
    while let Ok(control) = reader.u8("control") {
        for bit in 0..8u32 {
            if control & (1 << bit) == 0 {
                let Ok(byte) = reader.u8("literal") else {
                    return (out, false);
                };
                put(&mut ring, &mut write, &mut out, byte);
                continue;
            }
            let Ok(token) = reader.u16_be("dictionary reference") else {
                return (out, false);
            };
            let at = usize::from(token >> 4);
            if at == write {
                return (out, true);
            }
            for step in 0..usize::from(token & 15).saturating_add(2) {
                let from = at.wrapping_add(step) % RING;
                let byte = ring.get(from).copied().unwrap_or_default();
                put(&mut ring, &mut write, &mut out, byte);
            }
        }
    }
    (out, false)
}

fn put(ring: &mut [u8; RING], write: &mut usize, out: &mut Vec<u8>, byte: u8) {
    if let Some(slot) = ring.get_mut(*write) {
        *slot = byte;
    }
    *write = write.wrapping_add(1) % RING;
    out.push(byte);
}

/// The checksum of 2.1.3.2: the table of CRC-32, started at zero and not inverted.
fn crc(data: &[u8]) -> u32 {
    data.iter().fold(0u32, |crc, byte| {
        let mut slot = (crc ^ u32::from(*byte)) & 0xff;
        for _ in 0..8 {
            slot = if slot & 1 == 1 {
                (slot >> 1) ^ 0xedb8_8320
            } else {
                slot >> 1
            };
        }
        (crc >> 8) ^ slot
    })
}

/// Rich text as literals only, for tests and fixtures of formats that hold it.
#[cfg(test)]
pub(crate) fn compressed(text: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    for eight in text.chunks(8) {
        content.push(0);
        content.extend_from_slice(eight);
    }
    if text.len().is_multiple_of(8) {
        let end = u16::try_from((START.len() + text.len()) % RING).unwrap() << 4;
        content.push(1);
        content.extend(end.to_be_bytes());
    } else {
        // The mark stands in the group that the text left open.
        let at = content.len() - text.len() % 8 - 1;
        content[at] = 1 << (text.len() % 8);
        let end = u16::try_from((START.len() + text.len()) % RING).unwrap() << 4;
        content.extend(end.to_be_bytes());
    }
    let mut out = Vec::new();
    for field in [
        u32::try_from(content.len() + HEADER - NOT_COUNTED).unwrap(),
        u32::try_from(text.len()).unwrap(),
        COMPRESSED,
        crc(&content),
    ] {
        out.extend(field.to_le_bytes());
    }
    out.extend(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of 3.1.1: "{\rtf1\ansi\ansicpg1252\pard hello world}\r\n".
    const EXAMPLE: &[u8] = &[
        0x2d, 0, 0, 0, 0x2b, 0, 0, 0, 0x4c, 0x5a, 0x46, 0x75, 0xf1, 0xc5, 0xc7, 0xa7, 0x03, 0x00,
        0x0a, 0x00, 0x72, 0x63, 0x70, 0x67, 0x31, 0x32, 0x35, 0x42, 0x32, 0x0a, 0xf3, 0x20, 0x68,
        0x65, 0x6c, 0x09, 0x00, 0x20, 0x62, 0x77, 0x05, 0xb0, 0x6c, 0x64, 0x7d, 0x0a, 0x80, 0x0f,
        0xa0,
    ];

    #[test]
    fn what_is_stored_reads_as_itself() {
        let rich = decompress(&stored(b"{\\rtf1 x}").unwrap()).unwrap();
        assert_eq!(rich.data, b"{\\rtf1 x}");
        assert!(rich.deviations.is_empty() && !rich.cut);
    }

    #[test]
    fn the_example_of_the_specification_expands() {
        let rich = decompress(EXAMPLE).unwrap();
        assert_eq!(
            rich.data,
            b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n"
        );
        assert_eq!(rich.deviations, []);
        assert!(!rich.cut);
    }

    #[test]
    fn what_our_builder_writes_expands_to_itself() {
        for text in [b"{\\rtf1 abc}".as_slice(), b"{\\rtf1}x"] {
            let rich = decompress(&compressed(text)).unwrap();
            assert_eq!(rich.data, text);
            assert_eq!((rich.deviations.len(), rich.cut), (0, false));
        }
    }

    #[test]
    fn a_cut_content_gives_what_is_there_and_lying_sizes_are_told() {
        let rich = decompress(&EXAMPLE[..30]).unwrap();
        assert!(rich.cut);
        assert!(rich.data.starts_with(b"{\\rtf1\\ansi\\ansicpg125"));
        let mut lying = EXAMPLE.to_vec();
        lying[4] = 0xff;
        lying[12] ^= 1;
        let rich = decompress(&lying).unwrap();
        assert_eq!(rich.data.len(), 43);
        assert_eq!(rich.deviations.len(), 2);
        assert!(!rich.cut);
    }

    #[test]
    fn an_unknown_form_and_less_than_a_header_are_refused() {
        assert!(decompress(&EXAMPLE[..15]).is_err());
        let mut other = EXAMPLE.to_vec();
        other[8] = b'X';
        assert!(decompress(&other).is_err());
        let plain = [
            15u32.to_le_bytes(),
            3u32.to_le_bytes(),
            UNCOMPRESSED.to_le_bytes(),
            [0; 4],
        ];
        let plain = [plain.concat(), b"abc".to_vec()].concat();
        assert_eq!(decompress(&plain).unwrap().data, b"abc");
    }
}
