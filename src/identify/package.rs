//! What a zip is by its members: Office Open XML by main content type, OpenDocument, Java, Android, or just a zip.

use crate::limits::Budget;

use super::Identity;

/// Tells what a zip is; `None` where there is no zip structure at all. Offset 0 need not be its start.
pub(super) fn identify(_data: &[u8], _budget: &Budget) -> Option<Identity> {
    None
}

/// A zip that ends the bytes without starting them: where it starts, and what it is.
pub(super) fn appended(_data: &[u8], _budget: &Budget) -> Option<(usize, Identity)> {
    None
}
