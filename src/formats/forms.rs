//! Controls of Microsoft Forms ([MS-OFORMS] 2.2): the text that one shows, its caption or what was typed into it.
//! Sizes, colours, pictures and list entries are passed over.

use crate::bytes::{Reader, index, u16_at};

/// What a control of some class shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Caption,
    Value,
}

/// How the properties of a class are listed.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// Bytes of the mask (2.1.2.1).
    mask: usize,
    /// For each bit of the mask, how many bytes the property takes in the data block; nothing for a flag or for what
    /// stands in the block of strings only.
    widths: &'static [usize],
    /// The bit of the size, which stands in front of the strings of some classes.
    size_first: Option<usize>,
    /// The bits of the strings in the order in which they stand.
    strings: &'static [usize],
    /// The bit of the string that is shown.
    shown: usize,
}

/// 2.2.5.2, 2.2.5.3: the data of check boxes, option buttons, toggle buttons, text boxes, lists and combo boxes.
const MORPH: &[usize] = &[
    4, 4, 4, 4, 1, 1, 1, 1, 0, 2, 4, 2, 2, 2, 2, 2, 1, 1, 1, 0, 1, 1, 4, 4, 4, 4, 4, 2, 2, 2, 0, 0,
    4,
];
/// Bits of the size and of the strings in [`MORPH`].
const MORPH_SIZE: usize = 8;
const PASSWORD_CHAR: usize = 9;
const VALUE: usize = 22;
const CAPTION: usize = 23;
const GROUP: usize = 32;

/// 2.2.1.2, 2.2.1.3: command buttons.
const BUTTON: &[usize] = &[4, 4, 4, 4, 4, 0, 1, 2, 2, 0, 2];
/// 2.2.4.2, 2.2.4.3: labels.
const LABEL: &[usize] = &[4, 4, 4, 4, 4, 0, 1, 4, 2, 2, 2, 2, 2];
/// Bit of the caption in both.
const PLAIN_CAPTION: usize = 3;

/// Set in a length of a string whose characters take one byte each (2.4.14.2).
const COMPRESSED: u32 = 0x8000_0000;

/// The text that a control shows: class id in lower case without braces, data as its stream `contents` has them. None
/// where the class is another, or where nothing is shown.
pub fn shown(class: &str, data: &[u8]) -> Option<String> {
    let layout = layout(class)?;
    let mut reader = Reader::new(data);
    // MinorVersion, MajorVersion, and the size of what follows.
    if reader.take("version", 2).ok()? != [0, 2] {
        return None;
    }
    let size = usize::from(reader.u16("cb").ok()?);
    let body = reader.take("control", size.min(reader.remaining())).ok()?;
    let mut reader = Reader::new(body);
    let low = u64::from(reader.u32("PropMask").ok()?);
    let high = match layout.mask {
        8 => u64::from(reader.u32("PropMask").ok()?),
        _ => 0,
    };
    let mask = low | high << 32;
    let has = |bit: usize| mask >> bit & 1 == 1;
    let mut lengths = vec![0u32; layout.widths.len()];
    for (bit, width) in layout.widths.iter().enumerate() {
        if *width == 0 || !has(bit) {
            continue;
        }
        align(&mut reader, *width);
        let value = reader.take("DataBlock", *width).ok()?;
        if let Some(length) = lengths.get_mut(bit) {
            let digits = value.iter().rev();
            *length = digits.fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        }
    }
    align(&mut reader, 4);
    if layout.size_first.is_some_and(has) {
        reader.skip("Size", 8).ok()?;
    }
    for bit in layout.strings.iter().filter(|bit| has(**bit)) {
        let length = lengths.get(*bit).copied().unwrap_or_default();
        let bytes = reader.take("string", index(length & !COMPRESSED)).ok()?;
        if *bit == layout.shown {
            let text = text(bytes, length & COMPRESSED != 0);
            let covers = lengths.get(PASSWORD_CHAR).filter(|_| *bit == VALUE);
            let text = covered(text, covers.copied().unwrap_or_default());
            return (!text.trim().is_empty()).then_some(text);
        }
        align(&mut reader, 4);
    }
    None
}

/// A text as a box shows it that has a letter for each letter of a password; zero is none.
pub fn covered(text: String, letter: u32) -> String {
    match char::from_u32(letter).filter(|letter| *letter != '\0') {
        Some(letter) => text.chars().map(|_| letter).collect(),
        None => text,
    }
}

/// The names, in lower case, under which a property bag lists what a control of a class shows.
pub fn names_of_text(class: &str) -> &'static [&'static str] {
    match kind(class) {
        Some((_, Shows::Value)) => &["value", "text"],
        _ => &["caption"],
    }
}

/// How a class lists its properties, and what it shows.
fn kind(class: &str) -> Option<(bool, Shows)> {
    Some(match class {
        // Check box, option button, toggle button.
        "8bd21d40-ec42-11ce-9e0d-00aa006002f3"
        | "8bd21d50-ec42-11ce-9e0d-00aa006002f3"
        | "8bd21d60-ec42-11ce-9e0d-00aa006002f3" => (true, Shows::Caption),
        // Text box, list box, combo box.
        "8bd21d10-ec42-11ce-9e0d-00aa006002f3"
        | "8bd21d20-ec42-11ce-9e0d-00aa006002f3"
        | "8bd21d30-ec42-11ce-9e0d-00aa006002f3" => (true, Shows::Value),
        COMMAND_BUTTON | LABEL_CLASS => (false, Shows::Caption),
        _ => return None,
    })
}

