//! Marks of archives, and whether a head that holds together stands at one.
//!
//! In every head enough is compared that bytes by chance are none: a checksum, a chain of lengths, or what comes out.

use std::ops::Range;

use flate2::{Decompress, FlushDecompress, Status};

use super::ends;
use crate::bytes::{index, slice, u16_at, u32_at, u64_at};
use crate::formats::zip::crc32;
use crate::formats::{arj, chm, cpio, iso9660, tar};

/// Bytes of a zip's record at the end.
pub(super) const END_RECORD: usize = 22;

/// The mark of that record.
pub(super) const ZIP_END: &[u8] = b"PK\x05\x06";

/// Where a mark was found.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// First byte of the archive; in a zip, of its record at the end.
    at: usize,
    /// What is before was passed over.
    from: usize,
}

/// What may be spent on heads that turn out to be none: so many bytes looked at.
pub(super) struct Patience(usize);

impl Patience {
    /// For so many bytes of a host.
    pub(super) fn of(len: usize) -> Self {
        const LEAST: usize = 16 << 20;
        Self(len.saturating_mul(4).saturating_add(LEAST))
    }

    /// Whether nothing is left.
    pub(super) fn is_out(&self) -> bool {
        self.0 == 0
    }

    fn spend(&mut self, bytes: usize) {
        self.0 = self.0.saturating_sub(bytes);
    }
}

type Head = fn(&[u8], Place, &mut Patience) -> Option<Range<usize>>;

/// One mark.
pub(super) struct Mark {
    /// Its bytes.
    pub(super) bytes: &'static [u8],
    /// Bytes of the archive before them.
    before: usize,
    head: Head,
}

const fn mark(bytes: &'static [u8], before: usize, head: Head) -> Mark {
    Mark {
        bytes,
        before,
        head,
    }
}

/// What starts, or in a zip ends, an archive that is opened wherever it stands, in other archives too.
pub(super) static STRONG: [Mark; 4] = [
    mark(b"MSCF\0\0\0\0", 0, cabinet),
    mark(b"7z\xbc\xaf\x27\x1c", 0, sevenz),
    mark(b"Rar!\x1a\x07", 0, rar),
    mark(ZIP_END, 0, zip),
];

const GZIP: &[u8] = &[0x1f, 0x8b, 8];

/// What archivers look for besides in a file that is none of their own.
#[rustfmt::skip]
pub(super) static FURTHER: [Mark; 19] = [
    mark(GZIP, 0, gzip),
    mark(b"1AY&SY", 4, bzip2),
    mark(b"\xfd7zXZ\0", 0, xz),
    mark(&[0x28, 0xb5, 0x2f, 0xfd], 0, zstd),
    mark(b"-lh", 2, lzh),
    mark(b"-lz", 2, lzh),
    mark(b"**ACE**", 7, ace),
    mark(b"ustar", 257, tar),
    mark(b"070701", 0, cpio),
    mark(b"070702", 0, cpio),
    mark(b"070707", 0, cpio),
    mark(b"\x01CD001", 32_768, iso),
    mark(b"MSWIM\0\0\0", 0, wim),
    mark(b"ITSF\x03\0\0\0", 0, help),
    mark(&[0xed, 0xab, 0xee, 0xdb], 0, rpm),
    mark(b"!<arch>\n", 0, ar),
    mark(b"xar!\0\x1c\0\x01", 0, xar),
    mark(b"ALZ\x01", 0, alz),
    mark(b"EGGA\0\x01", 0, egg),
];

/// Of ARJ: a search for two bytes among all others makes that of all several times slower.
pub(super) static ARJ: Mark = mark(&[0x60, 0xea], 0, arj);

impl Mark {
    /// Whether it starts one stream of gzip, which is gone through before it counts.
    pub(super) fn is_stream(&self) -> bool {
        self.bytes == GZIP
    }

    /// Where the archive starts, or in a zip its record at the end, whose mark was found.
    pub(super) fn start(&self, found: usize) -> Option<usize> {
        found.checked_sub(self.before)
    }

