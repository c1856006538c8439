//! Outlook's stores ([MS-PST]): every message becomes a child of kind eml, written from its properties, with its
//! attachments and the messages attached to it. Where it stood is not kept as a name: names of folders are no file names.
//!
//! All of them are paid from the budget of the input. Once its time is over nothing of the store is read any more, so
//! that no tree of nodes takes longer however it is made.

use crate::bytes::{index, slice};
use crate::formats::pst::{Store, letter};
use crate::model::{Artifact, Fact, Kind, Trouble};
use crate::text;

use super::{Child, Nest};

/// How a message of a store is reached.
const VIA: &str = "pst-message";

/// Opens a store.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let budget = nest.budget();
    let mut fetch = |at: u64, len: usize| {
        budget.check_time().ok()?;
        slice(&artifact.data, index(at), len).map(<[u8]>::to_vec)
    };
    let opened = Store::open(&mut fetch);
    budget.check_time()?;
    let mut store = opened.map_err(Trouble::Broken)?;
    if store.damaged {
        nest.unread(0, "parts of the tree of its nodes cannot be read");
    }
    let places = store.places();
    for place in places {
        budget.check_time()?;
        let message = match store.message(place.id, index(budget.unpacked_left())) {
            Ok(message) => message,
            Err(why) => {
                let place = format!("{}#{}", place.folder, place.number);
                nest.unread(0, text::excerpt(&format!("{place}: {why}")));
                continue;
            }
        };
        let unread = message.unread.iter().map(|why| Fact::Unread {
            at: None,
            what: text::excerpt(why),
        });
        let child = Child::new(VIA, letter(&message)).of_kind(Kind::Eml);
        nest.push(unread.fold(child, Child::with_fact))?;
    }
    budget.check_time()?;
    Ok(())
}
