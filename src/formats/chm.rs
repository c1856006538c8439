//! Compiled HTML help (ITSF): the directory, and where the compressed section's blocks lie. Decoding is the caller's.
//!
//! Nobody publishes a specification; the layout is as Microsoft's own readers take it. A file has two sections: 0 stands
//! in the file as it is, 1 is one LZX stream in blocks of 32 KiB whose places a reset table lists.

use std::ops::Range;

use crate::bytes::{Deviation, Reader, Short, index, u64_at};
use crate::limits::{Budget, Halt};

/// Bytes that every block but the last gives.
pub const BLOCK: usize = 0x8000;

/// Names of the parts that tell how section 1 is stored.
const CONTROL: &[u8] = b"::DataSpace/Storage/MSCompressed/ControlData";
const CONTENT: &[u8] = b"::DataSpace/Storage/MSCompressed/Content";
const TABLE: &[u8] = b"::DataSpace/Storage/MSCompressed/Transform/{7FC28940-9D31-11D0-9B27-00A0C91E9C7C}/InstanceData/ResetTable";

/// How the names of such parts begin.
pub const INTERNAL: &[u8] = b"::DataSpace/";

/// A help file's directory.
#[derive(Debug, Clone, Default)]
pub struct Help<'a> {
    /// The files in the order of the directory.
    pub files: Vec<File<'a>>,
    /// First byte of section 0.
    pub content: usize,
    /// What ended the reading of a chunk of the directory early, with its place.
    pub cut: Vec<Deviation>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name in UTF-8, raw.
    pub name: &'a [u8],
    /// The section that it lies in.
    pub section: u64,
    /// Its first byte there.
    pub offset: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// How section 1 is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compressed {
    /// Where its stream stands in the file.
    pub stream: Range<usize>,
    /// The window in bytes.
    pub window: u32,
    /// The decoder begins anew at every so many blocks.
    pub reset: usize,
    /// Its length once decoded, as claimed.
    pub size: u64,
    /// First byte of each block in the stream.
    pub blocks: Vec<usize>,
}

/// The length of the file that its first section tells.
pub fn end(data: &[u8]) -> Option<usize> {
    let section = index(u64_at(data, 56)?);
    let end = index(u64_at(data, section.checked_add(8)?)?);
    (data.starts_with(b"ITSF") && end > 0).then_some(end)
}

/// Damaged chunks after which the rest is given up.
const CUTS: usize = 64;

/// Reads the directory: every listing chunk where it stands, whatever the links between them say.
///
/// # Errors
/// The headers do not fit into the data, or a limit is met.
pub fn read<'a>(data: &'a [u8], budget: &Budget) -> Result<Result<Help<'a>, String>, Halt> {
    let (directory, size, content) = match sections(data) {
        Ok(sections) => sections,
        Err(short) => return Ok(Err(short.to_string())),
    };
    let mut reader = Reader::at(data, directory);
    let (head, chunk) = match listing(&mut reader) {
        Ok(header) => header,
        Err(short) => return Ok(Err(short)),
    };
    // The header has one length; where it lies the chunks stand there all the same.
    const HEAD: usize = 0x54;
    let is_chunk = |at: usize| matches!(crate::bytes::slice(data, at, 4), Some(b"PMGL" | b"PMGI"));
    let (said, usual) = (
        directory.saturating_add(head),
        directory.saturating_add(HEAD),
    );
    let start = if !is_chunk(said) && is_chunk(usual) {
        usual
    } else {
        said
    };
    let listed = directory.saturating_add(size);
    let mut help = Help::default();
    let chunks = data.get(start..).unwrap_or_default().chunks(chunk);
    let mut end = start;
    for (number, bytes) in chunks.enumerate() {
        budget.tick()?;
        let at = start.saturating_add(number.saturating_mul(chunk));
        match bytes.get(..4) {
            Some(b"PMGL") => {
                let free = index(u64::from(
                    crate::bytes::u32_at(bytes, 4).unwrap_or_default(),
                ));
                let used = bytes.len().saturating_sub(free);
                let entries = bytes.get(20..used).unwrap_or_default();
                let mut reader = Reader::new(entries);
                while !reader.is_empty() {
                    budget.tick()?;
                    match file(&mut reader) {
                        Ok(file) => help.files.push(file),
                        Err(what) => {
                            let place = at.saturating_add(20).saturating_add(reader.offset());
                            help.cut.push(Deviation::new(place, what));
                            break;
                        }
                    }
                }
            }
            Some(b"PMGI") => {}
            // The chunks stand in a row, to the end of the directory at least.
            _ if number == 0 || at < listed => {
                help.cut
                    .push(Deviation::new(at, "no chunk of the directory"));
                if help.cut.len() >= CUTS {
                    break;
                }
                continue;
            }
            _ => break,
        }
        end = at.saturating_add(chunk);
    }
    let missing = directory.saturating_add(size).saturating_sub(data.len());
    if missing > 0 {
        help.cut.push(Deviation::new(
            data.len(),
            format!("{missing} bytes are missing"),
        ));
    }
    help.content = content.unwrap_or(end);
    Ok(Ok(help))
}

