use super::*;
use encoding_rs::{EUC_JP, ISO_2022_JP, SHIFT_JIS};

fn names(value: &[u8], name: &str) -> Vec<String> {
    parameters(value).values(name).concat()
}

/// The likeliest reading of `filename` in a Content-Disposition of these parameters.
fn first(parameters: &[u8]) -> String {
    let value = [b"attachment; ".as_slice(), parameters].concat();
    names(&value, "filename")
        .into_iter()
        .next()
        .unwrap_or_default()
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for group in bytes.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for at in 0..4 {
            let six = (bits >> (18 - 6 * at)) & 63;
            out.push(if at > group.len() {
                '='
            } else {
                char::from(ALPHABET[six as usize])
            });
        }
    }
    out
}

fn percent(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("%{byte:02X}")).collect()
}

fn word(charset: &str, bytes: &[u8]) -> String {
    format!("=?{charset}?B?{}?=", base64(bytes))
}

const NAME: &str = "御見積書2026年度.xlsm";

#[test]
fn encoded_words_in_japanese_charsets() {
    let jis = ISO_2022_JP.encode(NAME).0;
    let sjis = SHIFT_JIS.encode(NAME).0;
    let cases = [
        format!("filename=\"{}\"", word("ISO-2022-JP", &jis)),
        format!("filename={}", word("iso-2022-jp", &jis)),
        format!("filename=\"{}\"", word("Shift_JIS", &sjis)),
        format!("filename=\"{}\"", word("Windows-31J", &sjis)),
        format!("filename=\"{}\"", word("CP932", &sjis)),
        format!("filename=\"{}\"", word("x-ms-cp932", &sjis)),
    ];
    for case in cases {
        assert_eq!(first(case.as_bytes()), NAME, "{case}");
    }
}

#[test]
fn nec_row_13_in_iso_2022_jp() {
    // ① in JIS row 13, which plain JIS X 0208 does not have.
    let raw = b"filename=\"=?ISO-2022-JP?B?GyRCLSEbKEIuZG9j?=\"";
    assert_eq!(first(raw), "①.doc");
}

#[test]
fn two_words_and_characters_split_over_two_words() {
    let whole = format!(
        "filename=\"{}\r\n {}\"",
        word("UTF-8", "御見".as_bytes()),
        word("utf-8", "積書.doc".as_bytes())
    );
    assert_eq!(first(whole.as_bytes()), "御見積書.doc");
    for (charset, bytes) in [
        ("UTF-8", NAME.as_bytes().to_vec()),
        ("Shift_JIS", SHIFT_JIS.encode(NAME).0.to_vec()),
    ] {
        let (head, tail) = bytes.split_at(5);
        let split = format!(
            "filename=\"{} {}\"",
            word(charset, head),
            word(charset, tail)
        );
        assert_eq!(first(split.as_bytes()), NAME, "{charset}");
    }
}

#[test]
fn continuations_in_order_and_out_of_order() {
    for encoding in [ISO_2022_JP, SHIFT_JIS, encoding_rs::UTF_8] {
        let bytes = encoding.encode(NAME).0;
        // Cut inside a character and inside an escape sequence.
        for cut in [1, 2, 5] {
            let (head, tail) = bytes.split_at(cut);
            let zero = format!("filename*0*={}''{}", encoding.name(), percent(head));
            let one = format!("filename*1*={}", percent(tail));
            assert_eq!(first(format!("{zero}; {one}").as_bytes()), NAME);
            assert_eq!(first(format!("{one};\r\n\t{zero}").as_bytes()), NAME);
        }
        let single = format!("filename*={}'ja'{}", encoding.name(), percent(&bytes));
        assert_eq!(first(single.as_bytes()), NAME);
    }
}

#[test]
fn raw_bytes_in_a_quoted_name() {
    for encoding in [SHIFT_JIS, EUC_JP, ISO_2022_JP, encoding_rs::UTF_8] {
        let raw = [
            b"attachment; filename=\"".as_slice(),
            &encoding.encode(NAME).0,
            b"\"",
        ]
        .concat();
        assert!(
            names(&raw, "filename").contains(&NAME.to_owned()),
            "{}",
            encoding.name()
        );
    }
    // The second byte of the last character is a backslash before the closing quote.
    let table = [
        b"attachment; filename=\"".as_slice(),
        &SHIFT_JIS.encode("予定表").0,
        b"\"; size=3",
    ]
    .concat();
    assert!(names(&table, "filename").contains(&"予定表".to_owned()));
}

#[test]
fn backslashes_are_kept_and_taken_out() {
    let readings = names(b"x; filename=\"C:\\TEMP\\x.png\"", "filename");
    assert_eq!(readings, ["C:\\TEMP\\x.png", "C:TEMPx.png"]);
    assert_eq!(
        names(b"x; filename=\"a\\\"b.txt\"", "filename")
            .first()
            .unwrap(),
        "a\"b.txt"
    );
}

#[test]
fn every_value_of_a_name_given_twice_is_kept() {
    let twice =
        parameters(b"attachment; filename=\"a.txt\"; filename*=utf-8''b.exe; filename=c.js");
    assert_eq!(twice.values("filename"), [["b.exe"], ["a.txt"], ["c.js"]]);
}

#[test]
fn sloppy_parameters_are_read() {
    let sloppy = parameters(b"multipart / mixed (comment);; boundary = \"x y\" ; charset=utf-8 (c); name=a b.doc; =x; foo");
    assert_eq!(sloppy.value, "multipart/mixed");
    assert_eq!(sloppy.tokens("boundary"), [b"x y"]);
    assert_eq!(sloppy.tokens("charset"), [b"utf-8"]);
    assert_eq!(sloppy.values("name"), [["a b.doc"]]);
    let missing = parameters(b"text/plain charset=utf-8; name=\"open");
    assert_eq!(
        (missing.value.as_str(), missing.tokens("charset")),
        ("text/plain", vec![b"utf-8".to_vec()])
    );
    assert_eq!(missing.values("name"), [["open"]]);
}

#[test]
fn subjects_with_words_and_raw_text() {
    assert_eq!(
        likeliest(b"Re: =?utf-8?Q?caf=C3=A9_?= =?utf-8?Q?au?= lait"),
        "Re: café au lait"
    );
    assert_eq!(likeliest(b"=?no-such?Q?=E3=81=82?="), "あ");
    assert_eq!(likeliest(b"a =?broken b"), "a =?broken b");
}
