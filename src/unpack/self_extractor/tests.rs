use super::*;
use crate::formats::iso9660;
use crate::unpack::cab::tests::cabinet as cabinet_of;
use crate::unpack::tests::{opened, pe};

/// A program with something in the middle of its section, as resources lie.
fn holding(bytes: &[u8]) -> Vec<u8> {
    let mut program = pe();
    let at = program.len() - bytes.len();
    program[at..].copy_from_slice(bytes);
    program
}

#[test]
fn archives_in_resources_and_behind_the_end_are_children() {
    let archive = cabinet_of(&[("見積書.exe".as_bytes(), b"MZ")], false);
    let (inside, _) = opened("self_extractor", &holding(&archive));
    assert_eq!(
        (inside.len(), inside[0].via, inside[0].kind),
        (1, Some("carved"), Kind::Cab)
    );
    assert_eq!(inside[0].data, archive);
    let filling = vec![0x90; 3 << 20];
    let (behind, _) = opened("self_extractor", &[pe(), filling, archive.clone()].concat());
    assert_eq!((behind.len(), behind[0].via), (1, Some("appended")));
    let (two, _) = opened("self_extractor", &[pe(), archive.clone(), archive].concat());
    assert_eq!(two.len(), 2);
}

#[test]
fn marks_alone_are_none() {
    let marks = STRONG.each_ref().map(|mark| mark.bytes).concat();
    let (children, facts) = opened("self_extractor", &holding(&marks));
    assert!(children.is_empty() && facts.is_empty());
    let (children, _) = opened("self_extractor", &[pe(), marks.repeat(100_000)].concat());
    assert!(children.is_empty());
}

#[test]
fn a_cut_archive_is_as_long_as_what_is_there() {
    let archive = cabinet_of(&[(b"a.txt", b"content")], false);
    let (children, _) = opened(
        "self_extractor",
        &[pe(), archive[..archive.len() - 3].to_vec()].concat(),
    );
    assert_eq!(children[0].data.len(), archive.len() - 3);
}

#[test]
fn an_archive_behind_anything_is_a_child_as_archivers_see_it() {
    let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
    for front in [b"junk \x17\xff in front".as_slice(), &pe()] {
        let data = [front, &archive].concat();
        let (children, facts) = opened("self_extractor", &data);
        assert_eq!(children.len(), 1, "{front:?}");
        assert_eq!(children[0].data, archive);
        let is_polyglot = |fact: &Fact| {
            matches!(
                fact,
                Fact::Polyglot {
                    kind: Kind::Rar,
                    ..
                }
            )
        };
        assert_eq!(facts.iter().any(is_polyglot), front.starts_with(b"junk"));
    }
    let junk = [
        b"junk \x17\xff".as_slice(),
        b"Rar!\x1a\x07\x01\0",
        &[0x80; 90],
    ]
    .concat();
    let (children, facts) = opened("self_extractor", &junk);
    assert!(children.is_empty() && facts.is_empty());
}

#[test]
fn an_archive_of_arj_behind_a_program_with_a_few_bytes_between_is_a_child() {
    let archive = [
        crate::unpack::arj::tests::header(0, 2, 0, b"a.arj", b"", b""),
        crate::unpack::arj::tests::header(0, 0, 0, b"a.txt", b"content", b"content"),
        b"\x60\xea\0\0".to_vec(),
    ]
    .concat();
    for lead in [b"\x02\0\x02\0\xbd\x6e\xbd\xcb".to_vec(), vec![7; 200]] {
        let (children, _) = opened("self_extractor", &[pe(), lead, archive.clone()].concat());
        assert_eq!(children.len(), 1);
        assert!(children.iter().all(|child| child.data == archive));
    }
    // Farther off its checksum counts.
    let mut broken = archive;
    broken[8] ^= 1;
    let (children, _) = opened("self_extractor", &[pe(), vec![7; 200], broken].concat());
    assert_eq!(children.len(), 0);
}

