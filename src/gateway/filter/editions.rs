//! The copies of one message, where its recipients get different ones.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::model::{Action, Report};
use crate::policy::Decision;

use super::super::headers;
use super::super::plan::{Answer, Changes, Edition};
use super::act::{only, places};
use super::case::Case;
use super::mark;

impl Case<'_> {
    /// A copy for those whose route only tries out, one for those who get the message as it is, and the changed ones.
    pub(super) fn editions(
        &self,
        report: &Report,
        decisions: &[Decision],
        fates: &[Action],
        changed: Vec<(Vec<usize>, Bytes)>,
    ) -> Answer {
        let is_dry = |at: &usize| decisions.get(*at).is_some_and(|one| one.route.dry_run);
        let unchanged = places(fates, |fate| fate.delivers() && !fate.changes_content());
        let (dry, plain): (Vec<usize>, Vec<usize>) = unchanged.into_iter().partition(is_dry);
        let with_headers = |to: Vec<usize>, message: Option<Bytes>| {
            let own = only(fates, &to);
            Edition {
                to,
                changes: Changes {
                    dropped: Vec::new(),
                    added: headers::verdict(self.id, report, decisions, &own),
                    clean_own: true,
                    message,
                },
            }
        };
        let mut editions = Vec::new();
        let mut marks: BTreeMap<Option<&str>, Vec<usize>> = BTreeMap::new();
        for at in plain {
            let fate = fates.get(at).copied().unwrap_or(Action::Deliver);
            let decision = decisions.get(at);
            let mark = decision.and_then(|decision| mark::of(decision, fate));
            marks.entry(mark).or_default().push(at);
        }
        for (mark, to) in marks {
            editions.push(with_headers(
                to,
                mark.map(|mark| mark::put(self.message, mark)),
            ));
        }
        if !dry.is_empty() {
            editions.push(Edition {
                to: dry,
                changes: Changes::default(),
            });
        }
        let changed = changed.into_iter();
        editions.extend(changed.map(|(to, message)| with_headers(to, Some(message))));
        Answer::Copies(editions)
    }
}
