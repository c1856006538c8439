//! Why an unpacker could not go on. Six different answers, none of them "clean".

use thiserror::Error;

use crate::bytes::Short;
use crate::limits::{Fault, Halt};

use super::Fact;

/// What stopped an unpacker. What it had found by then stands.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Trouble {
    /// The bytes are not of this format after all.
    #[error("not this format: {0}")]
    NotThis(String),
    /// They are, but something in them cannot be read.
    #[error("broken: {0}")]
    Broken(String),
    /// A password is needed; how it is locked.
    #[error("locked: {0}")]
    Locked(String),
    /// A limit was met.
    #[error("limit met: {0}")]
    TooMuch(#[from] Halt),
    /// A method or version for which there is no reader.
    #[error("no reader: {0}")]
    NoReader(String),
}

impl From<Short> for Trouble {
    fn from(short: Short) -> Self {
        Self::Broken(short.to_string())
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Halt(halt) => Self::TooMuch(halt),
            Fault::Broken(what) => Self::Broken(what),
        }
    }
}

impl Trouble {
    /// The trouble as a fact about the artifact; `place` says where in it, or is empty.
    pub fn into_fact(self, place: &str) -> Fact {
        let whole = |what: String| {
            if place.is_empty() {
                what
            } else {
                format!("{place}: {what}")
            }
        };
        match self {
            Self::NotThis(what) | Self::Broken(what) => Fact::Unread {
                at: None,
                what: whole(what),
            },
            Self::Locked(scheme) => Fact::Locked {
                scheme,
                what: (!place.is_empty()).then(|| place.to_owned()),
            },
            Self::TooMuch(halt) => Fact::Limit {
                halt,
                what: place.to_owned(),
            },
            Self::NoReader(what) => Fact::NoReader { what: whole(what) },
        }
    }
}
