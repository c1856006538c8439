//! gzip (RFC 1952): the content of all its members in a row, as every reader gives it.
//!
//! Bytes behind the last member are told; the checksum and length of each member are compared, and a wrong one does
//! not keep the content back.

use std::cell::Cell;
use std::rc::Rc;

use crate::bytes::{Reader, Short, length, slice, u32_at};
use crate::formats::zip::crc32;
use crate::limits::{Decoded, Fault};
use crate::model::{Artifact, Fact, Name, Trouble};

use super::{Child, Nest};

const MAGIC: &[u8; 2] = &[0x1f, 0x8b];
const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// Bytes behind the last member that are worth a look as a file of their own.
const SLACK: usize = 64;

/// Pushes the content.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let mut content: Option<Vec<u8>> = None;
    let mut name = None;
    let mut fault = None;
    let mut at = 0usize;
    // Ends because each member takes at least its header.
    while slice(data, at, 2) == Some(MAGIC) {
        nest.tick()?;
        let header = match Header::read(data, at) {
            Ok(header) => header,
            Err(short) if content.is_none() => return Err(short.into()),
            Err(short) => {
                nest.unread(at, format!("member is cut: {short}"));
                at = data.len();
                break;
            }
        };
        header.tell(at, nest);
        name = name.or(header.name.map(Name::from_raw));
        let raw = data.get(header.end..).unwrap_or_default();
        let mut meter: Rc<Cell<u64>> = Rc::default();
        let Decoded {
            data: part,
            fault: broken,
        } = nest.inflate(raw, 0, |metered| {
            meter = metered.meter();
            flate2::bufread::DeflateDecoder::new(metered)
        });
        let taken = usize::try_from(meter.get()).unwrap_or(raw.len());
        let end = header.end.saturating_add(taken);
        if broken.is_none() {
            compare_trailer(data, end, &part, nest);
        }
        at = end.saturating_add(8).min(data.len());
        match &mut content {
            Some(content) => content.extend_from_slice(&part),
            None => content = Some(part),
        }
        if broken.is_some() {
            fault = broken;
            break;
        }
    }
    let Some(content) = content else {
        return Err(Trouble::NotThis("no gzip header".to_owned()));
    };
    let whole = fault.is_none();
    let mut child = Child::new("gzip", super::Payload::Paid(content.into())).at(0..at);
    if let Some(name) = name {
        child = child.named(name);
    }
    nest.push_decoded(child, fault.map(truncated), "compressed data")?;
    if whole && at < data.len() {
        tell_tail(artifact, at, nest)?;
    }
    Ok(())
}

/// The decoder's word for data that ends too early, in words of the format.
fn truncated(fault: Fault) -> Fault {
    match fault {
        Fault::Broken(what) => Fault::Broken(format!("deflate stream: {what}")),
        Fault::Halt(halt) => Fault::Halt(halt),
    }
}

/// Zero bytes behind the last member are padding of tapes and blocks; anything else is looked at.
fn tell_tail(artifact: &Artifact, at: usize, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let tail = artifact.data.get(at..).unwrap_or_default();
    if tail.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    nest.deviation(at, format!("{} bytes behind the last member", tail.len()));
    if tail.len() >= SLACK {
        let range = at..artifact.data.len();
        nest.push(Child::new("gzip-slack", artifact.data.slice(range.clone())).at(range))?;
    }
    Ok(())
}

fn compare_trailer(data: &[u8], at: usize, content: &[u8], nest: &mut Nest<'_>) {
    let (Some(crc), Some(size)) = (u32_at(data, at), u32_at(data, at.saturating_add(4))) else {
        nest.deviation(
            at,
            "expected checksum and length, found the end of the file",
        );
        return;
    };
    let found = crc32(content);
    if crc != found {
        nest.deviation(at, format!("expected CRC-32 {crc:08x}, found {found:08x}"));
    }
    let found = length(content.len()) & 0xffff_ffff;
    if u64::from(size) != found {
        nest.deviation(at, format!("expected {size} bytes, found {found}"));
    }
}

/// First byte behind the head of the first member, where it has fields.
pub(super) fn head_end(data: &[u8]) -> Option<usize> {
    let header = Header::read(data, 0).ok()?;
    (header.flags & (EXTRA | NAME | COMMENT) != 0).then_some(header.end)
}

