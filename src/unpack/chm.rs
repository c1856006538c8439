//! Compiled help: what lies in the file as it is, then the compressed section, decoded once; pages are slices of it.

use std::io::{Error, ErrorKind, Read};

use bytes::Bytes;

use crate::bytes::{index, length};
use crate::formats::chm::{self, CONTENT, CONTROL, Directory, Entry, FRAME, RESET_TABLE};
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How many times the bytes of the section its files may claim: above it they share bytes, as only bombs do.
const OVERLAP: u64 = 4;

/// What the format keeps for itself starts with this.
const OWN: &[u8] = b"::DataSpace/";

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let directory = chm::read(data)?;
    for (at, what) in &directory.faults {
        nest.unread(*at, format!("directory: {what}"));
    }
    let mut compressed = Vec::new();
    for entry in &directory.entries {
        nest.tick()?;
        if entry.size == 0 || entry.name.starts_with(OWN) {
            continue;
        }
        match entry.section {
            0 => {
                let range = directory.stored(entry, data.len());
                missing(entry, range.len(), nest);
                if !range.is_empty() {
                    let child = Child::new("chm-member", data.slice(range.clone()));
                    nest.push(child.named(name_of(entry)).at(range))?;
                }
            }
            1 => compressed.push(entry),
            section => {
                let what = format!("{}: in section {section}", shown(entry));
                nest.note(Trouble::NoReader(what).into_fact("compiled help"));
            }
        }
    }
    if compressed.is_empty() {
        return Ok(());
    }
    open(data, &directory, &compressed, nest)
}

fn name_of(entry: &Entry<'_>) -> Name {
    let name = String::from_utf8_lossy(entry.name);
    Name::of(name.strip_prefix('/').unwrap_or(&name))
}

fn shown(entry: &Entry<'_>) -> String {
    text::excerpt(&name_of(entry).text)
}

/// Tells how much of an entry is not there.
fn missing(entry: &Entry<'_>, found: usize, nest: &mut Nest<'_>) {
    let missing = entry.size.saturating_sub(length(found));
    if missing > 0 {
        nest.unread(0, format!("{}: {missing} bytes are missing", shown(entry)));
    }
}

