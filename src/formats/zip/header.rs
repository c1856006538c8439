//! One central or local header (APPNOTE 4.3.7, 4.3.12) with its extra fields: zip64 sizes (4.5.3), AES (the
//! AE-x specification), Info-ZIP Unicode path (4.6.9).

use crate::bytes::{Deviation, Reader, Short, index, slice, u16_at, u32_at, u64_at};
use crate::text;

/// Signature of a local header.
pub(super) const LOCAL: &[u8; 4] = b"PK\x03\x04";
/// Signature of a central header.
pub(super) const CENTRAL: &[u8; 4] = b"PK\x01\x02";
/// Signature of a data descriptor (4.3.9.3), which writers may leave out.
const DESCRIPTOR: &[u8; 4] = b"PK\x07\x08";

/// General purpose bit 0: the data is encrypted.
const ENCRYPTED: u16 = 1;
/// Bit 3: sizes and checksum stand behind the data.
const DESCRIBED: u16 = 1 << 3;
/// Bit 6: strong encryption.
const STRONG: u16 = 1 << 6;
/// Bit 11: the name is UTF-8.
const UTF8: u16 = 1 << 11;
/// Bit 13: values in the local header are masked, since the directory is encrypted.
const MASKED: u16 = 1 << 13;

/// A 32-bit field that says "see the zip64 extra field".
const ELSEWHERE: u64 = 0xffff_ffff;

/// Method of members encrypted by the AE-x specification; the real one stands in an extra field.
pub const AES_METHOD: u16 = 99;

/// What one header, central or local, says of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View<'a> {
    /// Offset of the header in the file.
    pub at: usize,
    /// Offset of the first byte behind the header.
    pub end: usize,
    /// General purpose bit flags (4.4.4).
    pub flags: u16,
    /// Compression method (4.4.5).
    pub method: u16,
    /// CRC-32 of the content.
    pub crc: u32,
    /// Length of the compressed data.
    pub compressed: u64,
    /// Length of the content.
    pub size: u64,
    /// Offset of the local header as a central header states it; 0 in a local one.
    pub offset: u64,
    /// Number of the disk that a central header places the data on; 0 in a local one.
    pub disk: u32,
    /// File attributes as the writing system has them; 0 in a local header.
    pub external: u32,
    /// Writing system and version; 0 in a local header.
    pub made_by: u16,
    /// The name in raw bytes.
    pub name: &'a [u8],
    /// The extra fields.
    pub extra: &'a [u8],
}

/// How a member is locked by a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// The old stream cipher of PKZIP (6.1).
    ZipCrypto,
    /// AE-1 or AE-2 with keys of so many bits.
    Aes(u16),
    /// Strong encryption (7), by certificates or passwords.
    Strong,
    /// Local headers masked because the directory is encrypted (7.3).
    Masked,
}

impl std::fmt::Display for Lock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ZipCrypto => f.write_str("ZipCrypto"),
            Self::Aes(bits) => write!(f, "AES-{bits}"),
            Self::Strong => f.write_str("PKWARE strong encryption"),
            Self::Masked => f.write_str("PKWARE encrypted directory"),
        }
    }
}

impl<'a> View<'a> {
    /// Reads the central header at `at`, whose signature the caller has seen.
    pub(super) fn central(data: &'a [u8], at: usize) -> Result<Self, Short> {
        let mut reader = Reader::at(data, at);
        reader.skip("signature", 4)?;
        let made_by = reader.u16("version made by")?;
        reader.skip("version needed", 2)?;
        let mut view = Self::shared(&mut reader, at)?;
        let name_len = reader.u16("file name length")?;
        let extra_len = reader.u16("extra field length")?;
        let comment_len = reader.u16("file comment length")?;
        view.disk = u32::from(reader.u16("disk number start")?);
        reader.skip("internal file attributes", 2)?;
        view.external = reader.u32("external file attributes")?;
        view.offset = u64::from(reader.u32("offset of local header")?);
        view.made_by = made_by;
        view.name = reader.take("file name", usize::from(name_len))?;
        view.extra = reader.take("extra field", usize::from(extra_len))?;
        reader.skip("file comment", usize::from(comment_len))?;
        view.end = reader.offset();
        Ok(view)
    }

    /// Reads the local header at `at`, whose signature the caller has seen.
    pub(super) fn local(data: &'a [u8], at: usize) -> Result<Self, Short> {
        let mut reader = Reader::at(data, at);
        reader.skip("signature", 4)?;
        reader.skip("version needed", 2)?;
        let mut view = Self::shared(&mut reader, at)?;
        let name_len = reader.u16("file name length")?;
        let extra_len = reader.u16("extra field length")?;
        view.name = reader.take("file name", usize::from(name_len))?;
        view.extra = reader.take("extra field", usize::from(extra_len))?;
        view.end = reader.offset();
        Ok(view)
    }