#[test]
fn an_archive_of_lha_behind_a_program_is_a_child() {
    let member = crate::unpack::lzh::tests::member(b"a.txt", b"content", b"-lh0-");
    let archive = [member, vec![0]].concat();
    for padding in [0, 512] {
        let data = [pe(), vec![0; padding], archive.clone()].concat();
        let (children, _) = opened("self_extractor", &data);
        assert_eq!((children.len(), children[0].via), (1, Some("appended")));
        assert_eq!(children[0].data, archive);
    }
    let (children, _) = opened("self_extractor", &[pe(), b"no archive".to_vec()].concat());
    assert!(children.is_empty());
}

#[test]
fn what_a_shell_script_has_behind_its_lines_is_a_child() {
    let gzip = [b"\x1f\x8b\x08\0\0\0\0\0\0\x03".as_slice(), &[0xff; 40]].concat();
    let script = b"#!/bin/sh\ntail -n +3 \"$0\" | gzip -dc | sh\n";
    let (children, _) = opened("self_extractor", &[script.as_slice(), &gzip].concat());
    assert_eq!((children.len(), children[0].kind), (1, Kind::Gz));
    let (children, _) = opened("self_extractor", script);
    assert!(children.is_empty());
    // Lines of the script that look like the start of another one hide nothing.
    let lines = b"\nBZh\n070701 is a number\n".repeat(20);
    let (children, _) = opened(
        "self_extractor",
        &[script.as_slice(), &lines, &gzip].concat(),
    );
    assert_eq!((children.len(), children[0].kind), (1, Kind::Gz));
}

#[test]
fn an_archive_behind_a_document_or_another_archive_is_a_child() {
    let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
    let mut compound = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    // One that is a stream is a child of the reader of streams.
    let mut stream = compound.create_stream("/a").unwrap();
    std::io::Write::write_all(&mut stream, &[&archive[..], &[7; 5000]].concat()).unwrap();
    drop(stream);
    let compound = compound.into_inner().into_inner();
    let cabinet = cabinet_of(&[(b"a.rar", &archive)], false);
    for front in [compound, cabinet, b"{\\rtf1 a}".to_vec()] {
        let budget = crate::unpack::zip::tests::budget();
        let kind = identify::identify(&front, &budget).kind;
        for (tail, expected) in [(&archive[..], 1), (b"no archive", 0)] {
            let data = [&front[..], tail].concat();
            let artifact = Artifact::alone(kind, data.into());
            let mut seen = crate::unpack::Seen::new();
            let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
            run(&artifact, &mut nest).unwrap();
            assert_eq!(nest.children.len(), expected, "{kind}");
            assert!(nest.children.iter().all(|child| child.data == archive));
        }
    }
}

fn behind(front: &[u8], tail: &[u8]) -> (Vec<Artifact>, Vec<Fact>) {
    let budget = crate::unpack::zip::tests::budget();
    let kind = identify::identify(front, &budget).kind;
    let data = [front, tail].concat();
    let artifact = Artifact::alone(kind, data.into());
    let mut seen = crate::unpack::Seen::new();
    let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
    run(&artifact, &mut nest).unwrap();
    (nest.children, nest.facts)
}

#[test]
fn an_archive_behind_what_tells_its_length_is_a_child_and_one_in_it_is_none() {
    let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
    let mut disc = iso9660::tests::image(("a.rar", &archive), None);
    let sectors = u32::try_from(disc.len() / 2048).unwrap();
    disc[16 * 2048 + 80..][..4].copy_from_slice(&sectors.to_le_bytes());
    // It makes itself out to be shorter than it is.
    let mut short = disc.clone();
    short[16 * 2048 + 80] = 20;
    let mut help = b"ITSF\x03\0\0\0\x60\0\0\0".to_vec();
    help.resize(56, 0);
    help.extend(96u64.to_le_bytes());
    help.resize(104, 0);
    help.extend((120 + archive.len() as u64).to_le_bytes());
    help.resize(120, 0);
    help.extend(&archive);
    let packed = crate::formats::fsshttpb::tests::section("a.rar", &[&archive]);
    let mut note = packed[..16].to_vec();
    note.resize(204, 0);
    note.extend(&archive);
    let len = note.len() as u64;
    note[196..204].copy_from_slice(&len.to_le_bytes());
    let mut store = b"!BDN\0\0\0\0SM\x17\0\x13\0\x01\x01".to_vec();
    store.resize(564, 0);
    store.extend(&archive);
    let len = store.len() as u64;
    store[184..192].copy_from_slice(&len.to_le_bytes());
    let mut base = b"\0\x01\0\0Standard Jet DB\0\x01".to_vec();
    base.resize(4096, 0);
    base.extend(b"\x01\x01\0\0");
    base.extend(&archive);
    base.resize(8192, 0);
    for front in [disc, short, help, note, packed, store, base] {
        assert_eq!(behind(&front, b"no archive").0.len(), 0);
        let (children, facts) = behind(&front, &archive);
        assert_eq!(children.len(), 1, "{:?}", front.get(..8));
        assert_eq!(children[0].data, archive);
        assert_eq!(children[0].via, Some("appended"));
        let at = front.len();
        assert_eq!(
            facts,
            [Fact::Polyglot {
                kind: Kind::Rar,
                at
            }]
        );
    }
}

