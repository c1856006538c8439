//! Stores what is to be stored, and only then answers for the rest.

use std::collections::BTreeMap;
use std::time::SystemTime;

use crate::model::{Action, Envelope, Report};
use crate::policy::{Decision, Trouble};
use crate::quarantine::{Deposit, Store, Ticket};

use super::super::headers;
use super::super::log::Record;
use super::super::plan::{Answer, Changes};
use super::act::{Fates, places};
use super::case::{Case, store_trouble};
use super::mark;

impl Case<'_> {
    /// Stores what is to be stored, and answers for the rest.
    pub(super) fn place(
        &self,
        store: &Store,
        report: &Report,
        decisions: &[Decision],
        fates: Fates<'_>,
        record: &mut Record,
    ) -> Result<Answer, Trouble> {
        let Fates {
            each: fates,
            cleaned,
            dry,
        } = fates;
        let dropped: Vec<usize> = places(fates, |fate| !fate.delivers());
        let passes = dropped.len() < fates.len();
        let own = self.carries_own_headers();
        let mark = decisions
            .iter()
            .zip(fates)
            .find_map(|(decision, fate)| mark::of(decision, *fate));
        let strictest = fates.iter().copied().filter(|fate| fate.delivers()).max();
        if passes {
            let able = self.abilities;
            let not_offered = (!dropped.is_empty() && !able.drop_recipients)
                || (strictest == Some(Action::Tag) && !able.add_headers)
                || (own && !dry && !able.change_headers)
                || !(cleaned.is_empty() && mark.is_none()
                    || able.change_headers && able.change_body);
            if not_offered {
                return Err(Trouble::NotOffered);
            }
        }
        let mut originals = BTreeMap::new();
        for action in [
            Action::Disarm,
            Action::Strip,
            Action::Hold,
            Action::Quarantine,
        ] {
            let to = places(fates, |fate| fate == action);
            let Some(route) = to.first().and_then(|first| decisions.get(*first)) else {
                continue;
            };
            let ticket = self.store(store, report, &route.route.name, action, &to)?;
            originals.insert(action, ticket.to_string());
            record.tickets.push(ticket.to_string());
        }
        let worst = fates.iter().copied().max().unwrap_or(Action::Deliver);
        record.action = worst.as_str();
        if !passes {
            return Ok(Answer::Discard);
        }
        if dry {
            return Ok(match self.abilities.copies {
                true => self.editions(report, decisions, fates, Vec::new()),
                false => Answer::Pass(Changes::default()),
            });
        }
        let mut changed = Vec::new();
        for (to, clean) in cleaned {
            let strictest = to.iter().filter_map(|at| fates.get(*at)).max();
            let original = strictest.and_then(|action| originals.get(action));
            changed.push((to, clean.finish(original.map_or("", String::as_str))?));
        }
        if self.abilities.copies {
            return Ok(self.editions(report, decisions, fates, changed));
        }
        let added = match self.abilities.add_headers {
            true => headers::verdict(self.id, report, decisions, fates),
            false => Vec::new(),
        };
        let changed = changed.pop().map(|(_, message)| message);
        let marked = mark.map(|mark| mark::put(changed.as_ref().unwrap_or(self.message), mark));
        Ok(Answer::Pass(Changes {
            dropped,
            added,
            clean_own: true,
            message: marked.or(changed),
        }))
    }

    fn store(
        &self,
        store: &Store,
        report: &Report,
        route: &str,
        action: Action,
        to: &[usize],
    ) -> Result<Ticket, Trouble> {
        let recipients = to.iter().filter_map(|at| self.envelope.recipients.get(*at));
        let envelope = Envelope {
            recipients: recipients.cloned().collect(),
            ..self.envelope.clone()
        };
        let deposit = Deposit {
            message: self.message,
            envelope: &envelope,
            report,
            route,
            action,
            received: SystemTime::now(),
        };
        let put = || store.put(&deposit);
        // The disk takes a hundred times as long as a scan.
        let stored = match self.pool {
            Some(pool) => pool.step_out(put),
            None => put(),
        };
        match stored {
            Ok(stored) => Ok(stored.ticket()),
            Err(error) => Err(store_trouble(&error)),
        }
    }
}
