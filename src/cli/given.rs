//! Values that several commands take: findings by id or group, points in time.

use crate::config::Age;
use crate::knowledge::Catalogue;
use crate::quarantine::parse_time;

use super::exit::Failure;

/// The ids that a finding, a combination or a group stands for.
pub(super) fn ids(catalogue: &Catalogue, wanted: &str) -> Result<Vec<String>, Failure> {
    let is_combination = || {
        let mut combinations = catalogue.combinations().iter();
        combinations.any(|combination| combination.id == wanted)
    };
    if wanted.starts_with("yara:") || catalogue.entry(wanted).is_some() || is_combination() {
        return Ok(vec![wanted.to_owned()]);
    }
    let group: Vec<String> = catalogue
        .entries()
        .filter(|entry| entry.group == wanted)
        .map(|entry| entry.id.clone())
        .collect();
    if group.is_empty() {
        return Err(Failure::new(format!("no finding and no group {wanted:?}"))
            .hint("`sekisho findings` lists them all"));
    }
    Ok(group)
}

/// A day, a time or an age, in seconds since 1970.
pub(super) fn moment(text: &str) -> Result<i64, String> {
    if let Some(seconds) = parse_time(text) {
        return Ok(seconds);
    }
    let age: Age = text.parse().map_err(|_| {
        "write a day (2026-11-24), a time (2026-11-24T12:00:00+09:00) or an age (2d)".to_owned()
    })?;
    let then = std::time::SystemTime::now().checked_sub(age.0);
    let since = then.and_then(|then| then.duration_since(std::time::UNIX_EPOCH).ok());
    Ok(since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }))
}