    /// The fields that both headers have in the same order.
    fn shared(reader: &mut Reader<'a>, at: usize) -> Result<Self, Short> {
        let flags = reader.u16("general purpose bit flag")?;
        let method = reader.u16("compression method")?;
        reader.skip("modification time and date", 4)?;
        Ok(View {
            at,
            end: at,
            flags,
            method,
            crc: reader.u32("crc-32")?,
            compressed: u64::from(reader.u32("compressed size")?),
            size: u64::from(reader.u32("uncompressed size")?),
            offset: 0,
            disk: 0,
            external: 0,
            made_by: 0,
            name: &[],
            extra: &[],
        })
    }

    /// Replaces the numbers that stand in a zip64 extra field; a field that lacks one is a deviation.
    pub(super) fn widen(&mut self) -> Option<Deviation> {
        let wanted =
            [self.size, self.compressed, self.offset].contains(&ELSEWHERE) || self.disk == 0xffff;
        if !wanted {
            return None;
        }
        let Some(field) = field(self.extra, 1) else {
            // Without the field the numbers may well be meant as they stand.
            return None;
        };
        let mut at = 0usize;
        let mut missing = None;
        for (number, what) in [
            (&mut self.size, "uncompressed size"),
            (&mut self.compressed, "compressed size"),
            (&mut self.offset, "local header offset"),
        ] {
            if *number != ELSEWHERE {
                continue;
            }
            match u64_at(field, at) {
                Some(wide) => *number = wide,
                None => missing = Some(what),
            }
            at = at.saturating_add(8);
        }
        if self.disk == 0xffff
            && let Some(disk) = u32_at(field, at)
        {
            self.disk = disk;
        }
        missing.map(|what| Deviation::new(self.at, format!("zip64 extra field lacks the {what}")))
    }

    /// Whether sizes and checksum stand behind the data (bit 3).
    pub fn is_described(&self) -> bool {
        self.flags & DESCRIBED != 0
    }

    /// How the member is locked, if this header says so.
    pub fn lock(&self) -> Option<Lock> {
        if self.flags & MASKED != 0 {
            return Some(Lock::Masked);
        }
        if self.flags & ENCRYPTED == 0 && self.method != AES_METHOD {
            return None;
        }
        if self.method == AES_METHOD {
            let bits = field(self.extra, 0x9901).and_then(|field| field.get(4).copied());
            return Some(Lock::Aes(match bits {
                Some(1) => 128,
                Some(2) => 192,
                _ => 256,
            }));
        }
        let strong = self.flags & STRONG != 0;
        Some(if strong {
            Lock::Strong
        } else {
            Lock::ZipCrypto
        })
    }

    /// The method that packed the content; of an AES member the one inside.
    pub fn packed_by(&self) -> u16 {
        match field(self.extra, 0x9901) {
            Some(aes) if self.method == AES_METHOD => u16_at(aes, 5).unwrap_or(self.method),
            _ => self.method,
        }
    }

    /// Every plausible reading of the name, the likeliest first: the Unicode path where its checksum says that it
    /// belongs to this name, UTF-8 where bit 11 says so, else what the bytes may be.
    pub fn name_readings(&self) -> Vec<String> {
        let mut readings = Vec::with_capacity(1);
        if !self.extra.is_empty()
            && let Some(path) = self.unicode_path()
        {
            readings.push(path);
        }
        if self.flags & UTF8 != 0
            && let Ok(name) = std::str::from_utf8(self.name)
        {
            readings.push(name.to_owned());
            return readings;
        }
        readings.extend(text::name_readings(self.name));
        readings
    }

    fn unicode_path(&self) -> Option<String> {
        let field = field(self.extra, 0x7075)?;
        let (version, rest) = field.split_first()?;
        let (sum, path) = rest.split_first_chunk::<4>()?;
        let belongs = *version == 1 && u32::from_le_bytes(*sum) == crc32(self.name);
        belongs.then(|| String::from_utf8(path.to_vec()).ok())?
    }

    /// Whether a header found by its signature alone can be one: noise in programs and pictures is passed over.
    pub(super) fn is_plausible(&self) -> bool {
        /// Longest name taken for one where nothing but a signature vouches for it; Windows paths end at 32,767.
        const LONGEST: usize = 4096;
        let method = matches!(self.method, 0..=14 | 16 | 18..=20 | 93..=99);
        let name = !self.name.is_empty() && self.name.len() <= LONGEST;
        // Reserved or unused bits (4.4.4); a writer that sets them is not known.
        let flags = self.flags & 0b1101_0111_1000_0000 == 0;
        method && name && flags
    }