    /// The archive whose mark was found at `found`; nothing before `from` is looked at.
    pub(super) fn range(
        &self,
        data: &[u8],
        found: usize,
        from: usize,
        patience: &mut Patience,
    ) -> Option<Range<usize>> {
        let at = self.start(found).filter(|at| *at >= from)?;
        (self.head)(data, Place { at, from }, patience)
    }
}

/// The range of `len` bytes at `at`, as far as it is there.
fn range(data: &[u8], at: usize, len: usize) -> Range<usize> {
    at..at.saturating_add(len).min(data.len())
}

/// CFHEADER ([MS-CAB] 2.1): version 1.3, and an offset of files inside of its length.
fn cabinet(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let head = slice(data, place.at, 36)?;
    let (len, files) = (index(u32_at(head, 8)?), index(u32_at(head, 16)?));
    let fits = u16_at(head, 24)? == 0x0103
        && (36..len).contains(&files)
        && u16_at(head, 26)? > 0
        && u16_at(head, 28)? > 0;
    fits.then(|| range(data, place.at, len))
}

/// SignatureHeader and StartHeader (7zFormat.txt): the checksum of the latter.
fn sevenz(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let head = slice(data, place.at, 32)?;
    let start = head.get(12..)?;
    if crc32(start) != u32_at(head, 8)? {
        return None;
    }
    let end = u64_at(head, 12)?
        .checked_add(u64_at(head, 20)?)?
        .checked_add(32)?;
    Some(range(data, place.at, index(end)))
}

/// The main header behind the mark; the blocks tell where the archive ends, unless they are encrypted.
fn rar(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let head = slice(data, place.at, 20)?;
    let fits = match head.get(6)? {
        // Type and length of the main header.
        0 => *head.get(9)? == 0x73 && u16_at(head, 12)? >= 13,
        // Its length, and its type: main or encryption.
        1 => {
            *head.get(7)? == 0
                && (1..0x80).contains(head.get(12)?)
                && matches!(head.get(13)?, 1 | 4)
        }
        _ => false,
    };
    let end = fits.then(|| ends::rar(data, place.at))?;
    Some(place.at..end.unwrap_or(data.len()).min(data.len()))
}

/// The archive that ends with the record at a place: its directory stands before it, and its members before that.
fn zip(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let at = place.at;
    let record = slice(data, at, END_RECORD)?;
    let before = index(u32_at(record, 12)?).checked_add(index(u32_at(record, 16)?))?;
    let start = at
        .checked_sub(before)
        .filter(|start| *start >= place.from)?;
    let directory = index(u32_at(record, 16)?).checked_add(start)?;
    let comment = usize::from(u16_at(record, 20)?);
    let fits =
        slice(data, directory, 4)? == b"PK\x01\x02" && slice(data, start, 4)? == b"PK\x03\x04";
    let end = at.saturating_add(END_RECORD).saturating_add(comment);
    (fits && start > 0).then(|| start..end.min(data.len()))
}

/// A header (RFC 1952) behind which a stream stands that can be decoded: to its end and checksum, or for long.
fn gzip(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    const LONG: usize = 64 << 10;
    let head = slice(data, place.at, 10)?;
    let (flags, extra, system) = (*head.get(3)?, *head.get(8)?, *head.get(9)?);
    if flags & 0xe0 != 0 || !matches!(extra, 0 | 2 | 4) || !matches!(system, 0..=13 | 255) {
        return None;
    }
    let mut at = place.at.checked_add(10)?;
    if flags & 4 != 0 {
        at = at
            .checked_add(2)?
            .checked_add(usize::from(u16_at(data, at)?))?;
    }
    for named in [8, 16] {
        if flags & named != 0 {
            let text = data.get(at..)?;
            patience.spend(256);
            let text = text.get(..4096).unwrap_or(text);
            at = at.checked_add(memchr::memchr(0, text)?)?.checked_add(1)?;
        }
    }
    if flags & 2 != 0 {
        at = at.checked_add(2)?;
    }
    let mut out = [0u8; 4096];
    let mut decoder = Decompress::new(false);
    let mut checksum = flate2::Crc::new();
    let mut told = 0usize;
    while told < LONG {
        let source = data.get(at.checked_add(index(decoder.total_in()))?..)?;
        let status = decoder.decompress(source, &mut out, FlushDecompress::None);
        let made = index(decoder.total_out()).saturating_sub(told);
        // A table of codes costs about as much as a kilobyte.
        patience.spend(made.saturating_add(1024));
        checksum.update(out.get(..made)?);
        told = told.saturating_add(made);
        match status.ok()? {
            Status::StreamEnd => {
                let end = at.checked_add(index(decoder.total_in()))?;
                let holds = u32_at(data, end)? == checksum.sum();
                return holds.then(|| range(data, place.at, end.saturating_add(8) - place.at));
            }
            _ if made == 0 => return None,
            _ => {}
        }
    }
    Some(place.at..data.len())
}

