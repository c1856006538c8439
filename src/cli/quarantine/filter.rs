//! Which messages `list` means.

use clap::Args;

use crate::knowledge::Catalogue;
use crate::model::Action;
use crate::quarantine::{Filter, State};

use super::super::exit::Failure;
use super::super::given::{ids, moment};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// In this state: held, quarantined, released, expired, deleted (may be repeated)
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Vec<State>,
    /// Received since: a day (2026-11-24, UTC), a time (RFC 3339), or an age such as 2d
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<i64>,
    /// Received before: as for --since
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<i64>,
    /// Text in the envelope sender or in From
    #[arg(long, value_name = "TEXT")]
    sender: Option<String>,
    /// Text in a recipient
    #[arg(long, value_name = "TEXT")]
    recipient: Option<String>,
    /// Text in the subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// With this finding, combination or group of findings (may be repeated)
    #[arg(long, value_name = "ID")]
    finding: Vec<String>,
    /// Stored by this action: hold or quarantine
    #[arg(long, value_name = "ACTION", value_parser = action)]
    action: Option<Action>,
    /// Stored by this route
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// At most as many; 0: all
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
}

impl Arguments {
    pub(super) fn filter(&self, catalogue: &Catalogue) -> Result<Filter, Failure> {
        let mut findings = Vec::new();
        for id in &self.finding {
            findings.extend(ids(catalogue, id)?);
        }
        Ok(Filter {
            states: self.state.clone(),
            since: self.since,
            until: self.until,
            sender: self.sender.clone(),
            recipient: self.recipient.clone(),
            subject: self.subject.clone(),
            findings,
            action: self.action,
            route: self.route.clone(),
            limit: Some(self.limit).filter(|limit| *limit > 0),
        })
    }

    /// Whether a list of this length may have been cut.
    pub(super) fn is_limit(&self, found: usize) -> bool {
        self.limit > 0 && found >= self.limit
    }
}

fn state(text: &str) -> Result<State, String> {
    State::ALL
        .into_iter()
        .find(|state| state.as_str() == text)
        .ok_or_else(|| "must be held, quarantined, released, expired or deleted".to_owned())
}

fn action(text: &str) -> Result<Action, String> {
    [Action::Hold, Action::Quarantine]
        .into_iter()
        .find(|action| action.as_str() == text)
        .ok_or_else(|| "must be hold or quarantine".to_owned())
}
