//! Routes, allowances and floor: a report and an envelope → what is done, recipient by recipient.
//!
//! Never sees bytes. Per finding the most specific key decides (its id, its group, the level that its score alone
//! gives); over all findings the strictest wins. A combination counts as its level wherever its findings stand.

mod failure;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::civil::Date;

use crate::config::{Actions, Allow, Conditions, Key, KnownMacros, PolicySettings, Require, Route};
use crate::knowledge::Catalogue;
use crate::model::{Action, Artifact, Envelope, Finding, Id, Report};
use crate::score::{self, Thresholds};

pub use failure::{Failure, Trouble, on_failure};

/// The name of the route that holds where none is configured or none matches.
pub const DEFAULT_ROUTE: &str = "default";

/// The rules of one generation of the configuration.
#[derive(Debug)]
pub struct Policy {
    routes: Vec<Arc<Resolved>>,
    default: Arc<Resolved>,
    allows: Vec<Allow>,
    floor: Actions,
    thresholds: Thresholds,
}

/// A route with the built-in actions where it says nothing.
#[derive(Debug)]
pub struct Resolved {
    /// Its name, for logs, headers and notices.
    pub name: String,
    /// Decide and log only.
    pub dry_run: bool,
    conditions: Conditions,
    actions: Actions,
}

/// What is done with a mail for one recipient.
#[derive(Debug, Clone)]
pub struct Decision {
    /// The route that decided.
    pub route: Arc<Resolved>,
    /// The strictest action of all findings.
    pub action: Action,
    /// Artifacts on which something calls for a change, with the action for each; empty unless the mail is changed.
    pub parts: BTreeMap<Id, Action>,
    /// Findings for which something is to be disarmed, as indexes into the report; empty unless the mail is changed.
    pub disarm: BTreeSet<usize>,
    /// Findings that led to the action, as indexes into the report; empty where a combination alone did.
    pub because: Vec<usize>,
    /// Reasons of the allowances that lifted findings.
    pub allowed: Vec<String>,
}

/// What is to be found out about a sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Proofs {
    /// Which domains signed.
    pub dkim: bool,
    /// Whether the client may send for the domain.
    pub spf: bool,
}

impl Policy {
    /// The policy of a configuration.
    pub fn new(settings: &PolicySettings, thresholds: Thresholds) -> Self {
        let resolve = |route: &Route| {
            Arc::new(Resolved {
                name: route.name.clone(),
                dry_run: route.dry_run,
                conditions: route.conditions.clone(),
                actions: route.actions.over_built_in(),
            })
        };
        Self {
            routes: settings.routes.iter().map(resolve).collect(),
            default: Arc::new(Resolved {
                name: DEFAULT_ROUTE.to_owned(),
                dry_run: false,
                conditions: Conditions::default(),
                actions: Actions::built_in(),
            }),
            allows: settings.allows.clone(),
            floor: settings.floor.clone(),
            thresholds,
        }
    }

    /// The route of one recipient.
    pub fn route(&self, envelope: &Envelope, recipient: &str) -> Arc<Resolved> {
        let found = self
            .routes
            .iter()
            .find(|route| matches(&route.conditions, envelope, recipient));
        Arc::clone(found.unwrap_or(&self.default))
    }

    /// What routes and allowances that may be about the envelope want proven of its sender.
    pub fn proofs(&self, envelope: &Envelope) -> Proofs {
        let mut proofs = Proofs::default();
        let routes = self.routes.iter().map(|route| &route.conditions);
        let allows = self.allows.iter().map(|allow| &allow.conditions);
        for conditions in routes.chain(allows) {
            let Some(require) = conditions.require else {
                continue;
            };
            let proven = Conditions {
                require: None,
                ..conditions.clone()
            };
            let mut recipients = envelope.recipients.iter();
            if recipients.any(|recipient| matches(&proven, envelope, recipient)) {
                match require {
                    Require::Dkim => proofs.dkim = true,
                    Require::Spf => proofs.spf = true,
                }
            }
        }
        proofs
    }

