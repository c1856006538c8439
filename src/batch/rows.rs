//! A report as rows of the tables.

use std::collections::BTreeSet;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::engine::Engine;
use crate::formats::vba;
use crate::model::{Artifact, Finding, Kind, MailSummary, Report, Severity, hex};

use super::OutputError;
use super::table::{Cell, TableWriter};
use super::tlsh;

/// The group of findings that rules make.
const RULES: &str = "rules";

/// Longest payload of which a TLSH is made, in bytes: it runs at some 100 MB/s.
const LONGEST_HASHED: usize = 16 << 20;

/// One message of a source, or a file that is no mail, before it is scanned.
#[derive(Debug, Clone)]
pub struct Item {
    /// The source as given.
    pub source: String,
    /// Where it stands in it: `export.mbox#1234`, `mail.pst:/Inbox#17`, `dir/new/file`. The same at every run.
    pub reference: String,
    /// Its bytes.
    pub data: Bytes,
}

/// Puts the rows of a message into the three tables.
pub(super) fn push(
    engine: &Engine,
    item: &Item,
    report: &Report,
    messages: &mut TableWriter,
    artifacts: &mut TableWriter,
    findings: &mut TableWriter,
) -> Result<(), OutputError> {
    messages.push(message(item, report))?;
    let reference = item.reference.as_str();
    let verdicts = Verdicts::of(engine, report);
    for artifact in &report.artifacts {
        artifacts.push(row(engine, reference, artifact, verdicts.on(artifact)))?;
    }
    for finding in &report.findings {
        findings.push(row_of(engine, reference, finding))?;
    }
    Ok(())
}

fn message<'a>(item: &'a Item, report: &'a Report) -> Vec<Cell<'a>> {
    let root = report.artifacts.first();
    let mail = mail_of(report);
    let to = mail.map(|mail| mail.to.as_slice()).unwrap_or_default();
    // In the order of the schema.
    vec![
        Cell::text(&item.reference),
        Cell::text(&item.source),
        Cell::Text(mail.and_then(|mail| mail.message_id.as_deref())),
        Cell::Time(mail.and_then(|mail| microseconds(mail.date.as_deref()?))),
        Cell::Text(mail.and_then(|mail| mail.from.as_deref())),
        Cell::Texts(to.iter().map(String::as_str).collect()),
        Cell::OwnedTexts(sites(to)),
        Cell::Text(mail.and_then(|mail| mail.subject.as_deref())),
        Cell::number(item.data.len()),
        Cell::OwnedText(root.map(Artifact::sha256_hex)),
        Cell::Text(root.map(|root| root.kind.as_str())),
        Cell::text(report.level.as_str()),
        Cell::number(report.score),
        Cell::Truth(report.complete),
        Cell::Texts(distinct(report.findings.iter().map(|finding| &*finding.id))),
        Cell::Texts(distinct(report.raised.iter().map(|raised| &*raised.by))),
        Cell::number(report.artifacts.len()),
    ]
}

/// What the message says about itself: in Apple's form it is wrapped.
fn mail_of(report: &Report) -> Option<&MailSummary> {
    let root = report.artifacts.first()?;
    let within = || {
        let is_inner = |inner: &&Artifact| root.kind == Kind::Emlx && inner.parent == Some(root.id);
        let mut inner = report.artifacts.iter().filter(is_inner);
        inner.find_map(|inner| inner.mail.as_deref())
    };
    root.mail.as_deref().or_else(within)
}

fn distinct<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    ids.collect::<BTreeSet<_>>().into_iter().collect()
}

/// Microseconds since 1970 of a date in RFC 3339.
pub(super) fn microseconds(date: &str) -> Option<i64> {
    let time: jiff::Timestamp = date.parse().ok()?;
    Some(time.as_microsecond())
}

/// The distinct domains of addresses, lower case, in the order of the addresses.
fn sites(addresses: &[String]) -> Vec<String> {
    let mut sites: Vec<String> = Vec::new();
    for address in addresses {
        let Some((_, domain)) = address.rsplit_once('@') else {
            continue;
        };
        let domain = domain.trim_end_matches(['>', ' ', '.']).to_lowercase();
        if !domain.is_empty() && !sites.contains(&domain) {
            sites.push(domain);
        }
    }
    sites
}

/// What an artifact is by the findings on it.
#[derive(Debug, Clone, Copy, Default)]
struct Verdict {
    score: u8,
    payload: bool,
}

