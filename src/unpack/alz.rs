//! ALZ and EGG archives, common in Korea: what is stored, deflated or, in EGG, bzip2; the rest is told by its name.

use std::io::Read;

use bytes::Bytes;
use flate2::read::DeflateDecoder;

use crate::bytes::length;
use crate::formats::alz::{self, Method};
use crate::formats::egg;
use crate::formats::zip::crc32;
use crate::limits::{Decoded, Fault};
use crate::model::{Artifact, Name, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Pushes every file of an ALZ archive.
pub(super) fn run_alz(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let listing = alz::read(data);
    for file in &listing.files {
        nest.tick()?;
        let name = korean(file.name);
        let shown = text::excerpt(&name.text);
        if file.locked {
            nest.note(Trouble::Locked("ALZ".to_owned()).into_fact(&shown));
            continue;
        }
        if file.missing > 0 {
            nest.unread(
                file.data.start,
                format!("{shown}: {} bytes are missing", file.missing),
            );
        }
        if file.data.is_empty() {
            continue;
        }
        // ALZip changed the marks of its bzip2.
        let method = match file.method {
            Method::Bzip2 => Method::Other(1),
            other => other,
        };
        let packed = data.slice(file.data.clone());
        let Some(decoded) = decoded(&packed, method, file.size, nest) else {
            nest.note(unknown("ALZ", method).into_fact(&shown));
            continue;
        };
        if decoded.fault.is_none() && crc32(&decoded.data) != file.crc {
            nest.deviation(
                file.data.start,
                format!("{shown}: the checksum does not hold"),
            );
        }
        let child = Child::new("alz-member", Payload::Paid(decoded.data.into())).named(name);
        nest.push_decoded(child, decoded.fault, &shown)?;
    }
    if let Some((at, why)) = listing.cut {
        nest.unread(at, format!("the rest of the archive: {why}"));
    }
    Ok(())
}

/// Pushes every file of an EGG archive.
pub(super) fn run_egg(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = &artifact.data;
    let listing = egg::read(data);
    if listing.is_split {
        nest.unread(
            0,
            "a volume of an EGG archive: the others are not looked at",
        );
    }
    if listing.is_solid {
        nest.note(Trouble::NoReader("solid EGG archive".to_owned()).into_fact(""));
    }
    for file in &listing.files {
        nest.tick()?;
        let name = match file.is_local {
            true => korean(file.name),
            false => Name::of(String::from_utf8_lossy(file.name)),
        };
        let shown = text::excerpt(&name.text);
        if file.locked {
            nest.note(Trouble::Locked("EGG".to_owned()).into_fact(&shown));
            continue;
        }
        if listing.is_solid {
            nest.note(Trouble::NoReader("solid EGG archive".to_owned()).into_fact(&shown));
            continue;
        }
        egg_file(data, file, name, &shown, nest)?;
    }
    if let Some((at, why)) = listing.cut {
        nest.unread(at, format!("the rest of the archive: {why}"));
    }
    Ok(())
}

fn egg_file(
    data: &Bytes,
    file: &egg::File<'_>,
    name: Name,
    shown: &str,
    nest: &mut Nest<'_>,
) -> Result<(), Trouble> {
    let mut content = Vec::new();
    let mut fault = None;
    for block in &file.blocks {
        nest.tick()?;
        if block.missing > 0 {
            nest.unread(
                block.data.start,
                format!("{shown}: {} bytes are missing", block.missing),
            );
        }
        let packed = data.slice(block.data.clone());
        let Some(decoded) = decoded(&packed, block.method, block.size, nest) else {
            nest.note(unknown("EGG", block.method).into_fact(shown));
            break;
        };
        if decoded.fault.is_none() && crc32(&decoded.data) != block.crc {
            nest.deviation(
                block.data.start,
                format!("{shown}: the checksum does not hold"),
            );
        }
        content.extend_from_slice(&decoded.data);
        fault = decoded.fault;
        if fault.is_some() {
            break;
        }
    }
    if content.is_empty() && fault.is_none() {
        return Ok(());
    }
    let child = Child::new("egg-member", Payload::Paid(content.into())).named(name);
    nest.push_decoded(child, fault, shown)?;
    Ok(())
}

/// Decodes one stream; none where there is no decoder for it. Fewer bytes than declared are a fault.
fn decoded(packed: &[u8], method: Method, size: u64, nest: &mut Nest<'_>) -> Option<Decoded> {
    let mut decoded = match method {
        Method::Stored => nest.read(&mut &*packed, packed.len(), size),
        Method::Deflate => nest.inflate(packed, size, DeflateDecoder::new),
        Method::Bzip2 => nest.inflate(packed, size, |source| -> Box<dyn Read> {
            Box::new(bzip2::read::MultiBzDecoder::new(source))
        }),
        Method::Other(_) => return None,
    };
    let made = length(decoded.data.len());
    if decoded.fault.is_none() && made != size {
        let what = format!("{size} bytes are declared, {made} are there");
        decoded.fault = Some(Fault::Broken(what));
    }
    Some(decoded)
}

fn unknown(archive: &str, method: Method) -> Trouble {
    let number = match method {
        Method::Other(number) => number,
        Method::Stored | Method::Deflate | Method::Bzip2 => 0,
    };
    Trouble::NoReader(match (archive, number) {
        ("ALZ", 1) => "ALZ's bzip2".to_owned(),
        ("EGG", 3) => "AZO".to_owned(),
        ("EGG", 4) => "EGG's LZMA".to_owned(),
        _ => format!("{archive} method {number}"),
    })
}

/// A name in the code page of Korean Windows, and what else its bytes may mean.
fn korean(raw: &[u8]) -> Name {
    let first = text::decode(b"euc-kr", raw);
    let others = text::name_readings(raw)
        .into_iter()
        .filter(|other| *other != first);
    let readings = std::iter::once(first.clone()).chain(others).collect();
    Name::from_readings(raw.to_vec(), readings)
}

#[cfg(test)]
mod tests {
    use crate::formats::alz::tests::archive as alz_of;
    use crate::formats::egg::tests::archive as egg_of;
    use crate::model::Fact;
    use crate::unpack::tests::opened;

    fn deflated(data: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
        std::io::Write::write_all(&mut encoder, data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn files_are_children_and_what_nobody_decodes_is_told_by_name() {
        let packed = deflated(b"the content of a file");
        let files: [(&str, u8, &[u8], usize); 3] = [
            ("견적서.exe", 0, b"MZ", 2),
            ("資料.txt", 0, b"text", 4),
            ("b.txt", 9, b"x", 9),
        ];
        let alz = [files[0], files[1], ("c.txt", 2, &packed, 21), files[2]];
        let egg = [files[0], files[1], ("c.txt", 1, &packed, 21), files[2]];
        for (data, by) in [(alz_of(&alz), "ALZ"), (egg_of(&egg), "EGG")] {
            let (children, facts) = opened("alz", &data);
            let got: Vec<_> = children
                .iter()
                .map(|c| (c.label(), c.data.as_ref()))
                .collect();
            let want = [
                ("견적서.exe", b"MZ".as_slice()),
                ("資料.txt", b"text"),
                ("c.txt", b"the content of a file"),
            ];
            assert_eq!(got, want, "{by}");
            let told = format!("b.txt: {by} method 9");
            assert!(
                matches!(facts.as_slice(), [Fact::NoReader { what }] if *what == told),
                "{facts:?}"
            );
        }
    }

    #[test]
    fn checksums_that_do_not_hold_are_told_and_the_file_is_read() {
        let packed = deflated(b"the content of a file");
        let alz = alz_of(&[("c.txt", 2, &packed, 21)]);
        let egg = egg_of(&[("c.txt", 1, &packed, 21)]);
        let of_egg = memchr::memmem::find(&egg, &packed).unwrap() - 8;
        for (mut data, at) in [(alz, 8 + 4 + 2 + 9), (egg, of_egg)] {
            data[at] ^= 1;
            let (children, facts) = opened("alz", &data);
            assert_eq!(children[0].data.as_ref(), b"the content of a file");
            assert!(
                matches!(facts.as_slice(), [Fact::Deviation { what, .. }] if what.contains("checksum")),
                "{facts:?}"
            );
        }
    }

    #[test]
    fn lies_are_told() {
        for data in [
            alz_of(&[("a.txt", 0, b"text", 5)]),
            egg_of(&[("a.txt", 0, b"text", 5)]),
        ] {
            let (children, facts) = opened("alz", &data);
            assert_eq!(children[0].data.as_ref(), b"text");
            assert!(
                matches!(facts.as_slice(), [Fact::Unread { .. }]),
                "{facts:?}"
            );
            let (_, facts) = opened("alz", &data[..data.len() - 26]);
            assert!(
                facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })),
                "{facts:?}"
            );
        }
    }
}
