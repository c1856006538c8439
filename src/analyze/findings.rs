//! Where analyzers put what they find: severities come from the catalogue, numbers are bounded here.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::knowledge::Catalogue;
use crate::model::{Evidence, Finding, Id, Ioc, IocType, Severity};
use crate::text;

/// Findings of one id that one artifact lists; beyond that they are counted.
const LISTED: u32 = 16;

/// Indicators kept of one input.
const IOCS: usize = 1000;

/// A finding to be: id, and what shows it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Found {
    id: &'static str,
    variant: Option<&'static str>,
    evidence: Evidence,
}

impl Found {
    /// A finding of the catalogue; evidence is foreign text and made safe to show here.
    pub fn new(id: &'static str, evidence: &str) -> Self {
        let evidence = Evidence {
            text: text::excerpt(evidence),
            offset: None,
            decoded: None,
        };
        Self {
            id,
            variant: None,
            evidence,
        }
    }

    /// Names the catalogue's variant of it.
    pub fn variant(mut self, variant: &'static str) -> Self {
        self.variant = Some(variant);
        self
    }

    /// Says where in the artifact's bytes.
    pub fn at(mut self, offset: usize) -> Self {
        self.evidence.offset = Some(offset);
        self
    }

    /// Says what the evidence means once decoded.
    pub fn decoded(mut self, decoded: &str) -> Self {
        self.evidence.decoded = Some(text::excerpt(decoded));
        self
    }
}

/// The findings of one input.
#[derive(Debug)]
pub struct Findings<'a> {
    catalogue: &'a Catalogue,
    artifact: Id,
    list: Vec<Finding>,
    counts: BTreeMap<(Id, Cow<'static, str>), u32>,
    iocs: BTreeSet<Ioc>,
    incomplete: bool,
}

/// What was said of one artifact.
#[derive(Debug, Clone, Default)]
pub struct Said {
    list: Vec<Finding>,
    counts: Vec<(Cow<'static, str>, u32)>,
    iocs: BTreeSet<Ioc>,
    incomplete: bool,
}

impl Said {
    /// Whether `id` is among it.
    pub fn has(&self, id: &str) -> bool {
        self.list.iter().any(|finding| finding.id == id)
    }

    /// About how many bytes of memory it takes.
    pub fn cost(&self) -> usize {
        let texts = |finding: &Finding| {
            let evidence = &finding.evidence;
            let decoded = evidence.decoded.as_ref().map_or(0, String::len);
            evidence.text.len().saturating_add(decoded)
        };
        let iocs = self.iocs.iter().map(|ioc| ioc.value.len());
        let sizes = self.list.iter().map(texts).chain(iocs);
        sizes.fold(0, |sum: usize, size| {
            sum.saturating_add(size).saturating_add(200)
        })
    }
}

impl<'a> Findings<'a> {
    /// No findings yet.
    pub fn new(catalogue: &'a Catalogue) -> Self {
        Self {
            catalogue,
            artifact: 0,
            list: Vec::new(),
            counts: BTreeMap::new(),
            iocs: BTreeSet::new(),
            incomplete: false,
        }
    }

    /// Turns to another artifact: what is reported from now on is said of it.
    pub fn turn_to(&mut self, artifact: Id) {
        self.artifact = artifact;
    }

    /// Reports a finding of the catalogue on the artifact at hand.
    pub fn report(&mut self, found: Found) {
        let Some(entry) = self.catalogue.entry(found.id) else {
            debug_assert!(false, "{} is not in the catalogue", found.id);
            return;
        };
        let variant = found.variant.and_then(|name| {
            debug_assert!(
                entry.variants.contains_key(name),
                "{} has no variant {name}",
                found.id
            );
            entry.variants.get(name)
        });
        let severity = variant.map_or(entry.severity, |variant| variant.severity);
        self.incomplete |= entry.incomplete || variant.is_some_and(|variant| variant.incomplete);
        self.add(Finding {
            id: Cow::Borrowed(found.id),
            severity,
            score: severity.score(),
            artifact: self.artifact,
            evidence: found.evidence,
            attack: entry.attack.clone(),
            more: None,
        });
    }

    /// Reports a match of a YARA rule on the artifact at hand.
    pub fn report_rule(&mut self, rule: &str, score: u8, attack: Vec<String>, evidence: Evidence) {
        self.add(Finding {
            id: Cow::Owned(format!("yara:{rule}")),
            severity: Severity::of_score(score),
            score,
            artifact: self.artifact,
            evidence,
            attack,
            more: None,
        });
    }

    /// Keeps an indicator that the artifact at hand names.
    pub fn ioc(&mut self, r#type: IocType, value: &str) {
        if self.iocs.len() < IOCS {
            self.iocs.insert(Ioc {
                r#type,
                value: text::excerpt(value),
                artifact: self.artifact,
            });
        }
    }

    fn add(&mut self, finding: Finding) {
        let count = self
            .counts
            .entry((finding.artifact, finding.id.clone()))
            .or_default();
        *count = count.saturating_add(1);
        let more = count.saturating_sub(LISTED);
        if more == 0 {
            self.list.push(finding);
            return;
        }
        let same =
            |listed: &&mut Finding| listed.artifact == finding.artifact && listed.id == finding.id;
        if let Some(last) = self.list.iter_mut().rev().find(same) {
            last.more = Some(more);
            // The worst of them must count, also where it comes late.
            if finding.score > last.score {
                *last = Finding {
                    more: Some(more),
                    ..finding
                };
            }
        }
    }

    /// All that was said of the artifact at hand, where nothing else was: to be said again of equal ones.
    pub fn into_said(self) -> Said {
        Said {
            list: self.list,
            counts: self
                .counts
                .into_iter()
                .map(|((_, id), count)| (id, count))
                .collect(),
            iocs: self.iocs,
            incomplete: self.incomplete,
        }
    }

    /// Whether there is room for all of it.
    pub fn has_room(&self, said: &Said) -> bool {
        self.iocs.len().saturating_add(said.iocs.len()) < IOCS
    }

    /// Says of the artifact at hand what was said of an equal one.
    pub fn repeat(&mut self, said: &Said) {
        let artifact = self.artifact;
        let list = said.list.iter().cloned();
        self.list.extend(list.map(|finding| Finding {
            artifact,
            ..finding
        }));
        for (id, count) in &said.counts {
            let own = self.counts.entry((artifact, id.clone())).or_default();
            *own = own.saturating_add(*count);
        }
        let iocs = said.iocs.iter().cloned();
        self.iocs.extend(iocs.map(|ioc| Ioc { artifact, ..ioc }));
        self.incomplete |= said.incomplete;
    }

    /// Whether `id` was reported on `artifact`.
    pub fn has(&self, artifact: Id, id: &str) -> bool {
        self.counts
            .contains_key(&(artifact, Cow::Owned(id.to_owned())))
    }

    /// The findings in order of their artifacts, the indicators, and whether something was left unseen.
    pub fn finish(mut self) -> (Vec<Finding>, Vec<Ioc>, bool) {
        self.list.sort_by_key(|finding| finding.artifact);
        (self.list, self.iocs.into_iter().collect(), self.incomplete)
    }
}