/// A size of blocks in front of the mark of the first.
fn bzip2(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let head = slice(data, place.at, 4)?;
    let fits = head.starts_with(b"BZh") && matches!(head.last(), Some(b'1'..=b'9'));
    fits.then_some(place.at..data.len())
}

/// Flags with their checksum (The .xz File Format 2.1.1); the stream ends with the same flags.
fn xz(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    let head = slice(data, place.at, 12)?;
    let flags = slice(head, 6, 2)?;
    if crc32(flags) != u32_at(head, 8)? {
        return None;
    }
    let rest = data.get(place.at.checked_add(12)?..)?;
    let foot = |end: &usize| {
        let foot = end.checked_sub(8).and_then(|at| slice(rest, at, 8));
        let sum = end.checked_sub(12).and_then(|at| u32_at(rest, at));
        foot.is_some_and(|foot| {
            foot.get(4..6) == Some(flags) && slice(foot, 0, 6).map(crc32) == sum
        })
    };
    // The rest is read, not looked for a second time: what is found is passed over whole.
    let mut ends = memchr::memmem::find_iter(rest, b"YZ").map(|at| at.saturating_add(2));
    let end = ends.find(foot).unwrap_or(rest.len());
    patience.spend(1);
    Some(range(data, place.at, end.saturating_add(12)))
}

/// A frame whose blocks follow one another (RFC 8878, 3.1.1).
fn zstd(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    const BLOCK: usize = 128 << 10;
    let flags = *data.get(place.at.checked_add(4)?)?;
    if flags & 0x18 != 0 {
        return None;
    }
    let single = flags & 0x20 != 0;
    let dictionary = [0usize, 1, 2, 4];
    let content = [usize::from(single), 2, 4, 8];
    let mut at = place.at.checked_add(5)?;
    at = at.checked_add(usize::from(!single))?;
    at = at.checked_add(*dictionary.get(usize::from(flags & 3))?)?;
    at = at.checked_add(*content.get(usize::from(flags >> 6))?)?;
    loop {
        patience.spend(64);
        let &[low, middle, high] = slice(data, at, 3)?.first_chunk::<3>()?;
        let head = u32::from_le_bytes([low, middle, high, 0]);
        let (kind, size) = (head >> 1 & 3, index(head >> 3));
        if kind == 3 || size > BLOCK {
            return None;
        }
        let stored = if kind == 1 { 1 } else { size };
        at = at.checked_add(3)?.checked_add(stored)?;
        if at > data.len() || patience.is_out() {
            return None;
        }
        if head & 1 != 0 {
            let checksum = usize::from(flags & 4 != 0) * 4;
            return Some(range(
                data,
                place.at,
                at.saturating_add(checksum) - place.at,
            ));
        }
    }
}

/// A header of a member that holds together; the others follow it.
fn lzh(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    let first = ends::lzh_member(data, place.at)?;
    if first > data.len() {
        return None;
    }
    patience.spend(64);
    let end = ends::lzh(data, place.at).unwrap_or(data.len());
    Some(place.at..end.min(data.len()))
}

