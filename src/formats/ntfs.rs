//! NTFS volumes (no specification is published; the layout is as the Linux-NTFS project documents it): every record of
//! the master file table by itself, so that folders that are damaged hide nothing.
//!
//! Left out: the journal, indexes of folders, deleted files.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;

use super::disk::{ENTRIES, PATH};
use super::lznt1;
use crate::bytes::{Deviation, index, length, slice, u16_at, u32_at, u64_at};
use crate::limits::{Budget, Halt};

/// Types of attributes.
const FILE_NAME: u32 = 0x30;
const DATA: u32 = 0x80;
const END: u32 = 0xffff_ffff;

/// Records of the system: files without names of users.
const SYSTEM: u64 = 16;
const ROOT: u64 = 5;
const EXTEND: u64 = 11;

/// A name for programs of DOS, beside a longer one.
const DOS_NAME: u8 = 2;

/// Folders within folders.
const DEPTH: usize = 64;

/// Pieces of one stream.
const RUNS: usize = 1 << 16;

/// Bytes of one record at the most.
const RECORD: usize = 1 << 16;

/// A stream of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its name; empty for the content of the file.
    pub name: String,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes from the start that were ever written; zero behind them.
    written: u64,
    /// Content that lies in the record itself.
    resident: Option<Vec<u8>>,
    /// Clusters in order.
    runs: Vec<Run>,
    /// Clusters of a unit of compression; 0: none.
    unit: u64,
    /// Whether it is encrypted by the system.
    pub encrypted: bool,
}

/// Clusters in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run {
    /// The first; none for a hole.
    at: Option<u64>,
    count: u64,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its paths, short names of DOS left out.
    pub paths: Vec<String>,
    /// Its streams.
    pub streams: Vec<Stream>,
}

/// A volume.
#[derive(Debug, Clone, Default)]
pub struct Volume {
    /// Its files.
    pub files: Vec<File>,
    /// What could not be read.
    pub unread: Vec<Deviation>,
    /// Whether there were more records than are looked at.
    pub full: bool,
    cluster: usize,
}

/// What is known of one record.
#[derive(Debug, Default)]
struct Record {
    names: Vec<(u64, String, u8)>,
    /// With the first cluster of each piece.
    streams: Vec<(u64, Stream)>,
    is_folder: bool,
    in_use: bool,
}

/// Reads the master file table; `None` where there is no boot sector of NTFS.
///
/// # Errors
/// The deadline passed.
pub fn read(image: &[u8], budget: &Budget) -> Result<Option<Volume>, Halt> {
    let Some(boot) = Boot::read(image) else {
        return Ok(None);
    };
    let mut volume = Volume {
        cluster: boot.cluster,
        ..Volume::default()
    };
    let first = boot.table.saturating_mul(boot.cluster);
    let Some(table) = table(image, first, &boot) else {
        volume.miss(first, "the master file table");
        return Ok(Some(volume));
    };
    let whole = table.size;
    let mut records: BTreeMap<u64, Record> = BTreeMap::new();
    let mut number = 0u64;
    let mut bytes = vec![0; boot.record];
    let mut reader = Content::new(image, &table, boot.cluster);
    // Ends because each turn reads a record, and their count is bounded.
    loop {
        budget.tick()?;
        // A table that is longer than the image goes through the same clusters again.
        let is_longer = number.saturating_mul(length(boot.record)) > length(image.len());
        if number > length(ENTRIES) || is_longer {
            volume.full = true;
            break;
        }
        if !filled(&mut reader, &mut bytes) {
            break;
        }
        if bytes.starts_with(b"FILE") || bytes.starts_with(b"BAAD") {
            let at = index(number.saturating_mul(length(boot.record)));
            if !mend(&mut bytes) {
                volume.miss(at, format!("record {number} of the master file table"));
            }
            attributes(&bytes, number, &mut records);
        }
        number = number.saturating_add(1);
    }
    if number.saturating_mul(length(boot.record)) < whole && !volume.full {
        volume.miss(first, "the end of the master file table");
    }
    volume.gather(&records, budget)?;
    Ok(Some(volume))
}

/// Fields of the boot sector, in bytes.
struct Boot {
    cluster: usize,
    record: usize,
    /// The first cluster of the master file table.
    table: usize,
}

