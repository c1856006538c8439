//! Records of a `PowerPoint Document` stream ([MS-PPT] 2.3): the stored OLE objects among them.
//!
//! The persist directory says which records count; here all are found, since what it leaves out may be a lie:
//! first record after record, then by the look of their headers anywhere in the stream. Slides are not read.

use std::collections::BTreeMap;

use crate::bytes::{Reader, index, u16_at, u32_at};
use crate::limits::{Budget, Halt};

/// RT_ExternalOleObjectStg (2.13.24): ExOleObjStg, ExControlStg and VbaProjectStg alike.
const OBJECT_STORAGE: u16 = 0x1011;

/// Size of a record header (2.3.1).
const HEADER: usize = 8;

/// The version of a record that holds records.
const CONTAINER: u16 = 0xf;

/// Candidates found by their look that are told: PowerPoint's own files have hundreds of objects at most.
pub const CANDIDATES: usize = 1024;

/// How a record was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Going from record to record.
    InOrder,
    /// By the look of its header; it may be no record.
    ByLook,
}

/// The place of a stored object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Storage {
    /// Offset of the record header.
    pub at: usize,
    /// Offset of the body.
    pub start: usize,
    /// End of the body; the declared one, or the end of the stream where that lies before it.
    pub end: usize,
    /// Whether the body is the decompressed size and a zlib stream (2.10.36), by the header.
    pub compressed: bool,
    /// How it was found.
    pub found: Found,
}

/// What a stream holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Storages {
    /// The objects, by offset.
    pub storages: Vec<Storage>,
    /// Offset at which the sequence of records ended, where that is not the end of the stream.
    pub broken_at: Option<usize>,
    /// Whether there were more candidates than [`CANDIDATES`].
    pub more: bool,
}

/// RT_InteractiveInfoAtom, RT_ExternalHyperlinkAtom, RT_CString (2.13.24), and the instance of a text that is an address
/// (2.10.20).
const INTERACTIVE_INFO_ATOM: u16 = 0x0ff3;
const EXTERNAL_HYPERLINK_ATOM: u16 = 0x0fd3;
const TEXT: u16 = 0x0fba;
const TARGET: u16 = 1;

/// Of an InteractiveInfoAtom (2.8.2) the offsets of the hyperlink and of the action, and the action that starts a program.
const HYPERLINK: usize = 4;
const ACTION: usize = 8;
const RUN_PROGRAM: u8 = 2;

/// A program that a click on a slide, or the pointer over it, starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Offset of the record.
    pub at: usize,
    /// The program; empty where no hyperlink tells it.
    pub target: String,
}

/// RT_ExternalVideo, RT_ExternalMidiAudio, RT_ExternalWavAudioLink (2.13.24): films and sounds by their places.
const MEDIA: [u16; 3] = [0x1005, 0x100d, 0x1010];

/// What a presentation names outside of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outside {
    /// Programs.
    pub starts: Vec<Start>,
    /// Addresses of hyperlinks.
    pub links: Vec<String>,
    /// Places of films and sounds.
    pub media: Vec<String>,
}

/// Links and places of one presentation that are told.
const TOLD: usize = 256;

