//! Hangul documents (Hancom's "HWP Document File Formats", 5.0): what the header says, the scripts, the layer over
//! documents for distribution, and where the text of the older version 3 begins.
//!
//! Text and layout are not read.

use aes::cipher::{BlockCipherDecrypt, KeyInit};
use aes::{Aes128, Block};

use crate::bytes::{index, u16_at, u32_at};

/// The start of the header of both versions.
const SIGNATURE: &[u8] = b"HWP Document File";

/// The start of version 3, in whose header the version stands behind the signature.
const SIGNATURE_3: &[u8] = b"HWP Document File V3.00 \x1a\x01\x02\x03\x04\x05";

/// The tag of a record that begins a stream for distribution (4.2.16 `HWPTAG_DISTRIBUTE_DOC_DATA`), and its length.
const DISTRIBUTION: u32 = 0x1c;
const DISTRIBUTION_LEN: usize = 256;

/// What the stream `FileHeader` says (3.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    properties: u32,
}

impl Header {
    /// Reads the stream; none where it is no such header.
    pub fn read(data: &[u8]) -> Option<Self> {
        data.starts_with(SIGNATURE).then_some(())?;
        u32_at(data, 36).map(|properties| Self { properties })
    }

    /// Whether its streams are locked by a password, a certificate or rights management, and by which.
    pub fn lock(self) -> Option<&'static str> {
        let has = |bit: u32| self.properties >> bit & 1 == 1;
        match () {
            () if has(1) => Some("HWP password"),
            () if has(4) || has(10) => Some("HWP rights management"),
            () if has(8) => Some("HWP certificate"),
            () => None,
        }
    }

    /// Whether it is a document for distribution, whose text and scripts are under a layer that needs no password.
    pub fn is_for_distribution(self) -> bool {
        self.properties >> 2 & 1 == 1
    }
}

/// The plain bytes of a stream for distribution: its first record holds a key, by which the rest is encrypted. None where
/// there is no such record.
pub fn distributed(stream: &[u8]) -> Option<Vec<u8>> {
    let head = u32_at(stream, 0)?;
    (head & 0x3ff == DISTRIBUTION && index(head >> 20) == DISTRIBUTION_LEN).then_some(())?;
    let end = DISTRIBUTION_LEN.checked_add(4)?;
    let record = stream.get(4..end)?;
    let seed = u32_at(record, 0)?;
    let mut random = Random(seed);
    let mut plain = Vec::with_capacity(DISTRIBUTION_LEN);
    let (mut mask, mut left) = (0u8, 0u32);
    for (at, byte) in record.iter().enumerate() {
        if left == 0 {
            mask = random.next().to_le_bytes()[0];
            left = (random.next() & 0xf).saturating_add(1);
        }
        left = left.saturating_sub(1);
        plain.push(if at < 4 { *byte } else { byte ^ mask });
    }
    let place = index(seed & 0xf).checked_add(4)?;
    let key = plain.get(place..place.checked_add(16)?)?;
    let cipher = Aes128::new_from_slice(key).ok()?;
    let body = stream.get(end..)?;
    let mut out = Vec::with_capacity(body.len());
    for chunk in body.as_chunks::<16>().0 {
        let mut block = Block::from(*chunk);
        cipher.decrypt_block(&mut block);
        out.extend(block);
    }
    Some(out)
}

/// The numbers of Microsoft's `rand`.
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(214_013).wrapping_add(2_531_011);
        self.0 >> 16 & 0x7fff
    }
}

/// The sources in a stream `DefaultJScript` (3.2.9): header, source, and what runs before and after, each behind the
/// number of its UTF-16 characters.
pub fn scripts(data: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut rest = data;
    while let Some((count, behind)) = rest.split_first_chunk::<4>() {
        let count = index(u32::from_le_bytes(*count)).saturating_mul(2);
        // The last is followed by -1.
        let Some((text, behind)) = behind.split_at_checked(count) else {
            break;
        };
        found.push(text);
        rest = behind;
        if found.len() == 4 {
            break;
        }
    }
    found
}

