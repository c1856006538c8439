//! ARJ archives: stored and fastest members by [`crate::formats::arj`], the others by the bit stream that ARJ shares
//! with LHA's method 7.

use std::io::{Cursor, Error, ErrorKind, Read};

use delharc::decode::{Decoder as _, Lh7Decoder};

use crate::bytes::{index, length};
use crate::formats::arj::{self, Member};
use crate::formats::zip::crc32;
use crate::limits::Fault;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let (mut at, holds) = arj::first(data, 0)?;
    if !holds {
        nest.deviation(0, "the checksum of the archive's header does not hold");
    }
    // Ends because each header takes bytes.
    loop {
        nest.tick()?;
        let member = match arj::member(data, at) {
            Ok(Some(member)) => member,
            Ok(None) => return Ok(()),
            Err(short) => {
                nest.note(Trouble::from(short).into_fact("the rest of the archive"));
                return Ok(());
            }
        };
        let header = std::mem::replace(&mut at, member.data.end);
        if !member.holds {
            let name = text::excerpt(&Name::from_raw(member.name).text);
            nest.deviation(
                header,
                format!("{name}: the checksum of its header does not hold"),
            );
        }
        // Folders and labels have no bytes; what has some is written as a file, whatever its type is.
        if member.kind <= 1 || !member.data.is_empty() {
            push(artifact, &member, nest)?;
        }
    }
}

fn push(artifact: &Artifact, member: &Member<'_>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let name = Name::from_raw(member.name);
    let shown = text::excerpt(&name.text);
    if member.is_locked {
        nest.note(Trouble::Locked("ARJ garble".to_owned()).into_fact(&shown));
        return Ok(());
    }
    let end = member.data.end.min(data.len());
    let source = data
        .get(member.data.start.min(end)..end)
        .unwrap_or_default();
    let expected = u64::from(member.size);
    let mut decoded = match member.method {
        0 => nest.read(&mut source.take(expected), source.len(), expected),
        1..=3 => nest.read(&mut Huffman::new(source, expected), source.len(), expected),
        4 => {
            let mut decoder = arj::Fastest::new(source, index(expected));
            nest.read(&mut decoder, source.len(), expected)
        }
        method => {
            nest.note(Trouble::NoReader(format!("{shown}: ARJ method {method}")).into_fact(""));
            return Ok(());
        }
    };
    if decoded.fault.is_none() {
        let what = match length(decoded.data.len()) < expected {
            true => Some("it breaks off"),
            false if crc32(&decoded.data) != member.crc => Some("the checksum does not hold"),
            false => None,
        };
        decoded.fault = what.map(|what| Fault::Broken(what.to_owned()));
    }
    if member.is_split {
        nest.unread(
            member.data.start,
            format!("{shown}: goes on in another volume"),
        );
        decoded.fault = None;
    }
    let child = Child::new("arj-member", Payload::Paid(decoded.data.into())).named(name);
    nest.push_decoded(child, decoded.fault, &shown)?;
    Ok(())
}

/// Methods 1 to 3.
struct Huffman<'a> {
    decoder: Lh7Decoder<Cursor<&'a [u8]>>,
    left: u64,
}

impl<'a> Huffman<'a> {
    fn new(source: &'a [u8], size: u64) -> Self {
        Self {
            decoder: Lh7Decoder::new(Cursor::new(source)),
            left: size,
        }
    }
}

impl Read for Huffman<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        /// Small, so that what comes before damage is kept.
        const PIECE: usize = 512;
        let len = index(self.left).min(out.len()).min(PIECE);
        let piece = out.get_mut(..len).unwrap_or_default();
        self.decoder
            .fill_buffer(piece)
            .map_err(|error| Error::new(ErrorKind::InvalidData, error.to_string()))?;
        self.left = self.left.saturating_sub(length(len));
        Ok(len)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    pub(crate) fn header(
        method: u8,
        kind: u8,
        flags: u8,
        name: &[u8],
        packed: &[u8],
        data: &[u8],
    ) -> Vec<u8> {
        let size = |data: &[u8]| u32::try_from(data.len()).unwrap().to_le_bytes();
        let mut basic = vec![30, 11, 1, 0, flags, method, kind, 0, 0, 0, 0, 0];
        basic.extend(size(packed));
        basic.extend(size(data));
        basic.extend(crc32(data).to_le_bytes());
        basic.resize(30, 0);
        basic.extend(name);
        basic.extend([0, 0]);
        let mut out = vec![0x60, 0xea];
        out.extend(u16::try_from(basic.len()).unwrap().to_le_bytes());
        out.extend(&basic);
        out.extend(crc32(&basic).to_le_bytes());
        out.extend([0, 0]);
        out.extend(packed);
        out
    }

    #[test]
    fn stored_members_are_read_and_damage_is_told() {
        let end = vec![0x60, 0xea, 0, 0];
        let main = header(0, 2, 0, b"a.arj", b"", b"");
        let one = header(0, 0, 0, b"one.txt", b"one", b"one");
        let data = [
            main.clone(),
            one,
            header(0, 0, 0, b"two.txt", b"twO", b"two"),
            end.clone(),
        ]
        .concat();
        let (children, facts) = opened("arj", &data);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        assert_eq!(got, [("one.txt", b"one".as_slice()), ("two.txt", b"twO")]);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { what, .. }] if what.starts_with("two.txt")),
            "{facts:?}"
        );
        let mut odd = data.clone();
        let type_of_one = main.len() + 4 + 6;
        odd[type_of_one] = 9;
        let (children, facts) = opened("arj", &odd);
        assert_eq!(children[0].data.as_ref(), b"one");
        let is_header = |fact: &Fact| matches!(fact, Fact::Deviation { what, .. } if what.starts_with("one.txt") && what.contains("header"));
        assert!(facts.iter().any(is_header), "{facts:?}");
        odd = data;
        odd[4 + 8] ^= 1;
        let (_, facts) = opened("arj", &odd);
        assert!(
            matches!(facts.first(), Some(Fact::Deviation { at: Some(0), .. })),
            "{facts:?}"
        );
        let locked = [main, header(1, 0, 1, b"x.txt", b"???", b"one"), end].concat();
        let (children, facts) = opened("arj", &locked);
        assert!(children.is_empty());
        assert!(
            matches!(facts.as_slice(), [Fact::Locked { .. }]),
            "{facts:?}"
        );
    }
}