/// The verdicts on all artifacts of a report, by id.
struct Verdicts(Vec<Verdict>);

impl Verdicts {
    fn of(engine: &Engine, report: &Report) -> Self {
        let mut verdicts = Self(vec![Verdict::default(); report.artifacts.len()]);
        let lists = &engine.knowledge.campaigns;
        for finding in &report.findings {
            let acts = finding.severity > Severity::Info && lists.acts(group(engine, &finding.id));
            verdicts.raise(finding, finding.score, acts);
        }
        for raised in &report.raised {
            for finding in raised
                .findings
                .iter()
                .filter_map(|at| report.findings.get(*at))
            {
                verdicts.raise(finding, raised.score, false);
            }
        }
        verdicts
    }

    fn raise(&mut self, finding: &Finding, score: u8, acts: bool) {
        let at = usize::try_from(finding.artifact).unwrap_or(usize::MAX);
        if let Some(verdict) = self.0.get_mut(at) {
            verdict.score = verdict.score.max(score);
            verdict.payload |= acts;
        }
    }

    fn on(&self, artifact: &Artifact) -> Verdict {
        let at = usize::try_from(artifact.id).unwrap_or(usize::MAX);
        self.0.get(at).copied().unwrap_or_default()
    }
}

fn row<'a>(
    engine: &Engine,
    reference: &'a str,
    artifact: &'a Artifact,
    verdict: Verdict,
) -> Vec<Cell<'a>> {
    let lists = &engine.knowledge.campaigns;
    let code = (artifact.kind == Kind::VbaSource).then(|| vba::normalised(&artifact.data));
    let code = code.filter(|code| code.len() >= lists.least_bytes);
    let likened = match &code {
        Some(code) => Some(code.as_slice()),
        None if lists.likens(artifact.kind) => Some(&artifact.data[..]),
        None => None,
    };
    let hashed = lists.least_bytes..=LONGEST_HASHED;
    let tlsh = likened
        .filter(|data| verdict.payload && hashed.contains(&data.len()))
        .and_then(tlsh::digest);
    // In the order of the schema.
    vec![
        Cell::text(reference),
        Cell::number(artifact.id),
        Cell::maybe(artifact.parent),
        Cell::Text(artifact.via),
        Cell::number(artifact.depth),
        Cell::text(artifact.kind.as_str()),
        Cell::number(artifact.data.len()),
        Cell::OwnedText(Some(artifact.sha256_hex())),
        Cell::Text(artifact.name.as_ref().map(|name| name.text.as_str())),
        Cell::Text(artifact.declared.as_deref()),
        Cell::maybe(artifact.same_as),
        Cell::number(verdict.score),
        Cell::Truth(verdict.payload),
        Cell::OwnedText(code.map(|code| hex(&Sha256::digest(&code)))),
        Cell::OwnedText(tlsh),
    ]
}

/// The group of a finding.
fn group<'e>(engine: &'e Engine, id: &str) -> &'e str {
    match engine.knowledge.catalogue.entry(id) {
        Some(entry) => &entry.group,
        None => RULES,
    }
}

fn row_of<'a>(engine: &'a Engine, reference: &'a str, finding: &'a Finding) -> Vec<Cell<'a>> {
    let evidence = &finding.evidence;
    // In the order of the schema.
    vec![
        Cell::text(reference),
        Cell::number(finding.artifact),
        Cell::text(&finding.id),
        Cell::text(group(engine, &finding.id)),
        Cell::text(finding.severity.as_str()),
        Cell::number(finding.score),
        Cell::text(&evidence.text),
        Cell::maybe(evidence.offset),
        Cell::Text(evidence.decoded.as_deref()),
        Cell::Texts(finding.attack.iter().map(String::as_str).collect()),
        Cell::maybe(finding.more),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_points_in_time() {
        assert_eq!(microseconds("1970-01-01T09:00:01+09:00"), Some(1_000_000));
        assert_eq!(microseconds("1969-12-31T23:59:59Z"), Some(-1_000_000));
        assert_eq!(microseconds("yesterday"), None);
    }

    #[test]
    fn sites_are_domains_without_doubles() {
        let to = [
            "a@HQ.example",
            "b@hq.example",
            "nobody",
            "c@x@branch.example.",
        ];
        let to = to.map(str::to_owned);
        assert_eq!(sites(&to), ["hq.example", "branch.example"]);
    }
}