const COMMAND_BUTTON: &str = "d7053240-ce69-11cd-a777-00dd01143c57";
const LABEL_CLASS: &str = "978c9e23-d4b0-11ce-bf2d-00aa003f40d0";

fn layout(class: &str) -> Option<Layout> {
    let (is_morph, shows) = kind(class)?;
    Some(match is_morph {
        true => Layout {
            mask: 8,
            widths: MORPH,
            size_first: Some(MORPH_SIZE),
            strings: &[VALUE, CAPTION, GROUP],
            shown: match shows {
                Shows::Value => VALUE,
                Shows::Caption => CAPTION,
            },
        },
        false => Layout {
            mask: 4,
            widths: match class {
                COMMAND_BUTTON => BUTTON,
                _ => LABEL,
            },
            size_first: None,
            strings: &[PLAIN_CAPTION],
            shown: PLAIN_CAPTION,
        },
    })
}

/// Skips to the next multiple of a width (2.1.1.2.1).
fn align(reader: &mut Reader<'_>, width: usize) {
    let over = reader.offset().checked_rem(width).unwrap_or_default();
    if over > 0 {
        // At the end, the next read fails.
        let _ = reader.skip("padding", width.saturating_sub(over));
    }
}

fn text(bytes: &[u8], compressed: bool) -> String {
    match compressed {
        true => bytes.iter().map(|byte| char::from(*byte)).collect(),
        false => {
            let units = bytes.chunks_exact(2).filter_map(|pair| u16_at(pair, 0));
            let letters = char::decode_utf16(units);
            letters
                .map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECK_BOX: &str = "8bd21d40-ec42-11ce-9e0d-00aa006002f3";

    /// A check box as Word writes one: colours, size, style, the value `0`, a caption.
    fn check_box(caption: &str) -> Vec<u8> {
        let mut body = vec![];
        let mask: u64 = 1 | 1 << 6 | 1 << 8 | 1 << 22 | 1 << 23;
        body.extend(mask.to_le_bytes());
        body.extend(0x2c80_0819u32.to_le_bytes());
        body.extend([4, 0, 0, 0]);
        body.extend((1u32 | COMPRESSED).to_le_bytes());
        let length = u32::try_from(caption.len()).unwrap() | COMPRESSED;
        body.extend(length.to_le_bytes());
        body.extend([0x11; 8]);
        body.extend(b"0\0\0\0");
        body.extend(caption.bytes());
        let size = u16::try_from(body.len()).unwrap();
        [&[0, 2][..], &size.to_le_bytes(), &body].concat()
    }

    #[test]
    fn a_check_box_shows_its_caption_and_a_text_box_its_value() {
        let data = check_box("I agree");
        assert_eq!(shown(CHECK_BOX, &data), Some("I agree".to_owned()));
        let text_box = CHECK_BOX.replace("d40", "d10");
        assert_eq!(shown(&text_box, &data), Some("0".to_owned()));
        assert_eq!(shown("d27cdb6e-ae6d-11cf-96b8-444553540000", &data), None);
        assert_eq!(shown(CHECK_BOX, &check_box("")), None);
        for end in 0..data.len() {
            assert_eq!(shown(CHECK_BOX, &data[..end]), None, "{end}");
        }
    }

    #[test]
    fn a_box_for_a_password_shows_a_letter_for_each() {
        let text_box = CHECK_BOX.replace("d40", "d10");
        let box_of = |letter: Option<char>| {
            let mask = 1u64 | 1 << 8 | 1 << 22 | letter.map_or(0, |_| 1 << 9);
            let mut body = mask.to_le_bytes().to_vec();
            body.extend(0x2c80_081bu32.to_le_bytes());
            if let Some(letter) = letter {
                let unit = u16::try_from(u32::from(letter)).unwrap();
                body.extend(unit.to_le_bytes());
                body.extend([0; 2]);
            }
            body.extend((6u32 | COMPRESSED).to_le_bytes());
            body.extend([0x11; 8]);
            body.extend(b"secret");
            let size = u16::try_from(body.len()).unwrap();
            [&[0, 2][..], &size.to_le_bytes(), &body].concat()
        };
        let shows = |letter| shown(&text_box, &box_of(letter));
        assert_eq!(shows(Some('*')), Some("******".to_owned()));
        assert_eq!(shows(Some('\0')), Some("secret".to_owned()));
        assert_eq!(shows(None), Some("secret".to_owned()));
    }

    #[test]
    fn a_button_shows_its_caption_of_wide_letters() {
        let caption: Vec<u8> = "送信".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let mut body = vec![];
        body.extend((1u32 | 1 << 3 | 1 << 5 | 1 << 6).to_le_bytes());
        body.extend([0x12, 0, 0, 0x80]);
        body.extend(4u32.to_le_bytes());
        body.extend([1, 0, 0, 0]);
        body.extend(caption);
        body.extend([0x11; 8]);
        let size = u16::try_from(body.len()).unwrap();
        let data = [&[0, 2][..], &size.to_le_bytes(), &body].concat();
        assert_eq!(shown(COMMAND_BUTTON, &data), Some("送信".to_owned()));
    }
}
