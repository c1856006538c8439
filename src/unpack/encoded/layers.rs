//! Layers of encoding under one another: base64 written in base64, a zlib stream under it, and a program whose pairs of
//! bytes are swapped.

use crate::formats::{base64, masked};
use crate::model::Trouble;

use super::super::Nest;
use super::{HEAD, SHORTEST, promising};

/// Layers that are taken off.
const LAYERS: usize = 4;

/// What lies under further layers: base64 written in base64, and a zlib stream.
pub(super) fn off(mut decoded: Vec<u8>, nest: &mut Nest<'_>) -> Result<Vec<u8>, Trouble> {
    for _ in 0..LAYERS {
        if let Some(program) = masked::swapped(&decoded) {
            nest.budget().spend(program.len())?;
            return Ok(program);
        }
        if let [0x78, flags, ..] = decoded.as_slice()
            && (0x7800 | u16::from(*flags)).is_multiple_of(31)
        {
            let make = flate2::bufread::ZlibDecoder::new;
            let inflated = nest.inflate(&decoded, 0, make);
            if let Some(Trouble::TooMuch(halt)) = inflated.fault.map(Trouble::from) {
                return Err(Trouble::TooMuch(halt));
            }
            if inflated.data.is_empty() {
                return Ok(decoded);
            }
            decoded = inflated.data;
            continue;
        }
        let is_letter = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'+' | b'/' | b'-' | b'_' | b'=' | b'\r' | b'\n')
        };
        let head = decoded.get(..SHORTEST).unwrap_or_default();
        if head.is_empty() || !decoded.iter().all(is_letter) {
            return Ok(decoded);
        }
        let under = base64::decode(&decoded).data;
        if !promising(under.get(..HEAD).unwrap_or(&under)) {
            return Ok(decoded);
        }
        nest.budget().spend(under.len())?;
        decoded = under;
    }
    Ok(decoded)
}