#[test]
fn a_cabinet_of_a_printer_is_a_child_and_makes_no_second_kind() {
    let archive = cabinet_of(&[(b"a.txt", b"content")], false);
    let setting = |own: u16| {
        let mut data = vec![0xe5u8; 220];
        data[64..66].copy_from_slice(&0x0401u16.to_le_bytes());
        data[68..70].copy_from_slice(&own.to_le_bytes());
        let driver = u16::try_from(archive.len()).unwrap();
        data[70..72].copy_from_slice(&driver.to_le_bytes());
        [&data[..], &archive].concat()
    };
    for (own, expected) in [(220, 0), (221, 1)] {
        let (children, facts) = opened("self_extractor", &setting(own));
        assert_eq!((children.len(), facts.len()), (1, expected), "{facts:?}");
        assert_eq!(children[0].data, archive);
    }
}

#[test]
fn an_archive_between_the_objects_of_a_pdf_is_a_child_and_one_in_a_stream_is_none() {
    let archive = cabinet_of(&[(b"a.txt", b"content")], false);
    let stream = [b"<< /Length 9 >>\nstream\n", &archive[..], b"\nendstream\n"].concat();
    let object = |inside: &[u8]| [b"%PDF-1.4\n1 0 obj\n".as_slice(), inside, b"endobj\n"].concat();
    let (children, facts) = behind(&object(&stream), b"%%EOF");
    assert!(children.is_empty() && facts.is_empty());
    let between = [&object(&stream)[..], b"junk\n", &archive].concat();
    let at = between.len() - archive.len();
    let (children, facts) = behind(&between, b"\n%%EOF");
    assert_eq!((children.len(), &children[0].data[..]), (1, &archive[..]));
    assert_eq!(
        facts,
        [Fact::Polyglot {
            kind: Kind::Cab,
            at
        }]
    );
}

fn stream(content: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut to, content).unwrap();
    to.finish().unwrap()
}

#[test]
fn an_archive_behind_a_sound_is_a_child_and_a_sound_alone_has_none() {
    let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
    let sound = b"MThd\0\0\0\x06\0\0\0\x01\0\x60MTrk\0\0\0\x04\0\xff\x2f\0";
    let (children, facts) = opened("self_extractor", &[&sound[..], &archive].concat());
    assert_eq!((children.len(), &children[0].data[..]), (1, &archive[..]));
    assert_eq!(facts.len(), 1);
    for tail in [b"".as_slice(), b"Rar! is no archive", &[0; 40]] {
        let (children, facts) = opened("self_extractor", &[&sound[..], tail].concat());
        assert!(children.is_empty() && facts.is_empty());
    }
}

#[test]
fn an_archive_behind_a_long_text_is_a_child() {
    let lines = b"a line of a text\r\n".repeat(6000);
    let content = b"content that is hidden behind it".repeat(9);
    for archive in [
        crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]),
        stream(&content),
    ] {
        let (children, _) = opened("self_extractor", &[&lines[..], &archive].concat());
        assert_eq!((children.len(), &children[0].data[..]), (1, &archive[..]));
    }
    let (children, facts) = opened("self_extractor", &[&lines[..], b"\0\x1f\x8b\x08"].concat());
    assert!(children.is_empty() && facts.is_empty());
}

