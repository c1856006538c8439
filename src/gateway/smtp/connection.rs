//! One connection: lines from the client into its [`Session`], the envelope to the next hop, messages to the filter.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;

use super::super::listen::Connection;
use super::super::pool::Share;
use super::Relay;
use super::deliver::Delivery;
use super::hop::{Hop, Wire};
use super::lines::{Breaks, DataText, Input, Line};
use super::offers::Own;
use super::reply::Reply;
use super::session::{Ask, Peer, Session, Step, lost};

/// For one whole command line (RFC 5321 section 4.5.3.2.7).
const COMMAND: Duration = Duration::from_secs(300);

/// For the next bytes of a message, and for all of it.
const BLOCK: Duration = Duration::from_secs(180);
const MESSAGE: Duration = Duration::from_secs(1800);

/// How long a client may take to read an answer, and to begin TLS.
const SLOW_READER: Duration = Duration::from_secs(60);

/// A message that comes in by BDAT, or by DATA.
#[derive(Default)]
struct Incoming {
    text: Vec<u8>,
    breaks: Breaks,
    share: Share,
    /// What is answered in the end, where it is not kept any more.
    given_up: Option<Reply>,
}

struct Client {
    relay: Arc<Relay>,
    wire: Box<dyn Wire>,
    input: Input,
    out: Vec<u8>,
    session: Session,
    hop: Option<Hop>,
    incoming: Incoming,
    stopping: watch::Receiver<bool>,
}

/// Serves a connection to its end. Says why it ended, where that is not in order.
pub(in crate::gateway) async fn serve(
    connection: Connection,
    relay: Arc<Relay>,
    stopping: watch::Receiver<bool>,
) -> Result<(), String> {
    let address = connection.peer();
    let peer = Peer {
        address,
        trusted: relay.trusts(address),
    };
    let own = Own {
        size: relay.filter.max_message(),
        starttls: relay.certificates().acceptor.is_some(),
        trusted: false,
    };
    let mut client = Client {
        session: Session::new(peer, own),
        relay,
        wire: Box::new(connection),
        input: Input::default(),
        out: Vec::new(),
        hop: None,
        incoming: Incoming::default(),
        stopping,
    };
    let ended = client.run().await;
    if let Some(hop) = client.hop.take() {
        hop.quit().await;
    }
    ended
}

impl Client {
    async fn run(&mut self) -> Result<(), String> {
        self.greet();
        // Ends with the connection: every round takes a line.
        while let Some(line) = self.line().await? {
            let step = self.session.take(&line);
            if self.session.transaction().is_none() {
                self.incoming = Incoming::default();
            }
            match step {
                Step::Answer(reply) => self.say(&reply),
                Step::Close(reply) => {
                    self.say(&reply);
                    self.flush().await?;
                    let _ = timeout(SLOW_READER, self.wire.shutdown()).await;
                    return match reply.code {
                        421 => Err(reply.shown()),
                        _ => Ok(()),
                    };
                }
                Step::Hello => {
                    if !self.hello().await {
                        self.flush().await?;
                        return Err("turned away: the next hop is down".to_owned());
                    }
                }
                Step::Ask(ask) => {
                    let reply = self.ask(&ask).await;
                    self.say(&reply);
                }
                Step::Data => self.data().await?,
                Step::Chunk {
                    size,
                    last,
                    unwanted,
                } => self.chunk(size, last, unwanted).await?,
                Step::StartTls => self.start_tls().await?,
                Step::Greet => self.greet(),
            }
        }
        Ok(())
    }

    fn greet(&mut self) {
        let text = format!("{} ESMTP {}", self.relay.name, self.relay.mark);
        self.say(&Reply::new(220, text));
    }

    fn say(&mut self, reply: &Reply) {
        reply.encode(&mut self.out);
    }

    async fn flush(&mut self) -> Result<(), String> {
        if self.out.is_empty() {
            return Ok(());
        }
        let written = async {
            self.wire.write_all(&self.out).await?;
            self.wire.flush().await
        };
        timeout(SLOW_READER, written)
            .await
            .map_err(|_| "the client does not read our answers".to_owned())?
            .map_err(|error| error.to_string())?;
        self.out.clear();
        Ok(())
    }

