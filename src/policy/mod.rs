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
use crate::model::{Action, Artifact, Envelope, Finding, Id, Raised, Report};
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
    /// What stands before the subject of mails that are tagged.
    pub subject_mark: Option<String>,
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
    /// What it is about: the same for all recipients with the same rules, however many.
    pub grounds: Arc<Grounds>,
}

/// What a decision is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grounds {
    /// Artifacts on which something calls for a change, with the action for each; empty unless the mail is changed.
    pub parts: BTreeMap<Id, Action>,
    /// Findings for which something is to be disarmed, as indexes into the report; empty unless the mail is changed.
    pub disarm: BTreeSet<usize>,
    /// Findings that led to the action, as indexes into the report; empty where a combination alone did.
    pub because: BTreeSet<usize>,
    /// Reasons of the allowances that lifted findings.
    pub allowed: Vec<String>,
}

/// The grounds of decisions, each once, in order.
pub fn distinct<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Vec<&'a Grounds> {
    let mut seen: Vec<&Arc<Grounds>> = Vec::new();
    for decision in decisions {
        // As many as there are sets of rules.
        if !seen
            .iter()
            .any(|known| Arc::ptr_eq(known, &decision.grounds))
        {
            seen.push(&decision.grounds);
        }
    }
    seen.into_iter().map(AsRef::as_ref).collect()
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
                subject_mark: route.subject_mark.clone(),
                conditions: route.conditions.clone(),
                actions: route.actions.over_built_in(),
            })
        };
        Self {
            routes: settings.routes.iter().map(resolve).collect(),
            default: Arc::new(Resolved {
                name: DEFAULT_ROUTE.to_owned(),
                dry_run: false,
                subject_mark: None,
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

    /// What is done for each recipient, in the order of the envelope; `today` ends allowances. The report is looked
    /// through once for all recipients with the same rules: there may be thousands of them, and of findings.
    pub fn decide(
        &self,
        report: &Report,
        envelope: &Envelope,
        catalogue: &Catalogue,
        today: Date,
    ) -> Vec<Decision> {
        let mut known: Vec<(Vec<usize>, Decision)> = Vec::new();
        let decide = |recipient: &String| {
            let route = self.route(envelope, recipient);
            let allows = self.allows_for(envelope, recipient, today);
            let same = |(of, decision): &&(Vec<usize>, Decision)| {
                Arc::ptr_eq(&decision.route, &route) && *of == allows
            };
            if let Some((_, decision)) = known.iter().find(same) {
                return decision.clone();
            }
            let lifted = self.lifted(report, &allows, catalogue);
            let decision = self.judge(report, &route, lifted, catalogue);
            known.push((allows, decision.clone()));
            decision
        };
        envelope.recipients.iter().map(decide).collect()
    }

    /// The allowances that hold for a recipient, by their places.
    fn allows_for(&self, envelope: &Envelope, recipient: &str, today: Date) -> Vec<usize> {
        let holds = |allow: &Allow| {
            allow.expires >= today && matches(&allow.conditions, envelope, recipient)
        };
        let numbered = self.allows.iter().enumerate();
        numbered
            .filter(|(_, allow)| holds(allow))
            .map(|(at, _)| at)
            .collect()
    }

    /// Which findings allowances lift that are about everybody's mails: for files that came without an envelope.
    pub fn lifted_for_all(
        &self,
        report: &Report,
        catalogue: &Catalogue,
        today: Date,
    ) -> (BTreeSet<usize>, Vec<String>) {
        let allows = self.allows_for(&Envelope::default(), "", today);
        let lifted = self.lifted(report, &allows, catalogue);
        (lifted.findings, lifted.reasons)
    }

    /// Which findings some allowances lift.
    fn lifted(&self, report: &Report, allows: &[usize], catalogue: &Catalogue) -> Lifted {
        let mut lifted = Lifted::default();
        for allow in allows.iter().filter_map(|at| self.allows.get(*at)) {
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
        lifted
    }

    fn judge(
        &self,
        report: &Report,
        route: &Arc<Resolved>,
        lifted: Lifted,
        catalogue: &Catalogue,
    ) -> Decision {
        let mut verdict = Verdict {
            action: Action::Deliver,
            grounds: Grounds::default(),
        };
        for (number, finding) in report.findings.iter().enumerate() {
            if !lifted.findings.contains(&number) {
                let action = self.action_of(finding, &route.actions, catalogue);
                verdict.add(action, finding.artifact, number);
            }
            // The floor holds against allowances too.
            if let Some(action) = by_key(finding, &self.floor, catalogue, self.thresholds) {
                verdict.add(action, finding.artifact, number);
            }
        }
        self.add_combinations(report, route, &lifted.findings, catalogue, &mut verdict);
        let Verdict {
            action,
            mut grounds,
        } = verdict;
        if !action.changes_content() {
            grounds.parts.clear();
            grounds.disarm.clear();
        }
        grounds.allowed = lifted.reasons;
        Decision {
            route: Arc::clone(route),
            action,
            grounds: Arc::new(grounds),
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
        lifted: &BTreeSet<usize>,
        catalogue: &Catalogue,
        verdict: &mut Verdict,
    ) {
        let again = match lifted.is_empty() {
            true => None,
            false => Some(self.combinations_without(report, lifted, catalogue)),
        };
        let raised = again.as_ref().unwrap_or(&report.raised);
        let sets = [(raised, &route.actions), (&report.raised, &self.floor)];
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

impl Policy {
    /// The combinations that are met without some findings.
    fn combinations_without(
        &self,
        report: &Report,
        lifted: &BTreeSet<usize>,
        catalogue: &Catalogue,
    ) -> Vec<Raised> {
        let numbered = report.findings.iter().enumerate();
        let (remaining, findings): (Vec<usize>, Vec<Finding>) = numbered
            .filter(|(number, _)| !lifted.contains(number))
            .map(|(number, finding)| (number, finding.clone()))
            .unzip();
        let again = score::judge(&report.artifacts, &findings, catalogue, self.thresholds);
        let renumber = |mut raised: Raised| {
            let numbers = raised.findings.iter();
            raised.findings = numbers
                .filter_map(|at| remaining.get(*at).copied())
                .collect();
            raised
        };
        again.raised.into_iter().map(renumber).collect()
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
    findings: BTreeSet<usize>,
    reasons: Vec<String>,
}

impl Lifted {
    fn add(&mut self, finding: usize, reason: &str) {
        if self.findings.insert(finding) && !self.reasons.iter().any(|known| known == reason) {
            self.reasons.push(reason.to_owned());
        }
    }
}

struct Verdict {
    action: Action,
    grounds: Grounds,
}

impl Verdict {
    fn add(&mut self, action: Action, artifact: Id, finding: usize) {
        let grounds = &mut self.grounds;
        if action > self.action {
            self.action = action;
            grounds.because.clear();
        }
        if action == self.action && action > Action::Deliver {
            grounds.because.insert(finding);
        }
        if action == Action::Disarm {
            grounds.disarm.insert(finding);
        }
        if action.changes_content() {
            let part = grounds.parts.entry(artifact).or_insert(action);
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