    /// What is done for each recipient, in the order of the envelope; `today` ends allowances.
    pub fn decide(
        &self,
        report: &Report,
        envelope: &Envelope,
        catalogue: &Catalogue,
        today: Date,
    ) -> Vec<Decision> {
        let decide = |recipient: &String| {
            let route = self.route(envelope, recipient);
            let lifted = self.lifted(report, envelope, recipient, catalogue, today);
            let mut decision = self.judge(report, &route, &lifted.findings, catalogue);
            decision.allowed = lifted.reasons;
            decision
        };
        envelope.recipients.iter().map(decide).collect()
    }

    /// Which findings allowances lift that are about everybody's mails: for files that came without an envelope.
    pub fn lifted_for_all(
        &self,
        report: &Report,
        catalogue: &Catalogue,
        today: Date,
    ) -> (BTreeSet<usize>, Vec<String>) {
        let lifted = self.lifted(report, &Envelope::default(), "", catalogue, today);
        (lifted.findings.into_iter().collect(), lifted.reasons)
    }

    /// Which findings allowances lift.
    fn lifted(
        &self,
        report: &Report,
        envelope: &Envelope,
        recipient: &str,
        catalogue: &Catalogue,
        today: Date,
    ) -> Lifted {
        let mut lifted = Lifted::default();
        for allow in &self.allows {
            if allow.expires < today || !matches(&allow.conditions, envelope, recipient) {
                continue;
            }
            let within = allow
                .sha256
                .as_deref()
                .map(|hash| under(&report.artifacts, hash));
            let of_macros = allow.vba.as_ref().map(|macros| known(report, macros));
            for (number, finding) in report.findings.iter().enumerate() {
                let place = usize::try_from(finding.artifact).unwrap_or(usize::MAX);
                let known = of_macros
                    .as_ref()
                    .is_none_or(|macros| match macros.get(place) {
                        Some(Macros::Code) => finding.id != "vba-stomped",
                        Some(Macros::Project) => is_of_project(finding, catalogue),
                        Some(Macros::Other) | None => false,
                    });
                let here = within
                    .as_ref()
                    .is_none_or(|within| within.get(place) == Some(&true));
                let named = allow.finding.as_ref().is_none_or(|id| *id == finding.id);
                if here && named && known {
                    lifted.add(number, &allow.reason);
                }
            }
        }
        lifted.findings.sort_unstable();
        lifted
    }

    fn judge(
        &self,
        report: &Report,
        route: &Arc<Resolved>,
        lifted: &[usize],
        catalogue: &Catalogue,
    ) -> Decision {
        let mut verdict = Verdict {
            action: Action::Deliver,
            parts: BTreeMap::new(),
            disarm: BTreeSet::new(),
            because: Vec::new(),
        };
        let kept = |number: &usize| lifted.binary_search(number).is_err();
        for (number, finding) in report.findings.iter().enumerate() {
            if kept(&number) {
                let action = self.action_of(finding, &route.actions, catalogue);
                verdict.add(action, finding.artifact, number);
            }
            // The floor holds against allowances too.
            if let Some(action) = by_key(finding, &self.floor, catalogue, self.thresholds) {
                verdict.add(action, finding.artifact, number);
            }
        }
        self.add_combinations(report, route, lifted, catalogue, &mut verdict);
        if !verdict.action.changes_content() {
            verdict.parts.clear();
            verdict.disarm.clear();
        }
        Decision {
            route: Arc::clone(route),
            action: verdict.action,
            parts: verdict.parts,
            disarm: verdict.disarm,
            because: verdict.because,
            allowed: Vec::new(),
        }
    }

    fn action_of(&self, finding: &Finding, actions: &Actions, catalogue: &Catalogue) -> Action {
        by_key(finding, actions, catalogue, self.thresholds).unwrap_or(Action::Deliver)
    }