/// Where the directory stands and how long it is, and section 0 where the header tells it.
fn sections(data: &[u8]) -> Result<(usize, usize, Option<usize>), Short> {
    let mut reader = Reader::new(data);
    reader.skip("signature", 4)?;
    let version = reader.u32("version")?;
    reader.skip("size, unknown, time, language, identifiers", 48)?;
    reader.skip("section of the file's size", 16)?;
    let directory = index(reader.u64("offset of the directory")?);
    let size = index(reader.u64("length of the directory")?);
    let content = match version {
        3.. => Some(index(reader.u64("offset of the content")?)),
        _ => None,
    };
    Ok((directory, size, content))
}

/// The length of the directory's header and of each chunk.
fn listing(reader: &mut Reader<'_>) -> Result<(usize, usize), String> {
    let at = reader.offset();
    let signature = reader.take("signature of the directory", 4);
    if signature.map_err(|short| short.to_string())? != b"ITSP" {
        return Err(format!("directory at offset {at}: expected ITSP"));
    }
    let (head, chunk) = lengths(reader).map_err(|short| short.to_string())?;
    match chunk {
        64.. => Ok((head, chunk)),
        _ => Err(format!(
            "size of a chunk at offset {at}: expected at least 64, found {chunk}"
        )),
    }
}

fn lengths(reader: &mut Reader<'_>) -> Result<(usize, usize), Short> {
    reader.skip("version", 4)?;
    let head = index(u64::from(reader.u32("length of the directory's header")?));
    reader.skip("unknown", 4)?;
    let chunk = index(u64::from(reader.u32("size of a chunk")?));
    Ok((head, chunk))
}

fn file<'a>(reader: &mut Reader<'a>) -> Result<File<'a>, String> {
    let len = index(number(reader, "length of a name")?);
    let name = reader.take("name", len);
    Ok(File {
        name: name.map_err(|short| short.to_string())?,
        section: number(reader, "section of a file")?,
        offset: number(reader, "offset of a file")?,
        size: number(reader, "size of a file")?,
    })
}