/// Decodes the compressed section and pushes its files.
fn open(
    data: &Bytes,
    directory: &Directory<'_>,
    entries: &[&Entry<'_>],
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let Some(mut frames) = frames(data, directory) else {
        nest.unread(0, "the compressed section has no table of frames");
        return Ok(());
    };
    let needed = |entry: &&Entry<'_>| entry.offset.saturating_add(entry.size);
    let needed = entries.iter().map(needed).max().unwrap_or_default();
    let needed = needed.min(frames.table.size);
    let packed = frames.content.len();
    let decoded = nest.read(&mut frames.by_ref().take(needed), packed, needed);
    for (at, what) in std::mem::take(&mut frames.faults) {
        nest.unread(at, what);
    }
    let content = Bytes::from(decoded.data);
    let mut claimed = 0u64;
    for entry in entries {
        nest.tick()?;
        let start = index(entry.offset).min(content.len());
        let end = start.saturating_add(index(entry.size)).min(content.len());
        claimed = claimed.saturating_add(length(end.saturating_sub(start)));
        let most = length(content.len()).saturating_mul(OVERLAP);
        if claimed > most.saturating_add(1 << 20) {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        missing(entry, end.saturating_sub(start), nest);
        if start < end {
            let child = Child::new("chm-member", Payload::Paid(content.slice(start..end)));
            nest.push(child.named(name_of(entry)))?;
        }
    }
    match decoded.fault.map(Trouble::from) {
        None => Ok(()),
        Some(Trouble::TooMuch(halt)) => Err(Trouble::TooMuch(halt)),
        Some(trouble) => {
            nest.note(trouble.into_fact("the compressed section"));
            Ok(())
        }
    }
}

/// The frames of the section, where the format's own files tell them.
fn frames<'a>(data: &'a [u8], directory: &Directory<'_>) -> Option<Frames<'a>> {
    let own = |matches: &dyn Fn(&[u8]) -> bool| {
        let mut entries = directory.entries.iter();
        let entry = entries.find(|entry| entry.section == 0 && matches(entry.name))?;
        data.get(directory.stored(entry, data.len()))
    };
    let control = chm::control(own(&|name| name == CONTROL.as_bytes())?)?;
    let table = chm::frames(own(&|name| {
        name.starts_with(OWN) && name.ends_with(RESET_TABLE.as_bytes())
    })?)?;
    Some(Frames {
        content: own(&|name| name == CONTENT.as_bytes())?,
        table,
        window: window(control.window)?,
        interval: control.interval,
        next: 0,
        decoder: None,
        waiting: Vec::new(),
        given: 0,
        faults: Vec::new(),
    })
}

fn window(bytes: u64) -> Option<lzxd::WindowSize> {
    use lzxd::WindowSize as W;
    const SIZES: [W; 7] = [
        W::KB32,
        W::KB64,
        W::KB128,
        W::KB256,
        W::KB512,
        W::MB1,
        W::MB2,
    ];
    SIZES
        .into_iter()
        .zip(15u32..)
        .find(|(_, power)| bytes == 1u64 << power)
        .map(|(size, _)| size)
}

/// The frames of the compressed section as one stream.
struct Frames<'a> {
    content: &'a [u8],
    table: chm::Frames,
    window: lzxd::WindowSize,
    interval: usize,
    next: usize,
    decoder: Option<Box<lzxd::Lzxd>>,
    waiting: Vec<u8>,
    given: usize,
    /// Where frames could not be read and why.
    faults: Vec<(usize, String)>,
}

/// Faults that are told one by one.
const TOLD: usize = 16;

impl Frames<'_> {
    fn fill(&mut self) -> std::io::Result<()> {
        let number = self.next;
        self.next = self.next.saturating_add(1);
        self.given = 0;
        let before = length(number.saturating_mul(FRAME));
        let size = index(self.table.size.saturating_sub(before)).min(FRAME);
        if number.is_multiple_of(self.interval) {
            self.decoder = Some(Box::new(lzxd::Lzxd::new(self.window)));
        }
        match self.frame(number, size) {
            Ok(frame) => self.waiting = frame,
            Err(what) => {
                // The next frame with a decoder of its own may be whole.
                let resumes = number
                    .checked_div(self.interval)
                    .and_then(|run| run.checked_add(1)?.checked_mul(self.interval))
                    .is_some_and(|next| next < self.table.starts.len());
                self.decoder = None;
                if !resumes {
                    return Err(Error::new(ErrorKind::InvalidData, what));
                }
                if self.faults.len() < TOLD {
                    self.faults.push((0, format!("frame {number}: {what}")));
                }
                self.waiting = vec![0; size];
            }
        }
        Ok(())
    }

    fn frame(&mut self, number: usize, size: usize) -> Result<Vec<u8>, String> {
        let Some(decoder) = &mut self.decoder else {
            return Err("follows one that could not be read".to_owned());
        };
        let starts = &self.table.starts;
        let start = starts.get(number).copied().unwrap_or(u64::MAX);
        let next = starts.get(number.saturating_add(1)).copied();
        let end = next.unwrap_or(self.table.end).max(start);
        let end = index(end).min(self.content.len());
        let packed = self.content.get(index(start)..end);
        let packed = packed.ok_or_else(|| "lies beyond the end".to_owned())?;
        let decoded = decoder.decompress_next(packed, size);
        decoded
            .map(<[u8]>::to_vec)
            .map_err(|error| error.to_string())
    }
}

