//! Programs that lie plain inside other bytes, and what stands behind the end of a picture or a shortcut.
//!
//! A found program is as long as its own tables say, so that a host full of marks costs one look each.

use std::ops::Range;

use memchr::memmem::{FindIter, find_iter};

use crate::bytes::{index, slice, u16_at, u32_at};
use crate::formats::masked;
use crate::identify::{self, Identity};
use crate::limits::Halt;
use crate::model::{Artifact, Fact, Family, Kind, Trouble};

use super::hosts::{self, Search};
use super::{Child, Nest};

/// Programs carved from one artifact, at most.
const PROGRAMS: usize = 64;

/// Longest tail that is tried for a program under a mask.
const MASKED: usize = 64 << 20;

/// Bytes of padding that may be the start of a program under a mask.
const PADDED: usize = 8;

/// Bytes behind an end that are too few to be anything.
const SHORTEST_TAIL: usize = 16;

/// First bytes of programs.
const MARKS: [&[u8]; 4] = [b"MZ", b"\x7fELF", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"];

/// Where [`MARKS`] stand, in order. A search for each by itself is several times faster than one for all in one pass:
/// their first bytes are common in packed data.
struct Marks<'d> {
    searches: [(FindIter<'d, 'static>, Option<usize>); MARKS.len()],
}

impl<'d> Marks<'d> {
    fn new(data: &'d [u8]) -> Self {
        let searches = MARKS.map(|mark| {
            let mut search = find_iter(data, mark);
            let first = search.next();
            (search, first)
        });
        Self { searches }
    }
}

impl Iterator for Marks<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let nearest = self.searches.iter_mut();
        let nearest = nearest.filter(|(_, next)| next.is_some());
        let (search, next) = nearest.min_by_key(|(_, next)| *next)?;
        std::mem::replace(next, search.next())
    }
}

pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    match hosts::widest(artifact, |host| host.programs) {
        // What is behind the end of those is looked at where that is told.
        Search::Nowhere | Search::Behind => return Ok(()),
        Search::Text if !hosts::is_more_than_text(data) => return Ok(()),
        Search::Text | Search::Whole => {}
    }
    let until = match end(artifact.kind, data) {
        Some(end) => behind(artifact, end, nest)?,
        None => data.len(),
    };
    programs(artifact, 0..until, nest)
}

/// Pushes what an artifact has behind byte `end`, where it ends.
pub(super) fn run_behind(
    artifact: &Artifact,
    end: usize,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let tail = artifact.data.get(end..).unwrap_or_default();
    let start = end.saturating_add(padding(tail));
    let starts = |child: &Artifact| child.at.as_ref().is_some_and(|at| at.start == start);
    // Where no end is told all of it is gone through.
    let until = match end == 0 || nest.children.iter().any(starts) {
        true => artifact.data.len(),
        false => behind(artifact, end, nest)?,
    };
    programs(artifact, end..until, nest)
}

/// Where something stands behind the end of a format, padding left out.
pub(super) fn tail(kind: Kind, data: &[u8]) -> Option<usize> {
    let end = end(kind, data)?;
    let tail = data.get(end..)?;
    Some(end.saturating_add(padding(tail)))
}

fn padding(tail: &[u8]) -> usize {
    tail.iter()
        .take_while(|byte| matches!(byte, 0 | b' ' | b'\r' | b'\n' | b'\t'))
        .count()
}

/// Pushes what stands behind byte `end`, where it is something; gives the bytes at the front that are left to look through.
fn behind(artifact: &Artifact, end: usize, nest: &mut Nest<'_>) -> Result<usize, Trouble> {
    let data = &artifact.data;
    let tail = data.get(end..).unwrap_or_default();
    let padding = padding(tail);
    let start = end.saturating_add(padding);
    let tail = data.get(start..).unwrap_or_default();
    if tail.len() < SHORTEST_TAIL {
        return Ok(data.len());
    }
    let found = identify::identify(tail, nest.budget());
    // A key may turn the first bytes of a program into what looks like padding.
    let before = start.saturating_sub(padding.min(PADDED));
    let masked = masked_start(&found, data.get(before..).unwrap_or_default(), nest)?;
    let (kind, start) = match masked {
        Some(at) => (Kind::Pe, before.saturating_add(at)),
        None => (found.kind, start),
    };
    // The zip developer's reading has it already, with offsets that count from the front.
    if kind == found.kind && !is_something(&found) || followed(artifact, kind) {
        return Ok(data.len());
    }
    nest.note(Fact::Polyglot { kind, at: start });
    nest.push(Child::new("appended", data.slice(start..)).at(start..data.len()))?;
    Ok(start)
}

