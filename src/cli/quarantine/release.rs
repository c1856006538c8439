//! `sekisho quarantine release ID…`: messages go on to their recipients, as they came.

use clap::Args;

use crate::notify::{self, Parting};
use crate::quarantine::{Because, Repeat, StoreError, Ticket};
use crate::text;

use super::super::exit::{Exit, Failure};
use super::super::{put, say};
use super::Desk;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Numbers of messages
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Ticket>,
    /// Only to this address (may be repeated) [default: all recipients of the envelope]
    #[arg(long, value_name = "ADDR")]
    to: Vec<String>,
    /// Also to those who have got it before
    #[arg(long)]
    again: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn run(desk: &Desk, arguments: &Arguments) -> Result<Exit, Failure> {
    let mut told = Told::default();
    for id in &arguments.ids {
        match one(desk, arguments, *id, &mut told) {
            Ok(()) => {}
            Err(Wrong::Store(
                error @ (StoreError::NotFound { .. } | StoreError::Refused { .. }),
            )) => {
                say(&error.to_string());
                told.nothing = true;
            }
            Err(Wrong::Store(error)) => return Err(error.into()),
            Err(Wrong::Output(failure)) => return Err(failure),
        }
    }
    // An error counts more than somebody who has the message already.
    Ok(match (told.failed, told.nothing) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Found,
        (false, false) => Exit::Success,
    })
}

#[derive(Debug, Default)]
struct Told {
    nothing: bool,
    failed: bool,
}

enum Wrong {
    Store(StoreError),
    Output(Failure),
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

fn one(desk: &Desk, arguments: &Arguments, id: Ticket, told: &mut Told) -> Result<(), Wrong> {
    let entry = desk.store.get(id)?;
    let mut recipients: Vec<&String> = match arguments.to.as_slice() {
        [] => entry.envelope.recipients.iter().collect(),
        to => to.iter().collect(),
    };
    recipients.sort_unstable();
    recipients.dedup();
    if recipients.is_empty() {
        say(&format!("{id}: the envelope has no recipient: --to ADDR"));
        told.failed = true;
    }
    let because = Because {
        who: &desk.who,
        why: &arguments.reason,
    };
    let repeat = if arguments.again {
        Repeat::Again
    } else {
        Repeat::Never
    };
    let next_hop = &desk.config.quarantine.next_hop;
    for recipient in recipients {
        let parting = notify::release(&desk.store, id, recipient, next_hop, repeat, because)?;
        let to = text::excerpt(recipient);
        match parting {
            Parting::Sent { reply } => {
                put(&format!("{id}  released to {to}: {reply}\n")).map_err(Wrong::Output)?;
            }
            Parting::Before(before) => {
                told.nothing = true;
                say(&match before.reply {
                    Some(_) => format!(
                        "{id}: {to} has it since {}; --again sends it once more",
                        before.at
                    ),
                    None => format!(
                        "{id}: a release to {to} began at {} and its end is not known: it may have arrived; --again sends it once more",
                        before.at
                    ),
                });
            }
            Parting::Failed { reply } => {
                told.failed = true;
                say(&format!("{id}: not released to {to}: {reply}"));
            }
            Parting::Unknown { reply } => {
                told.failed = true;
                say(&format!("{id}: may have reached {to}, or not: {reply}"));
            }
        }
    }
    Ok(())
}
