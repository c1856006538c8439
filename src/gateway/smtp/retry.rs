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
use super::hop::{Broken, Down};
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

/// What is known of the copies beside what the store has.
#[derive(Default)]
struct Rounds {
    /// When each is tried again, and how long was waited for that.
    plan: BTreeMap<String, (Instant, Duration)>,
    /// What the next hop said and the store could not note: until then nobody else may try.
    unnoted: Vec<Tried>,
}

/// A try that came to an end.
#[derive(Debug, Clone)]
struct Tried {
    id: Ticket,
    to: String,
    said: String,
    taken: bool,
}

/// Tries until the stop.
pub(in crate::gateway) async fn run(relay: Arc<Relay>, mut stopping: watch::Receiver<bool>) {
    let mut rounds = Rounds::default();
    loop {
        if let Err(error) = rounds.next(&relay).await {
            super::super::log::store(&error);
        }
        tokio::select! {
            _ = stopping.wait_for(|stop| *stop) => return,
            () = sleep(PAUSE) => {}
        }
    }
}

impl Rounds {
    async fn next(&mut self, relay: &Arc<Relay>) -> Result<(), StoreError> {
        // Ends because every turn takes one away, or leaves.
        while let Some(tried) = self.unnoted.last() {
            note(relay, tried.clone()).await?;
            self.unnoted.pop();
        }
        let wanted = Filter {
            states: vec![State::Held],
            route: Some(ROUTE.to_owned()),
            ..Filter::default()
        };
        let held = relay.ask_store(move |store| store.list(&wanted)).await?;
        let now = Instant::now();
        self.plan
            .retain(|ticket, _| held.iter().any(|entry| entry.id.to_string() == *ticket));
        let due = held.iter().filter(|entry| {
            let planned = self.plan.get(&entry.id.to_string());
            planned.is_none_or(|(at, _)| *at <= now)
        });
        let due: Vec<Entry> = due.take(AT_ONCE).cloned().collect();
        for entry in due {
            let ticket = entry.id.to_string();
            let before = self.plan.get(&ticket).map(|(_, waited)| *waited);
            let waited = before
                .map_or(SHORTEST, |waited| waited.saturating_mul(2))
                .min(LONGEST);
            self.plan.insert(ticket, (now + waited, waited));
            // One that cannot be read, or is gone, must not stand in the way of the others.
            if let Err(error) = self.deliver(relay, &entry, before.is_none()).await {
                super::super::log::store(&error);
            }
        }
        Ok(())
    }

    /// Tries a copy for those who have not got it. `first`: since this process runs.
    async fn deliver(
        &mut self,
        relay: &Arc<Relay>,
        entry: &Entry,
        first: bool,
    ) -> Result<(), StoreError> {
        let id = entry.id;
        let text = relay.ask_store(move |store| store.message(id)).await?;
        let digest = message_digest(&text);
        for recipient in &entry.envelope.recipients {
            let to = recipient.clone();
            let claim = relay
                .ask_store(move |store| store.claim(id, &to, &digest, Repeat::Never))
                .await?;
            if let Claim::Before(before) = claim {
                if before.reply.is_none() && first {
                    say_unknown(id);
                }
                continue;
            }
            let sent = send(relay, &entry.envelope.sender, recipient, &text).await;
            let (taken, said) = match sent {
                Ok(Some(reply)) => (reply.is_positive(), reply.shown()),
                Ok(None) => {
                    say_unknown(id);
                    continue;
                }
                Err(down) => (false, down.to_string()),
            };
            let to = recipient.clone();
            let tried = Tried {
                id,
                to,
                said,
                taken,
            };
            if let Err(error) = note(relay, tried.clone()).await {
                self.unnoted.push(tried);
                return Err(error);
            }
        }
        Ok(())
    }
}

/// It may have it: somebody must look.
fn say_unknown(id: Ticket) {
    let ticket = id.to_string();
    tracing::error!(
        hint = "where it did not arrive: `sekisho quarantine release --again`",
        ticket,
        "a held copy was broken off behind its end: the next hop may have it, and it is not tried again"
    );
}

async fn note(relay: &Arc<Relay>, tried: Tried) -> Result<(), StoreError> {
    let Tried {
        id,
        to,
        said,
        taken,
    } = tried;
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
    match hop.message(text).await {
        Ok(said) => {
            hop.quit().await;
            Ok(said.first().cloned())
        }
        Err(Broken::Before(down)) => Err(down),
        Err(Broken::Behind(down)) => {
            relay.warn(&down);
            Ok(None)
        }
    }
}