    /// Combinations of what was not lifted, by the level of their score; those of everything against the floor.
    fn add_combinations(
        &self,
        report: &Report,
        route: &Resolved,
        lifted: &[usize],
        catalogue: &Catalogue,
        verdict: &mut Verdict,
    ) {
        let remaining: Vec<usize> = (0..report.findings.len())
            .filter(|number| lifted.binary_search(number).is_err())
            .collect();
        let findings: Vec<Finding> = remaining
            .iter()
            .filter_map(|number| report.findings.get(*number).cloned())
            .collect();
        let raised = if lifted.is_empty() {
            report.raised.clone()
        } else {
            let again = score::judge(&report.artifacts, &findings, catalogue, self.thresholds);
            let renumber = |mut raised: crate::model::Raised| {
                raised.findings = raised
                    .findings
                    .iter()
                    .filter_map(|at| remaining.get(*at).copied())
                    .collect();
                raised
            };
            again.raised.into_iter().map(renumber).collect()
        };
        let sets = [(&raised, &route.actions), (&report.raised, &self.floor)];
        for (raised, actions) in sets {
            for combination in raised {
                let key = Key::Level(self.thresholds.level(combination.score));
                let Some(action) = actions.of.get(&key) else {
                    continue;
                };
                let numbers = combination.findings.iter();
                for (number, finding) in
                    numbers.filter_map(|number| Some((*number, report.findings.get(*number)?)))
                {
                    verdict.add(*action, finding.artifact, number);
                }
            }
        }
    }
}

impl Resolved {
    /// What it does with a mail that cannot be scanned.
    pub fn unscannable(&self) -> crate::config::Unscannable {
        self.actions
            .unscannable
            .unwrap_or(crate::config::Unscannable::Tempfail)
    }
}

#[derive(Default)]
struct Lifted {
    findings: Vec<usize>,
    reasons: Vec<String>,
}

impl Lifted {
    fn add(&mut self, finding: usize, reason: &str) {
        if self.findings.contains(&finding) {
            return;
        }
        self.findings.push(finding);
        if !self.reasons.iter().any(|known| known == reason) {
            self.reasons.push(reason.to_owned());
        }
    }
}

struct Verdict {
    action: Action,
    parts: BTreeMap<Id, Action>,
    disarm: BTreeSet<usize>,
    because: Vec<usize>,
}

impl Verdict {
    fn add(&mut self, action: Action, artifact: Id, finding: usize) {
        if action > self.action {
            self.action = action;
            self.because.clear();
        }
        if action == self.action && action > Action::Deliver && !self.because.contains(&finding) {
            self.because.push(finding);
        }
        if action == Action::Disarm {
            self.disarm.insert(finding);
        }
        if action.changes_content() {
            let part = self.parts.entry(artifact).or_insert(action);
            *part = (*part).max(action);
        }
    }
}

/// What the most specific key says of a finding; none where no key of the table is about it.
fn by_key(
    finding: &Finding,
    actions: &Actions,
    catalogue: &Catalogue,
    thresholds: Thresholds,
) -> Option<Action> {
    if let Some(action) = actions.of.get(&Key::Finding(finding.id.to_string())) {
        return Some(*action);
    }
    let entry = catalogue.entry(&finding.id);
    let incomplete = entry.is_some_and(|entry| {
        let as_variant = |variant: &crate::knowledge::Variant| {
            variant.incomplete && variant.severity == finding.severity
        };
        entry.incomplete || entry.variants.values().any(as_variant)
    });
    let group = entry.map(|entry| entry.group.as_str());
    // A locked PDF is locked content, whatever group explains it.
    let locked = (incomplete && finding.id == "pdf-encrypted").then_some("encrypted");
    let of_group = |group: &str| actions.of.get(&Key::Group(group.to_owned())).copied();
    if let Some(action) = group
        .and_then(of_group)
        .or_else(|| locked.and_then(of_group))
    {
        return Some(action);
    }
    let level = actions
        .of
        .get(&Key::Level(thresholds.level(finding.score)))
        .copied();
    let unseen = incomplete
        .then(|| actions.of.get(&Key::Incomplete).copied())
        .flatten();
    level.max(unseen)
}