    /// Length of the data descriptor at `at` behind `compressed` bytes of data that make `size`; 0 where there is none.
    pub(super) fn descriptor_len(
        &self,
        data: &[u8],
        at: usize,
        compressed: u64,
        size: u64,
    ) -> usize {
        let signed = slice(data, at, 4) == Some(DESCRIPTOR);
        if !signed && !self.is_described() {
            return 0;
        }
        let mark = if signed { 4 } else { 0 };
        let lengths = at.saturating_add(mark).saturating_add(4);
        let wide = [lengths, lengths.saturating_add(8)].map(|at| u64_at(data, at));
        let narrow = u32_at(data, lengths).map(u64::from);
        if wide == [Some(compressed), Some(size)] && size != 0 {
            mark + 20
        } else if signed || narrow == Some(compressed) {
            mark + 12
        } else {
            0
        }
    }
}

/// Whether the bytes at `at` are a data descriptor whose compressed length leads back to `start`.
pub(super) fn closes(data: &[u8], at: usize, start: usize) -> bool {
    let length = crate::bytes::length(at.saturating_sub(start));
    let field = at.saturating_add(8);
    slice(data, at, 4) == Some(DESCRIPTOR)
        && (u32_at(data, field).map(u64::from) == Some(length)
            || u64_at(data, field) == Some(length))
}

/// The extra field of an id; the first of several.
fn field(extra: &[u8], id: u16) -> Option<&[u8]> {
    let mut rest = extra;
    // Ends because each turn takes at least four bytes.
    while let Some((head, tail)) = rest.split_first_chunk::<4>() {
        let found = u16_at(head, 0)?;
        let len = index(u16_at(head, 2)?);
        if found == id {
            return Some(tail.get(..len).unwrap_or(tail));
        }
        rest = tail.get(len..)?;
    }
    None
}

/// CRC-32 of bytes (4.4.7).
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view<'a>(name: &'a [u8], extra: &'a [u8], flags: u16) -> View<'a> {
        View {
            at: 0,
            end: 0,
            flags,
            method: 8,
            crc: 0,
            compressed: 1,
            size: 1,
            offset: 0,
            disk: 0,
            external: 0,
            made_by: 0,
            name,
            extra,
        }
    }

    #[test]
    fn names_are_read_by_flag_by_unicode_path_and_by_look() {
        let (sjis, _, _) = encoding_rs::SHIFT_JIS.encode("見積書.exe");
        assert!(
            view(&sjis, &[], 0)
                .name_readings()
                .contains(&"見積書.exe".to_owned())
        );
        assert_eq!(view("報告".as_bytes(), &[], UTF8).name_readings(), ["報告"]);
        let mut extra = vec![0x75, 0x70, 14, 0, 1];
        extra.extend(crc32(b"a.txt").to_le_bytes());
        extra.extend("b\u{e9}.exe".as_bytes().iter().chain(b"xx"));
        assert_eq!(
            view(b"a.txt", &extra, 0).name_readings(),
            ["b\u{e9}.exexx", "a.txt"]
        );
        assert_eq!(view(b"other", &extra, 0).name_readings(), ["other"]);
    }

    #[test]
    fn zip64_numbers_replace_only_what_is_marked_and_a_missing_one_is_told() {
        let mut extra = vec![1, 0, 16, 0];
        extra.extend(7u64.to_le_bytes());
        extra.extend(9u64.to_le_bytes());
        let mut wide = view(b"a", &extra, 0);
        wide.compressed = ELSEWHERE;
        wide.offset = ELSEWHERE;
        assert_eq!(wide.widen(), None);
        assert_eq!((wide.size, wide.compressed, wide.offset), (1, 7, 9));
        let mut lacking = view(b"a", &extra, 0);
        (lacking.size, lacking.compressed, lacking.offset) = (ELSEWHERE, ELSEWHERE, ELSEWHERE);
        assert_eq!(
            lacking.widen().map(|deviation| deviation.what).as_deref(),
            Some("zip64 extra field lacks the local header offset")
        );
    }

    #[test]
    fn locks_are_told_apart() {
        let aes = [0x01, 0x99, 7, 0, 2, 0, b'A', b'E', 1, 8, 0];
        let mut member = view(b"a", &aes, ENCRYPTED);
        member.method = AES_METHOD;
        assert_eq!(member.lock(), Some(Lock::Aes(128)));
        assert_eq!(member.packed_by(), 8);
        assert_eq!(view(b"a", &[], 1).lock(), Some(Lock::ZipCrypto));
        assert_eq!(view(b"a", &[], 0x41).lock(), Some(Lock::Strong));
        assert_eq!(view(b"a", &[], 0).lock(), None);
    }
}
