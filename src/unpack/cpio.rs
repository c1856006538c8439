//! cpio archives: every file is a slice.

use crate::formats::cpio;
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest};

/// Entries at the most: links and folders make no artifact.
const CEILING: usize = 200_000;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let mut at = 0;
    for number in 0usize.. {
        nest.tick()?;
        if number > CEILING {
            return Err(Trouble::TooMuch(Halt::Ceiling("cpio entries")));
        }
        let entry = match cpio::entry(data, at) {
            Ok(Some(entry)) => entry,
            Ok(None) => break,
            Err(short) if number == 0 => return Err(short.into()),
            Err(short) => {
                nest.note(Trouble::from(short).into_fact("the rest of the archive"));
                break;
            }
        };
        at = entry.end;
        let name = Name::from_raw(entry.name);
        let shown = text::excerpt(&name.text);
        let end = entry.data.end.min(data.len());
        let range = entry.data.start.min(end)..end;
        if entry.is_link() {
            let target = data.get(range).unwrap_or_default();
            let target = Name::from_raw(target).text;
            nest.deviation(
                entry.data.start,
                text::excerpt(&format!("{shown}: link to {target}")),
            );
            continue;
        }
        if !entry.is_file() {
            continue;
        }
        let content = data.slice(range.clone());
        // Of several links to a file the last one alone has its data.
        let sum = entry.sum.filter(|_| !content.is_empty());
        if sum.is_some_and(|sum| sum != sum_of(&content)) && entry.data.end <= data.len() {
            nest.deviation(range.start, format!("{shown}: the checksum does not hold"));
        }
        let child = Child::new("cpio-member", content);
        nest.push(child.named(name).at(range))?;
        if entry.data.end > data.len() {
            let missing = entry.data.end.saturating_sub(data.len());
            nest.unread(end, format!("{shown}: {missing} bytes lie beyond the end"));
            break;
        }
    }
    Ok(())
}

fn sum_of(data: &[u8]) -> u32 {
    data.iter()
        .fold(0, |sum: u32, byte| sum.wrapping_add(u32::from(*byte)))
}

#[cfg(test)]
pub(super) mod tests {
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    pub(crate) fn newc(name: &str, mode: u32, data: &[u8]) -> Vec<u8> {
        let mut out = b"070701".to_vec();
        let numbers = [
            1,
            mode,
            0,
            0,
            1,
            0,
            data.len() as u32,
            0,
            0,
            0,
            0,
            name.len() as u32 + 1,
            0,
        ];
        for number in numbers {
            out.extend(format!("{number:08X}").bytes());
        }
        out.extend(name.bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(data);
        out.resize(out.len().next_multiple_of(4), 0);
        out
    }

    pub(crate) fn odc(name: &str, data: &[u8]) -> Vec<u8> {
        let mut out = b"070707".to_vec();
        for (width, number) in [
            (6, 0),
            (6, 1),
            (6, 0o100_644),
            (6, 0),
            (6, 0),
            (6, 1),
            (6, 0),
            (11, 0),
            (6, name.len() + 1),
            (11, data.len()),
        ] {
            out.extend(format!("{number:0width$o}").bytes());
        }
        out.extend(name.bytes());
        out.push(0);
        out.extend(data);
        out
    }

    fn binary(name: &str, data: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let words = [
            0o070_707,
            0,
            1,
            0o100_644,
            0,
            0,
            1,
            0,
            0,
            0,
            name.len() as u16 + 1,
            0,
            data.len() as u16,
        ];
        let mut out: Vec<u8> = words.into_iter().flat_map(order).collect();
        out.extend(name.bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(2), 0);
        out.extend(data);
        out.resize(out.len().next_multiple_of(2), 0);
        out
    }

    #[test]
    fn every_form_gives_its_files() {
        let archives = [
            [
                newc("見積.txt", 0o100_644, b"one"),
                newc("d", 0o40_755, b""),
                newc("TRAILER!!!", 0, b""),
            ]
            .concat(),
            [odc("見積.txt", b"one"), odc("TRAILER!!!", b"")].concat(),
            [
                binary("見積.txt", b"one", u16::to_le_bytes),
                binary("TRAILER!!!", b"", u16::to_le_bytes),
            ]
            .concat(),
            [
                binary("見積.txt", b"one", u16::to_be_bytes),
                binary("TRAILER!!!", b"", u16::to_be_bytes),
            ]
            .concat(),
        ];
        for archive in archives {
            let (children, facts) = opened("cpio", &archive);
            assert_eq!(facts, []);
            assert_eq!(children.len(), 1);
            assert_eq!(
                (children[0].label(), children[0].data.as_ref()),
                ("見積.txt", b"one".as_slice())
            );
        }
    }

    #[test]
    fn a_checksum_that_does_not_hold_is_told_and_the_file_is_read() {
        let mut data = [newc("a", 0o100_644, b"one"), newc("TRAILER!!!", 0, b"")].concat();
        data[5] = b'2';
        for (sum, told) in [(b"00000142", false), (b"00000143", true)] {
            data[102..110].copy_from_slice(sum);
            let (children, facts) = opened("cpio", &data);
            assert_eq!(children[0].data.as_ref(), b"one");
            let is_told = matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what.contains("checksum"));
            assert_eq!(is_told, told, "{facts:?}");
        }
    }

    #[test]
    fn what_is_cut_is_told() {
        let whole = [
            newc("a", 0o100_644, b"one two three"),
            newc("TRAILER!!!", 0, b""),
        ]
        .concat();
        for len in [120, 126, 130] {
            let (_, facts) = opened("cpio", &whole[..len]);
            assert!(
                matches!(facts.as_slice(), [Fact::Unread { .. }]),
                "{len}: {facts:?}"
            );
        }
    }
}
