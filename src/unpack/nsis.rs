//! Installers of NSIS: the tables of their script, and every file.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::DeflateDecoder;

use crate::bytes::{index, length, slice, u32_at};
use crate::formats::nsis::{self, Head, Method};
use crate::formats::pe;
use crate::limits::{Decoded, Fault, Halt};
use crate::model::{Artifact, Kind, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How a file of an installer is reached.
const VIA: &str = "installer-file";

/// Files of one installer at the most.
const FILES: usize = 20_000;

/// The mark of a block that is compressed, in its size.
const PACKED: u32 = 1 << 31;

/// The largest dictionary in bytes.
const DICTIONARY: u32 = 128 << 20;

/// Pushes the tables and every file, if the program is such an installer.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let Some(head) = pe::read(data).and_then(|program| nsis::find(data, program.end)) else {
        return Ok(());
    };
    if head.is_cut {
        nest.unread(head.at, "the end of an NSIS installer is missing");
    }
    if !nsis::checksum_holds(data, &head) {
        nest.deviation(head.at, "the checksum of an NSIS installer does not hold");
    }
    let blocks = data.slice(head.start.min(head.end)..head.end);
    match nsis::method(&blocks) {
        (Method::Bzip2, _) => Err(Trouble::NoReader("NSIS installer: its bzip2".to_owned())),
        (Method::Filtered, _) => Err(Trouble::NoReader("NSIS installer: a filter".to_owned())),
        (method, true) => solid(&blocks, method, &head, nest),
        (method, false) => apart(&blocks, method, &head, nest),
    }
}

/// A decoder of one block or of all; what it gave before an end without a mark is whole.
fn inflate(packed: &[u8], method: Method, expected: u64, nest: &mut Nest<'_>) -> Decoded {
    let mut decoded = match method {
        Method::Lzma => match (packed.first(), u32_at(packed, 1)) {
            (Some(properties), Some(dictionary)) if dictionary <= DICTIONARY => {
                let stream = packed.get(5..).unwrap_or_default();
                let properties = *properties;
                nest.inflate(stream, expected, |source| -> Box<dyn Read> {
                    let size = u64::MAX;
                    match lzma_rust2::LzmaReader::new_with_props(
                        source, size, properties, dictionary, None,
                    ) {
                        Ok(reader) => Box::new(reader),
                        Err(_) => Box::new(std::io::empty()),
                    }
                })
            }
            _ => Decoded {
                data: Vec::new(),
                fault: Some(Fault::Broken("properties of LZMA".to_owned())),
            },
        },
        Method::Deflate => nest.inflate(packed, expected, DeflateDecoder::new),
        Method::Stored | Method::Filtered | Method::Bzip2 => {
            nest.read(&mut &*packed, packed.len(), length(packed.len()))
        }
    };
    if method == Method::Lzma
        && !decoded.data.is_empty()
        && matches!(decoded.fault, Some(Fault::Broken(_)))
    {
        decoded.fault = None;
    }
    decoded
}

/// Everything as one stream: sizes before blocks.
fn solid(blocks: &Bytes, method: Method, head: &Head, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let decoded = inflate(blocks, method, 0, nest);
    let content = Bytes::from(decoded.data);
    let fault = decoded.fault;
    let header = sized(&content, 0).unwrap_or_default();
    let names = tables(content.slice_ref(header), head, nest)?;
    let start = header.len().saturating_add(4);
    let mut at = start;
    let mut count = 0usize;
    // Ends because each turn takes at least the size of a block.
    while let Some(file) = sized(&content, at) {
        nest.tick()?;
        count = count.saturating_add(1);
        if count > FILES {
            let halt = Halt::Ceiling("20000 files of an NSIS installer");
            nest.note(Trouble::TooMuch(halt).into_fact(""));
            break;
        }
        let name = names.get(&at.saturating_sub(start));
        at = at.saturating_add(4).saturating_add(file.len());
        if !file.is_empty() {
            push(Payload::Paid(content.slice_ref(file)), name, None, nest)?;
        }
    }
    if let Some(fault) = fault {
        match Trouble::from(fault) {
            stop @ Trouble::TooMuch(_) => return Err(stop),
            other => nest.note(other.into_fact("NSIS installer")),
        }
    }
    let left = content.len().saturating_sub(at);
    if left >= 4 {
        nest.unread(head.start, "a file of an NSIS installer is cut");
    }
    Ok(())
}

