//! What a compound file is by its streams and class id: Word, Excel, PowerPoint, Outlook, an installer …

use crate::limits::Budget;

use super::Identity;

/// Tells what a compound file is; `None` where there is no compound file header.
pub(super) fn identify(_data: &[u8], _budget: &Budget) -> Option<Identity> {
    None
}
