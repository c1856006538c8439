//! Files from an independent writer (the cfb crate), then with one thing broken.

use std::io::{Cursor, Write};

use super::*;
use crate::limits::{Halt, Limits};

fn budget() -> Budget {
    Budget::new(Limits::default(), None)
}

fn big() -> Vec<u8> {
    (0..20_000u32).flat_map(u32::to_le_bytes).collect()
}

/// Two storages, a small and a large stream, one name with a slash-free odd character.
fn file(version: cfb::Version) -> Vec<u8> {
    let mut file =
        cfb::CompoundFile::create_with_version(version, Cursor::new(Vec::new())).unwrap();
    file.create_storage("/Macros").unwrap();
    file.create_storage("/Macros/VBA").unwrap();
    for (path, data) in [
        ("/Small", b"hello".repeat(40)),
        ("/Macros/VBA/dir", b"tiny".to_vec()),
        ("/Large", big()),
        ("/\u{5}Summary", vec![7; 4096]),
    ] {
        let mut stream = file.create_stream(path).unwrap();
        stream.write_all(&data).unwrap();
    }
    file.flush().unwrap();
    file.into_inner().into_inner()
}

fn named(ole: &Ole<'_>, name: &str) -> usize {
    let mut entries = ole.entries().iter();
    entries.position(|entry| entry.name == name).unwrap()
}

fn read(ole: &mut Ole<'_>, name: &str) -> Vec<u8> {
    let position = named(ole, name);
    ole.stream(position).unwrap().data.into_owned()
}

/// Offset of the directory entry of a name.
fn entry_at(data: &[u8], name: &str) -> usize {
    let ole = Ole::open(data, &budget()).unwrap();
    ole.entries()[named(&ole, name)].at
}

fn put(data: &mut [u8], at: usize, bytes: &[u8]) {
    data[at..at + bytes.len()].copy_from_slice(bytes);
}

fn told(ole: &Ole<'_>) -> Vec<String> {
    ole.deviations()
        .iter()
        .map(|deviation| deviation.what.clone())
        .collect()
}

#[test]
fn streams_of_both_versions_are_read_and_nothing_is_odd() {
    for version in [cfb::Version::V3, cfb::Version::V4] {
        let data = file(version);
        let mut ole = Ole::open(&data, &budget()).unwrap();
        assert_eq!(told(&ole), Vec::<String>::new());
        assert_eq!(read(&mut ole, "Small"), b"hello".repeat(40));
        assert_eq!(read(&mut ole, "dir"), b"tiny");
        assert_eq!(read(&mut ole, "Large"), big());
        assert_eq!(ole.path(named(&ole, "dir")), "Macros/VBA/dir");
        assert_eq!(ole.find(ole.root(), "small"), Some(named(&ole, "Small")));
        assert!(ole.entries().iter().all(|entry| entry.reach == Reach::Tree));
    }
}

#[test]
fn a_stream_in_one_piece_is_a_slice_of_the_file() {
    let data = file(cfb::Version::V3);
    let mut ole = Ole::open(&data, &budget()).unwrap();
    for name in ["\u{5}Summary", "dir"] {
        let stream = ole.stream(named(&ole, name)).unwrap();
        let range = stream.range().unwrap();
        assert!(matches!(stream.data, std::borrow::Cow::Borrowed(_)));
        assert_eq!(&data[range], stream.data.as_ref());
    }
}

#[test]
fn odd_header_fields_are_told_and_read_all_the_same() {
    for (at, value, what) in [
        (26, 9u16, "major version: expected 3 or 4, found 9"),
        (28, 0xfeff, "byte order: expected 0xfffe, found 0xfeff"),
        (30, 99, "sector shift: expected 9, found 99"),
        (32, 0, "mini sector shift: expected 6, found 0"),
        (56, 1, "mini stream cutoff: expected 4096, found 1"),
    ] {
        let mut data = file(cfb::Version::V3);
        put(&mut data, at, &value.to_le_bytes());
        let mut ole = Ole::open(&data, &budget()).unwrap();
        assert_eq!(told(&ole), [what]);
        assert_eq!(read(&mut ole, "Large"), big(), "{what}");
        assert_eq!(read(&mut ole, "dir"), b"tiny", "{what}");
    }
}

