//! Copies that the next hop did not take after it had taken others of the same message: tried again until it takes
//! them, a recipient at a time, each claimed in the store before anything is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::quarantine::{
    Because, Claim, Entry, Filter, Repeat, State, StoreError, Ticket, message_digest,
};

use super::Relay;
use super::command::Path;
use super::hop::Down;
use super::reply::Reply;

/// The way of such copies in the store. No route of a configuration can have this name.
pub(super) const ROUTE: &str = crate::quarantine::UNDELIVERED;

/// How often the store is asked for them.
const PAUSE: Duration = Duration::from_secs(30);

/// The shortest and the longest time between two tries of one.
const SHORTEST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3600);

/// Copies that are tried in one round.
const AT_ONCE: usize = 100;

/// When each is tried again, and how long was waited for that.
type Plan = BTreeMap<String, (Instant, Duration)>;

/// Tries until the stop.
pub(in crate::gateway) async fn run(relay: Arc<Relay>, mut stopping: watch::Receiver<bool>) {
    let mut plan = Plan::new();
    loop {
        if let Err(error) = round(&relay, &mut plan).await {
            super::super::log::store(&error);
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = sleep(PAUSE) => {}
        }
    }
}

async fn round(relay: &Arc<Relay>, plan: &mut Plan) -> Result<(), StoreError> {
    let wanted = Filter {
        states: vec![State::Held],
        route: Some(ROUTE.to_owned()),
        ..Filter::default()
    };
    let held = relay.ask_store(move |store| store.list(&wanted)).await?;
    let now = Instant::now();
    plan.retain(|ticket, _| held.iter().any(|entry| entry.id.to_string() == *ticket));
    let due = held.iter().filter(|entry| {
        plan.get(&entry.id.to_string())
            .is_none_or(|(at, _)| *at <= now)
    });
    let due: Vec<Entry> = due.take(AT_ONCE).cloned().collect();
    for entry in due {
        let ticket = entry.id.to_string();
        let waited = plan
            .get(&ticket)
            .map_or(SHORTEST, |(_, waited)| waited.saturating_mul(2))
            .min(LONGEST);
        deliver(relay, &entry).await?;
        plan.insert(ticket, (now + waited, waited));
    }
    Ok(())
}

async fn deliver(relay: &Arc<Relay>, entry: &Entry) -> Result<(), StoreError> {
    let id = entry.id;
    let text = relay.ask_store(move |store| store.message(id)).await?;
    let digest = message_digest(&text);
    for recipient in &entry.envelope.recipients {
        let to = recipient.clone();
        let claim = relay
            .ask_store(move |store| store.claim(id, &to, &digest, Repeat::Never))
            .await?;
        if let Claim::Before(_) = claim {
            continue;
        }
        let sent = send(relay, &entry.envelope.sender, recipient, &text).await;
        let (taken, said) = match sent {
            Ok(Some(reply)) => (reply.is_positive(), reply.shown()),
            // It may have it: somebody must look.
            Ok(None) => {
                tracing::error!(
                    ticket = id.to_string(),
                    "the next hop broke off behind the end of a held copy: it may have it"
                );
                continue;
            }
            Err(down) => (false, down.to_string()),
        };
        note(relay, id, recipient.clone(), said, taken).await?;
    }
    Ok(())
}

async fn note(
    relay: &Arc<Relay>,
    id: Ticket,
    to: String,
    said: String,
    taken: bool,
) -> Result<(), StoreError> {
    tracing::info!(
        ticket = id.to_string(),
        taken,
        reply = said,
        "a held copy was tried again"
    );
    let because = Because {
        who: "sekisho",
        why: "the next hop did not take it before",
    };
    let noted = move |store: &crate::quarantine::Store| match taken {
        true => store.released(id, &to, &said, because),
        false => store.not_released(id, &to, &said, because),
    };
    relay.ask_store(noted).await
}

/// One transaction for one recipient. None where it is not known whether the message arrived.
async fn send(
    relay: &Relay,
    sender: &str,
    recipient: &str,
    text: &[u8],
) -> Result<Option<Reply>, Down> {
    let mut hop = relay.connect().await?;
    let path = |path: &str, parameters: Vec<String>| Path {
        path: path.to_owned(),
        parameters,
    };
    let mut parameters = Vec::new();
    if !text.is_ascii() {
        parameters.push("BODY=8BITMIME".to_owned());
    }
    if (!sender.is_ascii() || !recipient.is_ascii()) && hop.offers.has("SMTPUTF8") {
        parameters.push("SMTPUTF8".to_owned());
    }
    let mail = hop.offers.command("MAIL FROM", &path(sender, parameters));
    let said = hop.mail(&mail).await?;
    if !said.is_positive() {
        return Ok(Some(said));
    }
    let rcpt = hop.offers.command("RCPT TO", &path(recipient, Vec::new()));
    let said = hop.rcpt(&rcpt).await?;
    if !said.is_positive() {
        return Ok(Some(said));
    }
    let Ok(mut replies) = hop.message(text).await else {
        return Ok(None);
    };
    hop.quit().await;
    Ok(replies.pop())
}
