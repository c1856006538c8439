//! File names in bytes of no declared charset: every plausible reading, the likeliest first.

use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS};

use super::cp437::cp437;

/// Every plausible text of a name's raw bytes: UTF-8, ISO-2022-JP where its escapes are, the Japanese eight-bit
/// charsets where all bytes are legal in them, and code page 437 as the last resort. Never empty.
pub fn name_readings(raw: &[u8]) -> Vec<String> {
    let mut readings = raw_readings(raw);
    if readings.is_empty() {
        readings.push(cp437(raw));
    }
    readings
}

/// [`name_readings`] without the last resort; empty where no reading fits.
pub fn raw_readings(raw: &[u8]) -> Vec<String> {
    let mut readings: Vec<String> = Vec::new();
    let mut add = |reading: String| {
        if !readings.contains(&reading) {
            readings.push(reading);
        }
    };
    let escaped = memchr::memchr(0x1b, raw).is_some();
    if escaped && let Some(text) = strict(ISO_2022_JP, raw) {
        add(text);
    }
    match std::str::from_utf8(raw) {
        Ok(text) => add(text.to_owned()),
        Err(_) => [SHIFT_JIS, EUC_JP]
            .iter()
            .filter_map(|encoding| strict(encoding, raw))
            .for_each(add),
    }
    readings
}

fn strict(encoding: &'static Encoding, raw: &[u8]) -> Option<String> {
    encoding
        .decode_without_bom_handling_and_without_replacement(raw)
        .map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn japanese_names_are_read_in_every_charset_they_may_be_in() {
        let name = "見積書.exe";
        for encoding in [SHIFT_JIS, EUC_JP, ISO_2022_JP] {
            let (raw, _, _) = encoding.encode(name);
            assert!(
                name_readings(&raw).iter().any(|reading| reading == name),
                "{}",
                encoding.name()
            );
        }
        assert_eq!(name_readings(name.as_bytes()), [name]);
    }

    #[test]
    fn bytes_of_no_charset_still_have_a_reading() {
        assert_eq!(name_readings(b"a\xffb"), ["a\u{a0}b"]);
    }
}
