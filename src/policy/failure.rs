//! THE failure policy: what is done when a mail could not be scanned because of us, not of its bytes.

use crate::config::Unscannable;
use crate::model::Action;

/// What went wrong on our side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// All scanners are busy, or memory is short.
    Busy,
    /// The scan did not end in time.
    OutOfTime,
    /// A scanner broke down.
    Lost,
    /// The quarantine store, the next hop or a name server does not answer.
    Unreachable,
    /// The MTA does not let us do what the policy asks for.
    NotOffered,
}

/// What is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// 451 4.7.1: the mail stays with the sender's server, which tries again.
    Tempfail,
    /// An action of the policy on the mail as a whole.
    Act(Action),
}

/// Times that a mail was tried from which it is no longer sent back: it would come again for days.
const TRIES: u32 = 3;

/// What is done with a mail that we could not scan. `tries` counts this one.
///
/// A mail that ran out of time or broke a scanner down three times goes to quarantine, so that it is neither lost nor
/// tried for ever. Being full, or a store that does not answer, says nothing about the mail: that is tempfail always.
pub fn on_failure(trouble: Trouble, configured: Unscannable, tries: u32) -> Failure {
    match trouble {
        Trouble::Busy | Trouble::Unreachable | Trouble::NotOffered => Failure::Tempfail,
        Trouble::OutOfTime | Trouble::Lost => match configured {
            Unscannable::Act(action) => Failure::Act(action),
            Unscannable::Tempfail if tries >= TRIES => Failure::Act(Action::Quarantine),
            Unscannable::Tempfail => Failure::Tempfail,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_waved_through_and_nothing_is_tried_for_ever() {
        let default = Unscannable::Tempfail;
        for trouble in [Trouble::OutOfTime, Trouble::Lost] {
            assert_eq!(on_failure(trouble, default, 1), Failure::Tempfail);
            assert_eq!(on_failure(trouble, default, 2), Failure::Tempfail);
            assert_eq!(
                on_failure(trouble, default, 3),
                Failure::Act(Action::Quarantine)
            );
        }
        for trouble in [Trouble::Busy, Trouble::Unreachable, Trouble::NotOffered] {
            let act = Unscannable::Act(Action::Deliver);
            assert_eq!(on_failure(trouble, default, 9), Failure::Tempfail);
            assert_eq!(on_failure(trouble, act, 9), Failure::Tempfail);
        }
        let hold = Unscannable::Act(Action::Hold);
        assert_eq!(
            on_failure(Trouble::Lost, hold, 1),
            Failure::Act(Action::Hold)
        );
    }
}
