//! `sekisho quarantine release ID…`: messages go on to their recipients, as they came or without what is risky in them.

use clap::Args;

use crate::engine::Worker;
use crate::model::Envelope;
use crate::notify::{self, Cleaning, Parting, What};
use crate::quarantine::{Because, Entry, Repeat, StoreError, Ticket};
use crate::text;

use super::super::exit::{Exit, Failure};
use super::super::settings::Settings;
use super::super::{put, say, serve};
use super::Desk;

/// As scan threads have it: what is looked at may be nested deeply.
const STACK: usize = 16 << 20;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Numbers of messages
    #[arg(value_name = "ID", required = true)]
    ids: Vec<Ticket>,
    /// Only to this address (may be repeated) [default: all recipients of the envelope]
    #[arg(long, value_name = "ADDR")]
    to: Vec<String>,
    /// Without what policy would act on: documents are disarmed, what cannot be is replaced by notices
    #[arg(long)]
    cleaned: bool,
    /// Also to those who have got it before
    #[arg(long)]
    again: bool,
    /// Why, for the audit
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

pub(super) fn run(
    settings: &Settings,
    desk: &Desk,
    arguments: &Arguments,
) -> Result<Exit, Failure> {
    let mut told = Told::default();
    for id in &arguments.ids {
        match one(settings, desk, arguments, *id, &mut told) {
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

fn one(
    settings: &Settings,
    desk: &Desk,
    arguments: &Arguments,
    id: Ticket,
    told: &mut Told,
) -> Result<(), Wrong> {
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
    let cleaned = match arguments.cleaned {
        false => None,
        true => {
            let to = recipients.iter().map(|to| (*to).clone()).collect();
            match clean(settings, desk, &entry, to)? {
                Ok(cleaned) => Some(cleaned),
                Err(why) => {
                    told.failed = true;
                    say(&format!("{id}: cannot be cleaned: {why}; not released"));
                    return Ok(());
                }
            }
        }
    };
    let what = cleaned.as_deref().map_or(What::Original, What::Cleaned);
    for recipient in recipients {
        let parting = notify::release(&desk.store, id, what, recipient, next_hop, repeat, because)?;
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

/// The message without what policy would act on; the inner error says why there is none.
fn clean(
    settings: &Settings,
    desk: &Desk,
    entry: &Entry,
    recipients: Vec<String>,
) -> Result<Result<Vec<u8>, String>, Wrong> {
    let message = desk.store.message(entry.id)?;
    let (generation, _) = serve::read(settings).map_err(Wrong::Output)?;
    let envelope = Envelope {
        recipients,
        ..entry.envelope.clone()
    };
    let engine = &generation.engine;
    let cleaning = Cleaning {
        policy: &generation.policy,
        strip: &generation.strip,
        catalogue: &engine.knowledge.catalogue,
        limits: &engine.limits,
        today: jiff::tz::Offset::UTC
            .to_datetime(jiff::Timestamp::now())
            .date(),
    };
    let work = || cleaning.clean(&mut Worker::new(engine), entry.id, &envelope, &message);
    let done = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .stack_size(STACK)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread for it: {error}"))?;
        let broken = |_| Err("the scan broke down".to_owned());
        thread.join().unwrap_or_else(broken)
    });
    Ok(done.map(|cleaned| cleaned.to_vec()))
}