/// Where a program lies under a mask in bytes that look like nothing; whoever takes the child takes it off.
fn masked_start(found: &Identity, tail: &[u8], nest: &Nest<'_>) -> Result<Option<usize>, Trouble> {
    if !matches!(found.kind, Kind::Data | Kind::Text) || tail.len() > MASKED {
        return Ok(None);
    }
    nest.budget().spend(tail.len())?;
    Ok(masked::start(tail))
}

/// Whether the tail is worth a child: pictures behind pictures and unknown bytes are ordinary.
fn is_something(found: &Identity) -> bool {
    !matches!(
        found.kind.family(),
        Family::Image | Family::Media | Family::Font
    ) && !matches!(
        found.kind,
        Kind::Text
            | Kind::Data
            | Kind::Empty
            | Kind::Xml
            | Kind::Json
            | Kind::Csv
            | Kind::Css
            | Kind::Dos
    ) || !found.readings.is_empty()
}

/// Whether another unpacker follows the same archive as a reading of the whole artifact.
fn followed(artifact: &Artifact, kind: Kind) -> bool {
    let zipped = |kind: Kind| {
        matches!(kind.family(), Family::Ooxml | Family::Odf)
            || matches!(
                kind,
                Kind::Zip | Kind::Jar | Kind::Apk | Kind::Appx | Kind::Xpi
            )
    };
    artifact.readings.contains(&kind)
        || zipped(kind) && artifact.readings.iter().any(|reading| zipped(*reading))
}

/// Carves the programs in a range of the data.
fn programs(artifact: &Artifact, within: Range<usize>, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let part = artifact.data.get(..within.end).unwrap_or_default();
    // What stands behind an end, and files that are stored in an archive.
    let told = nest.children.iter();
    let told = told.filter(|child| matches!(child.via, Some("appended" | "arc-member")));
    let mut told: Vec<_> = told.filter_map(|child| child.at.clone()).collect();
    told.sort_by_key(|range| range.start);
    let is_told = |at: usize| {
        let behind = told.partition_point(|range| range.start <= at);
        let range = behind.checked_sub(1).and_then(|before| told.get(before));
        range.is_some_and(|range| range.contains(&at))
    };
    let mut carved = 0usize;
    let mut next = 0usize;
    // Each mark costs one look at fields of fixed size; a program that was found is passed over whole.
    for at in Marks::new(part.get(within.start..).unwrap_or_default()) {
        nest.tick()?;
        let at = within.start.saturating_add(at);
        if at < next {
            continue;
        }
        let found = identify::embedded_program(part, at).filter(|_| !is_told(at));
        let Some((kind, range)) = found else {
            continue;
        };
        if carved >= PROGRAMS {
            nest.note(Fact::Limit {
                halt: Halt::Ceiling("64 embedded programs"),
                what: format!("from offset {at}"),
            });
            return Ok(());
        }
        carved = carved.saturating_add(1);
        next = range.end.max(at.saturating_add(1));
        push(artifact, kind, range, nest)?;
    }
    Ok(())
}

fn push(
    artifact: &Artifact,
    kind: Kind,
    range: Range<usize>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let bytes = artifact.data.slice(range.clone());
    nest.push(Child::new("carved", bytes).at(range).of_kind(kind))?;
    Ok(())
}

/// Where a format ends by its own structure; `None` where it does not say, or is cut off.
fn end(kind: Kind, data: &[u8]) -> Option<usize> {
    let end = match kind {
        Kind::Png => png_end(data),
        Kind::Jpg => jpg_end(data),
        Kind::Gif => gif_end(data),
        Kind::Bmp => index(u32_at(data, 2)?).checked_add(0),
        Kind::Webp | Kind::Wav | Kind::Avi => index(u32_at(data, 4)?).checked_add(8),
        Kind::Pdf => pdf_end(data),
        Kind::Lnk => lnk_end(data),
        _ => None,
    }?;
    // A bitmap may leave its size out.
    (end >= 26 && end < data.len()).then_some(end)
}

/// Behind the IEND chunk (PNG 5.3). Ends because each chunk takes at least twelve bytes.
fn png_end(data: &[u8]) -> Option<usize> {
    let mut at = 8usize;
    loop {
        let len = u32::from_be_bytes(slice(data, at, 4)?.try_into().ok()?);
        let kind = slice(data, at.checked_add(4)?, 4)?;
        at = at.checked_add(12)?.checked_add(index(len))?;
        if kind == b"IEND" {
            return Some(at);
        }
    }
}

