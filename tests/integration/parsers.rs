//! Every parser by itself under seeded mutations: the fuzz targets on stable Rust. No panic, no hang.
//!
//! A few rounds in an ordinary run; `SEKISHO_TEST_FULL=1` makes them many, `SEKISHO_FUZZ_SEED` other ones and
//! `SEKISHO_FUZZ_TARGET` drives a single target.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use cpu_time::ThreadTime;

use crate::bench::Dice;
use crate::build;
use crate::build_archives;
use crate::build_images;
use crate::build_pcode;
use crate::build_pst::{Attached, Crypt, Form, Leaves, Letter, store};
use crate::mutate::{fixtures, mutate, number};

#[allow(
    clippy::semicolon_if_nothing_returned,
    clippy::type_complexity,
    reason = "a table of short closures"
)]
#[path = "../../fuzz/targets.rs"]
mod targets;

/// What one input may take: far above what any took, so that only a hang or a quadratic loop is over it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Seeds that every target gets; larger ones only slow a round down.
const LARGEST: usize = 100_000;

/// What an MTA sends for one message.
fn milter_transcript() -> Vec<u8> {
    let frames: [&[u8]; 11] = [
        b"O\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff",
        b"DCj\0mx\0",
        b"Cmx\x004\0\x19192.0.2.1\0",
        b"Hmx\0",
        b"DMi\0Q1\0{auth_authen}\0taro\0",
        b"M<a@b>\0SIZE=1\0",
        b"R<c@d>\0",
        b"LX-Sekisho-Verdict\0 a\n b\0",
        b"N",
        b"Bbody\r\n",
        b"E",
    ];
    let length = |frame: &[u8]| u32::try_from(frame.len()).unwrap().to_be_bytes();
    let framed = frames.iter().map(|frame| [&length(frame), *frame].concat());
    framed.collect::<Vec<_>>().concat()
}