/// For each artifact whether it is the file of a hash (lower-case hex) or stands below one.
fn under(tree: &[Artifact], hash: &str) -> Vec<bool> {
    let mut within: Vec<bool> = Vec::with_capacity(tree.len());
    for artifact in tree {
        let above = artifact
            .parent
            .and_then(|id| within.get(usize::try_from(id).ok()?))
            .copied();
        within.push(above == Some(true) || artifact.sha256_hex() == hash);
    }
    within
}

/// What an artifact has to do with a macro project that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Macros {
    Other,
    /// It holds the project, and may hold anything else.
    Project,
    /// It is the project's code, or comes of it.
    Code,
}

/// What each artifact has to do with projects that are known.
fn known(report: &Report, macros: &KnownMacros) -> Vec<Macros> {
    let is_known = |artifact: &Artifact| match macros {
        KnownMacros::Source(hash) => artifact.vba_hash().as_ref() == Some(hash),
        KnownMacros::Signer(hash) => artifact.vba_signer().as_ref() == Some(hash),
    };
    let mut known: Vec<Macros> = Vec::with_capacity(report.artifacts.len());
    for artifact in &report.artifacts {
        let place = |id: Id| usize::try_from(id).ok();
        let above = artifact
            .parent
            .and_then(|id| known.get(place(id)?))
            .copied();
        let code = match above {
            Some(Macros::Code) => true,
            Some(Macros::Project) => artifact.via == Some("vba-module"),
            Some(Macros::Other) | None => false,
        };
        // Equal bytes are opened once: what is known of the first holds for the others.
        let first = artifact
            .same_as
            .and_then(|id| report.artifacts.get(place(id)?));
        let here = is_known(first.unwrap_or(artifact));
        known.push(match code {
            true => Macros::Code,
            false if here => Macros::Project,
            false => Macros::Other,
        });
    }
    known
}

/// Whether a finding on what holds a project is about the project alone: neither a name that lies nor code that only
/// shows when it is run.
fn is_of_project(finding: &Finding, catalogue: &Catalogue) -> bool {
    let entry = catalogue.entry(&finding.id);
    finding.id.starts_with("vba-")
        && finding.id != "vba-stomped"
        && entry.is_some_and(|entry| entry.group == "macros")
}

fn matches(conditions: &Conditions, envelope: &Envelope, recipient: &str) -> bool {
    let client = conditions.client.as_ref().is_none_or(|networks| {
        envelope.client.is_some_and(|address| {
            let address = address.to_canonical();
            networks.iter().any(|network| network.contains(&address))
        })
    });
    let user = conditions.user.as_ref().is_none_or(|users| {
        let same = |user: &String| envelope.user.as_ref().is_some_and(|name| name == user);
        users.iter().any(same)
    });
    let listener = conditions
        .listener
        .as_ref()
        .is_none_or(|listeners| listeners.contains(&envelope.listener));
    let from = conditions
        .from
        .as_ref()
        .is_none_or(|from| from.contains(&envelope.sender));
    let to = conditions
        .to
        .as_ref()
        .is_none_or(|to| to.contains(recipient));
    let proven = match conditions.require {
        None => true,
        Some(Require::Spf) => envelope.spf,
        Some(Require::Dkim) => {
            let domain = envelope
                .sender
                .rsplit_once('@')
                .map(|(_, domain)| domain.to_ascii_lowercase());
            domain.is_some_and(|domain| envelope.dkim.contains(&domain))
        }
    };
    client && user && listener && from && to && proven
}

#[cfg(test)]
mod tests;