/// Behind the end marker (ITU T.81 B.1.1): segments are passed over by their length, so that a thumbnail's own end does not count.
fn jpg_end(data: &[u8]) -> Option<usize> {
    let mut at = 2usize;
    loop {
        // Coded data, or filling: up to the next marker that is none of the restarts.
        at = at.checked_add(memchr::memchr(0xff, data.get(at..)?)?)?;
        match data.get(at.checked_add(1)?)? {
            0xd9 => return at.checked_add(2),
            0x00 | 0x01 | 0xd0..=0xd8 => at = at.checked_add(2)?,
            0xff => at = at.checked_add(1)?,
            _ => {
                let len = u16::from_be_bytes(slice(data, at.checked_add(2)?, 2)?.try_into().ok()?);
                at = at.checked_add(2)?.checked_add(usize::from(len).max(2))?;
            }
        }
    }
}

/// Behind the trailer (GIF89a section 27). Ends because every block takes at least one byte.
fn gif_end(data: &[u8]) -> Option<usize> {
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3usize << (usize::from(flags & 7).saturating_add(1))
        }
    };
    let mut at = 13usize.checked_add(table(*data.get(10)?))?;
    loop {
        match data.get(at)? {
            0x3b => return at.checked_add(1),
            0x21 => at = sub_blocks_end(data, at.checked_add(2)?)?,
            0x2c => {
                let colours = table(*data.get(at.checked_add(9)?)?);
                at = sub_blocks_end(data, at.checked_add(11)?.checked_add(colours)?)?;
            }
            _ => return None,
        }
    }
}

fn sub_blocks_end(data: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let len = usize::from(*data.get(at)?);
        at = at.checked_add(1)?.checked_add(len)?;
        if len == 0 {
            return Some(at);
        }
    }
}

/// Behind the last end mark; updates and the mark of an embedded PDF stand before it.
fn pdf_end(data: &[u8]) -> Option<usize> {
    memchr::memmem::rfind(data, b"%%EOF")?.checked_add(5)
}

