//! Cabinets ([MS-CAB]): each folder is decoded once, its files are slices of it. A folder that goes on in other cabinets
//! of the set is put together from those that lie beside.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind, Read};

use bytes::Bytes;

use crate::bytes::{index, length};
use crate::formats::cab::{self, Cabinet, File, Folder, Method, Place};
use crate::formats::{lzx, mszip, quantum};
use crate::limits::Halt;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How many times the bytes of a folder its files may claim: above it they share bytes, as only bombs do.
const OVERLAP: u64 = 4;

/// Bytes of a block that goes on, at the most (CFDATA.cbData).
const LARGEST: usize = 1 << 16;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let cabinet = cab::read(data)?;
    if let Some(cut) = &cabinet.cut {
        nest.unread(0, format!("list of files: {cut}"));
    }
    let names = super::msi::names(artifact, nest);
    let last = cabinet.folders.len().saturating_sub(1);
    for (number, folder) in cabinet.folders.iter().enumerate() {
        nest.tick()?;
        let here: Vec<&File<'_>> = cabinet
            .files
            .iter()
            .filter(|file| match file.place {
                Place::Folder(folder) => folder == number,
                Place::Before | Place::Through => number == 0,
                Place::Behind => number == last,
            })
            .collect();
        if here.is_empty() {
            continue;
        }
        let own = Piece {
            data: data.clone(),
            at: folder.start,
            left: folder.blocks,
            reserve: cabinet.block_reserve,
        };
        let stream = joined(&cabinet, number, own, nest);
        open(stream, folder.method, number, &here, &names, nest)?;
    }
    for file in &cabinet.files {
        if matches!(file.place, Place::Folder(folder) if folder >= cabinet.folders.len()) {
            let name = text::excerpt(&name_of(file).text);
            nest.unread(0, format!("{name}: in a folder that is not there"));
        }
    }
    Ok(())
}

fn name_of(file: &File<'_>) -> Name {
    match file.is_utf8 {
        true => Name::of(String::from_utf8_lossy(file.name)),
        false => Name::from_raw(file.name),
    }
}

/// The blocks of a folder in one cabinet.
struct Piece {
    data: Bytes,
    at: usize,
    left: u16,
    reserve: usize,
}

/// A folder over all cabinets that it goes through.
struct Stream {
    pieces: VecDeque<Piece>,
    /// Its first blocks are in a cabinet that is there, or it begins here.
    has_start: bool,
    /// It begins in another cabinet, from which its files come.
    is_other: bool,
    /// Its last blocks are there.
    has_end: bool,
}

/// Cabinets of one set, at the most.
const CABINETS: u16 = 256;

/// Puts the folder of this number together with what the cabinets beside have of it.
fn joined(cabinet: &Cabinet<'_>, number: usize, own: Piece, nest: &Nest<'_>) -> Stream {
    let mut stream = Stream {
        pieces: VecDeque::from([own]),
        has_start: true,
        is_other: false,
        has_end: true,
    };
    let is_last = number.saturating_add(1) == cabinet.folders.len();
    let mut goes_on = is_last && cabinet.goes_on();
    let mut is_continued = number == 0 && cabinet.is_continued();
    stream.is_other = is_continued;
    if !goes_on && !is_continued {
        return stream;
    }
    // By their numbers in the set; the names they have for each other are the sender's.
    let beside: BTreeMap<u16, &Bytes> = nest
        .beside()
        .filter(|(_, data)| data.starts_with(b"MSCF"))
        .filter_map(|(_, data)| Some((cab::read(data).ok()?.set, data)))
        .filter(|((set, _), _)| *set == cabinet.set.0)
        .map(|((_, number), data)| (number, data))
        .collect();
    let at = |number: Option<u16>| {
        let data = *beside.get(&number?)?;
        Some((data, cab::read(data).ok()?))
    };
    // Both end because numbers only rise or fall, and are bounded.
    let mut before = cabinet.set.1.checked_sub(1);
    while is_continued && stream.pieces.len() < usize::from(CABINETS) {
        let Some((data, other)) = at(before) else {
            break;
        };
        let Some(folder) = other.folders.last().filter(|_| other.goes_on()) else {
            break;
        };
        stream.pieces.push_front(piece(data, &other, folder));
        is_continued = other.folders.len() == 1 && other.is_continued();
        before = before.and_then(|number| number.checked_sub(1));
    }
    let mut behind = cabinet.set.1.checked_add(1);
    while goes_on && stream.pieces.len() < usize::from(CABINETS) {
        let Some((data, other)) = at(behind) else {
            break;
        };
        let Some(folder) = other.folders.first().filter(|_| other.is_continued()) else {
            break;
        };
        stream.pieces.push_back(piece(data, &other, folder));
        goes_on = other.folders.len() == 1 && other.goes_on();
        behind = behind.and_then(|number| number.checked_add(1));
    }
    stream.has_start = !is_continued;
    stream.has_end = !goes_on;
    stream
}

