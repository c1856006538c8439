//! The number by which people ask for a message: twelve random digits, `4821-0937-5526`.
//!
//! Digits alone are read out on the telephone without mistakes in any language. Ten to the power of twelve numbers
//! stand against at most some hundred thousand messages, so that neither a guess nor a slip of the finger meets
//! one; nothing is open to who knows a number alone.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::StoreError;

/// How many there are.
const NUMBERS: u64 = 1_000_000_000_000;

/// The number of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(u64);

impl Ticket {
    /// One by the dice of the operating system.
    pub(super) fn random() -> Result<Self, StoreError> {
        let number = getrandom::u64().map_err(|error| StoreError::Unreachable {
            what: "cannot get random numbers".to_owned(),
            source: error.to_string().into(),
        })?;
        Ok(Self(number % NUMBERS))
    }
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (self.0 / 10_000, self.0 % 10_000);
        write!(f, "{:04}-{:04}-{low:04}", high / 10_000, high % 10_000)
    }
}

impl FromStr for Ticket {
    type Err = String;

    /// Takes the digits in any grouping, full-width ones too, as Japanese keyboards give them.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no number of a message: twelve digits, 4821-0937-5526");
        let mut digits = String::new();
        for c in text.chars() {
            match c {
                '0'..='9' => digits.push(c),
                '０'..='９' => {
                    let digit = u32::from(c).saturating_sub(u32::from('０'));
                    digits.extend(char::from_digit(digit, 10));
                }
                '-' | ' ' | '－' | '‐' | 'ー' | '−' => {}
                _ => return Err(wrong()),
            }
        }
        if digits.len() != 12 {
            return Err(wrong());
        }
        digits.parse().map(Self).map_err(|_| wrong())
    }
}

impl Serialize for Ticket {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_reads_back_in_any_grouping() {
        let ticket = Ticket(7_0937_5526);
        assert_eq!(ticket.to_string(), "0007-0937-5526");
        for typed in [
            "0007-0937-5526",
            "000709375526",
            " 0007 0937 5526",
            "０００７－０９３７－５５２６",
        ] {
            assert_eq!(typed.parse(), Ok(ticket), "{typed}");
        }
        for wrong in ["", "0007-0937-552", "0007-0937-55266", "0007-0937-552x"] {
            assert!(
                wrong
                    .parse::<Ticket>()
                    .unwrap_err()
                    .contains("twelve digits")
            );
        }
        let random = Ticket::random().unwrap();
        assert_eq!(random.to_string().parse(), Ok(random));
    }
}