/// The header of one member (2.3).
struct Header<'a> {
    method: u8,
    flags: u8,
    name: Option<&'a [u8]>,
    end: usize,
}

impl<'a> Header<'a> {
    fn read(data: &'a [u8], at: usize) -> Result<Self, Short> {
        let mut reader = Reader::at(data, at);
        reader.skip("identification", 2)?;
        let method = reader.u8("compression method")?;
        let flags = reader.u8("flags")?;
        reader.skip("time, extra flags, operating system", 6)?;
        if flags & EXTRA != 0 {
            let len = reader.u16("extra field length")?;
            reader.skip("extra field", usize::from(len))?;
        }
        let name = if flags & NAME != 0 {
            Some(zero_ended(&mut reader, "file name")?)
        } else {
            None
        };
        if flags & COMMENT != 0 {
            zero_ended(&mut reader, "comment")?;
        }
        if flags & HEADER_CRC != 0 {
            reader.skip("header checksum", 2)?;
        }
        Ok(Self {
            method,
            flags,
            name: name.filter(|name| !name.is_empty()),
            end: reader.offset(),
        })
    }

    fn tell(&self, at: usize, nest: &mut Nest<'_>) {
        if self.method != 8 {
            nest.note(Fact::Deviation {
                at: Some(at),
                what: format!("expected compression method 8, found {}", self.method),
            });
        }
        if self.flags & RESERVED != 0 {
            nest.deviation(at, format!("reserved flags are set: {:#04x}", self.flags));
        }
    }
}

fn zero_ended<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a [u8], Short> {
    let len = memchr::memchr(0, reader.peek()).unwrap_or(reader.remaining());
    let text = reader.take(field, len)?;
    reader.skip(field, 1)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::super::Seen;
    use super::super::zip::tests::{artifact, budget};
    use super::*;
    use crate::limits::Halt;
    use crate::model::Kind;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::GzBuilder::new()
            .filename("報告.xls")
            .write(Vec::new(), flate2::Compression::default());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn open(data: &[u8]) -> (Vec<Artifact>, Vec<Fact>, Result<(), Trouble>) {
        let budget = budget();
        let artifact = artifact(data, Kind::Gz);
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        let ended = run(&artifact, &mut nest);
        (nest.children, nest.facts, ended)
    }

    #[test]
    fn members_in_a_row_are_one_content_with_the_first_name() {
        let (children, facts, ended) = open(&[gzip(b"one "), gzip(b"two")].concat());
        assert_eq!(ended, Ok(()));
        assert_eq!(facts, []);
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].data.as_ref(), b"one two");
        assert_eq!(children[0].label(), "報告.xls");
    }

    #[test]
    fn a_cut_stream_gives_what_is_there_and_says_so() {
        let content: Vec<u8> = (0u32..9000)
            .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
            .collect();
        let whole = gzip(&content);
        let (children, facts, _) = open(&whole[..whole.len() / 2]);
        assert!(content.starts_with(&children[0].data));
        assert!(children[0].data.len() > 1000);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
        let (_, _, ended) = open(&whole[..5]);
        assert!(matches!(ended, Err(Trouble::Broken(_))), "{ended:?}");
    }

    #[test]
    fn a_wrong_trailer_and_bytes_behind_are_told_and_looked_at() {
        let mut data = gzip(b"content");
        let at = data.len() - 8;
        data[at] ^= 1;
        data.extend([b'x'; 100]);
        let (children, facts, _) = open(&data);
        assert_eq!(children[0].data.as_ref(), b"content");
        assert_eq!(children[1].data.as_ref(), [b'x'; 100]);
        let told = facts
            .iter()
            .filter(|fact| matches!(fact, Fact::Deviation { .. }));
        assert_eq!(told.count(), 2, "{facts:?}");
    }

    #[test]
    fn a_bomb_stops_at_the_ratio() {
        let (children, _, ended) = open(&gzip(&vec![0; 128 << 20]));
        assert_eq!(ended, Err(Trouble::TooMuch(Halt::Ratio)));
        assert!(children[0].data.len() < 40 << 20);
    }
}
