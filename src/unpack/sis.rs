//! Symbian install packages: every file, in every language.

use flate2::read::ZlibDecoder;

use crate::formats::sis;
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Pushes every file.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let package = sis::read(data)?;
    if let Some(cut) = &package.cut {
        nest.unread(0, format!("list of files: {cut}"));
    }
    for file in &package.files {
        nest.tick()?;
        let name = Name::of(file.name.as_str());
        let shown = text::excerpt(&name.text);
        let end = file.data.end.min(data.len());
        let range = file.data.start.min(end)..end;
        if file.data.end > data.len() {
            let missing = file.data.end.saturating_sub(data.len());
            nest.unread(end, format!("{shown}: {missing} bytes lie beyond the end"));
        }
        if range.is_empty() {
            continue;
        }
        if file.packed {
            let source = data.get(range).unwrap_or_default();
            let decoded = nest.inflate(source, file.size, ZlibDecoder::new);
            let child = Child::new("sis-member", Payload::Paid(decoded.data.into())).named(name);
            nest.push_decoded(child, decoded.fault, &shown)?;
        } else {
            let child = Child::new("sis-member", data.slice(range.clone())).named(name);
            nest.push(child.at(range))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use crate::model::Fact;
    use crate::unpack::tests::opened;

    /// A package of files, compressed; each name as given.
    fn package(files: &[(&str, &[u8])]) -> Vec<u8> {
        let u32_of = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
        let mut out = vec![0; 0x64];
        out[8..12].copy_from_slice(&[0x19, 0x04, 0x00, 0x10]);
        out[18] = 1;
        out[20] = u8::try_from(files.len()).unwrap();
        out[32] = 200;
        out[36] = 1;
        out[52] = 0x64;
        let mut at = 0x64 + files.len() * 48;
        let mut behind = Vec::new();
        for (name, data) in files {
            let name: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
            let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), Default::default());
            encoder.write_all(data).unwrap();
            let packed = encoder.finish().unwrap();
            out.extend([0; 20]);
            let data_at = at + name.len();
            for word in [name.len(), at, packed.len(), data_at, data.len(), 0, 0] {
                out.extend(u32_of(word));
            }
            at = data_at + packed.len();
            behind.extend(name);
            behind.extend(packed);
        }
        out.extend(behind);
        out
    }

    #[test]
    fn files_are_read_under_the_names_they_are_installed_as() {
        let data = package(&[("!:\\報告.exe", b"one one one"), ("!:\\b.txt", b"two")]);
        let (children, facts) = opened("sis", &data);
        assert_eq!(facts, []);
        let got: Vec<_> = children
            .iter()
            .map(|child| (child.label(), child.data.as_ref()))
            .collect();
        let expected = [
            ("!:\\報告.exe", b"one one one".as_slice()),
            ("!:\\b.txt", b"two"),
        ];
        assert_eq!(got, expected);
    }

    #[test]
    fn what_is_cut_or_lies_is_told() {
        let data = package(&[("a.txt", b"one"), ("b.txt", b"two two")]);
        let (children, facts) = opened("sis", &data[..data.len() - 4]);
        assert_eq!(&children[0].data[..], b"one");
        let unread = |fact: &Fact| matches!(fact, Fact::Unread { .. });
        assert!(facts.iter().any(unread), "{facts:?}");
        let mut more = data;
        more[20] = 200;
        let (_, facts) = opened("sis", &more);
        assert!(facts.iter().any(unread), "{facts:?}");
    }

    #[test]
    fn a_bomb_meets_the_limit_of_ratio() {
        let data = package(&[("a.bin", &vec![0; 64 << 20])]);
        let ended = std::panic::catch_unwind(|| opened("sis", &data));
        assert!(ended.is_err(), "no limit was met");
    }
}
