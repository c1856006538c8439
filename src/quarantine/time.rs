//! Points in time: seconds since 1970 in the index, RFC 3339 in UTC for people and programs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mail_parser::DateTime;

/// Seconds since 1970 of a point in time; 0 for what lies before.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The present, in seconds since 1970.
pub(super) fn now() -> i64 {
    seconds(SystemTime::now())
}

/// A duration in whole seconds.
pub(super) fn span(duration: Duration) -> i64 {
    i64::try_from(duration.as_secs()).unwrap_or(i64::MAX)
}

/// `2026-11-24T03:40:00Z`.
pub fn shown(seconds: i64) -> String {
    DateTime::from_timestamp(seconds).to_rfc3339()
}

/// The seconds since 1970 of a day (`2026-11-24`, its beginning in UTC) or of a time (RFC 3339).
pub fn parse(text: &str) -> Option<i64> {
    let day_only = text.len() == 10;
    let whole = if day_only {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    // The parser of the crate takes what is not there for zero: the shape is checked here.
    let bytes = whole.as_bytes();
    let at = |index: usize| bytes.get(index).copied();
    let shape = bytes.len() >= 20
        && (at(4), at(7), at(10)) == (Some(b'-'), Some(b'-'), Some(b'T'))
        && (at(13), at(16)) == (Some(b':'), Some(b':'))
        && whole.is_ascii();
    let date = DateTime::parse_rfc3339(&whole).filter(|date| shape && date.is_valid())?;
    let seconds = date.to_timestamp();
    let reads_back = shown(date.to_timestamp_local());
    // The 31st of November reads as the 1st of December.
    (reads_back.get(..10) == whole.get(..10)).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back() {
        assert_eq!(shown(1_795_000_000), "2026-11-18T11:06:40Z");
        assert_eq!(parse("2026-11-18T11:06:40Z"), Some(1_795_000_000));
        assert_eq!(parse("2026-11-18T20:06:40+09:00"), Some(1_795_000_000));
        assert_eq!(parse("1970-01-02"), Some(86_400));
        for wrong in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-11-31",
            "2026-11-18T11",
            "20261118",
            "2026-11-18T11:06:4０Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