/// A number in groups of seven bits, the highest first.
fn number(reader: &mut Reader<'_>, field: &'static str) -> Result<u64, String> {
    let mut value = 0u64;
    for _ in 0..9 {
        let byte = reader.u8(field).map_err(|short| short.to_string())?;
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(format!("{field}: a number without an end"))
}

impl<'a> Help<'a> {
    /// The bytes of a file of section 0, as far as they are there.
    pub fn plain(&self, data: &[u8], file: &File<'_>) -> Range<usize> {
        let start = self.content.saturating_add(index(file.offset));
        let end = start.saturating_add(index(file.size));
        start.min(data.len())..end.min(data.len())
    }

    fn named(&self, data: &'a [u8], name: &[u8]) -> Option<(Range<usize>, &'a [u8])> {
        let mut files = self.files.iter();
        let file = files.find(|file| file.section == 0 && file.name.eq_ignore_ascii_case(name))?;
        let range = self.plain(data, file);
        Some((range.clone(), data.get(range)?))
    }

    /// How section 1 is stored.
    ///
    /// # Errors
    /// What is missing or broken in the parts that tell it.
    pub fn compressed(&self, data: &'a [u8]) -> Result<Compressed, String> {
        let missing = |what: &str| format!("{what} is missing");
        let (stream, _) = self
            .named(data, CONTENT)
            .ok_or_else(|| missing("compressed content"))?;
        let (_, control) = self
            .named(data, CONTROL)
            .ok_or_else(|| missing("control data"))?;
        let (window, reset) = settings(control)?;
        let (_, table) = self
            .named(data, TABLE)
            .ok_or_else(|| missing("reset table"))?;
        let broken = |short: Short| format!("reset table: {short}");
        let mut reader = Reader::new(table);
        reader.skip("version", 4).map_err(broken)?;
        let count = reader.u32("number of entries").map_err(broken)?;
        reader.skip("size of an entry", 4).map_err(broken)?;
        let head = reader.u32("offset of the entries").map_err(broken)?;
        let size = reader.u64("size once decoded").map_err(broken)?;
        let entries = table.get(index(u64::from(head))..).unwrap_or_default();
        // What is there counts, not what is claimed.
        let (entries, _) = entries.as_chunks::<8>();
        let entries = entries.iter().take(index(u64::from(count)));
        Ok(Compressed {
            stream,
            window,
            reset,
            size,
            blocks: entries
                .map(|entry| index(u64::from_le_bytes(*entry)))
                .collect(),
        })
    }
}

/// The window in bytes and the blocks between two resets.
fn settings(control: &[u8]) -> Result<(u32, usize), String> {
    let broken = |short: Short| format!("control data: {short}");
    let mut reader = Reader::new(control);
    reader.skip("length", 4).map_err(broken)?;
    if reader.take("signature", 4).map_err(broken)? != b"LZXC" {
        return Err("control data: expected LZXC".to_owned());
    }
    let version = reader.u32("version").map_err(broken)?;
    let reset = reader.u32("reset interval").map_err(broken)?;
    let window = reader.u32("window").map_err(broken)?;
    let unit = u32::try_from(BLOCK).unwrap_or(u32::MAX);
    let (reset, window) = match version {
        2.. => (reset, window.saturating_mul(unit)),
        _ => (reset / unit, window),
    };
    Ok((window, index(u64::from(reset.max(1)))))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::limits::Limits;

    /// A help file whose files are all in section 0.
    pub(crate) fn help(files: &[(&str, &[u8])]) -> Vec<u8> {
        const CHUNK: usize = 4096;
        let mut entries = Vec::new();
        let mut content = Vec::new();
        let write = |number: usize, out: &mut Vec<u8>| {
            out.push(0x80 | u8::try_from(number >> 14 & 0x7f).unwrap());
            out.push(0x80 | u8::try_from(number >> 7 & 0x7f).unwrap());
            out.push(u8::try_from(number & 0x7f).unwrap());
        };
        for (name, data) in files {
            write(name.len(), &mut entries);
            entries.extend_from_slice(name.as_bytes());
            write(0, &mut entries);
            write(content.len(), &mut entries);
            write(data.len(), &mut entries);
            content.extend_from_slice(data);
        }
        let mut out = b"ITSF\x03\0\0\0\x60\0\0\0\x01\0\0\0".to_vec();
        out.extend([0; 40]);
        out.extend([0; 16]);
        out.extend(0x60u64.to_le_bytes());
        out.extend(u64::try_from(0x54 + CHUNK).unwrap().to_le_bytes());
        out.extend(u64::try_from(0x60 + 0x54 + CHUNK).unwrap().to_le_bytes());
        out.extend(b"ITSP\x01\0\0\0\x54\0\0\0\x0a\0\0\0");
        out.extend(u32::try_from(CHUNK).unwrap().to_le_bytes());
        out.extend([0; 0x54 - 20]);
        out.extend(b"PMGL");
        let free = CHUNK - 20 - entries.len();
        out.extend(u32::try_from(free).unwrap().to_le_bytes());
        out.extend([0; 12]);
        out.extend(entries);
        out.extend(vec![0; free]);
        out.extend(content);
        out
    }

    fn read_whole(data: &[u8]) -> Help<'_> {
        let budget = Budget::new(Limits::default(), None);
        read(data, &budget).unwrap().unwrap()
    }

    #[test]
    fn files_are_listed_with_their_places() {
        let data = help(&[("/a.htm", b"<p>"), ("/索引.hhc", b"list")]);
        let help = read_whole(&data);
        assert!(help.cut.is_empty());
        let names: Vec<_> = help
            .files
            .iter()
            .map(|file| String::from_utf8_lossy(file.name).into_owned())
            .collect();
        assert_eq!(names, ["/a.htm", "/索引.hhc"]);
        assert_eq!(&data[help.plain(&data, &help.files[1])], b"list");
        assert!(help.compressed(&data).is_err());
    }

    #[test]
    fn a_chunk_that_is_none_is_told_and_a_length_that_lies_hides_none() {
        let whole = help(&[("/a.htm", b"<p>")]);
        let mut lying = whole.clone();
        lying[0x60 + 9] ^= 1;
        let found = read_whole(&lying);
        assert_eq!((found.files.len(), found.cut.len()), (1, 0));
        let mut none = whole;
        none[0x60 + 0x54 + 3] ^= 1;
        let found = read_whole(&none);
        assert_eq!((found.files.len(), found.cut.len()), (0, 1));
    }

    #[test]
    fn a_cut_entry_is_told_and_the_others_stand() {
        let mut data = help(&[("/a.htm", b"<p>"), ("/b.htm", b"<b>")]);
        let at = memchr::memmem::find(&data, b"/b.htm").unwrap();
        data[at - 3..at].copy_from_slice(&[0xff, 0xff, 0x7f]);
        let help = read_whole(&data);
        assert_eq!(help.files.len(), 1);
        assert_eq!(help.cut.len(), 1);
    }

    #[test]
    fn a_directory_of_another_kind_is_refused() {
        let mut data = help(&[("/a.htm", b"<p>")]);
        data[0x60] = b'X';
        let budget = Budget::new(Limits::default(), None);
        let what = read(&data, &budget).unwrap().unwrap_err();
        assert!(what.contains("ITSP"), "{what}");
    }
}