impl Boot {
    fn read(image: &[u8]) -> Option<Self> {
        if slice(image, 3, 8)? != b"NTFS    " {
            return None;
        }
        let sector = usize::from(u16_at(image, 11)?);
        let per_cluster = match *image.get(13)? {
            count @ 1..=0x80 => usize::from(count),
            // A power of two, negative.
            power => 1usize.checked_shl(256u32.saturating_sub(u32::from(power)))?,
        };
        let cluster = sector.checked_mul(per_cluster)?;
        let record = match image.get(64)?.cast_signed() {
            count @ 1.. => cluster.checked_mul(usize::from(count.unsigned_abs()))?,
            power => 1usize.checked_shl(u32::from(power.unsigned_abs()))?,
        };
        let fits = (256..=4096).contains(&sector)
            && (256..=RECORD).contains(&record)
            && cluster <= 1 << 21;
        fits.then_some(Self {
            cluster,
            record,
            table: index(u64_at(image, 48)?),
        })
    }
}

/// The stream of the master file table, by its first record.
fn table(image: &[u8], at: usize, boot: &Boot) -> Option<Stream> {
    let mut record = slice(image, at, boot.record)?.to_vec();
    if !record.starts_with(b"FILE") {
        return None;
    }
    mend(&mut record);
    let mut records = BTreeMap::new();
    attributes(&record, 0, &mut records);
    let (_, stream) = records.remove(&0)?.streams.into_iter().next()?;
    Some(stream)
}

fn filled(reader: &mut Content<'_>, bytes: &mut [u8]) -> bool {
    reader.read_exact(bytes).is_ok()
}

/// Puts the ends of sectors back that stand in the array of fix-ups; false where they do not fit.
fn mend(record: &mut [u8]) -> bool {
    let array = u16_at(record, 4).map_or(usize::MAX, usize::from);
    let count = u16_at(record, 6).map_or(0, usize::from);
    let Some(mark) = u16_at(record, array) else {
        return false;
    };
    let mut good = count > 0;
    for number in 1..count {
        let from = array.saturating_add(number.saturating_mul(2));
        let to = number.saturating_mul(512).saturating_sub(2);
        let (Some(value), Some(there)) = (u16_at(record, from), u16_at(record, to)) else {
            return false;
        };
        good &= there == mark;
        if let Some(place) = record.get_mut(to..to.saturating_add(2)) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    }
    good
}

/// Enters what a record says: of itself, or of the record that it continues.
fn attributes(bytes: &[u8], number: u64, records: &mut BTreeMap<u64, Record>) {
    let (Some(start), Some(flags)) = (u16_at(bytes, 20), u16_at(bytes, 22)) else {
        return;
    };
    let base = u64_at(bytes, 32).unwrap_or_default() & 0x0000_ffff_ffff_ffff;
    let owner = if base == 0 { number } else { base };
    let record = records.entry(owner).or_default();
    if base == 0 {
        record.in_use = flags & 1 != 0;
        record.is_folder = flags & 2 != 0;
    }
    let mut at = usize::from(start);
    // Ends because each attribute takes at least sixteen bytes.
    while let (Some(kind), Some(len)) = (u32_at(bytes, at), u32_at(bytes, at.saturating_add(4))) {
        let len = index(len);
        if kind == END || len < 16 {
            return;
        }
        let Some(attribute) = bytes.get(at..at.saturating_add(len).min(bytes.len())) else {
            return;
        };
        match kind {
            FILE_NAME => record.names.extend(file_name(attribute)),
            DATA => record.streams.extend(stream(attribute)),
            _ => {}
        }
        at = at.saturating_add(len);
    }
}

fn resident(attribute: &[u8]) -> Option<&[u8]> {
    let len = index(u32_at(attribute, 16)?);
    slice(attribute, usize::from(u16_at(attribute, 20)?), len)
}

/// The folder, the name and its kind.
fn file_name(attribute: &[u8]) -> Option<(u64, String, u8)> {
    let value = resident(attribute)?;
    let folder = u64_at(value, 0)? & 0x0000_ffff_ffff_ffff;
    let name = text(value, 66, usize::from(*value.get(64)?))?;
    Some((folder, name, *value.get(65)?))
}

