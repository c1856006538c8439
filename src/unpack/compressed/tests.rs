use std::io::Write as _;

use crate::limits::Halt;
use crate::model::{Fact, Trouble};
use crate::unpack::tests::opened;
use crate::unpack::zip::tests::{artifact, budget};
use crate::unpack::{Nest, Seen};

use super::*;

fn content() -> Vec<u8> {
    (0u32..4000)
        .flat_map(|n| n.wrapping_mul(n).to_le_bytes())
        .collect()
}

fn packed(name: &str, content: &[u8]) -> Vec<u8> {
    match name {
        "bzip2" => {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        "xz" => {
            let options = lzma_rust2::XzOptions::with_preset(1);
            let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
            writer.write_all(content).unwrap();
            writer.finish().unwrap()
        }
        "lzma" => {
            let options = lzma_rust2::LzmaOptions::with_preset(1);
            let mut writer =
                lzma_rust2::LzmaWriter::new_use_header(Vec::new(), &options, None).unwrap();
            writer.write_all(content).unwrap();
            writer.finish().unwrap()
        }
        "zstd" => ::zstd::stream::encode_all(content, 1).unwrap(),
        "lz4" => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        }
        "brotli" => crate::formats::brotli::tests::packed(content),
        other => panic!("{other}"),
    }
}

#[test]
fn every_stream_gives_its_content_and_two_in_a_row_give_both() {
    let content = content();
    for name in ["bzip2", "xz", "lzma", "zstd", "lz4"] {
        let one = packed(name, &content);
        let (children, facts) = opened("compressed", &one);
        assert_eq!(children.len(), 1, "{name}: {facts:?}");
        assert_eq!(children[0].data, content, "{name}");
        assert_eq!(facts, [], "{name}");
        if name != "lzma" {
            let (children, facts) = opened("compressed", &[one.clone(), one].concat());
            assert_eq!(
                children[0].data.len(),
                2 * content.len(),
                "{name}: {facts:?}"
            );
        }
    }
}

#[test]
fn a_cut_stream_gives_what_is_there_and_says_so() {
    let content = content();
    for name in ["bzip2", "xz", "lzma", "zstd", "lz4"] {
        let one = packed(name, &content);
        let (children, facts) = opened("compressed", &one[..one.len() - one.len() / 3]);
        assert!(content.starts_with(&children[0].data), "{name}");
        assert!(
            matches!(facts.as_slice(), [Fact::Unread { .. }]),
            "{name}: {facts:?}"
        );
    }
}

#[test]
fn bytes_behind_a_stream_are_told_and_looked_at() {
    for name in ["bzip2", "xz", "zstd", "lz4"] {
        let mut data = packed(name, b"content");
        data.extend([b'x'; 100]);
        let (children, facts) = opened("compressed", &data);
        assert_eq!(children[0].data.as_ref(), b"content", "{name}: {facts:?}");
        assert_eq!(children[1].data.as_ref(), [b'x'; 100], "{name}");
        assert!(
            matches!(facts.as_slice(), [Fact::Deviation { .. }]),
            "{name}: {facts:?}"
        );
    }
}

#[test]
fn a_bomb_stops_at_the_ratio() {
    for (name, run) in [
        (
            "bzip2",
            bzip2 as fn(&Artifact, &mut Nest<'_>) -> Result<(), Trouble>,
        ),
        ("zstd", zstd),
        ("xz", xz),
        ("brotli", brotli),
    ] {
        let data = packed(name, &vec![0; 128 << 20]);
        let budget = budget();
        let artifact = artifact(&data, Kind::Data);
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        assert_eq!(
            run(&artifact, &mut nest),
            Err(Trouble::TooMuch(Halt::Ratio)),
            "{name}"
        );
    }
}

#[test]
fn szdd_and_kwaj_give_back_the_name() {
    let data = [
        b"SZDD\x88\xf0\x27\x33A".as_slice(),
        b"e",
        &3u32.to_le_bytes(),
        &[7, b'a', b'b', b'c'],
    ]
    .concat();
    let (children, facts) = opened("compressed", &data);
    assert_eq!(children[0].data.as_ref(), b"abc", "{facts:?}");
    let data = [
        b"KWAJ\x88\xf0\x27\xd1".as_slice(),
        &[1, 0, 24, 0, 0x18, 0],
        b"SETUP\0EXE\0",
        &[!b'h', !b'i'],
    ]
    .concat();
    let (children, facts) = opened("compressed", &data);
    assert_eq!(children[0].data.as_ref(), b"hi", "{facts:?}");
    assert_eq!(children[0].label(), "SETUP.EXE");
}

#[test]
fn the_name_inside_is_the_name_without_the_ending() {
    let text = |name: &str| inner_name(name).map(|name| name.text);
    assert_eq!(text("見積.js.bz2").as_deref(), Some("見積.js"));
    assert_eq!(text("a.TXZ").as_deref(), Some("a.tar"));
    assert_eq!(text(".xz"), None);
    assert_eq!(text("a.doc"), None);
}

fn named(data: &[u8], name: &str) -> (Kind, Vec<Artifact>, Vec<Fact>) {
    let budget = budget();
    let name = Name::of(name);
    let identity = crate::identify::identify_named(data, Some(&name), &budget);
    let mut artifact = artifact(data, identity.kind);
    artifact.name = Some(name);
    let mut seen = Seen::new();
    let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
    if artifact.kind == Kind::Brotli {
        brotli(&artifact, &mut nest).unwrap();
    }
    (artifact.kind, nest.children, nest.facts)
}

#[test]
fn brotli_is_tried_where_the_name_says_it_and_told_by_decoding() {
    let content = content();
    let data = packed("brotli", &content);
    let (kind, children, facts) = named(&data, "見積.js.br");
    assert_eq!((kind, facts), (Kind::Brotli, vec![]));
    assert_eq!(
        (children[0].label(), children[0].data.as_ref()),
        ("見積.js", content.as_slice())
    );
    assert_eq!(named(&data, "a.bin").0, Kind::Data);
    let (kind, children, facts) = named(&data[..data.len() / 2], "a.br");
    assert_eq!(kind, Kind::Brotli);
    assert!(content.starts_with(&children[0].data) && !children[0].data.is_empty());
    assert!(
        matches!(facts.as_slice(), [Fact::Unread { .. }]),
        "{facts:?}"
    );
    let (_, children, facts) = named(&[data, vec![b'x'; 100]].concat(), "a.br");
    assert_eq!(children[1].data.as_ref(), [b'x'; 100]);
    assert!(
        matches!(facts.as_slice(), [Fact::Deviation { .. }]),
        "{facts:?}"
    );
    assert_eq!(
        named(b"www.example.com.br is a site", "site.com.br").0,
        Kind::Text
    );
}