/// The block at `at`, with its size before it.
fn sized(content: &[u8], at: usize) -> Option<&[u8]> {
    let len = index(u32_at(content, at)?);
    slice(content, at.checked_add(4)?, len)
}

/// Each block by itself.
fn apart(blocks: &Bytes, method: Method, head: &Head, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let mut at = 0usize;
    let mut names: Option<(usize, BTreeMap<usize, String>)> = None;
    let mut count = 0usize;
    // Ends because each turn takes at least the size of a block. A checksum may stand at the end.
    while let Some(size) = u32_at(blocks, at).filter(|_| blocks.len().saturating_sub(at) > 4) {
        nest.tick()?;
        count = count.saturating_add(1);
        let len = index(size & !PACKED);
        let start = at.saturating_add(4);
        let Some(packed) = slice(blocks, start, len) else {
            nest.unread(
                head.start.saturating_add(at),
                "a file of an NSIS installer is cut",
            );
            break;
        };
        let place = at;
        at = start.saturating_add(len);
        if count > FILES {
            let halt = Halt::Ceiling("20000 files of an NSIS installer");
            nest.note(Trouble::TooMuch(halt).into_fact(""));
            break;
        }
        let method = if size & PACKED == 0 {
            Method::Stored
        } else {
            method
        };
        let decoded = inflate(packed, method, 0, nest);
        let Some((first, names)) = &names else {
            let stop = decoded.fault.clone().map(Trouble::from);
            let found = tables(decoded.data.into(), head, nest)?;
            if let Some(stop @ Trouble::TooMuch(_)) = stop {
                return Err(stop);
            }
            names = Some((at, found));
            continue;
        };
        if !decoded.data.is_empty() || decoded.fault.is_some() {
            let name = names.get(&place.saturating_sub(*first));
            push(
                Payload::Paid(decoded.data.into()),
                name,
                decoded.fault,
                nest,
            )?;
        }
    }
    Ok(())
}

/// Pushes the tables of the script, for rules to look at, and gives the names in them.
fn tables(
    header: Bytes,
    head: &Head,
    nest: &mut Nest<'_>,
) -> Result<BTreeMap<usize, String>, Trouble> {
    if header.len() != head.header {
        let what = format!(
            "tables of an NSIS installer: {} bytes are declared, {} are there",
            head.header,
            header.len()
        );
        nest.unread(head.at, what);
    }
    let names = nsis::names(&header);
    if !header.is_empty() {
        let child = Child::new("installer-script", Payload::Paid(header));
        nest.push(child.named(Name::of("script")).of_kind(Kind::Data))?;
    }
    Ok(names)
}

fn push(
    payload: Payload,
    name: Option<&String>,
    fault: Option<Fault>,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let mut child = Child::new(VIA, payload);
    let shown = name.map(|name| text::excerpt(name));
    if let Some(name) = name {
        child = child.named(Name::of(name.as_str()));
    }
    nest.push_decoded(
        child,
        fault,
        shown.as_deref().unwrap_or("a file of an NSIS installer"),
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::formats::nsis::tests::{header, installer};
    use crate::model::Fact;
    use crate::unpack::tests::{opened, pe};

    #[test]
    fn files_of_both_forms_are_children_with_their_names() {
        for is_solid in [true, false] {
            let tables = header("\\見積書.exe", 0, is_solid);
            let blocks = installer(
                &tables,
                &[b"MZ the content of a file", b"another"],
                is_solid,
            );
            let (children, facts) = opened("nsis", &[pe(), blocks].concat());
            let got: Vec<_> = children
                .iter()
                .skip(1)
                .map(|c| (c.label(), c.data.as_ref()))
                .collect();
            let want = [
                ("見積書.exe", b"MZ the content of a file".as_slice()),
                ("", b"another"),
            ];
            assert_eq!(got, want);
            assert_eq!(facts, []);
        }
    }

    #[test]
    fn what_is_cut_or_lies_is_told_and_a_plain_program_says_nothing() {
        let blocks = installer(
            &header("a.exe", 0, false),
            &[b"MZ the content of a file"],
            false,
        );
        let whole = [pe(), blocks].concat();
        for cut in [1, 9, 30] {
            let (_, facts) = opened("nsis", &whole[..whole.len() - cut]);
            assert!(
                facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
                "{cut}: {facts:?}"
            );
        }
        let mut lying = whole.clone();
        lying[pe().len() + 20] ^= 1;
        let (_, facts) = opened("nsis", &lying);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
        let (children, facts) = opened("nsis", &pe());
        assert!(children.is_empty() && facts.is_empty());
    }
}
