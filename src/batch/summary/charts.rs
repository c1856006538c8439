//! Charts as inline SVG: bars over time, and spans from a first to a last sighting.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::civil::Date;

use crate::report::escape;

use super::facts::Levels;

/// Bars of a chart at most, but where it has one for each year.
const BARS: i32 = 62;

/// Of a thousand messages, so many at either end may be cut off where that makes the rest readable: dates are claims.
const STRAY: u64 = 5;

/// Width and height of a chart of bars, in its own units.
const SIZE: (f64, f64) = (900.0, 120.0);

/// Messages over time, in days, months or years.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    /// Every day, month or year of the time, with or without messages.
    pub(super) bars: Vec<(String, Levels)>,
    /// Messages with dates outside of it.
    pub(super) outside: u64,
}

impl Timeline {
    /// The time that holds every malicious and suspicious message and nearly all others.
    pub(super) fn of(days: &BTreeMap<Date, Levels>) -> Self {
        let (Some(first), Some(last)) = (days.keys().next(), days.keys().next_back()) else {
            return Self::default();
        };
        let (mut first, mut last) = (*first, *last);
        let (near, far) = most(days, first, last);
        if between(near, far).saturating_mul(2) < between(first, last) {
            (first, last) = (near, far);
        }
        let scale = match between(first, last) {
            days if days < BARS => Scale::Days,
            days if days / 30 < BARS => Scale::Months,
            _ => Scale::Years,
        };
        let mut bars: Vec<(String, Levels)> = Vec::new();
        let mut at = first;
        // Ends because the last day is in the same century as the first or the next.
        while at <= last {
            let name = scale.name(at);
            if bars.last().is_none_or(|(bar, _)| *bar != name) {
                bars.push((name, Levels::default()));
            }
            if let (Some(levels), Some((_, sum))) = (days.get(&at), bars.last_mut()) {
                sum.add(*levels);
            }
            match at.tomorrow() {
                Ok(next) => at = next,
                Err(_) => break,
            }
        }
        let shown: u64 = bars.iter().map(|(_, levels)| levels.all()).sum();
        let all: u64 = days.values().map(|levels| levels.all()).sum();
        Self {
            bars,
            outside: all.saturating_sub(shown),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Scale {
    Days,
    Months,
    Years,
}

impl Scale {
    fn name(self, date: Date) -> String {
        match self {
            Self::Days => date.to_string(),
            Self::Months => format!("{:04}-{:02}", date.year(), date.month()),
            Self::Years => format!("{:04}", date.year()),
        }
    }
}

fn between(first: Date, last: Date) -> i32 {
    first.until(last).map_or(i32::MAX, |span| span.get_days())
}

/// The days that hold all bad messages and nearly all others.
fn most(days: &BTreeMap<Date, Levels>, first: Date, last: Date) -> (Date, Date) {
    let all: u64 = days.values().map(|levels| levels.all()).sum();
    let spare = all.saturating_mul(STRAY) / 1000;
    let near = edge(days.iter(), spare);
    let far = edge(days.iter().rev(), spare);
    (near.unwrap_or(first), far.unwrap_or(last))
}

/// The first day that more than the spare messages, or a bad one, are of.
fn edge<'a>(days: impl Iterator<Item = (&'a Date, &'a Levels)>, spare: u64) -> Option<Date> {
    let mut passed: u64 = 0;
    for (day, levels) in days {
        passed = passed.saturating_add(levels.all());
        if passed > spare || levels.bad() > 0 {
            return Some(*day);
        }
    }
    None
}

/// What the bars of a chart count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Malicious and suspicious messages.
    Bad,
    /// All messages.
    All,
}

/// A chart of bars; `label` says what it shows, for those who do not see it.
pub(super) fn bars(timeline: &Timeline, of: Of, label: &str) -> String {
    let height = |levels: &Levels| match of {
        Of::Bad => levels.bad(),
        Of::All => levels.all(),
    };
    let most = timeline.bars.iter().map(|(_, levels)| height(levels)).max();
    let most = most.unwrap_or_default().max(1);
    let (width, tall) = SIZE;
    let step = width / number(timeline.bars.len().max(1));
    let mut out = format!(
        "<svg class=\"bars\" viewBox=\"0 0 {width} {}\" role=\"img\" aria-label=\"{label}\">\n",
        tall + 18.0
    );
    let unit = tall / number(most);
    for (at, (name, levels)) in timeline.bars.iter().enumerate() {
        let x = step * number(at);
        let parts: &[(&str, u64)] = match of {
            Of::Bad => &[
                ("malicious", levels.malicious),
                ("suspicious", levels.suspicious),
            ],
            Of::All => &[("all", levels.all())],
        };
        let _ = write!(
            out,
            "<g><title>{}: {}</title>",
            escape(name),
            height(levels)
        );
        let mut top = tall;
        for (class, count) in parts.iter().filter(|(_, count)| *count > 0) {
            let high = unit * number(*count);
            top -= high;
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{:.2}\" y=\"{top:.2}\" width=\"{:.2}\" height=\"{:.2}\"/>",
                x + step * 0.1,
                step * 0.8,
                high.max(0.8)
            );
        }
        out.push_str("</g>\n");
    }
    let _ = writeln!(
        out,
        "<line class=\"axis\" x1=\"0\" y1=\"{tall}\" x2=\"{width}\" y2=\"{tall}\"/>"
    );
    let ends = [timeline.bars.first(), timeline.bars.last()];
    for (bar, (x, anchor)) in ends.into_iter().zip([(0.0, "start"), (width, "end")]) {
        let name = bar.map(|(name, _)| escape(name)).unwrap_or_default();
        let _ = writeln!(
            out,
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"{anchor}\">{name}</text>",
            tall + 14.0
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"{}\" y=\"12\" text-anchor=\"middle\">max {most}</text>\n</svg>",
        width / 2.0
    );
    out
}

/// The time of several spans, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    from: i64,
    to: i64,
}

