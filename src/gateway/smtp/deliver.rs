//! From the verdict to the next hop: one copy or several, and what is said to the client in the end.
//!
//! All recipients of all copies are answered by the next hop before the first final dot, so that what can be refused is
//! refused before anything is delivered. Once a copy was taken, the client is told yes: what is refused after that goes
//! to the store as held, and is tried again by [`super::retry`].

use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::RelayMode;
use crate::model::{Envelope, Report};

use super::super::filter::{Outcome, Request};
use super::super::plan::{Abilities, Answer, Edition};
use super::super::pool::Share;
use super::Relay;
use super::hop::{Broken, Down, Hop, Said};
use super::offers::Offers;
use super::reply::Reply;
use super::retry::ROUTE;
use super::session::{Session, Transaction, lost};
use super::trace::{self, Trace};

/// A copy with its bytes.
struct Copy {
    to: Vec<usize>,
    text: Vec<u8>,
}

/// What a message is delivered with.
pub(super) struct Delivery<'a> {
    pub(super) relay: &'a Relay,
    pub(super) session: &'a Session,
    pub(super) hop: &'a mut Option<Hop>,
}

/// What became of one copy.
enum Sent {
    /// Taken for some at least; the others, with what was said.
    Taken { reply: Reply, left: Vec<usize> },
    /// Taken for nobody.
    Refused(Reply),
}

