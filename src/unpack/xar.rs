//! xar archives, such as installers of macOS: every file of the heap.

use std::io::Read;

use crate::bytes::{index, length};
use crate::formats::xar::{self, File};
use crate::limits::{Halt, Metered};
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// How many times the archive's own length its files may claim: above it they share bytes, as only bombs do.
const OVERLAP: u64 = 4;

/// Bytes of a table of contents that are read: some hundred thousand files.
const TABLE: usize = 64 << 20;

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let cut = || Trouble::Broken("the header is cut".to_owned());
    let header = data
        .get(4..6)
        .and_then(|raw| raw.try_into().ok())
        .ok_or_else(cut)?;
    let header = usize::from(u16::from_be_bytes(header));
    let packed = data
        .get(8..16)
        .and_then(|raw| raw.try_into().ok())
        .ok_or_else(cut)?;
    let packed = index(u64::from_be_bytes(packed));
    let heap = header.saturating_add(packed);
    let raw = data
        .get(header..heap)
        .ok_or_else(|| Trouble::Broken("the table of contents is cut".to_owned()))?;
    let toc = nest.inflate(raw, 0, flate2::bufread::ZlibDecoder::new);
    if let Some(fault) = toc.fault {
        nest.note(Trouble::from(fault).into_fact("table of contents"));
    }
    let mut toc = toc.data;
    if toc.len() > TABLE {
        let halt = Halt::Ceiling("64 MiB of a table of contents");
        nest.note(Trouble::TooMuch(halt).into_fact("table of contents"));
        toc.truncate(TABLE);
        toc.shrink_to_fit();
    }
    let toc = String::from_utf8_lossy(&toc);
    let mut claimed = 0u64;
    for file in xar::files(&toc) {
        nest.tick()?;
        claimed = claimed.saturating_add(file.length);
        if claimed > length(data.len()).saturating_mul(OVERLAP) {
            return Err(Trouble::TooMuch(Halt::Ceiling("files share their data")));
        }
        push(artifact, heap, &file, nest)?;
    }
    Ok(())
}

fn push(artifact: &Artifact, heap: usize, file: &File, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let name = text::excerpt(&file.name);
    let start = heap.saturating_add(index(file.offset)).min(data.len());
    let end = start.saturating_add(index(file.length)).min(data.len());
    let short = length(end.saturating_sub(start)) < file.length;
    let source = data.get(start..end).unwrap_or_default();
    let named =
        Child::new("xar-member", data.slice(start..end)).named(Name::of(file.name.as_str()));
    let make: fn(Metered<'_>) -> Box<dyn Read + '_> = match file.encoding.as_str() {
        "application/x-gzip" | "application/zlib" => {
            |source| Box::new(flate2::bufread::ZlibDecoder::new(source))
        }
        "application/x-bzip2" => |source| Box::new(bzip2::bufread::BzDecoder::new(source)),
        "application/x-xz" => |source| {
            Box::new(lzma_rust2::XzReader::new_mem_limit(
                source,
                false,
                256 << 10,
            ))
        },
        "application/octet-stream" | "" => {
            compare(file, source, &name, end, nest);
            nest.push(named.at(start..end))?;
            if short {
                nest.unread(end, format!("{name}: it lies beyond the end"));
            }
            return Ok(());
        }
        other => {
            let what = format!("{name}: encoding {}", text::excerpt(other));
            nest.note(Trouble::NoReader(what).into_fact(""));
            return Ok(());
        }
    };
    let decoded = nest.inflate(source, file.size, make);
    if decoded.fault.is_none() {
        compare(file, &decoded.data, &name, end, nest);
    }
    let child = Child::new("xar-member", Payload::Paid(decoded.data.into()));
    nest.push_decoded(
        child.named(Name::of(file.name.as_str())),
        decoded.fault,
        &name,
    )?;
    Ok(())
}

/// Tells a checksum that does not hold.
fn compare(file: &File, content: &[u8], name: &str, at: usize, nest: &mut Nest<'_>) {
    let Some((sort, digits)) = &file.checksum else {
        return;
    };
    if length(content.len()) == file.size && !xar::holds(sort, digits, content) {
        nest.deviation(at, format!("{name}: the checksum does not hold"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use crate::model::Fact;
    use crate::unpack::tests::opened;

    fn zlib(data: &[u8]) -> Vec<u8> {
        // What is long is stored, so that it is no bomb.
        let level = match data.len() > super::TABLE {
            true => flate2::Compression::none(),
            false => flate2::Compression::default(),
        };
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn archive() -> Vec<u8> {
        archive_with("")
    }

    fn archive_with(checksum: &str) -> Vec<u8> {
        let one = zlib(b"one one one");
        let toc = format!(
            "<?xml version=\"1.0\"?><xar><toc><file id=\"1\"><name>d</name><type>directory</type>\
             <file id=\"2\"><name>a&amp;b.txt</name><data><length>{}</length><offset>0</offset><size>11</size>\
             <encoding style=\"application/x-gzip\"/></data></file></file>\
             <file id=\"3\"><data><length>3</length><offset>{}</offset><size>3</size>\
             {checksum}<encoding style=\"application/octet-stream\"/></data><name>c.txt</name></file></toc></xar>",
            one.len(),
            one.len()
        );
        let packed = zlib(toc.as_bytes());
        let mut out = b"xar!\0\x1c\0\x01".to_vec();
        out.extend((packed.len() as u64).to_be_bytes());
        out.extend((toc.len() as u64).to_be_bytes());
        out.extend([0; 4]);
        out.extend(packed);
        out.extend(one);
        out.extend(b"two");
        out
    }

    #[test]
    fn files_come_with_their_folders() {
        let (children, facts) = opened("xar", &archive());
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|c| (c.label(), c.data.as_ref()))
            .collect();
        assert_eq!(
            got,
            [("d/a&b.txt", b"one one one".as_slice()), ("c.txt", b"two")]
        );
    }

    #[test]
    fn a_table_of_contents_that_is_too_long_is_told() {
        let (children, facts) = opened("xar", &archive_with(&" ".repeat(super::TABLE)));
        assert_eq!(children.len(), 1);
        assert!(
            matches!(facts.as_slice(), [Fact::Limit { .. }]),
            "{facts:?}"
        );
    }

    #[test]
    fn a_checksum_that_does_not_hold_is_told_and_the_file_is_read() {
        let sum = "ad782ecdac770fc6eb9a62e44f90873fb97fb26b";
        for (style, sum, told) in [
            ("sha1", sum, false),
            ("SHA1", &sum.to_uppercase(), false),
            ("sha1", &sum.replace('d', "e"), true),
            ("md5", sum, true),
            ("other", sum, false),
        ] {
            let element =
                format!("<extracted-checksum style=\"{style}\">{sum}</extracted-checksum>");
            let (children, facts) = opened("xar", &archive_with(&element));
            assert_eq!(children[1].data.as_ref(), b"two");
            let is_told = matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what.contains("checksum"));
            assert_eq!(is_told, told, "{style} {sum}: {facts:?}");
        }
    }

    #[test]
    fn a_cut_heap_is_told() {
        let data = archive();
        let (_, facts) = opened("xar", &data[..data.len() - 1]);
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{facts:?}"
        );
    }
}
