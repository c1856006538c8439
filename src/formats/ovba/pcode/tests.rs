//! Caches put together by hand, of 32-bit Office, with one thing broken.

use super::*;
use crate::limits::Limits;

const NAMES: [&str; 6] = ["AutoOpen", "Shell", "x", "item", "kernel32", "Beep"];

/// The operand of a name.
fn operand(name: &str) -> u16 {
    let position = NAMES.iter().position(|one| *one == name).unwrap();
    (0x104 + u16::try_from(position).unwrap()) << 1
}

fn cache() -> Vec<u8> {
    let mut out = vec![0xcc, 0x61, 0xb2, 0, 0, 1, 0];
    out.resize(0x30, 0);
    for count in [0x103 + 6u16, 6, 0x103, 0, 0] {
        out.extend(count.to_le_bytes());
    }
    for name in NAMES {
        out.extend([u8::try_from(name.len()).unwrap(), 4]);
        out.extend(name.as_bytes());
        out.extend(*b"HH\x10\0");
    }
    out.extend([2, 0xff, 0xff, 1, 1]);
    out
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn string(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).unwrap();
    let mut out = [words(&[182, len]), text.as_bytes().to_vec()].concat();
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

/// A module's cache of lines, with a table of declarations and one of records.
fn module(lines: &[Vec<u8>], declarations: &[u8], records: &[u8]) -> Vec<u8> {
    let mut out = vec![0; 0x3f];
    let table = |out: &mut Vec<u8>, data: &[u8]| {
        out.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        out.extend(data);
    };
    table(&mut out, declarations);
    out.resize(0x100, 0);
    let at = u32::try_from(out.len() - 10).unwrap();
    out[0x11..0x15].copy_from_slice(&at.to_le_bytes());
    table(&mut out, records);
    let at = u32::try_from(out.len() - 0x3c).unwrap();
    out[0x19..0x1d].copy_from_slice(&at.to_le_bytes());
    out.extend([0xfe, 0xca, 1, 0]);
    out.extend(u16::try_from(lines.len()).unwrap().to_le_bytes());
    let mut start = 0;
    for line in lines {
        out.extend([0; 4]);
        out.extend(words(&[u16::try_from(line.len()).unwrap(), 0]));
        out.extend(u32::try_from(start).unwrap().to_le_bytes());
        start += line.len();
    }
    out.extend([0; 10]);
    out.extend(lines.concat());
    out
}

/// The record of a procedure that is declared in the library of the declarations at 0, or not.
fn procedure(name: &str, declared: bool) -> Vec<u8> {
    let mut out = vec![0xff; 80];
    out[..4].copy_from_slice(&words(&[0x120b, operand(name)]));
    if declared {
        out[48..50].fill(0);
        out[58..60].copy_from_slice(&[0x0c, 0]);
    }
    out
}

/// Uses, damaged lines, and text.
fn read(stream: &[u8]) -> Option<(Vec<String>, usize, String)> {
    let budget = Budget::new(Limits::default(), None);
    let cache = cache();
    let names = Identifiers::read(&cache, &budget).unwrap().pop().unwrap();
    let pcode = Pcode::read(stream, &names, &budget).unwrap()?;
    let mut uses = Vec::new();
    let damaged = pcode.uses(&budget, &mut |used| {
        let word = match used {
            Use::Procedure(_) => "procedure",
            Use::Call(_) => "call",
            Use::Name(_) => "name",
            Use::Text(_) => "text",
        };
        uses.push(format!("{word} {}", String::from_utf8_lossy(used.bytes())));
    });
    let text = String::from_utf8(pcode.text(b"M", &budget).unwrap()).unwrap();
    let text = text.strip_prefix("Attribute VB_Name = \"M\"\r\n").unwrap();
    Some((uses, damaged.unwrap(), text.replace("\r\n", "\n")))
}

/// `Sub AutoOpen`, `Shell "a""b" & x, 0`, `End Sub`.
fn lines() -> Vec<Vec<u8>> {
    vec![
        words(&[150 | 1 << 10, 0, 0]),
        [
            string("a\"b"),
            words(&[
                32,
                operand("x"),
                17,
                172,
                0,
                65 | 0x10 << 10,
                operand("Shell"),
                2,
            ]),
        ]
        .concat(),
        words(&[111]),
    ]
}

#[test]
fn lines_tell_what_they_use_and_read_like_source() {
    let stream = module(&lines(), b"", &procedure("AutoOpen", false));
    let (uses, damaged, text) = read(&stream).unwrap();
    assert_eq!(
        uses,
        ["procedure AutoOpen", "text a\"b", "call x", "call Shell"]
    );
    assert_eq!(damaged, 0);
    assert_eq!(text, "Sub AutoOpen()\nShell \"a\"\"b\" & x, 0\nEnd Sub\n");
}

#[test]
fn statements_read_like_source() {
    let x = operand("x");
    let cases: [(&[u16], &str); 9] = [
        (
            &[32, x, 172, 3, 9, 155, 70, 0, 124],
            "If x < 3 Then Exit Sub",
        ),
        (&[255, 32, x, 254, 172, 1, 172, 9, 146], "For x = 1 To 9"),
        (&[172, 7, 32, x, 40, operand("item")], "x.item = 7"),
        (&[172, 1, 36, operand("item"), 1, 46, x], "Set x = item(1)"),
        (&[201 | 1 << 10, 0], "On Error Resume Next"),
        (&[172, 1, 75, 172, 2, 172, 4, 76, 84], "Case 1, 2 To 4"),
        (&[0xffff], "' (line cannot be read)"),
        (&[173, 7], "' (line cannot be read)"),
        (&[32], "' (line cannot be read)"),
    ];
    for (line, expected) in cases {
        let stream = module(&[words(line)], b"", b"");
        let text = read(&stream).unwrap().2;
        assert_eq!(text.trim_end(), expected, "{line:?}");
    }
}

#[test]
fn a_declared_function_is_shown_with_its_library() {
    // Library, then where its name in there stands.
    let mut declarations = words(&[0, operand("kernel32"), 8, 0]);
    declarations.extend(b"VirtualAlloc\0");
    let line = words(&[150 | 2 << 10, 0, 0]);
    let stream = module(&[line], &declarations, &procedure("Beep", true));
    assert_eq!(
        read(&stream).unwrap().2,
        "Declare PtrSafe Function Beep Lib \"kernel32\" Alias \"VirtualAlloc\"()\n"
    );
}

#[test]
fn damaged_lines_are_counted_and_the_others_read() {
    let mut broken = lines();
    broken.push(words(&[32, 0xfff0]));
    broken.push(words(&[182, 500]));
    let stream = module(&broken, b"", &procedure("AutoOpen", false));
    let (uses, damaged, _) = read(&stream).unwrap();
    assert_eq!((uses.len(), damaged), (4, 2));
    let whole = module(&lines(), b"", &procedure("AutoOpen", false));
    for len in 0..whole.len() {
        let _ = read(&whole[..len]);
    }
    let mut purged = whole;
    purged[0x19] ^= 1;
    assert!(read(&purged).is_none());
}

#[test]
fn a_line_of_endless_signs_is_put_together_in_time() {
    let line: Vec<u16> = std::iter::repeat_n(21, 32_000).collect();
    let lines = vec![words(&line); 40];
    let started = std::time::Instant::now();
    let text = read(&module(&lines, b"", b"")).unwrap().2;
    assert!(text.ends_with("' (and more)\n"), "{}", text.len());
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}