impl Delivery<'_> {
    /// Judges a message, sends it on, and gives the answer to its client.
    pub(super) async fn message(&mut self, text: Vec<u8>, share: Share) -> Reply {
        let relay = self.relay;
        let envelope = self.session.envelope();
        if let Some(why) = trace::loops(&text, &relay.mark) {
            tracing::warn!(why, listener = "relay", "refused");
            self.forget();
            return Reply::new(554, why);
        }
        let came = bytes::Bytes::from(text);
        let request = Request {
            envelope: envelope.clone(),
            message: Some(came.clone()),
            abilities: Abilities {
                refuse: relay.settings.mode == RelayMode::BeforeQueue,
                copies: true,
                ..Abilities::ALL
            },
            share,
        };
        let Outcome { id, answer, report } = relay.filter.judge_whole(request).await;
        let all = || (0..envelope.recipients.len()).collect();
        let editions = match answer {
            Answer::Copies(editions) => editions,
            Answer::Pass(changes) => vec![Edition { to: all(), changes }],
            Answer::Discard => {
                self.forget();
                return Reply::new(250, format!("2.0.0 Ok: kept by sekisho; id={id}"));
            }
            Answer::Reject(text) | Answer::Tempfail(text) => {
                self.forget();
                return Reply::of_text(&text);
            }
        };
        let mut share = Share::default();
        let size = came.len().saturating_mul(editions.len().saturating_add(1));
        if relay.filter.admission.grow(&mut share, size).is_err() {
            self.forget();
            return Reply::new(451, "4.3.1 busy, try again later");
        }
        let copies = self.compose(&id, editions, &came);
        drop(came);
        let reply = self.send(&id, copies, &envelope, report).await;
        tracing::info!(target: "sekisho::relay", id, reply = reply.shown(), "relayed");
        reply
    }

    /// The transaction at the next hop is of no use any more.
    fn forget(&mut self) {
        if let Some(hop) = self.hop {
            hop.dirty = true;
        }
    }

    fn compose(&self, id: &str, editions: Vec<Edition>, came: &[u8]) -> Vec<Copy> {
        let session = self.session;
        let trace = Trace {
            helo: session.attribute("HELO").unwrap_or_default(),
            client_name: session.attribute("NAME"),
            client: session.attribute("ADDR"),
            name: self.relay.name.clone(),
            mark: self.relay.mark.clone(),
            protocol: session.spoken(),
            id: id.to_owned(),
        };
        let copy = |Edition { to, changes }: Edition| Copy {
            to,
            text: trace::compose(&trace, &changes, came),
        };
        editions.into_iter().map(copy).collect()
    }

    async fn send(
        &mut self,
        id: &str,
        copies: Vec<Copy>,
        envelope: &Envelope,
        report: Option<Report>,
    ) -> Reply {
        let Some(open) = self.session.transaction() else {
            return lost();
        };
        let mut hops = match self.open_all(open, &copies).await {
            Ok(hops) => hops.into_iter(),
            Err(reply) => {
                self.relay.count(|counts| &counts.failed);
                self.forget();
                return reply;
            }
        };
        let mut answer: Option<Reply> = None;
        let mut copies = copies.into_iter();
        // Ends because each copy has one connection.
        while let (Some(copy), Some(hop)) = (copies.next(), hops.next()) {
            let sent = self.hand_over(hop, open, &copy).await;
            let left = match sent {
                Sent::Taken { reply, left } => {
                    self.relay.count(|counts| &counts.accepted);
                    answer = Some(answer.unwrap_or(reply));
                    left
                }
                Sent::Refused(reply) if answer.is_none() => {
                    self.relay.count(|counts| match reply.is_permanent() {
                        true => &counts.refused,
                        false => &counts.failed,
                    });
                    // Nobody has anything yet. The other connections end without a final dot.
                    self.forget();
                    return reply;
                }
                Sent::Refused(reply) => {
                    tracing::warn!(
                        id,
                        reply = reply.shown(),
                        "a copy was refused after another was taken: held"
                    );
                    copy.to.clone()
                }
            };
            if !left.is_empty()
                && !self
                    .hold(id, copy.text, &left, envelope, report.clone())
                    .await
            {
                // The client tries again: a copy too many for some is better than none for others.
                return Reply::new(451, "4.3.0 a copy cannot be kept, try again later");
            }
        }
        answer.unwrap_or_else(lost)
    }

    /// Hands a copy over. Where the next hop left before the end of it (it may have been tired of waiting for a slow
    /// client or a long scan), once more on a new connection: it has nothing yet.
    async fn hand_over(&mut self, mut hop: Hop, open: &Transaction, copy: &Copy) -> Sent {
        let mut fresh = false;
        // Ends because a second connection is the last one.
        loop {
            match hop.message(&copy.text).await {
                Ok(said) => {
                    match &said {
                        Said::Each {
                            broken: Some(down), ..
                        } => self.relay.warn(down),
                        _ => self.keep(hop),
                    }
                    return Sent::of(&copy.to, &said);
                }
                Err(Broken::Before(down)) if !fresh => {
                    self.relay.warn(&down);
                    fresh = true;
                    let Ok(again) = self.relay.connect().await else {
                        return Sent::Refused(lost());
                    };
                    hop = match self.envelope(again, open, copy).await {
                        Ok(hop) => hop,
                        Err(reply) => return Sent::Refused(reply),
                    };
                }
                Err(Broken::Before(down) | Broken::Behind(down)) => {
                    self.relay.warn(&down);
                    return Sent::Refused(lost());
                }
            }
        }
    }

    /// A connection that has a transaction for each copy, every recipient of it accepted.
    async fn open_all(&mut self, open: &Transaction, copies: &[Copy]) -> Result<Vec<Hop>, Reply> {
        if let [only] = copies
            && only.to.len() == open.to.len()
            && let Some(hop) = self.hop.take_if(|hop| hop.dirty)
        {
            // As it stands.
            return Ok(vec![hop]);
        }
        let mut hops = Vec::new();
        for copy in copies {
            let hop = match self.hop.take() {
                Some(hop) => hop,
                None => self.relay.connect().await.map_err(|_| lost())?,
            };
            hops.push(self.envelope(hop, open, copy).await?);
        }
        Ok(hops)
    }

    async fn envelope(&self, mut hop: Hop, open: &Transaction, copy: &Copy) -> Result<Hop, Reply> {
        let down = |down: Down| {
            self.relay.warn(&down);
            lost()
        };
        hop.clean().await.map_err(down)?;
        let forwarded = hop.forward(|name| self.session.attribute(name));
        forwarded.await.map_err(down)?;
        let offers: Offers = hop.offers.clone();
        let mail = hop.mail(&offers.command("MAIL FROM", &open.from)).await;
        yes(&mail.map_err(down)?)?;
        for at in &copy.to {
            let Some(to) = open.to.get(*at) else { continue };
            let rcpt = hop.rcpt(&offers.command("RCPT TO", to)).await;
            yes(&rcpt.map_err(down)?)?;
        }
        Ok(hop)
    }

    /// One connection is kept for the next message, the others end.
    fn keep(&mut self, hop: Hop) {
        match self.hop {
            None => *self.hop = Some(hop),
            Some(_) => drop(tokio::spawn(hop.quit())),
        }
    }

    /// Whether a copy is in the store for those who have not got it.
    async fn hold(
        &self,
        id: &str,
        text: Vec<u8>,
        left: &[usize],
        envelope: &Envelope,
        report: Option<Report>,
    ) -> bool {
        let to = left.iter().filter_map(|at| envelope.recipients.get(*at));
        let envelope = Envelope {
            recipients: to.cloned().collect(),
            ..envelope.clone()
        };
        let report = report.unwrap_or_else(|| self.relay.filter.no_report(id));
        match self.relay.filter.hold(text, envelope, report, ROUTE).await {
            Ok(ticket) => {
                self.relay.count(|counts| &counts.held);
                tracing::warn!(
                    id,
                    ticket = ticket.to_string(),
                    recipients = left.len(),
                    "held until the next hop takes it"
                );
                true
            }
            Err(_) => false,
        }
    }
}

