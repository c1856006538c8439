//! Locked members opened with a password: PKZIP's stream cipher (APPNOTE 6.1) and WinZip's AES (AE-1, AE-2).

use std::io::Read;

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256, Block};
use hmac::{Hmac, Mac};
use sha1::Sha1;

use crate::formats::zip::{Lock, Reading};

/// Bytes before the data that PKZIP's cipher begins with.
const HEADER: usize = 12;

/// Bytes inflated to tell a right password from a wrong one, where the content is longer.
const CHECKED: u64 = 16 << 20;

/// The compressed bytes of a member, where the password is right. Writers take its bytes in the code page of their
/// system, newer ones in UTF-8: both are tried where they differ.
pub(super) fn open(raw: &[u8], reading: &Reading, password: &str) -> Option<Vec<u8>> {
    let opened = open_with(raw, reading, password.as_bytes());
    let (other, _, unfit) = encoding_rs::SHIFT_JIS.encode(password);
    let differs = !unfit && other.as_ref() != password.as_bytes();
    opened.or_else(|| differs.then(|| open_with(raw, reading, &other)).flatten())
}

fn open_with(raw: &[u8], reading: &Reading, password: &[u8]) -> Option<Vec<u8>> {
    let data = match reading.lock? {
        Lock::ZipCrypto => stream_cipher(raw, reading, password)?,
        Lock::Aes(bits) => return aes(raw, bits, password),
        Lock::Strong | Lock::Masked => return None,
    };
    fits(&data, reading).then_some(data)
}

/// Undoes the stream cipher, where the check byte fits: the last of its header is the first of the checksum (6.1.6).
/// What is written before the checksum is known has the time there, and is told by its content alone.
fn stream_cipher(raw: &[u8], reading: &Reading, password: &[u8]) -> Option<Vec<u8>> {
    let (header, body) = raw.split_at_checked(HEADER)?;
    let mut keys = Keys::new(password);
    let check = header.iter().fold(0, |_, byte| keys.undo(*byte));
    let streamed = reading.flags & 8 != 0;
    let summed = matches!(reading.method, 0 | 8);
    let expected = reading.crc.map(|crc| crc.to_be_bytes()[0]);
    if !streamed && !summed && expected.is_some_and(|expected| expected != check) {
        return None;
    }
    Some(body.iter().map(|byte| keys.undo(*byte)).collect())
}

/// Whether decrypted bytes are what the member says: PKZIP's own check is one byte.
fn fits(data: &[u8], reading: &Reading) -> bool {
    // Nothing fits every word: it is no proof of any.
    if reading.size == Some(0) || data.is_empty() {
        return false;
    }
    let Some(crc) = reading.crc else {
        return false;
    };
    let mut sum = flate2::Crc::new();
    let mut buffer = [0; 16384];
    let mut source: Box<dyn Read + '_> = match reading.method {
        0 => Box::new(data),
        8 => Box::new(flate2::read::DeflateDecoder::new(data)),
        method => return begins_right(data, method),
    };
    let mut total = 0u64;
    // Ends at the end of the content or at the limit.
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return sum.sum() == crc,
            Ok(len) => {
                sum.update(buffer.get(..len).unwrap_or_default());
                total = total.saturating_add(crate::bytes::length(len));
                if total > CHECKED {
                    return true;
                }
            }
            Err(_) => return false,
        }
    }
}

/// Whether data of another method begins as its decoder wants it.
fn begins_right(data: &[u8], method: u16) -> bool {
    match (method, data) {
        (12, [b'B', b'Z', b'h', b'1'..=b'9', ..]) => true,
        // Version, five bytes of properties, the first of them in its range (5.8.8).
        (14, [_, _, 5, 0, properties, ..]) => *properties < 225,
        (95, [0xfd, b'7', b'z', b'X', b'Z', ..]) => true,
        (93 | 20, [0x28, 0xb5, 0x2f, 0xfd, ..]) => true,
        // Order, memory and way of restoring (5.10.2).
        (98, [low, high, ..]) => {
            let parameters = u16::from_le_bytes([*low, *high]);
            parameters & 0xf >= 1 && parameters >> 12 <= 2 && (parameters >> 4) & 0xff < 64
        }
        (12 | 14 | 95 | 93 | 20 | 98, _) => false,
        // What the check byte lets pass is told by the decoder.
        _ => true,
    }
}

/// The keys of the stream cipher (6.1.5).
struct Keys([u32; 3]);

impl Keys {
    fn new(password: &[u8]) -> Self {
        let mut keys = Self([0x1234_5678, 0x2345_6789, 0x3456_7890]);
        for byte in password {
            keys.update(*byte);
        }
        keys
    }

    fn update(&mut self, byte: u8) {
        let [a, b, c] = &mut self.0;
        *a = crc_step(*a, byte);
        *b = b
            .wrapping_add(*a & 0xff)
            .wrapping_mul(134_775_813)
            .wrapping_add(1);
        *c = crc_step(*c, b.to_be_bytes()[0]);
    }

    fn undo(&mut self, byte: u8) -> u8 {
        let mask = (self.0[2] | 2) & 0xffff;
        let [key, _, ..] = (mask.wrapping_mul(mask ^ 1) >> 8).to_le_bytes();
        let plain = byte ^ key;
        self.update(plain);
        plain
    }
}

fn crc_step(crc: u32, byte: u8) -> u32 {
    let place = usize::from(crc.to_le_bytes()[0] ^ byte);
    TABLE.get(place).copied().unwrap_or_default() ^ (crc >> 8)
}

/// CRC-32, a byte at a time.
static TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 {
                (crc >> 1) ^ 0xedb8_8320
            } else {
                crc >> 1
            };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
};

/// Undoes AES: salt, check value, data, ten bytes of authentication.
fn aes(raw: &[u8], bits: u16, password: &[u8]) -> Option<Vec<u8>> {
    let key_len = usize::from(bits / 8);
    let salt_len = key_len / 2;
    let salt = raw.get(..salt_len)?;
    let check = raw.get(salt_len..salt_len.checked_add(2)?)?;
    let data = raw.get(salt_len.checked_add(2)?..raw.len().checked_sub(10)?)?;
    let tag = raw.get(raw.len().checked_sub(10)?..)?;
    let mut keys = vec![0; key_len.checked_mul(2)?.checked_add(2)?];
    pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, 1000, &mut keys);
    let (key, rest) = keys.split_at_checked(key_len)?;
    let (authentication, verifier) = rest.split_at_checked(key_len)?;
    if verifier != check {
        return None;
    }
    let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(authentication).ok()?;
    mac.update(data);
    mac.verify_truncated_left(tag).ok()?;
    match bits {
        128 => counter::<Aes128>(key, data),
        192 => counter::<Aes192>(key, data),
        _ => counter::<Aes256>(key, data),
    }
}

/// Counter mode with a little-endian counter from 1 on.
fn counter<C: BlockCipherEncrypt<BlockSize = aes::cipher::consts::U16> + KeyInit>(
    key: &[u8],
    data: &[u8],
) -> Option<Vec<u8>> {
    let cipher = C::new_from_slice(key).ok()?;
    let mut out = Vec::with_capacity(data.len());
    for (number, chunk) in (1u128..).zip(data.chunks(16)) {
        let mut block = Block::from(number.to_le_bytes());
        cipher.encrypt_block(&mut block);
        out.extend(chunk.iter().zip(&block).map(|(a, b)| a ^ b));
    }
    Some(out)
}