/// The first cluster of a piece of a stream, and the piece.
fn stream(attribute: &[u8]) -> Option<(u64, Stream)> {
    let name_at = usize::from(u16_at(attribute, 10)?);
    let flags = u16_at(attribute, 12)?;
    let mut stream = Stream {
        name: text(attribute, name_at, usize::from(*attribute.get(9)?)).unwrap_or_default(),
        size: 0,
        written: u64::MAX,
        resident: None,
        runs: Vec::new(),
        unit: 0,
        encrypted: flags & 0x4000 != 0,
    };
    if *attribute.get(8)? == 0 {
        let content = resident(attribute)?;
        stream.size = length(content.len());
        stream.resident = Some(content.to_vec());
        return Some((0, stream));
    }
    let first = u64_at(attribute, 16)?;
    if first == 0 {
        stream.size = u64_at(attribute, 48)?;
        stream.written = u64_at(attribute, 56)?;
        let power = u16_at(attribute, 34)?;
        if flags & 0xff != 0 && (1..=8).contains(&power) {
            stream.unit = 1 << power;
        }
    }
    stream.runs = runs(attribute.get(usize::from(u16_at(attribute, 32)?)..)?);
    Some((first, stream))
}

/// The list of runs: lengths, and distances from the run before.
fn runs(mut list: &[u8]) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut last = 0i64;
    while let Some((head, rest)) = list.split_first()
        && *head != 0
        && runs.len() < RUNS
    {
        let (lengths, offsets) = (usize::from(head & 15), usize::from(head >> 4));
        let Some((field, behind)) = rest.split_at_checked(lengths.saturating_add(offsets)) else {
            break;
        };
        list = behind;
        let (count, offset) = field.split_at(lengths);
        if lengths > 8 || offsets > 8 {
            break;
        }
        let unsigned = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let count = unsigned(count);
        let at = match offset.last() {
            None => None,
            Some(high) => {
                let wide = u32::try_from(offset.len()).unwrap_or(8).saturating_mul(8);
                let sign = match high & 0x80 {
                    0 => 0,
                    _ => u64::MAX.checked_shl(wide).unwrap_or(0),
                };
                last = last.wrapping_add((unsigned(offset) | sign).cast_signed());
                Some(u64::try_from(last).unwrap_or(u64::MAX))
            }
        };
        runs.push(Run { at, count });
    }
    runs
}

fn text(bytes: &[u8], at: usize, units: usize) -> Option<String> {
    let raw = slice(bytes, at, units.checked_mul(2)?)?;
    let units = raw
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    Some(
        char::decode_utf16(units)
            .map(|unit| unit.unwrap_or('\u{fffd}'))
            .collect(),
    )
}

impl Volume {
    fn miss(&mut self, at: usize, what: impl Into<String>) {
        if self.unread.len() < 64 {
            self.unread.push(Deviation::new(at, what));
        }
    }

    /// Files with their paths out of the records.
    fn gather(&mut self, records: &BTreeMap<u64, Record>, budget: &Budget) -> Result<(), Halt> {
        for (number, record) in records {
            budget.tick()?;
            let of_system =
                *number < SYSTEM || record.names.iter().any(|(folder, _, _)| *folder == EXTEND);
            if of_system || !record.in_use {
                continue;
            }
            let mut pieces: Vec<&(u64, Stream)> = record.streams.iter().collect();
            pieces.sort_by_key(|(first, _)| *first);
            let mut streams: Vec<Stream> = Vec::new();
            let mut places: BTreeMap<&str, usize> = BTreeMap::new();
            for (_, piece) in pieces {
                budget.tick()?;
                let place = *places.entry(&piece.name).or_insert(streams.len());
                match streams.get_mut(place) {
                    Some(stream) => stream.runs.extend(&piece.runs),
                    None => streams.push(piece.clone()),
                }
            }
            // A folder has streams only where somebody put one there.
            if streams.is_empty() {
                continue;
            }
            let long = |kind: u8| kind != DOS_NAME || record.names.len() == 1;
            let named = record.names.iter().filter(|(_, _, kind)| long(*kind));
            let paths = named.map(|(folder, name, _)| path(*folder, name, records));
            self.files.push(File {
                paths: paths.collect(),
                streams,
            });
        }
        Ok(())
    }

    /// Where a stream lies, if it lies in one piece and plainly.
    pub fn place(&self, image: &[u8], stream: &Stream) -> Option<Range<usize>> {
        let [Run { at: Some(at), .. }] = stream.runs.as_slice() else {
            return None;
        };
        let start = index(*at).checked_mul(self.cluster)?;
        let end = start.checked_add(index(stream.size))?;
        let plain = stream.unit == 0 && stream.resident.is_none() && stream.written >= stream.size;
        (plain && end <= image.len()).then_some(start..end)
    }

