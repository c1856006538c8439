//! The page itself. Everything foreign goes through [`escape`]; a content security policy stands behind that. Both
//! languages stand in it, and a switch without a script shows one.

use std::fmt::Write as _;

use crate::config::Size;
use crate::knowledge::{Catalogue, Language};
use crate::report::{escape, words};

use super::super::Campaign;
use super::charts::{Of, Stretch, Timeline, bars};
use super::facts::{Facts, Levels, Seen, Shown, Tally, Worst, day};
use super::words::{Both, Words, title};

const STYLE: &str = include_str!("summary.css");

/// Campaigns that are shown.
const CAMPAIGNS: usize = 25;

/// Sites that are shown of a campaign.
const SITES: usize = 12;

/// Senders, names and payloads that are shown of a campaign; recipients of a message.
const LISTED: usize = 10;

/// Rows of the tables of findings, senders, recipients and sites.
const ROWS: usize = 25;

/// Characters that are shown of a text.
const SHOWN: usize = 300;

/// What the page is made of.
pub(super) struct Page<'a> {
    pub(super) facts: &'a Facts,
    pub(super) catalogue: &'a Catalogue,
    pub(super) words: &'a Words,
    pub(super) language: Language,
}

impl Page<'_> {
    pub(super) fn html(&self) -> String {
        let mut out = self.head();
        self.totals(&mut out);
        self.timeline(&mut out);
        self.campaigns(&mut out);
        self.findings(&mut out);
        let people = [
            ("senders", &self.facts.senders),
            ("recipients", &self.facts.recipients),
            ("sites", &self.facts.sites),
        ];
        for (name, tally) in people {
            self.people(&mut out, name, tally);
        }
        self.worst(&mut out);
        let made = self
            .words
            .both("made_by")
            .with("version", env!("CARGO_PKG_VERSION"));
        let _ = write!(
            out,
            "<p class=\"note\">{}</p>\n</main>\n</body>\n</html>\n",
            made.html()
        );
        out
    }

    fn say(&self, name: &str) -> String {
        self.words.html(name)
    }

    fn plain(&self, name: &str) -> String {
        self.words.both(name).plain(self.language)
    }

    fn head(&self) -> String {
        let tag = words(self.language).tag;
        let checked = |language| {
            if self.language == language {
                " checked"
            } else {
                ""
            }
        };
        format!(
            "<!doctype html>\n<html lang=\"{tag}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <input type=\"radio\" name=\"language\" id=\"en\"{}><label for=\"en\">English</label>\n\
             <input type=\"radio\" name=\"language\" id=\"ja\"{}><label for=\"ja\">日本語</label>\n<main>\n<h1>{}</h1>\n",
            self.plain("title"),
            checked(Language::English),
            checked(Language::Japanese),
            self.say("title")
        )
    }

    fn totals(&self, out: &mut String) {
        let facts = self.facts;
        let Levels {
            clean,
            suspicious,
            malicious,
        } = facts.levels;
        let counts = [
            ("messages", facts.levels.all()),
            ("malicious", malicious),
            ("suspicious", suspicious),
            ("clean", clean),
            ("incomplete", facts.incomplete),
            ("errors", facts.errors),
        ];
        out.push_str("<ul class=\"totals\">\n");
        for (name, count) in counts {
            let _ = writeln!(
                out,
                "<li class=\"{name}\"><b data-total=\"{name}\">{}</b>{}</li>",
                grouped(count),
                self.say(name)
            );
        }
        let _ = writeln!(
            out,
            "<li><b>{}</b>{}</li>",
            Size(facts.bytes),
            self.say("bytes")
        );
        if let (Some(first), Some(last)) = (facts.days.keys().next(), facts.days.keys().next_back())
        {
            let _ = writeln!(
                out,
                "<li><b>{first} – {last}</b>{}</li>",
                self.say("period")
            );
        }
        let undated = grouped(facts.undated);
        let note = self
            .words
            .both("dates_are_claims")
            .with("undated", &undated);
        let _ = writeln!(out, "</ul>\n<p class=\"note\">{}</p>", note.html());
    }

    fn timeline(&self, out: &mut String) {
        let timeline = Timeline::of(&self.facts.days);
        if timeline.bars.is_empty() {
            return;
        }
        let _ = writeln!(out, "<h2>{}</h2>", self.say("timeline"));
        for (name, of) in [("timeline_bad", Of::Bad), ("timeline_all", Of::All)] {
            let _ = write!(
                out,
                "<h3>{}</h3>\n{}",
                self.say(name),
                bars(&timeline, of, &self.plain(name))
            );
        }
        if timeline.outside > 0 {
            let outside = grouped(timeline.outside);
            let note = self.words.both("outside").with("outside", &outside);
            let _ = writeln!(out, "<p class=\"note\">{}</p>", note.html());
        }
    }

    fn campaigns(&self, out: &mut String) {
        let campaigns = &self.facts.campaigns;
        let _ = writeln!(
            out,
            "<h2>{} ({})</h2>",
            self.say("campaigns"),
            campaigns.len()
        );
        if campaigns.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", self.say("no_campaigns"));
            return;
        }
        let _ = writeln!(out, "<p class=\"note\">{}</p>", self.say("campaigns_are"));
        let shown = campaigns.iter().take(CAMPAIGNS);
        let times = shown
            .clone()
            .flat_map(|campaign| [campaign.first_seen, campaign.last_seen])
            .flatten();
        let stretch = Stretch::of(times);
        for campaign in shown {
            self.campaign(out, campaign, stretch);
        }
        let more = campaigns.len().saturating_sub(CAMPAIGNS);
        self.more(out, "campaigns_more", more);
    }

    fn campaign(&self, out: &mut String, campaign: &Campaign, stretch: Option<Stretch>) {
        let level = match campaign.level.as_str() {
            level @ ("malicious" | "suspicious") => level,
            _ => "clean",
        };
        let _ = writeln!(
            out,
            "<section class=\"{level}\" data-campaign=\"{}\">\n<h3>{} <small>{} {} · {} {} · {} – {} · {} {}</small></h3>",
            escape(&campaign.campaign),
            escape(&campaign.campaign),
            grouped(campaign.messages),
            self.say("messages"),
            self.say("score"),
            campaign.score,
            shown_day(campaign.first_seen),
            shown_day(campaign.last_seen),
            self.say("joined_by"),
            escape(&campaign.alike.join(", "))
        );
        let ids = campaign.findings.iter().map(|id| self.finding(id));
        let ids: Vec<String> = ids.take(LISTED).collect();
        if !ids.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", ids.join(" · "));
        }
        self.listed(out, "names", &campaign.names);
        self.listed(out, "senders", &campaign.senders);
        out.push_str("<div class=\"scroll\"><table>\n");
        for site in campaign.sites.iter().take(SITES) {
            let span = stretch.zip(site.first_seen).map(|(stretch, first)| {
                stretch.span(first, campaign.last_seen.unwrap_or(first), level)
            });
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"day\">{}</td><td class=\"number\">{}</td><td class=\"wide\">{}</td></tr>",
                cut(&site.domain),
                shown_day(site.first_seen),
                grouped(site.messages),
                span.unwrap_or_default()
            );
        }
        out.push_str("</table></div>\n");
        self.more(out, "more_rows", campaign.sites.len().saturating_sub(SITES));
        self.listed(out, "payloads", &campaign.payloads);
        out.push_str("</section>\n");
    }

    /// Some texts behind a caption.
    fn listed(&self, out: &mut String, name: &str, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let shown: Vec<String> = texts.iter().take(LISTED).map(|text| cut(text)).collect();
        let _ = write!(
            out,
            "<p><small>{}:</small> {}",
            self.say(name),
            shown.join(", ")
        );
        let more = texts.len().saturating_sub(LISTED);
        if more > 0 {
            let more = self.words.both("and_more").with("more", &grouped(more));
            let _ = write!(out, " <small>{}</small>", more.html());
        }
        out.push_str("</p>\n");
    }

    fn more(&self, out: &mut String, name: &str, more: usize) {
        if more > 0 {
            let more = self.words.both(name).with("more", &grouped(more));
            let _ = writeln!(out, "<p class=\"note\">{}</p>", more.html());
        }
    }

    fn finding(&self, id: &str) -> String {
        let title: Both = title(self.catalogue, id);
        format!("{} <code>{}</code>", title.html(), cut(id))
    }

    fn findings(&self, out: &mut String) {
        let ranked = self.facts.findings.ranked();
        let _ = writeln!(out, "<h2>{}</h2>", self.say("findings"));
        let label = |id: &str| self.finding(id);
        self.ranking(out, &ranked, self.facts.findings.len(), "finding", &label);
    }

    fn people(&self, out: &mut String, name: &str, tally: &Tally) {
        let _ = writeln!(
            out,
            "<h2>{}</h2>\n<p class=\"note\">{}{}</p>",
            self.say(name),
            self.say("of_bad"),
            if tally.approximate {
                self.say("approximate")
            } else {
                String::new()
            }
        );
        self.ranking(out, &tally.ranked(), tally.len(), name, &cut);
    }

    fn ranking(
        &self,
        out: &mut String,
        ranked: &[(&str, Seen)],
        all: usize,
        column: &str,
        label: &dyn Fn(&str) -> String,
    ) {
        if ranked.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", self.say("nothing"));
            return;
        }
        let shown = ranked.iter().take(ROWS);
        let times = shown.clone().flat_map(|(_, seen)| [seen.first, seen.last]);
        let stretch = Stretch::of(times.flatten());
        let _ = writeln!(
            out,
            "<div class=\"scroll\"><table data-ranking=\"{column}\">\n<tr><th>{}</th><th class=\"number\">{}</th>\
             <th class=\"number\">{}</th><th>{}</th><th>{}</th><th></th></tr>",
            self.say(column),
            self.say("bad_messages"),
            self.say("all_messages"),
            self.say("first_seen"),
            self.say("last_seen")
        );
        for (name, seen) in shown {
            let class = match seen.levels {
                Levels { malicious: 1.., .. } => "malicious",
                Levels {
                    suspicious: 1.., ..
                } => "suspicious",
                Levels { .. } => "",
            };
            let span = stretch
                .zip(seen.first)
                .map(|(stretch, first)| stretch.span(first, seen.last.unwrap_or(first), class));
            let _ = writeln!(
                out,
                "<tr><td>{}</td><td class=\"number\">{}</td><td class=\"number\">{}</td><td class=\"day\">{}</td>\
                 <td class=\"day\">{}</td><td>{}</td></tr>",
                label(name),
                grouped(seen.levels.bad()),
                grouped(seen.levels.all()),
                shown_day(seen.first),
                shown_day(seen.last),
                span.unwrap_or_default()
            );
        }
        out.push_str("</table></div>\n");
        self.more(out, "more_rows", all.saturating_sub(ROWS));
    }

    fn worst(&self, out: &mut String) {
        let malicious = self.facts.levels.malicious;
        let _ = writeln!(
            out,
            "<h2>{} ({})</h2>",
            self.say("worst"),
            grouped(malicious)
        );
        if self.facts.worst.is_empty() {
            let _ = writeln!(out, "<p>{}</p>", self.say("no_worst"));
        }
        for worst in &self.facts.worst {
            self.message(out, worst);
        }
        let all = usize::try_from(malicious).unwrap_or(usize::MAX);
        self.more(
            out,
            "worst_more",
            all.saturating_sub(self.facts.worst.len()),
        );
    }

    fn message(&self, out: &mut String, worst: &Worst) {
        let _ = writeln!(
            out,
            "<details class=\"malicious\" open data-message=\"{}\">\n<summary>{} <b>{}</b> <small>{}</small></summary>",
            cut(&worst.reference),
            shown_day(worst.date),
            cut(worst.subject.as_deref().unwrap_or_default()),
            cut(&worst.reference)
        );
        let mut to: Vec<String> = worst.to.iter().take(LISTED).map(|to| cut(to)).collect();
        if worst.to.len() > LISTED {
            to.push("…".to_owned());
        }
        let _ = writeln!(
            out,
            "<p><small>{}:</small> {} <small>{}:</small> {} <small>{}:</small> {}</p>",
            self.say("from"),
            cut(worst.from.as_deref().unwrap_or_default()),
            self.say("to"),
            to.join(", "),
            self.say("score"),
            worst.score
        );
        for id in &worst.raised {
            let _ = writeln!(
                out,
                "<p><b>{}: {}</b></p>",
                self.say("together"),
                self.finding(id)
            );
        }
        out.push_str("<ul>\n");
        for shown in &worst.findings {
            self.evidence(out, shown);
        }
        out.push_str("</ul>\n");
        self.more(out, "more_rows", worst.more);
        out.push_str("</details>\n");
    }

    fn evidence(&self, out: &mut String, shown: &Shown) {
        let name = shown.name.as_deref().unwrap_or_default();
        let severity = match shown.severity.as_str() {
            known @ ("info" | "low" | "medium" | "high" | "critical") => known,
            _ => "info",
        };
        let _ = write!(
            out,
            "<li><span class=\"badge {severity}\">{}</span> {} <small>{} [{}]</small>",
            self.severity(severity).html(),
            self.finding(&shown.id),
            cut(name),
            escape(&shown.kind)
        );
        if !shown.evidence.is_empty() {
            let _ = write!(out, "<pre>{}</pre>", cut(&shown.evidence));
        }
        if let Some(decoded) = &shown.decoded {
            let _ = write!(out, "{}<pre>{}</pre>", self.say("decoded"), cut(decoded));
        }
        out.push_str("</li>\n");
    }

    fn severity(&self, severity: &str) -> Both {
        let known = crate::model::Severity::ALL.into_iter();
        let found = known.clone().find(|known| known.as_str() == severity);
        match found {
            Some(found) => Both::of(
                words(Language::English).severity(found),
                words(Language::Japanese).severity(found),
            ),
            None => Both::of(severity, severity),
        }
    }
}