/// Small inputs of every format, one of which is right for each target.
fn built() -> Vec<Vec<u8>> {
    let code = "Sub AutoOpen()\nx = Chr(112) & StrReverse(\"a\" & (1 + 2)) & Array(1, 2)(0)\n\
                Shell Replace(\"cXmd\", \"X\", \"\")\nEnd Sub\n";
    let modules = [("M", build::module("M", code))];
    let project = build::vba_project(&modules);
    let mut compiler = build_pcode::Compiler::new(build_pcode::Bits::Bits32);
    let compiled = build_pcode::attack(&mut compiler);
    let listed = [(
        "M",
        compiled.clone(),
        build::ovba_container(b"Attribute VB_Name = \"M\"\r\n"),
    )];
    let stomped = build_pcode::project(&compiler, &listed, &["M"]);
    let boundaries = "From: a@b\r\nContent-Type: multipart/mixed; boundary*0=x; boundary*1=\"y z\"\r\n\r\n--xy z\r\n\
                      Content-Disposition: attachment; filename*=iso-2022-jp''%1b$B\r\n\r\nbegin 644 a.bin\r\n#86)C\r\n`\r\nend\r\n\
                      --xy z--\r\n=?utf-8?B?44GC?= =?iso-2022-jp?Q?=1B$B$=22=1B(B?=\r\n";
    let relations = "<Relationships><Relationship Id=\"r\" Type=\"t\" Target=\"../a?b#c\" TargetMode=\"External\"/>\
                     <Default Extension=\"x\" ContentType=\"y\"/><Override PartName=\"/a\" ContentType=\"b\"/></Relationships>";
    let mut all = vec![
        build::docm("text", &modules),
        build::docx("text"),
        build::ovba_container(&build::module("M", code)),
        build::module("M", code),
        project.clone(),
        compiler.project(),
        compiled,
        stomped,
        build::mail("s", &[build::attachment("Content-Type: a/b; name=x.doc\nContent-Transfer-Encoding: base64", &project)]),
        boundaries.as_bytes().to_vec(),
        [b"From a@b Mon Nov  2 09:30:00 2026\n".as_slice(), boundaries.as_bytes(), b"\nFrom c\n"].concat(),
        relations.as_bytes().to_vec(),
        milter_transcript(),
        b"EHLO c\r\nXFORWARD ADDR=192.0.2.1 HELO=a+2Bb\r\nMAIL FROM:<a@b> SIZE=9\r\nRCPT TO:<c@d>\r\nDATA\r\nReceived: x\r\n\r\n..\r\n.\r\n".to_vec(),
        b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<\"a>\"@d> NOTIFY=NEVER\r\nBDAT 4 LAST\r\na\n\rbXCLIENT LOGIN=a\r\nSTARTTLS\r\n".to_vec(),
        b"zIDSESSION\0zPING\0zINSTREAM\0\0\0\0\x03abc\0\0\0\0nSCAN /a\nzFILDES\0\0zEND\0".to_vec(),
        b"OLEFY/1.0\nMethod: oletools\nRspamd-ID: 5f\n\nfile".to_vec(),
        b"=ybegin line=128 size=3 name=a.bin\r\n\x8b\x8c=J\r\n=yend size=3\r\n".to_vec(),
        b"begin-base64 644 a\nTVqQAAMAAAAEAAAA\n====\nhttp://h.example/a.exe \\\\srv\\x 192.0.2.1 cmd /c a".to_vec(),
        b"ID=\"{0}\"\r\nModule=M\r\nDocument=D/&H0\r\nCMG=\"0A08\"\r\nDPB=\"1A18\"\r\n[Host]\r\n".to_vec(),
        b"\x0f\0\x11\x10\x08\0\0\0\x08\0\0\0\x78\x9c\x03\0\x09\x08\x04\0\0\x06\0\0\x2f\0\x04\0\x01\0\x01\0".to_vec(),
        [b"\x1f\x8b\x08\x08\0\0\0\0\0\xffa.txt\0\x03\0\0\0\0\0\0\0\0\0".as_slice(), &build::program()].concat(),
        [b"PK\x05\x06".as_slice(), &[0; 18], &build::zip(&[("あ.exe", &build::program())])].concat(),
    ];
    let arc = |method: u8, packed: &[u8]| {
        let name = b"A.TXT\0\0\0\0\0\0\0\0".as_slice();
        let len = [u8::try_from(packed.len()).unwrap(), 0, 0, 0];
        let head = [&[0x1a, method], name, &len, &[0; 6], &len].concat();
        [head.as_slice(), packed, &[0x1a, 0]].concat()
    };
    all.push(arc(2, b"words"));
    all.push(arc(3, b"a\x90\x05b\x90\0"));
    all.push(arc(4, b"\x02\0\x9d\xff\x01\0\x9e\xff\xff\xfe\x32"));
    all.push(arc(8, b"\x0ca\xc4\x88\x05\x08\0\0\0\0"));
    all.extend(build_archives::all(b"A content, a content, a content."));
    all.extend(build_images::all());
    let letter = Letter {
        subject: "見積書".to_owned(),
        body: "本文\r\n".to_owned(),
        attached: vec![Attached::File("a.txt", b"a file".to_vec())],
        ..Letter::default()
    };
    let letters = [letter];
    for (form, crypt, leaves) in [
        (Form::Ansi, Crypt::Plain, Leaves::Small),
        (Form::Unicode, Crypt::Permuted, Leaves::Whole),
        (Form::Large, Crypt::Cyclic, Leaves::Whole),
    ] {
        all.push(store(form, crypt, leaves, &[("Inbox", &letters)]));
    }
    all
}