    /// The next line; none where the client is gone, or we stop and it has nothing open.
    async fn line(&mut self) -> Result<Option<Line>, String> {
        let deadline = Instant::now() + COMMAND;
        // Ends with a line, the connection, or the time.
        loop {
            if let Some(line) = self.input.line() {
                return Ok(Some(line));
            }
            self.flush().await?;
            if *self.stopping.borrow() && self.session.transaction().is_none() {
                self.say(&Reply::new(421, "4.3.2 going down, try again later"));
                self.flush().await?;
                return Ok(None);
            }
            let mut buffer = [0; 4096];
            let read = tokio::select! {
                read = timeout_at(deadline, self.wire.read(&mut buffer)) => read,
                Ok(()) = self.stopping.changed() => continue,
            };
            match read {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(len)) => self.input.push(buffer.get(..len).unwrap_or_default()),
                Ok(Err(error)) => return Err(error.to_string()),
                Err(_) => {
                    self.say(&Reply::new(421, "4.4.2 nothing was said for too long"));
                    self.flush().await?;
                    return Err("the client was silent for five minutes".to_owned());
                }
            }
        }
    }

    /// Answers EHLO; not where it is not known what could be offered.
    async fn hello(&mut self) -> bool {
        if let Some(hop) = &mut self.hop {
            hop.dirty = true;
        } else {
            self.hop = self.relay.connect().await.ok();
        }
        let offers = match &self.hop {
            Some(hop) => Some(hop.offers.clone()),
            None => self.relay.known(),
        };
        let reply = match offers {
            Some(offers) => self.session.greeted(offers, &self.relay.name),
            None => Reply::new(421, "4.4.1 the next hop does not answer, try again later"),
        };
        self.say(&reply);
        reply.is_positive()
    }

    /// Has the next hop answer MAIL or RCPT.
    async fn ask(&mut self, ask: &Ask) -> Reply {
        let said = match ask {
            Ask::Mail(path) => {
                let had = self.hop.is_some();
                match self.mail(path).await {
                    // It may have been tired of waiting.
                    None if had => self.mail(path).await,
                    said => said,
                }
            }
            Ask::Rcpt(path) => match &mut self.hop {
                None => None,
                Some(hop) => {
                    let command = hop.offers.command("RCPT TO", path);
                    let said = hop.rcpt(&command).await;
                    said.map_err(|down| self.relay.warn(&down)).ok()
                }
            },
        };
        match said {
            Some(reply) => self.session.answered(reply),
            None => {
                self.hop = None;
                self.relay.count(|counts| &counts.failed);
                self.session.next_hop_lost()
            }
        }
    }

    async fn mail(&mut self, path: &super::command::Path) -> Option<Reply> {
        let mut hop = match self.hop.take() {
            Some(hop) => hop,
            None => self.relay.connect().await.ok()?,
        };
        let said = async {
            hop.clean().await?;
            hop.forward(|name| self.session.attribute(name)).await?;
            let command = hop.offers.command("MAIL FROM", path);
            hop.mail(&command).await
        };
        match said.await {
            Ok(reply) => {
                self.hop = Some(hop);
                Some(reply)
            }
            Err(down) => {
                self.relay.warn(&down);
                None
            }
        }
    }

    async fn data(&mut self) -> Result<(), String> {
        self.say(&Reply::new(354, "End data with <CR><LF>.<CR><LF>"));
        let mut text = DataText::default();
        let deadline = Instant::now() + MESSAGE;
        // Ends with the message, the connection, or the time.
        loop {
            let (taken, ended) = text.push(self.input.rest(), &mut self.incoming.text);
            self.input.advance(taken);
            self.admit();
            if ended {
                break;
            }
            self.more(deadline).await?;
        }
        self.complete().await;
        Ok(())
    }

    async fn chunk(
        &mut self,
        size: u64,
        last: bool,
        unwanted: Option<Reply>,
    ) -> Result<(), String> {
        let deadline = Instant::now() + MESSAGE;
        let mut left = usize::try_from(size).unwrap_or(usize::MAX);
        // Ends because every round takes bytes or waits for some.
        while left > 0 {
            let rest = self.input.rest();
            let piece = rest.get(..left).unwrap_or(rest);
            let len = piece.len();
            if unwanted.is_none() {
                self.incoming.breaks.push(piece, &mut self.incoming.text);
            }
            self.input.advance(len);
            left = left.saturating_sub(len);
            if unwanted.is_none() {
                self.admit();
            }
            if left > 0 {
                self.more(deadline).await?;
            }
        }
        match unwanted {
            Some(reply) => self.say(&reply),
            None if last => {
                let incoming = &mut self.incoming;
                incoming.breaks.end(&mut incoming.text);
                self.complete().await;
            }
            None => {
                let reply = self.incoming.given_up.clone();
                self.say(&reply.unwrap_or_else(|| Reply::new(250, "2.0.0 Ok")));
            }
        }
        Ok(())
    }

    /// Lets go of the message where it is too large, or there is no room for it.
    fn admit(&mut self) {
        let incoming = &mut self.incoming;
        let held = incoming.text.len();
        if incoming.given_up.is_none() && held <= self.session.max_size() {
            match self.relay.filter.admission.grow(&mut incoming.share, held) {
                Ok(()) => return,
                Err(_) => incoming.given_up = Some(Reply::new(451, "4.3.1 busy, try again later")),
            }
        } else if incoming.given_up.is_none() {
            incoming.given_up = Some(Reply::new(552, "5.3.4 message too large"));
        }
        incoming.text = Vec::new();
        incoming.share = Share::default();
    }

    /// Reads more of a message.
    async fn more(&mut self, deadline: Instant) -> Result<(), String> {
        self.flush().await?;
        let mut buffer = vec![0; 32 << 10];
        let until = deadline.min(Instant::now() + BLOCK);
        match timeout_at(until, self.wire.read(&mut buffer)).await {
            Ok(Ok(0)) => Err("the client left within a message".to_owned()),
            Ok(Ok(len)) => {
                self.input.push(buffer.get(..len).unwrap_or_default());
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => {
                self.say(&Reply::new(421, "4.4.2 the message does not come in time"));
                self.flush().await?;
                Err("the message did not come in time".to_owned())
            }
        }
    }

    /// The whole message is there.
    async fn complete(&mut self) {
        let Incoming {
            text,
            share,
            given_up,
            ..
        } = std::mem::take(&mut self.incoming);
        let reply = match given_up {
            Some(reply) => {
                if let Some(hop) = &mut self.hop {
                    hop.dirty = true;
                }
                reply
            }
            None if self.session.transaction().is_none() => lost(),
            None => {
                let mut delivery = Delivery {
                    relay: &self.relay,
                    session: &self.session,
                    hop: &mut self.hop,
                };
                delivery.message(text, share).await
            }
        };
        self.say(&reply);
        self.session.end_transaction();
    }

    async fn start_tls(&mut self) -> Result<(), String> {
        let Some(acceptor) = self.relay.certificates().acceptor else {
            self.say(&Reply::new(454, "4.7.0 no TLS now"));
            return Ok(());
        };
        self.say(&Reply::new(220, "2.0.0 Ready to start TLS"));
        self.flush().await?;
        // Whatever was sent ahead in clear may have been put in by somebody on the way.
        self.input.clear();
        let nothing = tokio::io::join(tokio::io::empty(), tokio::io::sink());
        let plain = std::mem::replace(&mut self.wire, Box::new(nothing));
        let accepted = TlsAcceptor::from(acceptor).accept(plain);
        let secured = timeout(SLOW_READER, accepted).await;
        let secured = secured.map_err(|_| "TLS did not come about in time".to_owned())?;
        self.wire = Box::new(secured.map_err(|error| format!("no TLS: {error}"))?);
        self.session.secured();
        if let Some(hop) = &mut self.hop {
            hop.dirty = true;
        }
        Ok(())
    }
}