/// Foreign text, cut where it is long, as content of an element.
fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(SHOWN).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    escape(&cut)
}

/// A day in UTC, or a dash.
fn shown_day(time: Option<i64>) -> String {
    time.and_then(day)
        .map_or_else(|| "–".to_owned(), |day| day.to_string())
}

/// A number with its thousands apart.
fn grouped(number: impl TryInto<i64>) -> String {
    let digits = number.try_into().unwrap_or(i64::MAX).to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && digits.len().saturating_sub(at) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::knowledge::Knowledge;

    use super::*;

    fn page(facts: &Facts, language: Language) -> String {
        let knowledge = Knowledge::embedded().unwrap();
        let words = Words::embedded().unwrap();
        let page = Page {
            facts,
            catalogue: &knowledge.catalogue,
            words: &words,
            language,
        };
        page.html()
    }

    fn hostile() -> Facts {
        let evil = || "<script>alert(1)</script>\"'\u{202e}\u{1b}[2J".to_owned();
        let worst = Worst {
            reference: evil(),
            subject: Some(evil()),
            from: Some(evil()),
            to: vec![evil(); 200],
            raised: vec![evil()],
            findings: vec![
                Shown {
                    id: evil(),
                    severity: evil(),
                    evidence: evil(),
                    decoded: Some(evil()),
                    name: Some(evil()),
                    kind: evil(),
                    ..Shown::default()
                };
                6
            ],
            ..Worst::default()
        };
        let campaign = Campaign {
            campaign: evil(),
            level: evil(),
            alike: vec![evil()],
            names: vec![evil(); 1000],
            payloads: vec![evil(); 1000],
            findings: vec![evil(); 1000],
            senders: vec![evil(); 1000],
            ..Campaign::default()
        };
        Facts {
            worst: vec![worst; 100],
            campaigns: vec![campaign; 1000],
            ..Facts::default()
        }
    }

    #[test]
    fn nothing_from_outside_becomes_markup_and_the_size_is_bounded() {
        let page = page(&hostile(), Language::English);
        for raw in [
            "<script", "\u{202e}", "\u{1b}", "http://", "https://", "url(", "src=",
        ] {
            assert!(!page.contains(raw), "{raw:?}");
        }
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        assert!(page.len() < 2_000_000, "{}", page.len());
    }

    #[test]
    fn every_element_that_opens_closes() {
        let page = page(&hostile(), Language::Japanese);
        for element in [
            "section", "ul", "li", "table", "tr", "td", "details", "pre", "p", "span", "main",
            "svg", "html",
        ] {
            let opened = page.matches(&format!("<{element}>")).count()
                + page.matches(&format!("<{element} ")).count();
            let closed = page.matches(&format!("</{element}>")).count();
            assert_eq!(opened, closed, "{element}");
        }
        assert!(page.contains("<html lang=\"ja\">") && page.contains("id=\"ja\" checked"));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