fn piece(data: &Bytes, cabinet: &Cabinet<'_>, folder: &Folder) -> Piece {
    Piece {
        data: data.clone(),
        at: folder.start,
        left: folder.blocks,
        reserve: cabinet.block_reserve,
    }
}

/// Decodes a folder and pushes its files.
fn open(
    stream: Stream,
    method: Method,
    number: usize,
    files: &[&File<'_>],
    names: &BTreeMap<Vec<u8>, String>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let place = format!("folder {number}");
    let decoder = match method {
        Method::Stored => Decoder::Stored,
        Method::MsZip => Decoder::MsZip(Box::default()),
        Method::Lzx(window) => match 1u32.checked_shl(window.into()).and_then(lzx::Decoder::new) {
            Some(decoder) => Decoder::Lzx(Box::new(decoder)),
            None => {
                nest.note(Trouble::Broken(format!("LZX window {window}")).into_fact(&place));
                return Ok(());
            }
        },
        Method::Quantum(window) => match quantum::Decoder::new(window) {
            Some(decoder) => Decoder::Quantum(Box::new(decoder)),
            None => {
                nest.note(Trouble::Broken(format!("Quantum window {window}")).into_fact(&place));
                return Ok(());
            }
        },
        Method::Other(method) => {
            nest.note(Trouble::NoReader(format!("method {method:#06x}")).into_fact(&place));
            return Ok(());
        }
    };
    let (is_other, has_start, has_end) = (stream.is_other, stream.has_start, stream.has_end);
    let packed = stream.pieces.iter();
    let packed = packed
        .map(|piece| piece.data.len().saturating_sub(piece.at))
        .sum();
    let mut blocks = Blocks {
        pieces: stream.pieces,
        begun: None,
        decoder,
        waiting: Vec::new(),
        given: 0,
        wrong: None,
    };
    let needed = |file: &&File<'_>| u64::from(file.offset).saturating_add(u64::from(file.size));
    let needed = files.iter().map(needed).max().unwrap_or_default();
    let decoded = nest.read(&mut blocks.by_ref().take(needed), packed, needed);
    if let Some(at) = blocks.wrong {
        nest.deviation(
            at,
            format!("{place}: the checksum of a block does not hold"),
        );
    }
    let content = Bytes::from(decoded.data);
    let mut claimed = 0u64;
    for file in files {
        nest.tick()?;
        // It is among the files of the cabinet in which it begins.
        if is_other && has_start && file.place.begins_before() {
            continue;
        }
        claimed = claimed.saturating_add(u64::from(file.size));
        if claimed
            > length(content.len())
                .saturating_mul(OVERLAP)
                .saturating_add(1 << 20)
        {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        let name = names.get(file.name).map_or_else(|| name_of(file), Name::of);
        let shown = text::excerpt(&name.text);
        let start = index(u64::from(file.offset)).min(content.len());
        let end = start
            .saturating_add(index(u64::from(file.size)))
            .min(content.len());
        let missing = u64::from(file.size).saturating_sub(length(end.saturating_sub(start)));
        if file.place.begins_before() && !has_start {
            nest.unread(0, format!("{shown}: begins in another cabinet"));
        } else if file.place.goes_on() && !has_end {
            nest.unread(0, format!("{shown}: goes on in another cabinet"));
        } else if missing > 0 {
            nest.unread(0, format!("{shown}: {missing} bytes are missing"));
        }
        if missing > 0 && start == end {
            continue;
        }
        let child = Child::new("cab-member", Payload::Paid(content.slice(start..end)));
        nest.push(child.named(name))?;
    }
    match decoded.fault.map(Trouble::from) {
        None => Ok(()),
        Some(Trouble::TooMuch(halt)) => Err(Trouble::TooMuch(halt)),
        Some(trouble) => {
            nest.note(trouble.into_fact(&place));
            Ok(())
        }
    }
}

enum Decoder {
    Stored,
    MsZip(Box<mszip::Decoder>),
    Lzx(Box<lzx::Decoder>),
    Quantum(Box<quantum::Decoder>),
}

/// The blocks of a folder as one stream.
struct Blocks {
    pieces: VecDeque<Piece>,
    /// The bytes of a block that goes on in the next cabinet.
    begun: Option<Vec<u8>>,
    decoder: Decoder,
    waiting: Vec<u8>,
    given: usize,
    /// The first block whose checksum does not hold.
    wrong: Option<usize>,
}

impl Blocks {
    fn fill(&mut self) -> std::io::Result<()> {
        let broken = |what: String| Error::new(ErrorKind::InvalidData, what);
        let has_next = self.pieces.len() > 1;
        let Some(piece) = self.pieces.front_mut() else {
            return Ok(());
        };
        piece.left = piece.left.saturating_sub(1);
        let block = cab::block(&piece.data, piece.at, piece.reserve)
            .map_err(|short| broken(short.to_string()))?;
        if block.is_wrong {
            self.wrong = self.wrong.or(Some(piece.at));
        }
        piece.at = block.end;
        self.given = 0;
        let begun = self.begun.take();
        let whole;
        let data = match begun {
            Some(begun) => {
                whole = [begun.as_slice(), block.data].concat();
                whole.as_slice()
            }
            None => block.data,
        };
        if block.size == 0 {
            if !has_next || data.len() > LARGEST {
                return Err(broken("a block goes on in another cabinet".to_owned()));
            }
            self.begun = Some(data.to_vec());
            self.waiting.clear();
            return Ok(());
        }
        self.waiting = match &mut self.decoder {
            Decoder::Stored => data.to_vec(),
            Decoder::MsZip(decoder) => decoder.block(data)?.to_vec(),
            Decoder::Lzx(decoder) => decoder
                .block(data, usize::from(block.size))
                .map_err(|error| broken(error.to_string()))?
                .to_vec(),
            Decoder::Quantum(decoder) => decoder
                .block(data, usize::from(block.size))
                .map_err(|error| broken(error.to_string()))?
                .to_vec(),
        };
        if self.waiting.len() != usize::from(block.size) {
            return Err(broken(format!(
                "a block of {} bytes gives {}",
                block.size,
                self.waiting.len()
            )));
        }
        Ok(())
    }
}

impl Read for Blocks {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        // Ends because each turn takes one block or one piece.
        while self.given >= self.waiting.len() {
            match self.pieces.front() {
                None => return Ok(0),
                Some(piece) if piece.left == 0 => drop(self.pieces.pop_front()),
                Some(_) => self.fill()?,
            }
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
pub(crate) mod tests {
    use std::io::Write as _;

    use crate::model::Fact;
    use crate::unpack::tests::opened;

    /// A cabinet of one folder; MSZIP where `packed`.
    pub(crate) fn cabinet(files: &[(&[u8], &[u8])], packed: bool) -> Vec<u8> {
        let content: Vec<u8> = files.iter().flat_map(|(_, data)| data.to_vec()).collect();
        let block = if packed {
            let mut encoder =
                flate2::write::DeflateEncoder::new(b"CK".to_vec(), flate2::Compression::default());
            encoder.write_all(&content).unwrap();
            encoder.finish().unwrap()
        } else {
            content.clone()
        };
        let u32_of = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
        let u16_of = |number: usize| u16::try_from(number).unwrap().to_le_bytes();
        let mut list = Vec::new();
        let mut offset = 0;
        for (name, data) in files {
            list.extend(u32_of(data.len()));
            list.extend(u32_of(offset));
            list.extend([0, 0, 0x21, 0x58, 0, 0, 0x20, 0]);
            list.extend(*name);
            list.push(0);
            offset += data.len();
        }
        let data_at = 36 + 8 + list.len();
        let mut out = b"MSCF\0\0\0\0".to_vec();
        out.extend(u32_of(data_at + 8 + block.len()));
        out.extend([0; 4]);
        out.extend(u32_of(44));
        out.extend([0, 0, 0, 0, 3, 1]);
        out.extend(u16_of(1));
        out.extend(u16_of(files.len()));
        out.extend([0; 6]);
        out.extend(u32_of(data_at));
        out.extend(u16_of(1));
        out.extend(u16_of(usize::from(packed)));
        out.extend(list);
        out.extend([0; 4]);
        out.extend(u16_of(block.len()));
        out.extend(u16_of(content.len()));
        out.extend(block);
        out
    }

    /// A cabinet of one file of zeros in so many blocks.
    pub(crate) fn cabinet_of_zeros(name: &[u8], blocks: u16) -> Vec<u8> {
        let mut out = cabinet(&[(name, &[0; 0x8000])], true);
        let block = out[44 + 17 + name.len()..].to_vec();
        (1..blocks).for_each(|_| out.extend(&block));
        out[40..42].copy_from_slice(&blocks.to_le_bytes());
        out[44..48].copy_from_slice(&(u32::from(blocks) << 15).to_le_bytes());
        let len = u32::try_from(out.len()).unwrap();
        out[8..12].copy_from_slice(&len.to_le_bytes());
        out
    }

    /// A cabinet of one file that is packed with Quantum.
    pub(crate) fn quantum(name: &[u8], content: &[u8]) -> Vec<u8> {
        const WINDOW: u8 = 16;
        let blocks = crate::formats::quantum::tests::packed(content, WINDOW);
        let mut out = cabinet(&[(name, b"")], false);
        out.truncate(out.len() - 8);
        out[40..42].copy_from_slice(&u16::try_from(blocks.len()).unwrap().to_le_bytes());
        out[42..44].copy_from_slice(&[0x72, WINDOW]);
        out[44..48].copy_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
        for (packed, plain) in blocks.iter().zip(content.chunks(32_768)) {
            out.extend([0; 4]);
            out.extend(u16::try_from(packed.len()).unwrap().to_le_bytes());
            out.extend(u16::try_from(plain.len()).unwrap().to_le_bytes());
            out.extend(packed);
        }
        let len = u32::try_from(out.len()).unwrap().to_le_bytes();
        out[8..12].copy_from_slice(&len);
        out
    }

    #[test]
    fn folders_packed_with_quantum_are_read() {
        let content = b"words of a text, ".repeat(5000);
        let whole = quantum(&encoding_rs::SHIFT_JIS.encode("見積書.txt").0, &content);
        let (children, facts) = opened("cab", &whole);
        assert_eq!(facts, []);
        assert_eq!(children[0].label(), "見積書.txt");
        assert_eq!(children[0].data.as_ref(), content);
        let mut window = whole.clone();
        window[43] = 30;
        let (_, facts) = opened("cab", &window);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }

    #[test]
    fn two_files_of_one_name_are_both_read() {
        for packed in [false, true] {
            let data = cabinet(&[(b"a.txt", b"one one one"), (b"a.txt", b"two")], packed);
            let (children, facts) = opened("cab", &data);
            assert_eq!(facts, []);
            let got: Vec<_> = children
                .iter()
                .map(|c| (c.label(), c.data.as_ref()))
                .collect();
            assert_eq!(
                got,
                [("a.txt", b"one one one".as_slice()), ("a.txt", b"two")]
            );
        }
    }

    #[test]
    fn a_checksum_that_does_not_hold_is_told_and_the_file_is_read() {
        let mut data = cabinet(&[(b"a.txt", b"some words")], false);
        let at = data.len() - 10 - 8;
        // Of two words, two bytes and the sizes.
        let words = [*b"some", *b" wor", [b's', b'd', 0, 0], [10, 0, 10, 0]];
        let sum = words
            .iter()
            .fold(0, |sum, word| sum ^ u32::from_le_bytes(*word));
        data[at..at + 4].copy_from_slice(&sum.to_le_bytes());
        let (children, facts) = opened("cab", &data);
        assert_eq!((children.len(), facts), (1, vec![]));
        data[at] ^= 1;
        let (children, facts) = opened("cab", &data);
        assert_eq!(children[0].data.as_ref(), b"some words");
        assert!(
            matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what.contains("checksum")),
            "{facts:?}"
        );
    }

    #[test]
    fn what_is_cut_or_unknown_is_told() {
        let data = cabinet(&[(b"a.txt", b"one"), (b"b.txt", b"two")], false);
        let (_, facts) = opened("cab", &data[..data.len() - 3]);
        assert!(
            facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
            "{facts:?}"
        );
        let mut other = data.clone();
        other[42] = 4;
        let (children, facts) = opened("cab", &other);
        assert!(children.is_empty());
        assert!(
            matches!(facts.as_slice(), [Fact::NoReader { .. }]),
            "{facts:?}"
        );
        let mut split = data;
        split[44 + 8..44 + 10].copy_from_slice(&[0xfe, 0xff]);
        let (children, facts) = opened("cab", &split);
        assert_eq!(children.len(), 2);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
