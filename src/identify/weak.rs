//! Checks of the structure behind signatures that are too short to be trusted alone.

use crate::bytes::{index, slice, u16_at, u32_at, u64_at};

/// BITMAPFILEHEADER, then the size of one of the known headers.
pub(super) fn bmp(data: &[u8]) -> bool {
    matches!(
        u32_at(data, 14),
        Some(12 | 16 | 40 | 52 | 56 | 64 | 108 | 124)
    )
}

/// ICONDIR: a plausible count and first entry.
pub(super) fn icon(data: &[u8]) -> bool {
    let fits = || {
        let count = usize::from(u16_at(data, 4)?);
        let reserved = *data.get(9)?;
        let (size, from) = (u32_at(data, 14)?, u32_at(data, 18)?);
        let table = count.checked_mul(16)?.checked_add(6)?;
        Some(
            (1..=256).contains(&count)
                && reserved == 0
                && size > 0
                && index(from) >= table
                && index(from) < data.len(),
        )
    };
    fits() == Some(true)
}

/// META_HEADER ([MS-WMF] 2.3.2.2): nine words, version 1 or 3, no members.
pub(super) fn metafile(data: &[u8]) -> bool {
    matches!(data.get(5), Some(1 | 3))
        && u32_at(data, 6).is_some_and(|words| words >= 9)
        && u16_at(data, 16) == Some(0)
}

/// A brand of HEIF or AVIF in front (ISO/IEC 23008-12).
pub(super) fn still_picture(data: &[u8]) -> bool {
    matches!(
        slice(data, 8, 4),
        Some(
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"mif1" | b"msf1" | b"avif" | b"avis"
        )
    )
}

/// An atom of a QuickTime file whose length leaves room for itself.
pub(super) fn atom(data: &[u8]) -> bool {
    matches!(data.first_chunk::<4>(), Some(len) if matches!(u32::from_be_bytes(*len), 1 | 8..=0x7fff_ffff))
}

/// BOF of Excel 2 to 8 ([MS-XLS] 2.4.21): the kind of sheet.
pub(super) fn sheet(data: &[u8]) -> bool {
    matches!(
        u16_at(data, 6),
        Some(0x05 | 0x06 | 0x10 | 0x20 | 0x40 | 0x100)
    )
}

/// The main header of ARJ: sizes, and the file type that marks it.
pub(super) fn arj(data: &[u8]) -> bool {
    let fits = || {
        let size = u16_at(data, 2)?;
        let first = *data.get(4)?;
        Some(
            (30..=2600).contains(&size)
                && first >= 30
                && u16::from(first) <= size
                && *data.get(7)? <= 12
                && *data.get(10)? == 2,
        )
    };
    fits() == Some(true)
}

/// A method in dashes and a header level.
pub(super) fn lzh(data: &[u8]) -> bool {
    let method = matches!(data.get(5), Some(b'0'..=b'9' | b'a'..=b'f' | b's' | b'x'))
        && data.get(6) == Some(&b'-');
    method
        && matches!(data.get(20), Some(0..=3))
        && data
            .first()
            .is_some_and(|size| *size > 0 || data.get(1) != Some(&0))
}

/// A method, a name of 13 bytes that ends in a zero, and a size that is there, behind which the next header or the end
/// stands.
pub(super) fn arc(data: &[u8]) -> bool {
    let fits = || {
        let method = *data.get(1)?;
        let name = slice(data, 2, 13)?;
        let len = name.iter().position(|byte| *byte == 0)?;
        let raw = name.get(..len)?;
        let plain = raw
            .iter()
            .all(|byte| !byte.is_ascii_control() && !matches!(byte, b'/' | b'"' | b'*'));
        let packed = index(u32_at(data, 15)?);
        let head = if method == 1 { 25 } else { 29 };
        let end = packed.checked_add(head)?;
        let goes_on = data.get(end) == Some(&0x1a);
        // Names in no ASCII, and what is cut: only where all else fits.
        let fits = match raw.is_ascii() {
            true => packed.checked_add(25)? <= data.len(),
            false => goes_on,
        };
        Some(matches!(method, 1..=11) && len > 0 && plain && fits)
    };
    fits() == Some(true)
}

