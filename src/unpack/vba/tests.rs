//! Projects in files of an independent writer (the cfb crate), then with one thing broken.

use std::io::{Cursor, Write};

use super::*;
use crate::limits::{Budget, Limits};
use crate::unpack::Seen;

/// A container of literals only ([MS-OVBA] 2.4.1).
fn compress(data: &[u8]) -> Vec<u8> {
    let mut out = vec![1];
    for chunk in data.chunks(3000) {
        let body: Vec<u8> = chunk
            .chunks(8)
            .flat_map(|run| std::iter::once(0).chain(run.iter().copied()))
            .collect();
        let header = 0xb000 | u16::try_from(body.len() - 1).unwrap();
        out.extend(header.to_le_bytes());
        out.extend(body);
    }
    out
}

fn record(id: u16, data: &[u8]) -> Vec<u8> {
    let mut out = id.to_le_bytes().to_vec();
    out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
    out.extend(data);
    out
}

fn dir(modules: &[(&str, u32)]) -> Vec<u8> {
    let mut out = record(0x03, &932u16.to_le_bytes());
    for (name, offset) in modules {
        let (raw, _, _) = encoding_rs::SHIFT_JIS.encode(name);
        out.extend(record(0x19, &raw));
        out.extend(record(0x1a, &raw));
        out.extend(record(0x31, &offset.to_le_bytes()));
        out.extend(record(0x2b, b""));
    }
    out.extend(record(0x10, b""));
    compress(&out)
}

const SOURCE: &[u8] = b"Attribute VB_Name = \"Module1\"\r\nSub AutoOpen()\r\nEnd Sub\r\n";
const SHEET: &[u8] = b"Attribute VB_Name = \"Sheet1\"\r\nAttribute VB_Base = \"0\"\r\n";

/// A module's stream: a cache, then the source at offset 9.
fn stream(source: &[u8]) -> Vec<u8> {
    [vec![0xee; 9], compress(source)].concat()
}

fn project() -> Vec<(String, Vec<u8>)> {
    vec![
        (
            "Macros/PROJECT".to_owned(),
            b"Module=Module1\r\nDocument=Sheet1/&H00000000\r\n".to_vec(),
        ),
        (
            "Macros/VBA/dir".to_owned(),
            dir(&[("Module1", 9), ("Sheet1", 9)]),
        ),
        (
            "Macros/VBA/_VBA_PROJECT".to_owned(),
            vec![0xcc, 0x61, 0xff, 0xff, 0, 0, 0],
        ),
        ("Macros/VBA/Module1".to_owned(), stream(SOURCE)),
        ("Macros/VBA/Sheet1".to_owned(), stream(SHEET)),
    ]
}

