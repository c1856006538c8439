//! Exit codes, how several merge into one, and what is printed when a command cannot go on.

use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing found, everything looked through; or simply done.
    Success,
    /// Something at or above `--fail-at` was found; or what was checked does not hold.
    Found,
    /// An input could not be read, or the run failed.
    Failed,
    /// Nothing found, but something could not be looked through whole.
    Incomplete,
}

impl Exit {
    /// The number that the program exits with.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Found => 1,
            Self::Failed => 2,
            Self::Incomplete => 3,
        }
    }

    /// The one of two that counts: what was found wins over what failed, that over what is incomplete.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let rank = |exit: Self| match exit {
            Self::Found => 3,
            Self::Failed => 2,
            Self::Incomplete => 1,
            Self::Success => 0,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Why a command cannot go on.
#[derive(Debug)]
pub(super) enum Failure {
    /// To be told, with what to do about it.
    Told {
        message: String,
        hint: Option<String>,
    },
    /// Nobody reads the output any more: no failure at all.
    NobodyReads,
}

impl Failure {
    /// A failure to be told.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "stands behind map_err, which hands over values"
    )]
    pub(super) fn new(message: impl ToString) -> Self {
        Self::Told {
            message: message.to_string(),
            hint: None,
        }
    }

    /// Adds what to do about it, where that is known.
    #[must_use]
    pub(super) fn hint_if(self, hint: Option<&str>) -> Self {
        match hint {
            Some(hint) => self.hint(hint),
            None => self,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Self::Told { message, .. } => Self::Told {
                message,
                hint: Some(hint.into()),
            },
            Self::NobodyReads => self,
        }
    }

    /// A failure to write results.
    pub(super) fn output(error: &std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::BrokenPipe {
            Self::NobodyReads
        } else {
            Self::new(format!("cannot write the output: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_contract() {
        let codes = [Exit::Success, Exit::Found, Exit::Failed, Exit::Incomplete].map(Exit::code);
        assert_eq!(codes, [0, 1, 2, 3]);
    }

    #[test]
    fn found_wins_over_failed_and_failed_over_incomplete() {
        let ranked = [Exit::Success, Exit::Incomplete, Exit::Failed, Exit::Found];
        for (at, low) in ranked.iter().enumerate() {
            for high in &ranked[at..] {
                assert_eq!(low.merge(*high), *high);
                assert_eq!(high.merge(*low), *high);
            }
        }
    }
}