#[test]
fn odd_entries_are_told_and_read_all_the_same() {
    let clean = file(cfb::Version::V3);
    let at = entry_at(&clean, "Large");
    for (field, value, what) in [
        (
            64,
            vec![200, 0],
            "name length: expected even and 2 to 64, found 200",
        ),
        (
            64,
            vec![13, 0],
            "name length: expected even and 2 to 64, found 13",
        ),
        (67, vec![7], "colour: expected 0 or 1, found 7"),
        (76, vec![2, 0, 0, 0], "a stream has the child 2"),
        (66, vec![3], "object type: expected 0, 1, 2 or 5, found 3"),
    ] {
        let mut data = clean.clone();
        put(&mut data, at + field, &value);
        let mut ole = Ole::open(&data, &budget()).unwrap();
        assert_eq!(told(&ole), [what]);
        let large = ole
            .entries()
            .iter()
            .position(|entry| entry.at == at)
            .unwrap();
        assert_eq!(ole.stream(large).unwrap().data.as_ref(), big(), "{what}");
    }
}

#[test]
fn a_link_out_of_the_directory_orphans_entries_and_they_are_still_there() {
    let mut data = file(cfb::Version::V3);
    let root = entry_at(&data, "Root Entry");
    put(&mut data, root + 76, &77_777u32.to_le_bytes());
    let mut ole = Ole::open(&data, &budget()).unwrap();
    assert_eq!(read(&mut ole, "Large"), big());
    let dir = named(&ole, "dir");
    assert_eq!(ole.entries()[dir].reach, Reach::Orphan);
    assert!(ole.path(dir).ends_with("VBA/dir"));
}

#[test]
fn a_directory_that_links_to_itself_ends() {
    let mut data = file(cfb::Version::V3);
    for name in ["Macros", "Large", "Small", "VBA"] {
        let at = entry_at(&data, name);
        put(&mut data, at + 68, &[1, 0, 0, 0, 1, 0, 0, 0]);
    }
    let at = entry_at(&data, "VBA");
    put(&mut data, at + 76, &[1, 0, 0, 0]);
    let mut ole = Ole::open(&data, &budget()).unwrap();
    assert_eq!(read(&mut ole, "Large"), big());
}

#[test]
fn a_broken_directory_chain_is_carved() {
    let mut data = file(cfb::Version::V3);
    put(&mut data, 48, &0x00ff_0000u32.to_le_bytes());
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let names: Vec<_> = ole
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert!(names.contains(&"Large"), "{names:?}");
    assert_eq!(read(&mut ole, "Large"), big());
    assert_eq!(read(&mut ole, "dir"), b"tiny");
    assert_eq!(ole.entries()[named(&ole, "dir")].reach, Reach::Carved);
}

#[test]
fn a_chain_that_comes_back_keeps_what_it_had() {
    let mut data = file(cfb::Version::V3);
    let ole = Ole::open(&data, &budget()).unwrap();
    let start = ole.entries()[named(&ole, "Large")].start;
    // The FAT of a file this small is the sector that the header lists first.
    let fat = 512 * (1 + crate::bytes::u32_at(&data, 76).unwrap() as usize);
    put(
        &mut data,
        fat + 4 * (start as usize + 1),
        &start.to_le_bytes(),
    );
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let stream = ole.stream(named(&ole, "Large")).unwrap();
    assert_eq!(stream.data.as_ref(), &big()[..1024]);
    assert_eq!(stream.missing, 80_000 - 1024);
    assert!(
        stream.deviations[0]
            .what
            .ends_with(&format!("comes back to sector {start}"))
    );
}