/// A header of octal or hexadecimal digits.
pub(super) fn cpio_text(data: &[u8]) -> bool {
    let len = if data.starts_with(b"070707") { 76 } else { 110 };
    data.get(..len)
        .is_some_and(|head| head.iter().all(u8::is_ascii_hexdigit))
}

/// A header of 26 bytes: a known file type and a name that is there and ends in a zero.
pub(super) fn cpio_binary(data: &[u8]) -> bool {
    let big = data.first() == Some(&0x71);
    let word = |at: usize| u16_at(data, at).map(|word| if big { word.swap_bytes() } else { word });
    let fits = || {
        let name = usize::from(word(20)?);
        let kind = word(6)? >> 12;
        let last = *data.get(26usize.checked_add(name)?.checked_sub(1)?)?;
        Some(matches!(kind, 1 | 2 | 4 | 6 | 8 | 10 | 12) && (2..=4096).contains(&name) && last == 0)
    };
    fits() == Some(true)
}

/// A tar header without `ustar`: its checksum holds (POSIX pax, "ustar Interchange Format").
pub(super) fn tar(data: &[u8]) -> bool {
    let Some(header) = data.get(..512) else {
        return false;
    };
    let Some(field) = header.get(148..156) else {
        return false;
    };
    let digits: Vec<u8> = field
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b' ' | 0))
        .collect();
    if digits.is_empty()
        || !digits.iter().all(|byte| (b'0'..=b'7').contains(byte))
        || header.first() == Some(&0)
    {
        return false;
    }
    let claimed = digits.iter().fold(0u32, |sum, digit| {
        sum.wrapping_mul(8).wrapping_add(u32::from(digit - b'0'))
    });
    let own: u32 = field.iter().map(|byte| u32::from(*byte)).sum();
    let all: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    all.wrapping_sub(own).wrapping_add(8 * u32::from(b' ')) == claimed
}