/// The main header with its checksum; the members follow it.
fn arj(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    let len = u16_at(data, place.at.checked_add(2)?)?;
    if !(30..=2600).contains(&len) {
        return None;
    }
    let start = place.at.checked_add(4)?;
    let header = slice(data, start, usize::from(len))?;
    patience.spend(usize::from(len) / 8);
    // The type of a main header.
    let fits = header.get(6) == Some(&2)
        && u32_at(data, start.checked_add(usize::from(len))?)? == crc32(header);
    // What follows it is read of a whole one only.
    let (first, _) = fits.then(|| arj::first(data, place.at).ok())??;
    Some(place.at..ends::arj(data, first).unwrap_or(data.len()))
}

/// The main header (the technical note of ACE 1.2): its type, a length, versions that there were.
fn ace(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let head = slice(data, place.at, 31)?;
    let fits = u16_at(head, 2)? >= 27
        && head.get(4) == Some(&0)
        && matches!(head.get(14..16)?, [1..=50, 1..=50]);
    fits.then_some(place.at..data.len())
}

fn tar(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    patience.spend(64);
    let header = slice(data, place.at, 512)?;
    let end = ends::tar(data, place.at);
    tar::is_tar(header).then(|| place.at..end.unwrap_or(data.len()).min(data.len()))
}

/// The header of a member with a name as long as paths are (PATH_MAX), and with all of its data.
fn cpio(data: &[u8], place: Place, patience: &mut Patience) -> Option<Range<usize>> {
    const LONGEST: usize = 4096;
    patience.spend(128);
    let first = cpio::entry(data, place.at).ok()??;
    let fits = (1..LONGEST).contains(&first.name.len())
        && first.data.end <= data.len()
        && !first.name.contains(&0);
    fits.then_some(place.at..data.len())
}

/// A volume descriptor with a length; files may lie behind that.
fn iso(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    iso9660::volume_end(data.get(place.at..)?).filter(|_| place.at > 0)?;
    Some(place.at..data.len())
}

fn wim(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let image = data.get(place.at..)?;
    let end = ends::wim(image)?;
    (u32_at(image, 8)? == 208).then(|| range(data, place.at, end))
}

fn help(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let help = data.get(place.at..)?;
    (u32_at(help, 8)? >= 0x58).then_some(())?;
    let end = chm::end(help).unwrap_or(help.len());
    Some(range(data, place.at, end))
}

/// The lead of a package: its version, the type of its signature, and the header behind it.
fn rpm(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let lead = slice(data, place.at, 100)?;
    let fits = matches!(lead.get(4)?, 3 | 4)
        && lead.get(78..80)? == [0, 5]
        && lead.get(96..99)? == [0x8e, 0xad, 0xe8];
    fits.then_some(place.at..data.len())
}

/// The end of the first member's header.
fn ar(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let fits = slice(data, place.at.checked_add(66)?, 2)? == b"`\n";
    fits.then_some(place.at..data.len())
}

fn xar(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    slice(data, place.at, 28)?;
    Some(place.at..data.len())
}

fn alz(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let fits = slice(data, place.at.checked_add(8)?, 4)? == b"BLZ\x01";
    fits.then_some(place.at..data.len())
}

/// What may stand behind the first header: its end, or that the archive is split or solid.
fn egg(data: &[u8], place: Place, _: &mut Patience) -> Option<Range<usize>> {
    let next = u32_at(data, place.at.checked_add(14)?)?;
    let fits = matches!(next, 0x08e2_8222 | 0x24f5_a262 | 0x24e5_a060);
    fits.then_some(place.at..data.len())
}

/// Where a cabinet or an archive of 7-Zip ends that bytes start with.
pub(super) fn end(data: &[u8]) -> Option<usize> {
    let (start, patience) = (Place { at: 0, from: 0 }, &mut Patience::of(0));
    let range = match data.first()? {
        b'M' => cabinet(data, start, patience),
        _ => sevenz(data, start, patience),
    };
    Some(range?.end)
}