#[test]
fn a_line_that_starts_like_a_stream_hides_none_behind_it() {
    let script =
        b"#!/bin/sh\ntail -n +4 \"$0\" | gzip -dc | sh\n\x1f\x8b\x08\0\0\0\0\0\0\x03 is none\n";
    let archive = stream(b"echo what is run");
    let (children, _) = opened("self_extractor", &[script.as_slice(), &archive].concat());
    assert_eq!((children.len(), &children[0].data[..]), (1, &archive[..]));
}

#[test]
fn of_streams_the_first_is_a_child_as_archivers_see_it() {
    let streams: Vec<u8> = (0..9u8).flat_map(|at| stream(&[at; 90])).collect();
    let (children, facts) = opened("self_extractor", &[&[0xfe; 50], &streams[..]].concat());
    assert_eq!((children.len(), facts.len()), (1, 1));
    assert_eq!(children[0].data, stream(&[0; 90]));
}

#[test]
fn an_archive_in_free_sectors_of_a_compound_file_is_a_child() {
    const SECTOR: usize = 4096;
    let archive = crate::unpack::rar::tests::rar(&[("見積書.exe", b"MZ", 0)]);
    let file = cfb::CompoundFile::create(std::io::Cursor::new(Vec::new())).unwrap();
    let mut data = file.into_inner().into_inner();
    let count = data.len() / SECTOR - 1;
    data.extend(&archive);
    data.resize((count + 3) * SECTOR, 0);
    let table = u32::from_le_bytes(data[76..80].try_into().unwrap()) as usize;
    let entry = (table + 1) * SECTOR + (count + 1) * 4;
    data[entry..entry + 4].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    let (children, _) = behind(&data, b"");
    assert_eq!(children.len(), 1);
    assert!(children[0].data.starts_with(&archive));
    // What is in use is a stream's.
    let entry = entry - 4;
    data[entry..entry + 4].copy_from_slice(&[0xfe, 0xff, 0xff, 0xff]);
    assert_eq!(behind(&data, b"").0.len(), 0);
}

#[test]
fn heads_that_are_none_end_at_a_limit() {
    for head in [
        b"\x60\xea\x20\x0a".as_slice(),
        b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x4c",
        b"\x28\xb5\x2f\xfd\0\0\0\0\0",
        b"ustar",
        b"-lh5-",
        b"**ACE**",
        b"070701",
    ] {
        let data = [&[0xfe; 400], &head.repeat((2 << 20) / head.len())[..]].concat();
        let started = std::time::Instant::now();
        let (children, _) = opened("self_extractor", &data);
        let taken = started.elapsed();
        assert!(children.len() <= 1, "{head:?}: {}", children.len());
        assert!(taken.as_secs() < 20, "{head:?}: {taken:?}");
    }
}

#[test]
fn heads_of_cpio_with_names_as_long_as_files_are_passed_over() {
    const HALF: usize = 4 << 20;
    let head = |name: usize, size: usize| {
        let fields = [1, 0o100_644, 1, 1, 1, 1, size, 1, 1, 1, 1, name, 0];
        let fields = fields.map(|field| format!("{field:08x}")).concat();
        format!("070701{fields}").into_bytes()
    };
    // Each name gone through to its end would take minutes.
    let heads = head(HALF, 0x7fff_ffff).repeat(HALF / 110);
    let data = [b"\xfe\0\xfd", &heads[..], &vec![0xfe; HALF]].concat();
    assert!(opened("self_extractor", &data).0.is_empty());
    let member = [&head(2, 3)[..], b"a\0abc\0"].concat();
    let data = [&b"\xfe\0\xfd"[..], &member].concat();
    assert_eq!(opened("self_extractor", &data).0.len(), 1);
}

#[test]
fn heads_of_arj_are_read_on_where_they_hold_alone() {
    // Extensions of 60 000 bytes each behind every mark: gone through to the end, these would take minutes.
    let marks = b"\x60\xea\x1e\0".repeat(3 << 20);
    let data = [b"\xfe\0\xfd", &marks[..]].concat();
    assert!(opened("self_extractor", &data).0.is_empty());
}
