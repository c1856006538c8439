//! Drawings in binary documents ([MS-ODRAW]): the places of pictures that are not in the document.
//!
//! Tables of properties (2.2.9 OfficeArtFOPT, 2.2.11 OfficeArtTertiaryFOPT) are found by the look of their headers
//! wherever they stand: in the table and the data of a text, in the records of a workbook or a presentation.

use memchr::memmem;

use crate::bytes::{index, slice, u16_at, u32_at};
use crate::limits::{Budget, Halt};

/// Numbers of the records, as they stand in a header.
const TABLES: [[u8; 2]; 2] = [0xf00b_u16.to_le_bytes(), 0xf122_u16.to_le_bytes()];

/// pibName, fillBlipName, lineBlipName (2.3.23.7, 2.3.7.9, 2.3.8.8).
const PLACES: [u16; 3] = [0x0105, 0x0187, 0x01c6];

/// Places that are kept, and bytes of one.
const KEPT: usize = 64;
const LONGEST: usize = 4096;

/// The places that pictures are taken from.
///
/// # Errors
/// Besides the limits of the whole scan: so many headers within each other as only hostile streams have.
pub fn pictures(stream: &[u8], budget: &Budget) -> Result<Vec<String>, Halt> {
    let mut found = Vec::new();
    // Tables that do not overlap have fewer properties than the stream has bytes.
    let mut left = stream.len().saturating_add(1 << 16);
    for number in TABLES {
        for at in memmem::find_iter(stream, &number) {
            budget.tick()?;
            let header = at.checked_sub(2).filter(|_| found.len() < KEPT);
            if let Some(header) = header {
                table(stream, header, &mut left, &mut found)?;
            }
        }
    }
    Ok(found)
}

/// Adds the places in the table whose header may start here.
fn table(
    stream: &[u8],
    header: usize,
    left: &mut usize,
    found: &mut Vec<String>,
) -> Result<(), Halt> {
    /// Size of a header, and of the fixed part of a property (2.2.1, 2.2.7).
    const HEADER: usize = 8;
    const PROPERTY: usize = 6;
    let word = u16_at(stream, header).unwrap_or_default();
    let count = usize::from(word >> 4);
    let length = index(u32_at(stream, header.saturating_add(4)).unwrap_or_default());
    let fixed = count.saturating_mul(PROPERTY);
    if word & 0xf != 3 || count == 0 || fixed > length {
        return Ok(());
    }
    let start = header.saturating_add(HEADER);
    let mut value_at = start.saturating_add(fixed);
    for property in 0..count {
        *left = left
            .checked_sub(1)
            .ok_or(Halt::Ceiling("properties of drawings"))?;
        let at = start.saturating_add(property.saturating_mul(PROPERTY));
        let (Some(kind), Some(value)) = (u16_at(stream, at), u32_at(stream, at.saturating_add(2)))
        else {
            return Ok(());
        };
        // The values of complex ones stand behind the table, in the same order.
        if kind & 0x8000 == 0 {
            continue;
        }
        let size = index(value);
        if PLACES.contains(&(kind & 0x3fff)) {
            let text = slice(stream, value_at, size.min(LONGEST)).unwrap_or_default();
            let (units, _) = text.as_chunks::<2>();
            let units: Vec<u16> = units.iter().map(|unit| u16::from_le_bytes(*unit)).collect();
            let text = String::from_utf16_lossy(&units);
            let text = text.trim_matches('\0').trim();
            if !text.is_empty() && found.len() < KEPT {
                found.push(text.to_owned());
            }
        }
        value_at = value_at.saturating_add(size);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn table_of(kind: u16, text: &str) -> Vec<u8> {
        let value: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let other = [0x04, 0x41, 1, 0, 0, 0];
        let size = u32::try_from(value.len()).unwrap();
        let body = [&other[..], &kind.to_le_bytes(), &size.to_le_bytes(), &value].concat();
        let length = u32::try_from(body.len()).unwrap();
        [&[0x23, 0, 0x0b, 0xf0][..], &length.to_le_bytes(), &body].concat()
    }

    fn told(stream: &[u8]) -> Vec<String> {
        pictures(stream, &Budget::new(Limits::default(), None)).unwrap()
    }

    #[test]
    fn places_of_pictures_are_found_anywhere_and_other_texts_are_none() {
        let stream = [
            &[0x0b, 0xf0, 3][..],
            &table_of(0x8105, "\\\\h\\a.png\0"),
            &[7; 9],
        ]
        .concat();
        assert_eq!(told(&stream), ["\\\\h\\a.png"]);
        assert_eq!(told(&table_of(0x8187, "a")), ["a"]);
        assert!(told(&table_of(0x8380, "wzName")).is_empty());
        assert!(told(&table_of(0x0105, "a")).is_empty());
        assert!(told(&stream[..20]).is_empty());
    }
    #[test]
    fn tables_that_lie_within_each_other_are_not_gone_through_for_ever() {
        let budget = Budget::new(Limits::default(), None);
        let header = [0xf3, 0xff, 0x0b, 0xf0, 0xff, 0xff, 0, 0];
        let most = Halt::Ceiling("properties of drawings");
        assert_eq!(pictures(&header.repeat(20_000), &budget), Err(most));
        // As many, one behind the other.
        let one = table_of(0x8380, "wzName");
        assert_eq!(pictures(&one.repeat(20_000), &budget), Ok(Vec::new()));
    }
}