fn file(streams: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, data) in streams {
        let above = std::path::Path::new(path).parent().unwrap();
        file.create_storage_all(std::path::Path::new("/").join(above))
            .unwrap();
        let mut stream = file.create_stream(format!("/{path}")).unwrap();
        stream.write_all(data).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

/// Names and sources of the children, and the facts.
fn unpack(data: Vec<u8>) -> (Vec<(String, Vec<u8>)>, Vec<Fact>) {
    unpack_within(data, Limits::default()).unwrap()
}

type Unpacked = (Vec<(String, Vec<u8>)>, Vec<Fact>);

fn unpack_within(data: Vec<u8>, limits: Limits) -> Result<Unpacked, Trouble> {
    let artifact = Artifact::alone(Kind::Doc, data.into());
    let budget = Budget::new(limits, None);
    let mut seen = Seen::default();
    let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
    run(&artifact, &mut nest)?;
    let children = nest.children.iter();
    let sources = children.map(|child| (child.label().to_owned(), child.data.to_vec()));
    // The hash of the sources has tests of its own.
    let facts = nest.facts.into_iter();
    let told = |fact: &Fact| !matches!(fact, Fact::VbaHash { .. } | Fact::VbaContent { .. });
    let facts = facts.filter(told);
    Ok((sources.collect(), facts.collect()))
}

fn expected() -> Vec<(String, Vec<u8>)> {
    vec![
        ("Module1".to_owned(), SOURCE.to_vec()),
        ("Sheet1".to_owned(), SHEET.to_vec()),
    ]
}

const STORAGE: Fact = Fact::VbaStorage {
    modules: 2,
    with_code: 1,
};

fn change(name: &str, change: impl FnOnce(&mut Vec<u8>)) -> Vec<(String, Vec<u8>)> {
    let mut streams = project();
    let found = streams.iter_mut().find(|(path, _)| path.ends_with(name));
    change(&mut found.unwrap().1);
    streams
}

fn told(facts: &[Fact]) -> Vec<&str> {
    facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Deviation { what, .. } | Fact::Unread { what, .. } => Some(what.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn attributes_and_blank_lines_are_no_code() {
    assert!(!has_code(
        b"Attribute VB_Name = \"a\"\r\n\r\nattribute VB_Base = \"b\"\r\n"
    ));
    assert!(has_code(b"Attribute VB_Name = \"a\"\r\nSub a()\r\n"));
    assert!(has_code(b"x"));
    assert!(!has_code(b""));
}

#[test]
fn modules_are_children_with_their_exact_source() {
    assert_eq!(unpack(file(&project())), (expected(), vec![STORAGE]));
}

#[test]
fn a_project_in_a_storage_of_any_name_is_found_and_so_is_a_second_one() {
    let mut streams = project();
    for (path, data) in project() {
        streams.push((path.replace("Macros", "MBD0001/Hidden"), data));
    }
    let (sources, facts) = unpack(file(&streams));
    assert_eq!(sources.len(), 4);
    assert_eq!(
        facts,
        [Fact::VbaStorage {
            modules: 4,
            with_code: 2
        }]
    );
}

#[test]
fn a_module_that_project_does_not_list_is_told() {
    let streams = change("PROJECT", |data| {
        *data = b"Document=Sheet1/&H0\r\n".to_vec();
    });
    let mut streams = streams;
    streams[2].1 = vec![0xcc, 0x61];
    let (sources, facts) = unpack(file(&streams));
    assert_eq!(sources, expected());
    let hidden = Fact::HiddenModule {
        module: "Module1".to_owned(),
    };
    assert_eq!(facts, [hidden, STORAGE]);
}

#[test]
fn a_list_of_as_many_others_and_a_missing_list_hide_nothing() {
    for list in ["Document=Sheet1/&H0\r\nModule=Another\r\n", ""] {
        let streams = change("PROJECT", |data| *data = list.as_bytes().to_vec());
        let (_, facts) = unpack(file(&streams));
        let hides = |fact: &Fact| matches!(fact, Fact::HiddenModule { .. });
        assert!(!facts.iter().any(hides), "{facts:?}");
        let told = told(&facts).join(" ");
        assert!(told.contains("module Module1 is not listed"), "{told}");
    }
    // A module without code is nothing that anybody would hide.
    let streams = change("PROJECT", |data| *data = b"Module=Module1\r\n".to_vec());
    let facts = unpack(file(&streams)).1;
    assert_eq!(
        told(&facts),
        ["Macros/VBA/dir: module Sheet1 is not listed in PROJECT"]
    );
}

#[test]
fn sources_of_a_file_without_directory_are_found_in_its_bytes() {
    let mut data = file(&project());
    // The first sectors of directory, mini FAT and FAT lie behind the end of the file.
    for field in [0x30, 0x3c, 0x4c] {
        data[field..field + 4].copy_from_slice(&0x00ff_0000u32.to_le_bytes());
    }
    let lost = |data: Vec<u8>| -> Vec<Vec<u8>> {
        let (sources, _) = unpack(data);
        sources.into_iter().map(|(_, source)| source).collect()
    };
    let sources = lost(data.clone());
    assert_eq!(sources.len(), 2);
    assert!(sources.contains(&SOURCE.to_vec()) && sources.contains(&SHEET.to_vec()));
    let at = ovba::find_containers(&data).next().unwrap();
    let cut = lost(data[..at + 45].to_vec());
    assert!(
        cut.iter()
            .any(|source| SOURCE.starts_with(source) && source.len() > 20)
    );
}

#[test]
fn a_dir_that_lies_about_the_offset_is_corrected() {
    let streams = change("VBA/dir", |data| {
        *data = dir(&[("Module1", 2), ("Sheet1", 9)]);
    });
    let (sources, facts) = unpack(file(&streams));
    assert_eq!(sources, expected());
    assert_eq!(
        told(&facts),
        ["Macros/VBA/Module1: expected source at 2, found at 9"]
    );
}

#[test]
fn without_a_dir_the_sources_are_found_by_their_look() {
    let streams = change("VBA/dir", |data| data.fill(0));
    let (mut sources, facts) = unpack(file(&streams));
    sources.sort();
    assert_eq!(sources, expected());
    assert!(facts.contains(&STORAGE));
    let whole: Vec<_> = project()
        .into_iter()
        .filter(|(path, _)| !path.ends_with("dir"))
        .collect();
    let (mut sources, _) = unpack(file(&whole));
    sources.sort();
    assert_eq!(sources, expected());
}

#[test]
fn a_source_that_dir_does_not_name_is_found() {
    let streams = change("VBA/dir", |data| *data = dir(&[("Sheet1", 9)]));
    let (sources, facts) = unpack(file(&streams));
    assert_eq!(sources.len(), 2);
    assert_eq!(
        told(&facts),
        ["Macros/VBA/Module1: source at 9, dir does not name it"]
    );
}

#[test]
fn a_module_without_a_stream_is_unread_and_the_others_are_there() {
    let streams = change("VBA/dir", |data| {
        *data = dir(&[("Gone", 9), ("Module1", 9), ("Sheet1", 9)]);
    });
    let (sources, facts) = unpack(file(&streams));
    assert_eq!(sources, expected());
    assert!(told(&facts).contains(&"VBA module Gone: its stream is missing"));
}

#[test]
fn a_cut_source_gives_what_is_there_and_is_unread() {
    let streams = change("VBA/Module1", |data| data.truncate(data.len() - 12));
    let (sources, facts) = unpack(file(&streams));
    assert!(SOURCE.starts_with(&sources[0].1) && sources[0].1.len() > 30);
    assert!(facts.iter().any(|fact| matches!(fact, Fact::Unread { .. })));
}

#[test]
fn a_bomb_ends_at_a_limit() {
    let mut bomb = vec![1];
    for _ in 0..20_000 {
        bomb.extend([0x03, 0xb0, 0x02, b'a', 0xff, 0x0f]);
    }
    let streams = change("VBA/Module1", |data| *data = [vec![0xee; 9], bomb].concat());
    let limits = Limits {
        max_unpacked: 1 << 20,
        ..Limits::default()
    };
    let ended = unpack_within(file(&streams), limits);
    assert_eq!(ended, Err(Trouble::TooMuch(Halt::Unpacked)));
    let streams = change("VBA/Module1", |data| data.extend([0; 4]));
    assert_eq!(unpack(file(&streams)).0, expected());
}

#[test]
fn names_are_in_the_code_page_of_the_project() {
    let mut streams = change("VBA/dir", |data| *data = dir(&[("標準モジュール", 9)]));
    streams.push(("Macros/VBA/標準モジュール".to_owned(), stream(SOURCE)));
    let (sources, _) = unpack(file(&streams));
    assert_eq!(sources[0], ("標準モジュール".to_owned(), SOURCE.to_vec()));
}

#[test]
fn without_source_and_readable_cache_the_strings_are_told() {
    let mut streams = change("VBA/Module1", |data| {
        *data = b"\xee\xee\0cmd /c echo done\0\0ab\0".to_vec();
        data.resize(300, 0);
    });
    let strings = ("Module1".to_owned(), b"cmd /c echo done\r\n".to_vec());
    // The project says that there is no cache: what stands there is nothing that runs.
    let (sources, _) = unpack(file(&streams));
    assert!(!sources.contains(&strings), "{sources:?}");
    let cache = streams
        .iter_mut()
        .find(|(path, _)| path.ends_with("_VBA_PROJECT"));
    cache.unwrap().1 = vec![0xcc, 0x61, 0x5e, 0, 0, 1, 0];
    let (sources, facts) = unpack(file(&streams));
    assert!(sources.contains(&strings), "{sources:?}");
    let differs = |fact: &Fact| matches!(fact, Fact::PcodeDiffers { .. });
    assert!(!facts.iter().any(differs), "{facts:?}");
}