impl Read for Frames<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes one frame of the table.
        while self.given >= self.waiting.len() {
            if self.next >= self.table.starts.len() {
                return Ok(0);
            }
            self.fill()?;
        }
        let rest = self.waiting.get(self.given..).unwrap_or_default();
        let len = rest.len().min(out.len());
        for (place, byte) in out.iter_mut().zip(rest) {
            *place = *byte;
        }
        self.given = self.given.saturating_add(len);
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use crate::formats::chm::{CONTENT, CONTROL};
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    fn number(value: usize) -> Vec<u8> {
        let bits = |shift: u32| u8::try_from(value >> shift & 0x7f).unwrap();
        vec![0x80 | bits(14), 0x80 | bits(7), bits(0)]
    }

    /// A help file of two sections; section 1 in uncompressed LZX blocks, each with a decoder of its own.
    fn help(stored: &[(&str, &[u8])], packed: &[(&str, &[u8])]) -> Vec<u8> {
        let section: Vec<u8> = packed.iter().flat_map(|(_, data)| data.to_vec()).collect();
        let mut content = Vec::new();
        let mut starts = Vec::new();
        for frame in section.chunks(0x8000) {
            starts.push(content.len());
            // No translation of calls, block type 3, its length in 24 bits, then the rest of the word.
            let bits = 3u32 << 28 | u32::try_from(frame.len()).unwrap() << 4;
            content.extend(u16::try_from(bits >> 16).unwrap().to_le_bytes());
            content.extend(u16::try_from(bits & 0xffff).unwrap().to_le_bytes());
            content.extend([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]);
            content.extend(frame);
            content.extend(vec![0; frame.len() % 2]);
        }
        let u32_of = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
        let u64_of = |value: usize| u64::try_from(value).unwrap().to_le_bytes();
        let control = [6u32, u32::from_le_bytes(*b"LZXC"), 2, 1, 2, 0, 0];
        let control: Vec<u8> = control.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut table = [
            2u32.to_le_bytes(),
            u32_of(starts.len()),
            u32_of(8),
            u32_of(40),
        ]
        .concat();
        for value in [section.len(), content.len(), 0x8000].iter().chain(&starts) {
            table.extend(u64_of(*value));
        }
        let reset = "::DataSpace/Storage/MSCompressed/Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/InstanceData/ResetTable";
        let own: [(&str, &[u8]); 3] = [(CONTENT, &content), (CONTROL, &control), (reset, &table)];
        let mut plain: Vec<u8> = Vec::new();
        let mut list = Vec::new();
        let mut entry = |name: &str, section: usize, offset: usize, size: usize| {
            list.extend(number(name.len()));
            list.extend(name.as_bytes());
            list.extend([number(section), number(offset), number(size)].concat());
        };
        for (name, data) in own.iter().chain(stored) {
            entry(name, 0, plain.len(), data.len());
            plain.extend(*data);
        }
        let mut offset = 0;
        for (name, data) in packed {
            entry(name, 1, offset, data.len());
            offset += data.len();
        }
        let chunk = 4096;
        let mut out = b"ITSF\x03\0\0\0\x60\0\0\0".to_vec();
        out.resize(0x38, 0);
        for value in [0, 0, 0x60, 0x54 + chunk, 0x60 + 0x54 + chunk] {
            out.extend(u64_of(value));
        }
        out.extend(b"ITSP\x01\0\0\0\x54\0\0\0\x0a\0\0\0");
        out.extend(u32_of(chunk));
        out.extend([0; 24]);
        out.extend(u32_of(1));
        out.resize(0x60 + 0x54, 0);
        out.extend(b"PMGL");
        out.extend(u32_of(chunk - 0x14 - list.len()));
        out.extend([0; 12]);
        out.extend(list);
        out.resize(0x60 + 0x54 + chunk, 0);
        out.extend(plain);
        out
    }

    #[test]
    fn both_sections_are_read_under_their_names() {
        let long = vec![b'x'; 0x9001];
        let data = help(
            &[("/#SYSTEM", b"stored")],
            &[
                ("/目次.htm", b"<html>1</html>"),
                ("/long.bin", &long),
                ("/two.htm", b"two"),
            ],
        );
        let (children, facts) = opened("chm", &data);
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|child| (child.label(), child.data.len()))
            .collect();
        let expected = [
            ("#SYSTEM", 6),
            ("目次.htm", 14),
            ("long.bin", 0x9001),
            ("two.htm", 3),
        ];
        assert_eq!(got, expected);
        assert_eq!(&children[2].data[..], &long[..]);
        assert_eq!(&children[3].data[..], b"two");
    }

    #[test]
    fn what_is_cut_or_lies_is_told() {
        let data = help(&[], &[("/a.htm", b"<html>1</html>")]);
        // Half of the content is not there.
        let at = memchr::memmem::find(&data, b"<html>1").unwrap();
        let (_, facts) = opened("chm", &data[..at + 4]);
        assert!(!facts.is_empty());
        // A damaged frame hurts itself only.
        let long = vec![b'x'; 0x8000];
        let data = help(&[], &[("/a.bin", &long), ("/b.bin", b"second")]);
        let mut damaged = data.clone();
        let start = 0x60 + 0x54 + 4096;
        damaged[start..start + 2].fill(0xff);
        let (children, facts) = opened("chm", &damaged);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
        assert_eq!(&children[1].data[..], b"second");
        // A section that no reader knows.
        let mut other = data;
        let name = memchr::memmem::find(&other, b"/b.bin").unwrap();
        other[name + 6 + 2] = 5;
        let (children, facts) = opened("chm", &other);
        assert_eq!(children.len(), 1);
        assert!(
            matches!(facts.as_slice(), [Fact::NoReader { .. }]),
            "{facts:?}"
        );
    }

    #[test]
    fn files_that_share_their_data_are_a_bomb() {
        let long = vec![b'x'; 1 << 20];
        let mut data = help(&[], &[("/a", &long)]);
        let list = 0x60 + 0x54;
        let entry = memchr::memmem::find(&data, b"/a").unwrap() - 3;
        let one: Vec<u8> = data[entry..entry + 14].to_vec();
        let mut at = entry + 14;
        for _ in 0..40 {
            data[at..at + 14].copy_from_slice(&one);
            at += 14;
        }
        let free = u32::try_from(list + 4096 - at).unwrap();
        data[list + 4..list + 8].copy_from_slice(&free.to_le_bytes());
        let ended = std::panic::catch_unwind(|| opened("chm", &data));
        assert!(ended.is_err(), "the ceiling was not met");
    }
}