    /// The content of a stream as a reader; what lies beyond the end of the image is an error.
    pub fn content<'a>(&self, image: &'a [u8], stream: &'a Stream) -> Content<'a> {
        Content::new(image, stream, self.cluster)
    }
}

/// The path of an entry of a folder.
fn path(mut folder: u64, name: &str, records: &BTreeMap<u64, Record>) -> String {
    let mut path = name.to_owned();
    for _ in 0..DEPTH {
        if folder == ROOT || path.len() > PATH {
            break;
        }
        let above = records.get(&folder).and_then(|record| {
            let long = record.names.iter().find(|(_, _, kind)| *kind != DOS_NAME);
            long.or_else(|| record.names.first())
        });
        let Some((next, name, _)) = above else {
            break;
        };
        path = format!("{name}/{path}");
        folder = *next;
    }
    path
}

/// The content of a stream.
#[derive(Debug)]
pub struct Content<'a> {
    image: &'a [u8],
    stream: &'a Stream,
    cluster: usize,
    /// The run at hand, and the clusters of it that were given.
    run: usize,
    given: u64,
    /// Bytes that were given of all.
    position: u64,
    waiting: Vec<u8>,
    taken: usize,
}

impl<'a> Content<'a> {
    fn new(image: &'a [u8], stream: &'a Stream, cluster: usize) -> Self {
        Self {
            image,
            stream,
            cluster,
            run: 0,
            given: 0,
            position: 0,
            waiting: stream.resident.clone().unwrap_or_default(),
            taken: 0,
        }
    }

    /// Takes up to `most` clusters of the run at hand: where they lie, and how many.
    fn clusters(&mut self, most: u64) -> Option<(Option<u64>, u64)> {
        // Ends because each turn goes on to the next run.
        loop {
            let run = self.stream.runs.get(self.run)?;
            let left = run.count.saturating_sub(self.given);
            if left == 0 {
                self.run = self.run.saturating_add(1);
                self.given = 0;
                continue;
            }
            let count = left.min(most);
            let at = run.at.map(|at| at.saturating_add(self.given));
            self.given = self.given.saturating_add(count);
            return Some((at, count));
        }
    }

    fn there(&self, at: u64, count: u64) -> std::io::Result<&'a [u8]> {
        let start = index(at).saturating_mul(self.cluster);
        let len = index(count).saturating_mul(self.cluster);
        slice(self.image, start, len).ok_or_else(|| {
            let what = format!("clusters from {at} on lie beyond the end");
            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what)
        })
    }

    /// Reads some clusters, or one unit of compression; leaves nothing at the end.
    fn fill(&mut self) -> std::io::Result<()> {
        /// Bytes that are read at once.
        const STEP: u64 = 1 << 16;
        self.waiting.clear();
        self.taken = 0;
        if self.stream.unit != 0 {
            return self.fill_unit();
        }
        let most = (STEP / length(self.cluster.max(1))).max(1);
        match self.clusters(most) {
            None => {}
            Some((Some(at), count)) => {
                let bytes = self.there(at, count)?;
                self.waiting.extend_from_slice(bytes);
            }
            Some((None, count)) => {
                let len = index(count).saturating_mul(self.cluster);
                self.waiting.resize(len, 0);
            }
        }
        Ok(())
    }

    /// A unit is plain where all of its clusters are there, and zero where none is.
    fn fill_unit(&mut self) -> std::io::Result<()> {
        let mut packed = Vec::new();
        let (mut left, mut hole) = (self.stream.unit, false);
        while left > 0
            && let Some((at, count)) = self.clusters(left)
        {
            left = left.saturating_sub(count);
            match at {
                Some(at) => packed.extend_from_slice(self.there(at, count)?),
                None => hole = true,
            }
        }
        if left == self.stream.unit {
            return Ok(());
        }
        let size = index(self.stream.unit).saturating_mul(self.cluster);
        self.waiting = match hole {
            false => packed,
            true if packed.is_empty() => vec![0; size],
            true => {
                let mut out = lznt1::decode(&packed, size);
                out.resize(size, 0);
                out
            }
        };
        Ok(())
    }
}

