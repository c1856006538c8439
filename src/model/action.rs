//! What is done with a mail or a part of it, from the mildest to the strictest.

use serde::{Deserialize, Serialize};

/// One action of a policy; the stricter one is the greater.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Passed on as it came.
    Deliver,
    /// Passed on with headers that say what was found.
    Tag,
    /// Active content is removed, the document kept; where that can't be done: [`Action::Strip`].
    Disarm,
    /// The part is replaced by a notice.
    Strip,
    /// Stored, and released by hand or by a rule.
    Hold,
    /// Stored as dangerous.
    Quarantine,
    /// Refused before it is accepted.
    Reject,
}

impl Action {
    /// All of them, the mildest first.
    pub const ALL: [Self; 7] = [
        Self::Deliver,
        Self::Tag,
        Self::Disarm,
        Self::Strip,
        Self::Hold,
        Self::Quarantine,
        Self::Reject,
    ];

    /// Its name in policies, logs and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Tag => "tag",
            Self::Disarm => "disarm",
            Self::Strip => "strip",
            Self::Hold => "hold",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }

    /// Whether the mail goes on to the recipient, changed or not.
    pub fn delivers(self) -> bool {
        self <= Self::Strip
    }

    /// Whether the content of the mail is changed (headers that are added do not count).
    pub fn changes_content(self) -> bool {
        matches!(self, Self::Disarm | Self::Strip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_stand_from_the_mildest_to_the_strictest_under_their_names() {
        assert!(Action::ALL.is_sorted());
        for action in Action::ALL {
            let written = serde_json::to_value(action).unwrap();
            assert_eq!(written, action.as_str());
        }
        assert!(Action::Strip.delivers() && !Action::Hold.delivers());
    }
}
