//! Mailboxes in one file: each message becomes a child of kind eml. Ranges stay slices: `>From ` lines are not
//! unquoted, since that changes no attachment and would cost a copy of every message.

use super::{Child, MESSAGE, Nest};
use crate::formats::mbox::Messages;
use crate::limits::Halt;
use crate::model::{Artifact, Kind, Trouble};

/// Messages of one mailbox, at most: limits hold per message, so their number has a bound of its own.
const MESSAGES: usize = 200_000;

/// Opens a mailbox.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    for range in Messages::new(&artifact.data) {
        if nest.len() >= MESSAGES {
            return Err(Trouble::TooMuch(Halt::Ceiling(
                "200,000 messages of a mailbox",
            )));
        }
        let message = Child::new(MESSAGE, artifact.data.slice(range.clone()))
            .at(range)
            .of_kind(Kind::Eml);
        nest.push(message)?;
    }
    if nest.is_empty() {
        return Err(Trouble::NotThis("no postmark with a header".to_owned()));
    }
    Ok(())
}
