//! Streams that hold one file: bzip2, xz (The .xz File Format 1.2), LZMA, lzip, Zstandard (RFC 8878), LZ4 frames,
//! brotli (RFC 7932), Unix compress, and the two forms of Microsoft's COMPRESS.EXE.
//!
//! Several streams in a row are one content, as every reader of them gives it. What came before damage is kept, and
//! bytes behind the last stream are told and looked at.

use std::cell::Cell;
use std::io::Read;
use std::rc::Rc;

use crate::bytes::{Reader, length, slice, u16_at, u32_at};
use crate::formats::{lzss, lzw, mszip};
use crate::limits::{Decoded, Fault, Metered};
use crate::model::{Artifact, Kind, Name, Trouble};

use super::{Child, Nest, Payload};

/// Memory of one decoder in KiB.
const MEMORY: u32 = 256 << 10;

/// The largest window of Zstandard, as a power of two in bytes.
const ZSTD_WINDOW: u32 = 27;

/// Bytes behind the last stream that are worth a look as a file of their own.
const SLACK: usize = 64;

/// Opens bzip2.
pub(super) fn bzip2(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let starts = |data: &[u8]| data.starts_with(b"BZh");
    fn make(source: Metered<'_>) -> Box<dyn Read + '_> {
        Box::new(bzip2::bufread::BzDecoder::new(source))
    }
    streams(artifact, "bzip2", starts, make, nest)
}

/// Opens xz.
pub(super) fn xz(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let starts = |data: &[u8]| data.starts_with(b"\xfd7zXZ\0");
    let make = |source| Box::new(lzma_rust2::XzReader::new_mem_limit(source, false, MEMORY)) as _;
    streams(artifact, "xz", starts, make, nest)
}

/// Opens LZMA in its old form, of which a file holds one stream.
pub(super) fn lzma(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let make = |source| -> Box<dyn Read> {
        match lzma_rust2::LzmaReader::new_mem_limit(source, MEMORY, None) {
            Ok(reader) => Box::new(reader),
            Err(error) => Box::new(Failed(Some(error))),
        }
    };
    let mut first = true;
    let starts = move |_: &[u8]| std::mem::take(&mut first);
    streams(artifact, "lzma", starts, make, nest)
}

/// Opens lzip.
pub(super) fn lzip(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut first = true;
    let starts = move |data: &[u8]| data.starts_with(b"LZIP") && std::mem::take(&mut first);
    let make = |source| Box::new(lzma_rust2::LzipReader::new(source)) as _;
    streams(artifact, "lzip", starts, make, nest)
}

/// Opens Zstandard; skippable frames (3.1.2) hold nothing that is decoded.
pub(super) fn zstd(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let starts =
        |data: &[u8]| data.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable(data).is_some();
    fn make(mut source: Metered<'_>) -> Box<dyn Read + '_> {
        let rest = std::io::BufRead::fill_buf(&mut source).unwrap_or_default();
        if let Some(len) = skippable(rest) {
            return Box::new(Skipped { source, len });
        }
        let decoder = ::zstd::stream::read::Decoder::with_buffer(source).and_then(|mut decoder| {
            decoder.window_log_max(ZSTD_WINDOW)?;
            Ok(decoder.single_frame())
        });
        match decoder {
            Ok(decoder) => Box::new(decoder),
            Err(error) => Box::new(Failed(Some(error))),
        }
    }
    streams(artifact, "zstd", starts, make, nest)
}

/// Length of a skippable frame with its header.
fn skippable(data: &[u8]) -> Option<u64> {
    let magic = u32_at(data, 0)?;
    let size = u32_at(data, 4)?;
    (magic & 0xffff_fff0 == 0x184d_2a50).then(|| u64::from(size).saturating_add(8))
}

/// Opens frames of LZ4 (LZ4 Frame Format 1.6.1); legacy frames too.
pub(super) fn lz4(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let starts = |data: &[u8]| {
        data.starts_with(&[0x04, 0x22, 0x4d, 0x18])
            || data.starts_with(&[0x02, 0x21, 0x4c, 0x18])
            || skippable(data).is_some()
    };
    fn make(mut source: Metered<'_>) -> Box<dyn Read + '_> {
        let rest = std::io::BufRead::fill_buf(&mut source).unwrap_or_default();
        if let Some(len) = skippable(rest) {
            return Box::new(Skipped { source, len });
        }
        Box::new(Lz4Frame::new(source))
    }
    streams(artifact, "lz4", starts, make, nest)
}

/// Opens brotli.
pub(super) fn brotli(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut first = true;
    let starts = move |_: &[u8]| std::mem::take(&mut first);
    let make = |source| Box::new(crate::formats::brotli::Decoder::new(source)) as _;
    streams(artifact, "brotli", starts, make, nest)
}

/// Opens Unix compress.
pub(super) fn compress(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    if artifact.data.starts_with(&[0x1f, 0xa0]) {
        return Err(Trouble::NoReader("LZH of SCO compress".to_owned()));
    }
    let mut first = true;
    let starts = move |data: &[u8]| data.starts_with(&[0x1f, 0x9d]) && std::mem::take(&mut first);
    fn make(mut source: Metered<'_>) -> Box<dyn Read + '_> {
        std::io::BufRead::consume(&mut source, 2);
        match lzw::Decoder::new(source) {
            Ok(decoder) => Box::new(decoder),
            Err(error) => Box::new(Failed(Some(error))),
        }
    }
    streams(artifact, "compress", starts, make, nest)
}

/// Opens SZDD: magic, mode `A`, the last character of the name, the length, then LZSS. The older form of QBasic has
/// no name.
pub(super) fn szdd(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let (header, length_at, last) = match data.first_chunk::<3>() {
        Some(b"SZD") => (14, 10, data.get(9).copied().filter(|last| *last != 0)),
        _ => (12, 8, None),
    };
    let expected =
        u32_at(data, length_at).ok_or_else(|| Trouble::Broken("the header is cut".to_owned()))?;
    let source = data.get(header..).unwrap_or_default();
    let expected = u64::from(expected);
    let decoded = nest.inflate(source, expected, |source| {
        lzss::Decoder::new(source).take(expected)
    });
    let name = artifact.label();
    let name = match (name.strip_suffix('_'), last) {
        (Some(stem), Some(last)) => Some(format!("{stem}{}", char::from(last))),
        (_, _) => None,
    };
    let short = length(decoded.data.len()) < expected && decoded.fault.is_none();
    let mut child = Child::new("szdd", Payload::Paid(decoded.data.into()));
    if let Some(name) = name {
        child = child.named(Name::of(name));
    }
    nest.push_decoded(child, decoded.fault, "compressed data")?;
    if short {
        nest.unread(data.len(), "the compressed data is cut");
    }
    Ok(())
}

/// Opens KWAJ: magic, method, offset of the data, flags of the fields before it.
pub(super) fn kwaj(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let cut = || Trouble::Broken("the header is cut".to_owned());
    let method = u16_at(data, 8).ok_or_else(cut)?;
    let start = usize::from(u16_at(data, 10).ok_or_else(cut)?);
    let (declared, name) = kwaj_header(data).ok_or_else(cut)?;
    let source = data.get(start..).unwrap_or_default();
    let decoded = match method {
        0 => nest.inflate(source, length(source.len()), |source| source),
        1 => nest.inflate(source, length(source.len()), Inverted),
        2 => nest.inflate(source, 0, lzss::Decoder::new),
        4 => nest.inflate(source, 0, mszip::Blocks::new),
        other => return Err(Trouble::NoReader(format!("KWAJ method {other}"))),
    };
    let is_short = declared.is_some_and(|len| length(decoded.data.len()) < len);
    let fault = match decoded.fault {
        None if is_short => Some(Fault::Broken("it breaks off".to_owned())),
        fault => fault,
    };
    let mut child = Child::new("kwaj", Payload::Paid(decoded.data.into()));
    if !name.is_empty() {
        child = child.named(Name::from_raw(&name));
    }
    nest.push_decoded(child, fault, "compressed data")?;
    Ok(())
}

/// The length and the name in the header of a KWAJ file; the name is empty where there is none.
fn kwaj_header(data: &[u8]) -> Option<(Option<u64>, Vec<u8>)> {
    let mut reader = Reader::at(data, 12);
    let flags = reader.u16("flags").ok()?;
    let mut declared = None;
    if flags & 1 != 0 {
        declared = Some(u64::from(reader.u32("length").ok()?));
    }
    if flags & 2 != 0 {
        reader.skip("unknown", 2).ok()?;
    }
    if flags & 4 != 0 {
        let len = reader.u16("length of a field").ok()?;
        reader.skip("field", usize::from(len)).ok()?;
    }
    let mut name = Vec::new();
    for (flag, longest) in [(8, 9), (16, 4)] {
        if flags & flag == 0 {
            continue;
        }
        let rest = reader.peek();
        let len = memchr::memchr(0, rest.get(..longest).unwrap_or(rest))?;
        if flag == 16 {
            name.push(b'.');
        }
        name.extend_from_slice(rest.get(..len)?);
        reader.skip("name", len.saturating_add(1)).ok()?;
    }
    Some((declared, name))
}

/// Decodes one stream after the other as long as `starts` knows the next one, and pushes what they gave as one child.
fn streams<'a>(
    artifact: &'a Artifact,
    via: &'static str,
    mut starts: impl FnMut(&[u8]) -> bool,
    make: impl Fn(Metered<'a>) -> Box<dyn Read + 'a>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let data: &'a [u8] = &artifact.data;
    let mut content: Option<Vec<u8>> = None;
    let mut fault: Option<Fault> = None;
    let mut at = 0usize;
    // Ends because a stream takes at least one byte.
    while fault.is_none()
        && starts(slice(data, at, data.len().saturating_sub(at)).unwrap_or_default())
    {
        nest.tick()?;
        let raw = data.get(at..).unwrap_or_default();
        let mut meter: Rc<Cell<u64>> = Rc::default();
        let Decoded {
            data: part,
            fault: broken,
        } = nest.inflate(raw, 0, |metered| {
            meter = metered.meter();
            make(metered)
        });
        let taken = usize::try_from(meter.get()).unwrap_or(raw.len());
        at = at.saturating_add(taken.max(1)).min(data.len());
        match &mut content {
            Some(content) => content.extend_from_slice(&part),
            None => content = Some(part),
        }
        fault = broken;
        // Padding between streams of xz.
        let zeros = data.get(at..).unwrap_or_default();
        let zeros = zeros.iter().take_while(|byte| **byte == 0).count();
        if starts_behind(data, at.saturating_add(zeros)) {
            at = at.saturating_add(zeros);
        }
    }
    let Some(content) = content else {
        return Err(Trouble::NotThis(format!("no {via} stream")));
    };
    let whole = fault.is_none();
    let mut child = Child::new(via, Payload::Paid(content.into())).at(0..at);
    if let Some(name) = inner_name(artifact.label()) {
        child = child.named(name);
    }
    nest.push_decoded(child, fault, "compressed data")?;
    let tail = data.get(at..).unwrap_or_default();
    // In a disk image of macOS the stream is but its first block.
    if whole && tail.iter().any(|byte| *byte != 0) && !artifact.reads_as(Kind::Dmg) {
        nest.deviation(at, format!("{} bytes behind the last stream", tail.len()));
        if tail.len() >= SLACK {
            nest.push(Child::new("slack", artifact.data.slice(at..)).at(at..data.len()))?;
        }
    }
    Ok(())
}

fn starts_behind(data: &[u8], at: usize) -> bool {
    slice(data, at, 6).is_some_and(|magic| magic == b"\xfd7zXZ\0")
}

/// The name of the file inside, as the programs that compress derive theirs from it.
fn inner_name(name: &str) -> Option<Name> {
    const ENDINGS: &[(&str, &str)] = &[
        (".bz2", ""),
        (".xz", ""),
        (".lzma", ""),
        (".lz", ""),
        (".zst", ""),
        (".lz4", ""),
        (".z", ""),
        (".tbz2", ".tar"),
        (".tbz", ".tar"),
        (".txz", ".tar"),
        (".tlz", ".tar"),
        (".tzst", ".tar"),
        (".taz", ".tar"),
        (".br", ""),
        (".tbr", ".tar"),
    ];
    let lower = name.to_ascii_lowercase();
    let (ending, instead) = ENDINGS.iter().find(|(ending, _)| lower.ends_with(ending))?;
    let stem = name.get(..name.len().saturating_sub(ending.len()))?;
    (!stem.is_empty()).then(|| Name::of(format!("{stem}{instead}")))
}

/// A decoder that could not be made: its error comes with the first byte.
struct Failed(Option<std::io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        match self.0.take() {
            Some(error) => Err(error),
            None => Ok(0),
        }
    }
}

/// A frame that is passed over.
struct Skipped<'a> {
    source: Metered<'a>,
    len: u64,
}

impl Read for Skipped<'_> {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        let len = std::mem::take(&mut self.len);
        std::io::copy(&mut self.source.by_ref().take(len), &mut std::io::sink())?;
        Ok(0)
    }
}

/// One frame of LZ4: the crate's decoder would go on with the next one.
struct Lz4Frame<'a> {
    decoder: lz4_flex::frame::FrameDecoder<Metered<'a>>,
    ended: bool,
}

impl<'a> Lz4Frame<'a> {
    fn new(source: Metered<'a>) -> Self {
        Self {
            decoder: lz4_flex::frame::FrameDecoder::new(source),
            ended: false,
        }
    }
}

impl Read for Lz4Frame<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let len = self.decoder.read(out)?;
        self.ended = len == 0;
        Ok(len)
    }
}

/// Every bit turned over (KWAJ method 1).
struct Inverted<R>(R);

impl<R: Read> Read for Inverted<R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let len = self.0.read(out)?;
        for byte in out.iter_mut().take(len) {
            *byte = !*byte;
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests;
