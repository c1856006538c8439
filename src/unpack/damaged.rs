//! Files that only the tests of their formats build, whole and under seeded damage: no panic, no hang.
//!
//! `tests/integration/parsers.rs` does the same with what it can build, and drives every target; here stand the formats
//! whose builders are beside their readers. `SEKISHO_FUZZ_SEEDS` names a folder that gets the whole files, for libFuzzer.

use std::time::Duration;

use cpu_time::ThreadTime;

use super::tests::pe;
use super::{Nest, Seen, UNPACKERS};
use crate::formats::{
    ace, alz, asar, binhex, brotli, chm, cms, egg, fat, fsshttpb, iscab, iso9660, jet, nsis, ntfs,
    partitions, qcow, udf, vdi, vhd, vmdk,
};
use crate::limits::{Budget, Limits};
use crate::model::{Artifact, Kind};

/// What one input may take: far above what any takes.
const PATIENCE: Duration = Duration::from_secs(2);

/// A file: who opens it, as what, and whether something must come out of the whole one.
type Whole = (&'static str, Kind, Vec<u8>);

fn whole() -> Vec<Whole> {
    let volume = || fat::tests::volume("資料.exe", b"MZ and more");
    let tables = nsis::tests::header("\\見積書.exe", 0, true);
    let installer = |is_solid| {
        let blocks = nsis::tests::installer(&tables, &[b"MZ and more"], is_solid);
        [pe(), vec![0; 512], blocks].concat()
    };
    let (head, cabinet) = iscab::tests::cabinet(b"one one one", b"two");
    vec![
        (
            "ace",
            Kind::Ace,
            ace::tests::archive(&[(b"a.exe", 0, b"MZ"), (b"b.doc", 2, b"packed")]),
        ),
        (
            "alz",
            Kind::Alz,
            alz::tests::archive(&[("a.exe", 0, b"MZ and more", 11)]),
        ),
        (
            "alz",
            Kind::Egg,
            egg::tests::archive(&[("a.exe", 0, b"MZ and more", 11)]),
        ),
        (
            "asar",
            Kind::Asar,
            asar::tests::archive(&[("見積書.js", b"x(1)")]),
        ),
        (
            "access",
            Kind::Accdb,
            jet::tests::database(
                &[b"\x01\x19\xb0", b"short"],
                b"\x01\x01\0\0\\\\203.0.113.5\\s\0",
            ),
        ),
        (
            "binhex",
            Kind::BinHex,
            binhex::tests::encoded(b"a.exe", b"MZ and more", b"resource"),
        ),
        (
            "cab",
            Kind::Cab,
            super::cab::tests::cabinet(&[(b"a.txt", b"one one one"), (b"b", b"two")], true),
        ),
        (
            "chm",
            Kind::Chm,
            chm::tests::help(&[("/a.htm", b"<p>"), ("/索引.hhc", b"list")]),
        ),
        (
            "compressed",
            Kind::Brotli,
            brotli::tests::packed(b"a content, a content"),
        ),
        (
            "disk",
            Kind::Iso,
            iso9660::tests::image(("見積書.exe", b"MZ content"), Some(("H.EXE;1", b"MZ"))),
        ),
        ("disk", Kind::Udf, udf::tests::image("見積書.exe", b"MZ")),
        ("disk", Kind::Img, partitions::tests::disk(&volume())),
        ("disk", Kind::Vhd, vhd::tests::fixed(&volume())),
        ("disk", Kind::Vhd, vhd::tests::dynamic(&volume())),
        ("iscab", Kind::IsCab, head),
        ("iscab", Kind::IsCab, cabinet),
        ("msi", Kind::Msi, super::msi::tests::with_cabinet()),
        ("nsis", Kind::Pe, installer(true)),
        ("nsis", Kind::Pe, installer(false)),
        ("ntfs", Kind::Ntfs, ntfs::tests::volume("a.txt", &[7; 5000])),
        (
            "onenote",
            Kind::One,
            fsshttpb::tests::section("請求書.exe", &[&pe(), b"%PDF-1.4 in it"]),
        ),
        (
            "rar",
            Kind::Rar,
            super::rar::tests::rar(&[("見積.txt", b"one", 0), ("b.txt", b"two two", 0)]),
        ),
        (
            "smime",
            Kind::P7m,
            cms::tests::signed(&cms::tests::octets(b"Subject: a\r\n\r\nb"), true),
        ),
        (
            "virtual_disk",
            Kind::Qcow,
            qcow::tests::disk(&volume(), b"y"),
        ),
        ("virtual_disk", Kind::Vdi, vdi::tests::disk(&volume())),
        ("virtual_disk", Kind::Vmdk, vmdk::tests::sparse(&volume())),
        ("virtual_disk", Kind::Vmdk, vmdk::tests::stream(b"a grain")),
    ]
}

/// Runs what opens it; gives the number of files that came out.
fn run(name: &str, kind: Kind, data: &[u8]) -> usize {
    let limits = Limits {
        max_artifacts: 500,
        max_unpacked: 32 << 20,
        ..Limits::default()
    };
    let budget = Budget::new(limits, None);
    let artifact = Artifact::alone(kind, bytes::Bytes::copy_from_slice(data));
    let rows = UNPACKERS
        .iter()
        .filter(|row| row.name == name && row.kinds.contains(&kind));
    rows.map(|row| {
        let mut seen = Seen::new();
        let mut nest = Nest::new(&budget, &mut seen, &artifact, 1);
        drop((row.run)(&artifact, &mut nest));
        nest.children.len()
    })
    .sum()
}

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}

