//! The states of a message, and which may follow which.

use serde::Serialize;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for somebody to look at it.
    Held,
    /// Kept as dangerous.
    Quarantined,
    /// Went on to each of its recipients; the bytes are still there.
    Released,
    /// Its time was over: the bytes are gone, the row stays.
    Expired,
    /// Deleted by hand: the bytes are gone, the row stays.
    Deleted,
}

impl State {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Held,
        Self::Quarantined,
        Self::Released,
        Self::Expired,
        Self::Deleted,
    ];

    /// Its name in the index, on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Quarantined => "quarantined",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Deleted => "deleted",
        }
    }

    /// Whether the bytes of the message are kept.
    pub fn is_live(self) -> bool {
        match self {
            Self::Held | Self::Quarantined | Self::Released => true,
            Self::Expired | Self::Deleted => false,
        }
    }

    /// Whether `next` may follow: a released message is not held again, and what is gone stays gone.
    pub fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Held | Self::Quarantined, _) => self != next,
            (Self::Released, Self::Expired | Self::Deleted) => true,
            (Self::Released | Self::Expired | Self::Deleted, _) => false,
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_stays_gone() {
        for next in State::ALL {
            assert!(!State::Deleted.may_become(next) && !State::Expired.may_become(next));
            assert!(!next.may_become(next));
            assert_eq!(State::of_name(next.as_str()), Some(next));
        }
        assert!(State::Held.may_become(State::Quarantined));
        assert!(State::Quarantined.may_become(State::Held));
        assert!(State::Released.may_become(State::Deleted));
        assert!(!State::Released.may_become(State::Held));
    }
}
