//! Bytes → kind and other plausible readings, by structure, never by name.

mod compound;
mod mail;
mod package;

pub use mail::{MailStart, mail_start};

use crate::limits::Budget;
use crate::model::{Fact, Kind};

/// What bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The likeliest kind.
    pub kind: Kind,
    /// Other kinds that the victim's software may take them for; each is followed.
    pub readings: Vec<Kind>,
    /// What was seen on the way, such as a second file behind the first.
    pub facts: Vec<Fact>,
}

impl Identity {
    /// A kind that leaves no doubt.
    pub fn certain(kind: Kind) -> Self {
        Self {
            kind,
            readings: Vec::new(),
            facts: Vec::new(),
        }
    }
}

/// Tells what bytes are. Never fails: bytes of no known structure are [`Kind::Text`] or [`Kind::Data`].
pub fn identify(data: &[u8], budget: &Budget) -> Identity {
    if data.is_empty() {
        return Identity::certain(Kind::Empty);
    }
    if let Some(identity) =
        compound::identify(data, budget).or_else(|| package::identify(data, budget))
    {
        return identity;
    }
    if let Some(identity) = mail::identify(data) {
        return identity;
    }
    Identity::certain(if crate::text::sniff(data).is_some() {
        Kind::Text
    } else {
        Kind::Data
    })
}