/// Damages a file in a few places; numbers become extreme more often than bits flip.
fn damage(data: &mut Vec<u8>, dice: &mut Dice) {
    const EXTREME: [u32; 6] = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, u32::MAX];
    for _ in 0..=dice.below(4) {
        let at = match dice.below(2) {
            // What says how the rest is to be read stands in front, more often than not.
            0 => dice.below(data.len().min(1024)),
            _ => dice.below(data.len()),
        };
        match dice.below(8) {
            0 => data.truncate(at),
            1 => drop(data.drain(at..(at + dice.below(700)).min(data.len()))),
            2 => {
                let from = dice.below(data.len());
                let block = data[from..(from + dice.below(700)).min(data.len())].to_vec();
                data.splice(at..at, block);
            }
            3 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte ^= 1 << dice.below(8);
                }
            }
            4 => {
                if let Some(byte) = data.get_mut(at) {
                    *byte = u8::try_from(dice.below(256)).unwrap();
                }
            }
            wide => {
                let number = EXTREME[dice.below(6)];
                let number = match dice.below(2) {
                    0 => number.to_le_bytes(),
                    _ => number.to_be_bytes(),
                };
                let len = if wide == 5 { 2 } else { 4 };
                let places = data.iter_mut().skip(at).take(len);
                places.zip(number).for_each(|(old, new)| *old = new);
            }
        }
    }
}

#[test]
fn damaged_files_of_the_formats_here_do_no_harm() {
    let rounds = std::env::var("SEKISHO_FUZZ_ROUNDS").ok();
    let rounds = rounds.and_then(|rounds| rounds.parse().ok());
    let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
    let rounds: u64 = rounds.unwrap_or(if full { 20_000 } else { 60 });
    let folder = std::env::var_os("SEKISHO_FUZZ_SEEDS").map(std::path::PathBuf::from);
    for (number, (name, kind, data)) in whole().into_iter().enumerate() {
        if let Some(folder) = &folder {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join(format!("unit-{number:03}-{name}")), &data).unwrap();
        }
        let rows = UNPACKERS.iter().filter(|row| row.name == name);
        assert!(
            rows.clone().any(|row| row.kinds.contains(&kind)),
            "{name} does not open {kind}"
        );
        for round in 0..rounds {
            let mut dice = Dice(round.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
            let mut damaged = data.clone();
            damage(&mut damaged, &mut dice);
            let started = ThreadTime::now();
            let _ = run(name, kind, &damaged);
            let took = started.elapsed();
            assert!(took < PATIENCE, "{name} {kind} round {round} took {took:?}");
        }
    }
}

#[test]
fn something_comes_out_of_whole_files() {
    // Cabinets of which a part is missing, what only holds facts, and names for what another reader takes out.
    let empty = |kind: &Kind| matches!(kind, Kind::IsCab | Kind::Accdb | Kind::Msi);
    let whole = whole().into_iter().filter(|(_, kind, _)| !empty(kind));
    let silent: Vec<String> = whole
        .filter(|(name, kind, data)| run(name, *kind, data) == 0)
        .map(|(name, kind, _)| format!("{name} {kind}"))
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}