impl Stretch {
    /// The time from the earliest to the latest of these.
    pub(super) fn of(times: impl Iterator<Item = i64> + Clone) -> Option<Self> {
        Some(Self {
            from: times.clone().min()?,
            to: times.max()?,
        })
    }

    /// How far along a point is, from 0 to 100.
    fn along(self, time: i64) -> f64 {
        let whole = number(self.to.saturating_sub(self.from).max(1));
        (number(time.saturating_sub(self.from)) / whole * 100.0).clamp(0.0, 100.0)
    }

    /// A line from a first to a last sighting, with a dot at the first.
    pub(super) fn span(self, first: i64, last: i64, class: &str) -> String {
        let (left, right) = (self.along(first), self.along(last.max(first)));
        format!(
            "<svg class=\"span {class}\" viewBox=\"-2 0 104 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
             <line class=\"axis\" x1=\"0\" y1=\"5\" x2=\"100\" y2=\"5\"/>\
             <rect x=\"{left:.2}\" y=\"3.5\" width=\"{:.2}\" height=\"3\"/>\
             <rect x=\"{:.2}\" y=\"1.5\" width=\"1.2\" height=\"7\"/></svg>",
            (right - left).max(0.6),
            left - 0.6
        )
    }
}

/// A number of things as a length; what is lost of very large ones shows nowhere.
#[expect(
    clippy::cast_precision_loss,
    reason = "a length on a page has three digits"
)]
fn number(count: impl TryInto<i64>) -> f64 {
    count.try_into().unwrap_or(i64::MAX) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(list: &[(&str, u64, u64)]) -> BTreeMap<Date, Levels> {
        let levels = |(day, clean, malicious): &(&str, u64, u64)| {
            let levels = Levels {
                clean: *clean,
                malicious: *malicious,
                ..Levels::default()
            };
            (day.parse().unwrap(), levels)
        };
        list.iter().map(levels).collect()
    }

    #[test]
    fn every_day_of_a_short_time_has_a_bar() {
        let timeline = Timeline::of(&days(&[("2026-11-01", 2, 0), ("2026-11-04", 0, 1)]));
        let bars: Vec<(&str, u64)> = timeline
            .bars
            .iter()
            .map(|(name, levels)| (name.as_str(), levels.all()))
            .collect();
        assert_eq!(
            bars,
            [
                ("2026-11-01", 2),
                ("2026-11-02", 0),
                ("2026-11-03", 0),
                ("2026-11-04", 1)
            ]
        );
        let chart = bars_of(&timeline);
        assert_eq!(chart.matches("<title>").count(), 4);
        assert_eq!(chart.matches("class=\"malicious\"").count(), 1);
    }

    fn bars_of(timeline: &Timeline) -> String {
        bars(timeline, Of::Bad, "bad")
    }

    #[test]
    fn a_stray_date_does_not_flatten_the_rest_but_a_malicious_one_is_shown() {
        let stray = days(&[
            ("1997-01-01", 1, 0),
            ("2026-06-01", 600, 0),
            ("2026-11-04", 600, 9),
        ]);
        let timeline = Timeline::of(&stray);
        assert_eq!((timeline.bars.len(), timeline.outside), (6, 1));
        assert_eq!(timeline.bars.first().unwrap().0, "2026-06");
        let bad = days(&[
            ("1997-01-01", 0, 1),
            ("2026-06-01", 600, 0),
            ("2026-11-04", 600, 9),
        ]);
        let timeline = Timeline::of(&bad);
        assert_eq!((timeline.bars.len(), timeline.outside), (30, 0));
        assert!(Timeline::of(&BTreeMap::new()).bars.is_empty());
    }

    #[test]
    fn spans_stay_within_their_stretch() {
        let stretch = Stretch::of([100, 300, 200].into_iter()).unwrap();
        assert!(stretch.span(200, 300, "malicious").contains("x=\"50.00\""));
        assert!(stretch.span(i64::MIN, i64::MAX, "").contains("x=\"0.00\""));
        assert!(Stretch::of(std::iter::empty()).is_none());
    }
}