/// Behind the terminal block of the extra data ([MS-SHLLINK] 2.5). Ends because each block takes at least four bytes.
fn lnk_end(data: &[u8]) -> Option<usize> {
    /// HasLinkTargetIDList, HasLinkInfo, the five strings, IsUnicode.
    const ID_LIST: u32 = 1;
    const LINK_INFO: u32 = 2;
    const STRINGS: [u32; 5] = [4, 8, 16, 32, 64];
    const UNICODE: u32 = 128;
    let flags = u32_at(data, 20)?;
    let mut at = 76usize;
    if flags & ID_LIST != 0 {
        at = at
            .checked_add(2)?
            .checked_add(usize::from(u16_at(data, at)?))?;
    }
    if flags & LINK_INFO != 0 {
        at = at.checked_add(index(u32_at(data, at)?))?;
    }
    for string in STRINGS {
        if flags & string != 0 {
            let characters = usize::from(u16_at(data, at)?);
            let width = if flags & UNICODE != 0 { 2 } else { 1 };
            at = at
                .checked_add(2)?
                .checked_add(characters.checked_mul(width)?)?;
        }
    }
    loop {
        let size = index(u32_at(data, at)?);
        if size < 4 {
            return at.checked_add(4);
        }
        at = at.checked_add(size)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::unpack::tests::{opened, pe};

    type Seen = (Option<&'static str>, Kind, Option<Range<usize>>);

    fn children(data: &[u8]) -> Vec<Seen> {
        let (children, _) = opened("carve", data);
        children
            .into_iter()
            .map(|child| (child.via, child.kind, child.at))
            .collect()
    }

    fn png() -> Vec<u8> {
        let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
        png.extend([0, 0, 0, 4, b'I', b'D', b'A', b'T', 1, 2, 3, 4, 0, 0, 0, 0]);
        png.extend([0, 0, 0, 0, b'I', b'E', b'N', b'D', 0xae, 0x42, 0x60, 0x82]);
        png
    }

    #[test]
    fn a_program_in_unknown_bytes_is_carved() {
        let data = [vec![0xfe; 300], pe(), vec![0xfd; 40]].concat();
        assert_eq!(
            children(&data),
            [(Some("carved"), Kind::Pe, Some(300..1324))]
        );
        let broken: Vec<u8> = data
            .iter()
            .map(|byte| if *byte == b'P' { b'Q' } else { *byte })
            .collect();
        assert_eq!(children(&broken), []);
    }

    #[test]
    fn marks_come_in_the_order_in_which_they_stand() {
        let data = b"MZ\x7fELFMZ\xcf\xfa\xed\xfe\xce\xfa\xed\xfeM\x7fEL MZ";
        assert_eq!(Marks::new(data).collect::<Vec<_>>(), [0, 2, 6, 8, 12, 21]);
        assert_eq!(Marks::new(b"").count(), 0);
    }

    #[test]
    fn what_stands_behind_a_picture_is_a_child_and_noted() {
        let data = [png(), pe()].concat();
        let end = png().len();
        let (found, facts) = opened("carve", &data);
        assert_eq!(
            (found[0].via, found[0].kind, found[0].at.clone()),
            (Some("appended"), Kind::Pe, Some(end..data.len()))
        );
        assert!(facts.contains(&Fact::Polyglot {
            kind: Kind::Pe,
            at: end
        }));
        assert_eq!(children(&[png(), vec![0; 50]].concat()), []);
        assert_eq!(
            children(&[png(), b"some words that mean nothing at all".to_vec()].concat()),
            []
        );
        let rar = [png(), b"Rar!\x1a\x07\0".to_vec(), vec![7; 20]].concat();
        assert_eq!(
            children(&rar),
            [(Some("appended"), Kind::Rar, Some(end..rar.len()))]
        );
    }

    #[test]
    fn a_masked_program_behind_a_picture_is_a_child() {
        // Behind a mark by which a loader finds it, and under a key that turns its first byte into padding.
        for (key, mark) in [(0x5a, b"--begin--".as_slice()), (b'M', b"")] {
            let masked: Vec<u8> = pe().iter().map(|byte| byte ^ key).collect();
            let (found, _) = opened("carve", &[&png()[..], mark, &masked].concat());
            assert_eq!(found.len(), 1, "{key}");
            assert_eq!(&found[0].data[..], masked, "{key}");
        }
        let masked: Vec<u8> = pe().iter().map(|byte| byte ^ 0x5a).collect();
        let (found, facts) = opened("carve", &[png(), masked].concat());
        assert_eq!(
            found.iter().map(|one| one.via).collect::<Vec<_>>(),
            [Some("appended")]
        );
        let at = png().len();
        assert!(facts.contains(&Fact::Polyglot { kind: Kind::Pe, at }));
        let noise: Vec<u8> = (0..500u32).map(|n| (n * n % 251) as u8 | 1).collect();
        assert_eq!(children(&[png(), noise].concat()), []);
    }

    #[test]
    fn pictures_end_where_their_format_says() {
        let gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff\x2c\0\0\0\0\x01\0\x01\0\0\x02\x02\x44\x01\0\x3b";
        assert_eq!(gif_end(gif), Some(gif.len()));
        // The end marker inside a segment, as a thumbnail has it, does not count.
        let jpg =
            b"\xff\xd8\xff\xe1\0\x08\xff\xd8\xff\xd9ab\xff\xda\0\x02\x12\xff\0\x34\xff\xd9tail";
        assert_eq!(jpg_end(jpg), Some(jpg.len() - 4));
        assert_eq!(jpg_end(b"\xff\xd8\xff\xe1\0\x08"), None);
        assert_eq!(png_end(&png()), Some(png().len()));
    }

    #[test]
    fn a_shortcut_with_a_program_behind_it() {
        let mut lnk = vec![0; 76];
        lnk[..20].copy_from_slice(b"\x4c\0\0\0\x01\x14\x02\0\0\0\0\0\xc0\0\0\0\0\0\0\x46");
        lnk[20] = 0x20 | 0x80;
        lnk.extend([2, 0, b'-', 0, b'x', 0, 0, 0, 0, 0]);
        let end = lnk.len();
        assert_eq!(lnk_end(&lnk), Some(end));
        let data = [lnk, pe()].concat();
        assert_eq!(
            children(&data),
            [(Some("appended"), Kind::Pe, Some(end..data.len()))]
        );
    }

    #[test]
    fn a_host_full_of_marks_is_capped_and_said() {
        let mut small = [0; 160];
        small[..2].copy_from_slice(b"MZ");
        small[0x3c] = 0x40;
        small[0x40..0x44].copy_from_slice(b"PE\0\0");
        let data = [vec![0xfe; 8], small.repeat(PROGRAMS + 5)].concat();
        let (found, facts) = opened("carve", &data);
        assert_eq!(found.len(), PROGRAMS);
        assert!(facts.iter().any(|fact| matches!(
            fact,
            Fact::Limit {
                halt: Halt::Ceiling(_),
                ..
            }
        )));
        // Marks alone cost nothing but a look.
        assert_eq!(
            children(&[vec![1; 4096], b"MZ".repeat(500_000)].concat()),
            []
        );
    }
}