/// Finds what a presentation names, record after record.
pub fn outside(stream: &[u8], budget: &Budget) -> Result<Outside, Halt> {
    let mut found: Vec<(usize, u32)> = Vec::new();
    let mut targets: BTreeMap<u32, String> = BTreeMap::new();
    let mut media = Vec::new();
    let mut media_to = 0usize;
    let mut link = None;
    let mut at = 0usize;
    // Containers are entered by passing over their header only. Ends because every round takes a header.
    while let Some(header) = Header::at(stream, at) {
        budget.tick()?;
        let start = at.saturating_add(HEADER);
        let body = stream.get(start..).unwrap_or_default();
        let body = body.get(..header.len.min(body.len())).unwrap_or_default();
        match header.kind {
            INTERACTIVE_INFO_ATOM if body.get(ACTION) == Some(&RUN_PROGRAM) => {
                found.push((at, u32_at(body, HYPERLINK).unwrap_or_default()));
            }
            EXTERNAL_HYPERLINK_ATOM => link = u32_at(body, 0),
            TEXT if at < media_to && media.len() < TOLD => {
                budget.spend(body.len())?;
                media.push(wide(body));
            }
            TEXT if header.instance == TARGET => {
                if let Some(link) = link.take() {
                    budget.spend(body.len())?;
                    targets.insert(link, wide(body));
                }
            }
            kind if MEDIA.contains(&kind) => media_to = start.saturating_add(header.len),
            _ => {}
        }
        let skip = match header.version {
            CONTAINER => 0,
            _ => header.len,
        };
        at = start.saturating_add(skip);
    }
    let start = |(at, link)| Start {
        at,
        target: targets.get(&link).cloned().unwrap_or_default(),
    };
    Ok(Outside {
        starts: found.into_iter().map(start).collect(),
        links: targets.values().take(TOLD).cloned().collect(),
        media,
    })
}

fn wide(text: &[u8]) -> String {
    let (units, _) = text.as_chunks::<2>();
    let units: Vec<u16> = units.iter().map(|one| u16::from_le_bytes(*one)).collect();
    String::from_utf16_lossy(&units)
}

/// Finds every stored object. Linear: a walk and a search.
pub fn storages(stream: &[u8], budget: &Budget) -> Result<Storages, Halt> {
    let mut out = Storages::default();
    let mut reader = Reader::new(stream);
    // Containers are entered by passing over their header only, so their lengths cannot lie. Ends because every
    // round takes a header.
    while reader.remaining() >= HEADER {
        budget.tick()?;
        let at = reader.offset();
        let Some(header) = Header::at(stream, at) else {
            break;
        };
        let skip = if header.version == CONTAINER {
            HEADER
        } else {
            HEADER.saturating_add(header.len)
        };
        if header.kind == OBJECT_STORAGE {
            out.storages
                .push(header.storage(stream, at, Found::InOrder));
        }
        if reader.skip("record", skip).is_err() {
            out.broken_at = Some(at);
            break;
        }
    }
    search(stream, &mut out, budget)?;
    out.storages.sort_by_key(|storage| storage.at);
    Ok(out)
}

/// Adds what looks like an object and lies in none that was found in order.
fn search(stream: &[u8], out: &mut Storages, budget: &Budget) -> Result<(), Halt> {
    let known = out.storages.clone();
    let mut next_known = known.iter().peekable();
    let mut told = 0usize;
    for kind_at in memchr::memmem::find_iter(stream, &OBJECT_STORAGE.to_le_bytes()) {
        budget.tick()?;
        let Some(at) = kind_at.checked_sub(2) else {
            continue;
        };
        while next_known.next_if(|storage| storage.end <= at).is_some() {}
        if next_known
            .peek()
            .is_some_and(|storage| (storage.at..storage.end).contains(&at))
        {
            continue;
        }
        let Some(header) = Header::at(stream, at) else {
            continue;
        };
        let storage = header.storage(stream, at, Found::ByLook);
        let body = stream.get(storage.start..storage.end).unwrap_or_default();
        if header.version != 0 || header.instance > 1 || !plausible(body) {
            continue;
        }
        if told >= CANDIDATES {
            out.more = true;
            break;
        }
        told = told.saturating_add(1);
        out.storages.push(storage);
    }
    Ok(())
}

/// Whether a body starts as a compound file, or as a zlib stream (RFC 1950 2.2) behind a size.
fn plausible(body: &[u8]) -> bool {
    super::ole::is_compound(body) || zlib_follows(body)
}

