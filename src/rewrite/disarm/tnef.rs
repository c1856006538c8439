//! Messages in TNEF ([MS-OXTNEF]) with other attachments: new bytes in the attribute of old ones, its length and checksum
//! with them. Everything else stays.

use bytes::Bytes;

use super::Refusal;
use super::archive::Change;
use crate::bytes::u32_at;
use crate::limits::Budget;

/// Puts changed attachments into a message.
pub(super) fn edit(
    data: &Bytes,
    changes: &[Change<'_>],
    budget: &Budget,
) -> Result<Bytes, Refusal> {
    let no_place = || Refusal::Broken("an attachment is in no attribute of its own".to_owned());
    let mut edits = Vec::new();
    for change in changes {
        budget.tick().map_err(Refusal::Limit)?;
        // Another name would have to stand in more than one place.
        if change.extension.is_some() {
            return Err(Refusal::Broken("an attachment keeps its name".to_owned()));
        }
        let new = change.new.as_ref().ok_or_else(no_place)?;
        let range = change.artifact.at.clone().ok_or_else(no_place)?;
        // 2.1.3.1: level, id, length, data, checksum.
        let length = range.start.checked_sub(4).ok_or_else(no_place)?;
        let told = u32_at(data, length).map(crate::bytes::index);
        if told != Some(range.len()) || data.get(range.clone()) != Some(&change.artifact.data) {
            return Err(no_place());
        }
        let size = u32::try_from(new.len()).map_err(|_| no_place())?;
        let sum = new
            .iter()
            .fold(0u16, |sum, byte| sum.wrapping_add(u16::from(*byte)));
        let attribute = [&size.to_le_bytes()[..], new, &sum.to_le_bytes()].concat();
        edits.push((length..range.end.saturating_add(2), attribute));
    }
    edits.sort_by_key(|(range, _)| range.start);
    let mut out = Vec::with_capacity(data.len());
    let mut from = 0;
    for (range, attribute) in edits {
        out.extend_from_slice(data.get(from..range.start).ok_or_else(no_place)?);
        out.extend_from_slice(&attribute);
        from = range.end.min(data.len());
    }
    out.extend_from_slice(data.get(from..).unwrap_or_default());
    budget.spend(out.len()).map_err(Refusal::Limit)?;
    Ok(out.into())
}