impl Read for Content<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = self.stream.size.saturating_sub(self.position);
        if left == 0 {
            return Ok(0);
        }
        if self.taken >= self.waiting.len() {
            if self.stream.resident.is_some() {
                return Ok(0);
            }
            self.fill()?;
        }
        let ready = self.waiting.get(self.taken..).unwrap_or_default();
        if ready.is_empty() {
            let what = format!("{left} bytes are missing");
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, what));
        }
        let len = ready.len().min(out.len()).min(index(left));
        if let (Some(out), Some(ready)) = (out.get_mut(..len), ready.get(..len)) {
            out.copy_from_slice(ready);
            let written = self.stream.written.saturating_sub(self.position);
            if let Some(zero) = out.get_mut(index(written).min(len)..) {
                zero.fill(0);
            }
        }
        self.taken = self.taken.saturating_add(len);
        self.position = self.position.saturating_add(length(len));
        Ok(len)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    const CLUSTER: usize = 1024;

    /// An attribute with its content in the record.
    fn held(kind: u32, name: &str, content: &[u8]) -> Vec<u8> {
        let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let start = (24 + name.len()).next_multiple_of(8);
        let mut out = kind.to_le_bytes().to_vec();
        out.extend(
            u32::try_from((start + content.len()).next_multiple_of(8))
                .unwrap()
                .to_le_bytes(),
        );
        out.extend([0, u8::try_from(name.len() / 2).unwrap(), 24, 0, 0, 0, 0, 0]);
        out.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        out.extend(u16::try_from(start).unwrap().to_le_bytes());
        out.extend([0, 0]);
        out.extend(name);
        out.resize(start, 0);
        out.extend(content);
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }

    /// Data in clusters.
    fn spread(runs: &[u8], size: usize, flags: u16) -> Vec<u8> {
        let mut out = DATA.to_le_bytes().to_vec();
        out.extend(
            u32::try_from((64 + runs.len()).next_multiple_of(8))
                .unwrap()
                .to_le_bytes(),
        );
        out.extend([1, 0, 64, 0]);
        out.extend(flags.to_le_bytes());
        out.extend([0, 0]);
        out.extend([0; 16]);
        out.extend([64, 0, if flags & 1 == 1 { 2 } else { 0 }, 0, 0, 0, 0, 0]);
        for _ in 0..3 {
            out.extend(u64::try_from(size).unwrap().to_le_bytes());
        }
        out.extend(runs);
        out.resize(out.len().next_multiple_of(8), 0);
        out
    }

    fn name_of(folder: u64, name: &str) -> Vec<u8> {
        let units: Vec<u16> = name.encode_utf16().collect();
        let mut value = folder.to_le_bytes().to_vec();
        value.resize(64, 0);
        value.extend([u8::try_from(units.len()).unwrap(), 1]);
        value.extend(units.into_iter().flat_map(u16::to_le_bytes));
        held(FILE_NAME, "", &value)
    }

    fn record(flags: u16, attributes: &[Vec<u8>]) -> Vec<u8> {
        let mut out = b"FILE\x30\0\x03\0".to_vec();
        out.resize(20, 0);
        out.extend(56u16.to_le_bytes());
        out.extend(flags.to_le_bytes());
        out.resize(56, 0);
        attributes.iter().for_each(|one| out.extend(one));
        out.extend([0xff; 4]);
        assert!(out.len() < 500);
        out.resize(CLUSTER, 0);
        for end in [510, 1022] {
            out[end..end + 2].copy_from_slice(&[7, 7]);
        }
        out[0x30] = 7;
        out[0x31] = 7;
        out
    }

    /// A volume with a folder, in it a file of two streams whose content is in one, two or compressed runs.
    pub(crate) fn volume(name: &str, content: &[u8]) -> Vec<u8> {
        let clusters = u8::try_from(content.len().div_ceil(CLUSTER)).unwrap();
        let runs = [0x11, clusters, 1 + TABLE_CLUSTERS, 0];
        volume_of_runs(name, &spread(&runs, content.len(), 0), content)
    }

    /// A volume with a file of so many bytes, of which nothing is stored.
    pub(crate) fn sparse(size: usize) -> Vec<u8> {
        let [a, b, c, _] = u32::try_from(size / CLUSTER).unwrap().to_le_bytes();
        volume_of_runs("a", &spread(&[0x03, a, b, c, 0], size, 0), b"")
    }

    /// Clusters of the table of files.
    const TABLE_CLUSTERS: u8 = 19;

    fn volume_of_runs(name: &str, data: &[u8], content: &[u8]) -> Vec<u8> {
        volume_of_table(&[0x11, TABLE_CLUSTERS, 1, 0], 1, name, data, content)
    }

    /// With a table that goes so many times through its clusters.
    fn volume_of_table(
        runs: &[u8],
        times: usize,
        name: &str,
        data: &[u8],
        content: &[u8],
    ) -> Vec<u8> {
        let mut boot = vec![0; CLUSTER];
        boot[..11].copy_from_slice(b"\xeb\x52\x90NTFS    ");
        boot[11..14].copy_from_slice(&[0, 2, 2]);
        boot[48] = 1;
        boot[64] = 0xf6;
        let mut out = boot;
        let table = spread(runs, times * usize::from(TABLE_CLUSTERS) * CLUSTER, 0);
        out.extend(record(1, &[table]));
        for _ in 1..16 {
            out.extend(record(1, &[held(DATA, "", b"of the system")]));
        }
        out.extend(record(3, &[name_of(ROOT, "資料")]));
        let stream = held(DATA, "隠し.exe", b"MZ in a stream");
        out.extend(record(1, &[name_of(16, name), data.to_vec(), stream]));
        out.extend(record(
            0,
            &[name_of(16, "deleted.txt"), held(DATA, "", b"deleted")],
        ));
        out.extend(content);
        out.resize(out.len().next_multiple_of(CLUSTER), 0);
        out
    }

    fn volume_of(image: &[u8]) -> Volume {
        let budget = Budget::new(Limits::default(), None);
        read(image, &budget).unwrap().unwrap()
    }

    fn all(volume: &Volume, image: &[u8], stream: &Stream) -> std::io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut content = volume.content(image, stream).take(1 << 20);
        let mut bytes = [0; 999];
        loop {
            match content.read(&mut bytes)? {
                0 => return Ok(out),
                len => out.extend_from_slice(&bytes[..len]),
            }
        }
    }

    #[test]
    fn files_have_paths_and_streams() {
        let content = [b"content".as_slice(), &[b'x'; 3000]].concat();
        let image = volume("見積書.txt", &content);
        let found = volume_of(&image);
        assert_eq!(found.unread, []);
        assert_eq!(found.files.len(), 1);
        let file = &found.files[0];
        assert_eq!(file.paths, ["資料/見積書.txt"]);
        let names: Vec<&str> = file.streams.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["", "隠し.exe"]);
        assert_eq!(all(&found, &image, &file.streams[0]).unwrap(), content);
        assert_eq!(
            image[found.place(&image, &file.streams[0]).unwrap()],
            content
        );
        assert_eq!(
            all(&found, &image, &file.streams[1]).unwrap(),
            b"MZ in a stream"
        );
        let cut = &image[..image.len() - 2048];
        assert_eq!(found.place(cut, &file.streams[0]), None);
        assert!(all(&found, cut, &file.streams[0]).is_err());
    }

    #[test]
    fn a_table_that_goes_through_its_clusters_again_ends_with_the_image() {
        let again = [[0x11, TABLE_CLUSTERS, 0]; 12].concat();
        let runs = [&[0x11, TABLE_CLUSTERS, 1], again.as_slice(), &[0]].concat();
        let content = spread(&[0x11, 1, 1 + TABLE_CLUSTERS, 0], 7, 0);
        let image = volume_of_table(&runs, 13, "a.txt", &content, b"content");
        let found = volume_of(&image);
        assert!(found.full);
        // Records of the system are taken for others in the second turn, of which a third is read.
        assert!(found.files.len() < 8, "{}", found.files.len());
    }

    #[test]
    fn runs_count_from_the_run_before_and_may_be_holes() {
        let list = [0x21, 3, 0x00, 0x01, 0x11, 2, 0xff, 0x01, 9, 0];
        let found = runs(&list);
        let want = [(Some(256), 3), (Some(255), 2), (None, 9)];
        let want = want.map(|(at, count)| Run { at, count });
        assert_eq!(found, want);
        assert!(runs(&[0xff, 1]).is_empty());
    }

    #[test]
    fn a_volume_that_is_cut_or_lies_is_told() {
        let image = volume("a.txt", b"content");
        for len in (0..image.len()).step_by(97) {
            let budget = Budget::new(Limits::default(), None);
            if let Some(found) = read(&image[..len], &budget).unwrap() {
                assert!(!found.unread.is_empty() || !found.files.is_empty(), "{len}");
            }
        }
        let mut torn = image.clone();
        torn[CLUSTER + 17 * CLUSTER + 510] = 1;
        assert_eq!(volume_of(&torn).unread.len(), 1);
    }
}