/// Where the body of a document of version 3 begins, and whether it is compressed.
pub fn old_body(data: &[u8]) -> Option<(usize, bool)> {
    data.starts_with(SIGNATURE_3).then_some(())?;
    // Behind the signature: 128 bytes about the document, 1,008 of summary, a block whose length the first have.
    let compressed = *data.get(30 + 124)? != 0;
    let block = u16_at(data, 30 + 126)?;
    let start = index(block).checked_add(30 + 128 + 1008)?;
    Some((start, compressed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes::cipher::BlockCipherEncrypt;

    fn header(properties: u32) -> Vec<u8> {
        let mut data = SIGNATURE.to_vec();
        data.resize(32, 0);
        data.extend(0x0500_0300u32.to_le_bytes());
        data.extend(properties.to_le_bytes());
        data
    }

    #[test]
    fn a_header_tells_the_lock() {
        let lock = |properties| Header::read(&header(properties)).unwrap().lock();
        assert_eq!(lock(1), None);
        assert_eq!(lock(3), Some("HWP password"));
        assert_eq!(lock(0x11), Some("HWP rights management"));
        assert_eq!(lock(0x100), Some("HWP certificate"));
        assert!(Header::read(&header(5)).unwrap().is_for_distribution());
        assert_eq!(Header::read(b"HWP Document"), None);
    }

    /// A stream for distribution, as a writer makes it.
    pub(crate) fn distribute(seed: u32, plain: &[u8]) -> Vec<u8> {
        let mut record = seed.to_le_bytes().to_vec();
        record.extend((4u32..256).map(|at| u8::try_from(at * 7 % 256).unwrap()));
        let place = usize::try_from(seed & 0xf).unwrap() + 4;
        let cipher = Aes128::new_from_slice(&record[place..place + 16]).unwrap();
        let mut random = Random(seed);
        let (mut mask, mut left) = (0u8, 0u32);
        for (at, byte) in record.iter_mut().enumerate() {
            if left == 0 {
                mask = random.next().to_le_bytes()[0];
                left = (random.next() & 0xf) + 1;
            }
            left -= 1;
            if at >= 4 {
                *byte ^= mask;
            }
        }
        let mut stream = (0x1cu32 | 256 << 20).to_le_bytes().to_vec();
        stream.extend(record);
        let mut padded = plain.to_vec();
        padded.resize(plain.len().next_multiple_of(16), 0);
        for chunk in padded.as_chunks::<16>().0 {
            let mut block = Block::from(*chunk);
            cipher.encrypt_block(&mut block);
            stream.extend(block);
        }
        stream
    }

    #[test]
    fn a_stream_for_distribution_is_read_without_a_password() {
        for seed in [1, 0x1234_567f, u32::MAX] {
            let stream = distribute(seed, b"function OnDocument_Open(){}");
            let plain = distributed(&stream).unwrap();
            assert!(plain.starts_with(b"function OnDocument_Open(){}"));
        }
        assert_eq!(distributed(b"plain"), None);
        assert_eq!(distributed(&[0x1c, 0, 0, 0x10, 1, 2]), None);
    }

    #[test]
    fn scripts_are_the_texts_behind_their_lengths() {
        let mut data = 2u32.to_le_bytes().to_vec();
        data.extend(b"a\0b\0");
        data.extend(1u32.to_le_bytes());
        data.extend(b"c\0");
        data.extend([0xff; 4]);
        assert_eq!(scripts(&data), [b"a\0b\0".as_slice(), b"c\0"]);
        assert!(scripts(&[0xff; 3]).is_empty());
    }

    #[test]
    fn the_body_of_version_three_stands_behind_its_block() {
        let mut data = SIGNATURE_3.to_vec();
        data.resize(30 + 124, 0);
        data.extend([1, 0, 16, 0]);
        assert_eq!(old_body(&data), Some((30 + 128 + 1008 + 16, true)));
        assert_eq!(old_body(&data[..100]), None);
    }
}
