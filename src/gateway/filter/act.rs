//! From decisions to deeds: what is refused, what is cleaned, what is left for [`super::place`].

use std::sync::Arc;

use crate::model::{Action, Report};
use crate::policy::{Decision, Grounds, Trouble};
use crate::quarantine::Store;

use super::super::clean::{Clean, Cleaner};
use super::super::headers;
use super::super::log::Record;
use super::super::plan::Answer;
use super::case::{Case, Judged};

/// Different changed copies of one message at the most; where recipients ask for more, they get one that suits all.
const MOST_COPIES: usize = 8;

/// What becomes of a message for each recipient.
pub(super) struct Fates<'a> {
    pub(super) each: &'a [Action],
    /// The message without what policy takes out, where it does, and for whom.
    pub(super) cleaned: Vec<(Vec<usize>, Clean<'a>)>,
    /// Whether every route only tries out.
    pub(super) dry: bool,
}

impl Case<'_> {
    /// From decisions to deeds.
    pub(super) fn act<'r>(
        &self,
        store: &Store,
        report: &'r Report,
        decisions: &[Decision],
        released: Option<&str>,
        cleaner: Option<&mut Cleaner<'r, '_>>,
    ) -> Result<Judged, Trouble> {
        let mut fates: Vec<Action> = decisions
            .iter()
            .zip(&self.envelope.recipients)
            .map(|(decision, recipient)| match decision.route.dry_run {
                true => Action::Deliver,
                false if released == Some(recipient.as_str()) => Action::Deliver,
                false => decision.action,
            })
            .collect();
        let mut record = Record::of(report, decisions);
        record.released = released.is_some();
        if self.abilities.refuse && fates.iter().all(|fate| *fate == Action::Reject) {
            record.action = "reject";
            return Ok(Judged {
                answer: Answer::Reject(headers::reject(self.id, report)),
                record,
                report: None,
            });
        }
        for fate in fates.iter_mut().filter(|fate| **fate == Action::Reject) {
            *fate = Action::Quarantine;
        }
        let cleaned = self.clean_all(report, decisions, &mut fates, cleaner, &mut record)?;
        let dry = decisions.iter().all(|decision| decision.route.dry_run);
        let fates = Fates {
            each: &fates,
            cleaned,
            dry,
        };
        let answer = self.place(store, report, decisions, fates, &mut record)?;
        Ok(Judged {
            answer,
            record,
            report: None,
        })
    }

    /// Takes out what is to be taken out, once for all recipients with the same parts where each can have a copy of its
    /// own. What can't be made safe waits for somebody to look at it: its fates become [`Action::Hold`].
    fn clean_all<'r>(
        &self,
        report: &'r Report,
        decisions: &[Decision],
        fates: &mut [Action],
        mut cleaner: Option<&mut Cleaner<'r, '_>>,
        record: &mut Record,
    ) -> Result<Vec<(Vec<usize>, Clean<'r>)>, Trouble> {
        let mut cleaned = Vec::new();
        for to in self.groups(decisions, fates) {
            let own = only(fates, &to);
            let tried = match cleaner.as_deref_mut() {
                Some(cleaner) => self.clean(cleaner, report, decisions, &own)?,
                None => Err("it was not scanned".to_owned()),
            };
            match tried {
                Ok(clean) => {
                    record.removed = record.removed.saturating_add(clean.removed());
                    cleaned.push((to, clean));
                }
                Err(why) => {
                    let held = fates.iter_mut().enumerate();
                    held.filter(|(at, _)| to.binary_search(at).is_ok())
                        .for_each(|(_, fate)| *fate = Action::Hold);
                    record.refused = Some(why);
                }
            }
        }
        Ok(cleaned)
    }

    /// The recipients whose message is changed, by what is changed in it.
    fn groups(&self, decisions: &[Decision], fates: &[Action]) -> Vec<Vec<usize>> {
        let changed = places(fates, Action::changes_content);
        let mut groups: Vec<(&Arc<Grounds>, Vec<usize>)> = Vec::new();
        for at in &changed {
            let Some(Decision { grounds, .. }) = decisions.get(*at) else {
                continue;
            };
            let same =
                |known: &Arc<Grounds>| Arc::ptr_eq(known, grounds) || known.parts == grounds.parts;
            match groups.iter_mut().find(|(known, _)| same(known)) {
                Some((_, to)) => to.push(*at),
                None => groups.push((grounds, vec![*at])),
            }
        }
        let one_for_all = !self.abilities.copies || groups.len() > MOST_COPIES;
        match changed.is_empty() {
            true => Vec::new(),
            false if one_for_all => vec![changed],
            false => groups.into_iter().map(|(_, to)| to).collect(),
        }
    }
}

pub(super) fn places(fates: &[Action], which: impl Fn(Action) -> bool) -> Vec<usize> {
    let numbered = fates.iter().enumerate();
    numbered
        .filter(|(_, fate)| which(**fate))
        .map(|(at, _)| at)
        .collect()
}

/// The fates of some recipients; the others get nothing.
pub(super) fn only(fates: &[Action], to: &[usize]) -> Vec<Action> {
    let mut own = vec![Action::Hold; fates.len()];
    for at in to {
        if let (Some(place), Some(fate)) = (own.get_mut(*at), fates.get(*at)) {
            *place = *fate;
        }
    }
    own
}