/// Whether a zlib header stands behind four bytes of size.
pub fn zlib_follows(body: &[u8]) -> bool {
    let (Some(&method), Some(&flags)) = (body.get(4), body.get(5)) else {
        return false;
    };
    let sum = u16::from_be_bytes([method, flags]);
    method & 0x0f == 8 && method >> 4 <= 7 && flags & 0x20 == 0 && sum.is_multiple_of(31)
}

struct Header {
    version: u16,
    instance: u16,
    kind: u16,
    len: usize,
}

impl Header {
    fn at(stream: &[u8], at: usize) -> Option<Self> {
        let word = u16_at(stream, at)?;
        Some(Self {
            version: word & 0xf,
            instance: word >> 4,
            kind: u16_at(stream, at.checked_add(2)?)?,
            len: index(u32_at(stream, at.checked_add(4)?)?),
        })
    }

    fn storage(&self, stream: &[u8], at: usize, found: Found) -> Storage {
        let start = at.saturating_add(HEADER).min(stream.len());
        Storage {
            at,
            start,
            end: start.saturating_add(self.len).min(stream.len()),
            compressed: self.instance == 1,
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn record(version: u16, kind: u16, body: &[u8]) -> Vec<u8> {
        let mut out = version.to_le_bytes().to_vec();
        out.extend(kind.to_le_bytes());
        out.extend(u32::try_from(body.len()).unwrap().to_le_bytes());
        out.extend(body);
        out
    }

    fn ole() -> Vec<u8> {
        let mut body = super::super::ole::SIGNATURE.to_vec();
        body.extend([0; 40]);
        body
    }

    fn find(stream: &[u8]) -> Storages {
        storages(stream, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn objects_are_found_in_order_also_inside_containers() {
        let inner = record(0x10, OBJECT_STORAGE, &[5, 0, 0, 0, 0x78, 0x9c, 1]);
        let stream = [
            record(0xf, 0x03e8, &inner),
            record(0, OBJECT_STORAGE, &ole()),
        ]
        .concat();
        let found = find(&stream);
        assert_eq!(found.broken_at, None);
        let told: Vec<_> = found
            .storages
            .iter()
            .map(|s| (s.at, s.compressed, s.found))
            .collect();
        assert_eq!(
            told,
            [(8, true, Found::InOrder), (23, false, Found::InOrder)]
        );
    }

    #[test]
    fn films_and_links_are_told_by_their_places() {
        let text = |instance: u16, text: &str| {
            let units: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
            record(instance << 4, TEXT, &units)
        };
        let film = record(
            0xf,
            0x1005,
            &[record(0, 0x1004, &[0; 8]), text(0, "a")].concat(),
        );
        let atom = record(0, EXTERNAL_HYPERLINK_ATOM, &1u32.to_le_bytes());
        let stream = [film, text(0, "b"), atom, text(0, "c"), text(1, "d")].concat();
        let told = outside(&stream, &Budget::new(Limits::default(), None)).unwrap();
        assert_eq!(
            (told.media, told.links),
            (vec!["a".to_owned()], vec!["d".to_owned()])
        );
    }

    #[test]
    fn an_object_behind_a_record_that_leads_out_is_found_by_its_look() {
        let mut liar = record(0, 0x0fa0, b"text");
        liar[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        let stream = [liar, record(0, OBJECT_STORAGE, &ole())].concat();
        let found = find(&stream);
        assert_eq!(found.broken_at, Some(0));
        assert_eq!(found.storages[0].found, Found::ByLook);
        assert_eq!(found.storages[0].at, 12);
    }

    #[test]
    fn an_object_hidden_in_an_atom_is_found_and_noise_is_not() {
        let hidden = record(0, OBJECT_STORAGE, &ole());
        let noise = [0x11, 0x10].repeat(500);
        let stream = [record(0, 0x0fa0, &hidden), record(0, 0x0fa8, &noise)].concat();
        let found = find(&stream);
        assert_eq!(found.storages.len(), 1);
        assert_eq!(found.storages[0].at, 8);
    }
}