#[test]
fn a_size_beyond_the_chain_gives_the_chain() {
    let mut data = file(cfb::Version::V3);
    let at = entry_at(&data, "Large");
    put(&mut data, at + 120, &u32::MAX.to_le_bytes());
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let stream = ole.stream(named(&ole, "Large")).unwrap();
    assert_eq!(stream.data.get(..80_000), Some(big().as_slice()));
    assert!(stream.missing > 0);
}

#[test]
fn a_short_last_sector_gives_what_is_there() {
    let mut data = file(cfb::Version::V3);
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let ranges = ole.stream(named(&ole, "Large")).unwrap().ranges;
    data.truncate(ranges.last().unwrap().end - 10);
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let stream = ole.stream(named(&ole, "Large")).unwrap();
    assert_eq!(stream.data.len() as u64 + stream.missing, 80_000);
    assert_eq!(stream.data.as_ref(), &big()[..stream.data.len()]);
}

#[test]
fn a_fat_longer_than_the_file_is_surplus() {
    let mut data = file(cfb::Version::V3);
    // Two more FAT sectors listed than there is anything for.
    let first = crate::bytes::u32_at(&data, 76).unwrap();
    let declared = crate::bytes::u32_at(&data, 44).unwrap();
    let used = usize::try_from(declared).unwrap();
    put(&mut data, 76 + 4 * used, &first.to_le_bytes());
    put(&mut data, 80 + 4 * used, &first.to_le_bytes());
    put(&mut data, 44, &(declared + 2).to_le_bytes());
    let mut ole = Ole::open(&data, &budget()).unwrap();
    assert_eq!(read(&mut ole, "Large"), big());
    assert_eq!(told(&ole), ["FAT: 2 sectors more than the file needs"]);
}

#[test]
fn a_lost_fat_is_guessed_around() {
    let mut data = file(cfb::Version::V3);
    put(&mut data, 76, &0x00ff_0000u32.to_le_bytes());
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let position = named(&ole, "Large");
    let stream = ole.stream(position).unwrap();
    assert_eq!(stream.data.get(..512), Some(&big()[..512]));
    assert!(!stream.deviations.is_empty());
}

#[test]
fn every_cut_and_every_flipped_byte_ends() {
    let clean = file(cfb::Version::V3);
    let walk = |data: &[u8]| {
        if let Ok(mut ole) = Ole::open(data, &budget()) {
            for position in 0..ole.entries().len() {
                let _ = ole.path(position);
                let _ = ole.stream(position);
            }
        }
    };
    for len in (0..clean.len()).step_by(37) {
        walk(&clean[..len]);
    }
    for at in (0..2048).chain((2048..clean.len()).step_by(211)) {
        for value in [0, 0x7f, 0xff] {
            let mut data = clean.clone();
            data[at] = value;
            walk(&data);
        }
    }
}

#[test]
fn streams_that_share_sectors_end_at_a_ceiling() {
    let mut file = cfb::CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for number in 0..100 {
        let mut stream = file.create_stream(format!("/s{number}")).unwrap();
        stream
            .write_all(&vec![1; if number == 0 { 3 << 20 } else { 5000 }])
            .unwrap();
    }
    file.flush().unwrap();
    let mut data = file.into_inner().into_inner();
    let (start, places) = {
        let ole = Ole::open(&data, &budget()).unwrap();
        let places: Vec<_> = ole.entries().iter().skip(1).map(|entry| entry.at).collect();
        (ole.entries()[named(&ole, "s0")].start, places)
    };
    for at in places {
        put(&mut data, at + 116, &start.to_le_bytes());
        put(&mut data, at + 120, &(3u32 << 20).to_le_bytes());
    }
    let mut ole = Ole::open(&data, &budget()).unwrap();
    let given = (1..=100)
        .map(|position| ole.stream(position))
        .take_while(Result::is_ok)
        .count();
    assert!((5..12).contains(&given), "{given}");
    assert!(matches!(ole.stream(50), Err(Halt::Ceiling(_))));
}