/// Runs a target once; the answer says what was wrong.
fn drive(target: fn(&[u8]), data: &[u8]) -> Result<(), String> {
    // What else runs on the machine does not count.
    let started = ThreadTime::now();
    let ended = catch_unwind(AssertUnwindSafe(|| target(data)));
    let took = started.elapsed();
    ended.map_err(|_| "panicked".to_owned())?;
    // The first input of a target pays for tables: only what is slow twice is slow.
    let again = (took > PATIENCE).then(|| {
        let started = ThreadTime::now();
        target(data);
        started.elapsed()
    });
    match again {
        Some(again) if again > PATIENCE => Err(format!("took {took:?}, then {again:?}")),
        _ => Ok(()),
    }
}

fn rounds(
    name: &str,
    target: fn(&[u8]),
    seeds: &[Vec<u8>],
    rounds: usize,
    seed: usize,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for round in 0..rounds {
        let mut dice =
            Dice::new(u64::try_from(round.wrapping_add(seed.wrapping_mul(1_000_003))).unwrap());
        let mut data = seeds[dice.below(seeds.len())].clone();
        let other = &seeds[dice.below(seeds.len())];
        for _ in 0..dice.below(6) {
            mutate(&mut data, other, &mut dice);
        }
        if let Err(what) = drive(target, &data) {
            let file = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("{name}-{seed}-{round}"));
            std::fs::write(&file, &data).unwrap();
            wrong.push(format!(
                "{name} seed {seed} round {round}: {what}; input in {}",
                file.display()
            ));
        }
    }
    wrong
}

#[test]
fn every_parser_bears_damaged_input() {
    let full = std::env::var_os("SEKISHO_TEST_FULL").is_some();
    let count = number("SEKISHO_FUZZ_ROUNDS").unwrap_or(if full { 20_000 } else { 60 });
    let seed = number("SEKISHO_FUZZ_SEED").unwrap_or(1);
    let only = std::env::var("SEKISHO_FUZZ_TARGET").ok();
    let mut seeds = built();
    let files = fixtures()
        .into_iter()
        .filter_map(|path| std::fs::read(path).ok());
    seeds.extend(files.filter(|data| (1..LARGEST).contains(&data.len())));
    let run = move || {
        let mut wrong = Vec::new();
        let chosen = |(name, _): &&(&str, fn(&[u8]))| only.as_ref().is_none_or(|only| only == name);
        for (name, target) in targets::TARGETS.iter().filter(chosen) {
            let started = ThreadTime::now();
            // Built seeds fit most targets; files are many and mostly fit others.
            let half = rounds(name, *target, &seeds[..built().len()], count / 2, seed);
            wrong.extend(half);
            // A whole scan costs a hundred times what a parser does.
            let rest = if *name == "scan" {
                count / 16
            } else {
                count / 2
            };
            wrong.extend(rounds(name, *target, &seeds, rest, seed.wrapping_add(77)));
            println!("{name}: {:?}", started.elapsed());
        }
        wrong
    };
    // The stack that scans get in the product.
    let thread = std::thread::Builder::new()
        .stack_size(16 << 20)
        .spawn(run)
        .unwrap();
    let wrong = thread.join().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The built seeds as files for libFuzzer, in the folder that `SEKISHO_FUZZ_SEEDS` names.
#[test]
fn seeds_are_written_where_asked_for() {
    let Some(folder) = std::env::var_os("SEKISHO_FUZZ_SEEDS") else {
        return;
    };
    std::fs::create_dir_all(&folder).unwrap();
    for (number, seed) in built().into_iter().enumerate() {
        let file = std::path::Path::new(&folder).join(format!("built-{number:03}"));
        std::fs::write(file, seed).unwrap();
    }
}

#[test]
fn every_target_has_a_file_for_the_fuzzer() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in targets::TARGETS {
        let file = std::fs::read_to_string(folder.join(format!("fuzz_targets/{name}.rs")));
        assert!(
            file.is_ok_and(|text| text.contains(&format!("\"{name}\""))),
            "no fuzz_targets/{name}.rs"
        );
        assert!(
            manifest.contains(&format!("name = \"{name}\"")),
            "{name} is not in fuzz/Cargo.toml"
        );
    }
}