impl Sent {
    /// By what the next hop says to a copy for some recipients.
    fn of(to: &[usize], said: &Said) -> Self {
        let mut taken = None;
        let mut left = Vec::new();
        let mut refused: Option<Reply> = None;
        for (number, at) in to.iter().enumerate() {
            let reply = match said {
                Said::All(reply) => Some(reply),
                Said::Each { replies, .. } => replies.get(number),
            };
            match reply.cloned().unwrap_or_else(lost) {
                reply if reply.is_positive() => taken = Some(reply),
                reply => {
                    left.push(*at);
                    // What may go well later is tried again as a whole.
                    let milder = |known: &Reply| known.is_permanent() && !reply.is_permanent();
                    let worse = refused.as_ref().is_none_or(milder);
                    refused = if worse { Some(reply) } else { refused };
                }
            }
        }
        match taken {
            Some(reply) => Self::Taken { reply, left },
            None => Self::Refused(refused.unwrap_or_else(lost)),
        }
    }
}

/// What was accepted once and is not any more is so for the moment.
fn yes(reply: &Reply) -> Result<(), Reply> {
    match reply.is_positive() {
        true => Ok(()),
        false => Err(Reply::new(
            451,
            format!("4.3.0 the next hop changed its mind: {}", reply.shown()),
        )),
    }
}

impl Relay {
    /// Counts something of the next hop.
    pub(super) fn count(&self, which: impl Fn(&super::super::metrics::RelayCounts) -> &AtomicU64) {
        which(&self.filter.metrics.relay).fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_for_each_recipient_are_gathered() {
        let reply = |code: u16| Reply::new(code, "x");
        let judge = |said: &Said| match Sent::of(&[4, 7, 9], said) {
            Sent::Taken { reply, left } => (reply.code, left),
            Sent::Refused(reply) => (reply.code, vec![4, 7, 9]),
        };
        let all = |code| judge(&Said::All(reply(code)));
        assert_eq!(all(250), (250, vec![]));
        assert_eq!(all(550), (550, vec![4, 7, 9]));
        let each = |codes: &[u16], broken: Option<&str>| {
            judge(&Said::Each {
                replies: codes.iter().map(|code| reply(*code)).collect(),
                broken: broken.map(|why| Down(why.to_owned())),
            })
        };
        assert_eq!(each(&[250, 550, 450], None), (250, vec![7, 9]));
        assert_eq!(each(&[550, 450, 552], None), (450, vec![4, 7, 9]));
        assert_eq!(each(&[550, 551, 552], None), (550, vec![4, 7, 9]));
        // An answer that does not come is no yes, nor does the first one speak for the others.
        assert_eq!(each(&[250], Some("it broke off")), (250, vec![7, 9]));
        assert_eq!(each(&[250, 250], Some("it broke off")), (250, vec![9]));
        assert_eq!(each(&[550], Some("it broke off")), (451, vec![4, 7, 9]));
    }
}
