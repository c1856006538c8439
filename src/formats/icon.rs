//! Icons and cursors (ICO, CUR): a list of pictures, each a PNG or a bitmap without the header of its file and with a mask
//! below it that doubles its height.

use crate::bytes::{Reader, index, slice, u16_at, u32_at};

/// Pictures of one icon that are looked at.
const PICTURES: usize = 16;

/// Largest bitmap in bytes: a code fits into far less.
const LARGEST: usize = 4 << 20;

/// Bytes of the header of a bitmap ([MS-WMF] 2.2.2.3), and of its fourth version (BITMAPV4HEADER).
const HEADER: usize = 40;
const HEADER_4: u32 = 108;

/// One picture of an icon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picture<'a> {
    /// As it stands in the icon.
    Png(&'a [u8]),
    /// A bitmap with the header that a file of its own has.
    Bitmap(Vec<u8>),
}

/// The pictures of an icon, as far as they lie within it.
pub fn pictures(data: &[u8]) -> Vec<Picture<'_>> {
    let mut found = Vec::new();
    let count = u16_at(data, 4).map_or(0, index);
    for number in 0..count.min(PICTURES) {
        let entry = number.saturating_mul(16).saturating_add(6);
        let field = |at: usize| u32_at(data, entry.saturating_add(at)).map(index);
        let (Some(len), Some(at)) = (field(8), field(12)) else {
            break;
        };
        let len = len.min(data.len().saturating_sub(at));
        let Some(picture) = slice(data, at, len) else {
            continue;
        };
        if picture.starts_with(b"\x89PNG") {
            found.push(Picture::Png(picture));
        } else if picture.len() <= LARGEST {
            found.extend(bitmap(picture).map(Picture::Bitmap));
        }
    }
    found
}

/// A bitmap as a file: half as high, and of four bytes a pixel with the fourth as opacity.
fn bitmap(picture: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::new(picture);
    let size = reader.u32("size of the header").ok()?;
    let width = reader.u32("width").ok()?;
    let height = reader.u32("height").ok()? / 2;
    let planes = reader.u16("planes").ok()?;
    let bits = reader.u16("bits of a pixel").ok()?;
    let compression = reader.u32("compression").ok()?;
    let _ = reader.array::<12>("size and resolution").ok()?;
    let colours = reader.u32("colours").ok()?;
    if index(size) != HEADER || compression != 0 || planes > 1 {
        return None;
    }
    let opaque = bits != 32;
    let table = match (bits, colours) {
        (1 | 4 | 8, 0) => 1u32 << bits,
        (1 | 4 | 8, colours) => colours.min(256),
        _ => 0,
    };
    let header = if opaque { 40 } else { HEADER_4 };
    let start = 14u32
        .checked_add(header)?
        .checked_add(table.checked_mul(4)?)?;
    let body = picture.get(HEADER..)?;
    let mut out = Vec::with_capacity(body.len().saturating_add(200));
    out.extend(b"BM");
    let whole = u32::try_from(body.len()).ok()?.checked_add(start)?;
    out.extend(whole.to_le_bytes());
    out.extend([0; 4]);
    out.extend(start.to_le_bytes());
    out.extend(header.to_le_bytes());
    out.extend(width.to_le_bytes());
    out.extend(height.to_le_bytes());
    out.extend(1u16.to_le_bytes());
    out.extend(bits.to_le_bytes());
    // With masks for the colours, of which the last is opacity.
    out.extend(if opaque { 0u32 } else { 3 }.to_le_bytes());
    out.extend([0; 12]);
    out.extend(table.to_le_bytes());
    out.extend([0; 4]);
    if !opaque {
        for mask in [0x00ff_0000u32, 0xff00, 0xff, 0xff00_0000] {
            out.extend(mask.to_le_bytes());
        }
        out.extend(*b"BGRs");
        out.extend([0; 48]);
    }
    out.extend(body);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An icon with one picture.
    pub(crate) fn icon(picture: &[u8]) -> Vec<u8> {
        let mut data = vec![0, 0, 1, 0, 1, 0, 32, 32, 0, 0, 1, 0, 32, 0];
        data.extend(u32::try_from(picture.len()).unwrap().to_le_bytes());
        data.extend(22u32.to_le_bytes());
        data.extend(picture);
        data
    }

    fn header(bits: u16) -> Vec<u8> {
        let mut header = Vec::new();
        for number in [40u32, 32, 64] {
            header.extend(number.to_le_bytes());
        }
        header.extend(1u16.to_le_bytes());
        header.extend(bits.to_le_bytes());
        header.resize(40, 0);
        header
    }

    #[test]
    fn pictures_become_files_of_their_own() {
        let png = b"\x89PNG\r\n\x1a\nx";
        assert_eq!(pictures(&icon(png)), [Picture::Png(png)]);
        let of = |bits: u16| match pictures(&icon(&[header(bits), vec![7; 5000]].concat())).pop() {
            Some(Picture::Bitmap(file)) => file,
            other => panic!("{other:?}"),
        };
        let file = of(32);
        assert_eq!(file.len(), 14 + 108 + 5000);
        assert_eq!(
            (file[10], file[14], file[22], file[28], file[30]),
            (122, 108, 32, 32, 3)
        );
        assert_eq!((of(1)[10], of(24)[10]), (62, 54));
    }

    #[test]
    fn what_is_cut_or_no_icon_ends() {
        let whole = icon(&[header(32), vec![7; 50]].concat());
        for len in 0..whole.len() {
            let _ = pictures(&whole[..len]);
        }
        let mut many = whole.clone();
        many[4..6].fill(0xff);
        assert_eq!(pictures(&many).len(), 1);
        assert!(pictures(&icon(&header(32)[..30])).is_empty());
    }
}
