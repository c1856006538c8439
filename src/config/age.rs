//! Spans of time as people write them: `90d`, `12h`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age(pub Duration);

/// Units in seconds, the longest first.
const UNITS: [(&str, u64); 5] = [
    ("w", 7 * 24 * 3600),
    ("d", 24 * 3600),
    ("h", 3600),
    ("m", 60),
    ("s", 1),
];

/// A hundred years; more is a slip.
const LONGEST: u64 = 36_525 * 24 * 3600;

impl JsonSchema for Age {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Age".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time: a whole number with s, m, h, d or w (seconds, minutes, hours, days, weeks)",
            "type": "string",
            "pattern": "^ *[0-9]+ *[smhdw] *$",
        })
    }
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no span of time: write a whole number with s, m, h, d or w, such as \"90d\""
            )
        };
        let trimmed = text.trim();
        let (unit, seconds) = UNITS
            .into_iter()
            .find(|(unit, _)| trimmed.ends_with(unit))
            .ok_or_else(wrong)?;
        let number = trimmed.strip_suffix(unit).unwrap_or_default().trim_end();
        let number: u64 = number.parse().map_err(|_| wrong())?;
        number
            .checked_mul(seconds)
            .filter(|seconds| *seconds <= LONGEST)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("{text:?} is more than a hundred years"))
    }
}

impl fmt::Display for Age {
    /// In the longest unit that divides it, but for weeks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let fits = |(unit, factor): &&(&str, u64)| *unit != "w" && seconds.is_multiple_of(*factor);
        let (unit, factor) = UNITS.iter().find(fits).unwrap_or(&("s", 1));
        write!(f, "{}{unit}", seconds / factor)
    }
}

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?
            .parse()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_people_write_them() {
        let seconds = |text: &str| text.parse::<Age>().map(|age| age.0.as_secs());
        assert_eq!(seconds("90d"), Ok(90 * 86_400));
        assert_eq!(seconds(" 2 w "), Ok(14 * 86_400));
        assert_eq!(seconds("0s"), Ok(0));
        for wrong in ["", "d", "90", "-1d", "1.5h", "1y"] {
            assert!(
                seconds(wrong).unwrap_err().contains("no span of time"),
                "{wrong}"
            );
        }
        assert!(seconds("9999999w").unwrap_err().contains("hundred years"));
        for text in ["90d", "36h", "90m", "61s"] {
            assert_eq!(text.parse::<Age>().unwrap().to_string(), text);
        }
        assert_eq!("14d", "2w".parse::<Age>().unwrap().to_string());
    }
}
