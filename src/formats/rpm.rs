//! RPM packages (Package File Format 4): where the payload begins.

use crate::bytes::{Reader, Short, index};

/// Length of the lead.
const LEAD: usize = 96;

/// Offset of the payload: behind the lead, the signature (padded to eight bytes) and the header.
///
/// # Errors
/// A part does not fit, or a header structure has no magic.
pub fn payload(data: &[u8]) -> Result<usize, Short> {
    let mut reader = Reader::at(data, LEAD);
    let signature = structure(&mut reader)?;
    let padded = signature.checked_next_multiple_of(8).unwrap_or(usize::MAX);
    structure(&mut Reader::at(data, padded))
}

/// The end of a header structure.
fn structure(reader: &mut Reader<'_>) -> Result<usize, Short> {
    let at = reader.offset();
    let magic = reader.take("magic of a header", 3)?;
    if magic != [0x8e, 0xad, 0xe8] {
        return Err(Short {
            field: "magic of a header",
            expected: 3,
            found: 0,
            offset: at,
        });
    }
    reader.skip("version, reserved", 5)?;
    let entries = big(reader, "entries of a header")?;
    let size = big(reader, "size of a header")?;
    reader.skip("index of a header", entries.saturating_mul(16))?;
    reader.skip("data of a header", size)?;
    Ok(reader.offset())
}

fn big(reader: &mut Reader<'_>, field: &'static str) -> Result<usize, Short> {
    Ok(index(u64::from(reader.u32(field)?.swap_bytes())))
}