/// A block size digit, then the mark of a block or of the end.
pub(super) fn bzip2(data: &[u8]) -> bool {
    matches!(data.get(3), Some(b'1'..=b'9'))
        && matches!(
            slice(data, 4, 6),
            Some([0x31, 0x41, 0x59, 0x26, 0x53, 0x59] | [0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
        )
}

/// A dictionary size of 2^n or 2^n + 2^(n-1), a length that is unknown or plausible, and a first byte of zero.
pub(super) fn lzma(data: &[u8]) -> bool {
    let dictionary = u32_at(data, 1).unwrap_or(0);
    let plausible = dictionary.is_power_of_two()
        || (dictionary / 3).is_power_of_two() && dictionary.is_multiple_of(3);
    let len = u64_at(data, 5).is_some_and(|len| len == u64::MAX || len < 1 << 40);
    plausible && dictionary >= 1 << 12 && len && data.get(13) == Some(&0)
}

/// A version and a length that leaves room for the header.
pub(super) fn flash(data: &[u8]) -> bool {
    matches!(data.get(3), Some(1..=60))
        && u32_at(data, 4).is_some_and(|len| (8..1 << 30).contains(&len))
}

/// A table count and a first table tag of printable characters.
pub(super) fn font(data: &[u8]) -> bool {
    let tables = slice(data, 4, 2)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u16::from_be_bytes);
    let tag =
        slice(data, 12, 4).is_some_and(|tag| tag.iter().all(|byte| matches!(byte, b' '..=b'~')));
    tables.is_some_and(|count| (1..=64).contains(&count)) && tag
}

/// Embedded OpenType: its own size at byte 0 and a known version.
pub(super) fn embedded_font(data: &[u8]) -> bool {
    u32_at(data, 0).is_some_and(|size| index(size) == data.len())
        && matches!(u32_at(data, 8), Some(0x10000 | 0x20001 | 0x20002))
}

/// Two MPEG audio frames in a row, the second where the first says that it ends.
pub(super) fn mpeg_audio(data: &[u8]) -> bool {
    frame(data, 0).is_some_and(|len| data.len() == len || frame(data, len).is_some())
}

/// Length of the layer III frame at `at` (ISO/IEC 11172-3 2.4.2.3).
fn frame(data: &[u8], at: usize) -> Option<usize> {
    const RATES_1: [usize; 16] = [
        0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0,
    ];
    const RATES_2: [usize; 16] = [
        0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0,
    ];
    const HERTZ: [usize; 4] = [44_100, 48_000, 32_000, 0];
    let &[first, second, third, _] = slice(data, at, 4)?.first_chunk::<4>()?;
    if first != 0xff || second & 0xe6 != 0xe2 {
        return None;
    }
    let (rates, divisor, samples) = match second & 0x18 {
        0x18 => (RATES_1, 1, 144_000),
        0x10 => (RATES_2, 2, 72_000),
        0x00 => (RATES_2, 4, 72_000),
        _ => return None,
    };
    let rate = *rates.get(usize::from(third >> 4))?;
    let hertz = HERTZ.get(usize::from(third >> 2 & 3))? / divisor;
    let padding = usize::from(third >> 1 & 1);
    let len = rate
        .checked_mul(samples)?
        .checked_div(hertz)?
        .checked_add(padding)?;
    (rate > 0).then_some(at.saturating_add(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tar_without_its_mark_is_known_by_its_checksum() {
        let mut header = vec![0; 512];
        header[..5].copy_from_slice(b"a.txt");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        assert!(tar(&header));
        header[0] = b'b';
        assert!(!tar(&header));
        assert!(!tar(&[0; 512]));
    }

    #[test]
    fn sound_needs_a_second_frame() {
        let mut data = vec![0; 834];
        data[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
        data[417..421].copy_from_slice(&[0xff, 0xfb, 0x90, 0x00]);
        assert!(mpeg_audio(&data));
        data[417] = 0;
        assert!(!mpeg_audio(&data));
    }

    #[test]
    fn lha_arj_arc_and_lzma_by_their_headers() {
        let mut lha = vec![0; 40];
        lha[..7].copy_from_slice(&[30, 9, b'-', b'l', b'h', b'5', b'-']);
        assert!(lzh(&lha));
        lha[20] = b'a';
        assert!(!lzh(&lha));
        let mut header = vec![0; 60];
        header[..11].copy_from_slice(&[0x60, 0xea, 40, 0, 30, 11, 1, 0, 0, 0, 2]);
        assert!(arj(&header));
        header[10] = 0;
        assert!(!arj(&header));
        let mut member = vec![0; 40];
        member[..8].copy_from_slice(&[0x1a, 8, b'a', b'.', b't', b'x', b't', 0]);
        member[15] = 4;
        assert!(arc(&member));
        member[15] = 200;
        assert!(!arc(&member));
        let mut stream = vec![0x5d, 0, 0, 0x80, 0];
        stream.extend([0xff; 8]);
        stream.extend([0, 1, 2]);
        assert!(lzma(&stream));
        stream[13] = 9;
        assert!(!lzma(&stream));
    }

    #[test]
    fn cpio_in_its_three_forms() {
        assert!(cpio_text(&[b"070701".to_vec(), vec![b'0'; 104]].concat()));
        assert!(!cpio_text(b"070701 is a number and more text follows that has nothing to do with archives, as one can see at a glance here"));
        let mut data = vec![0; 40];
        data[..2].copy_from_slice(&[0xc7, 0x71]);
        data[6..8].copy_from_slice(&0x81a4u16.to_le_bytes());
        data[20] = 6;
        data[26..31].copy_from_slice(b"a.txt");
        assert!(cpio_binary(&data));
        data[7] = 0xf1;
        assert!(!cpio_binary(&data));
    }
}
