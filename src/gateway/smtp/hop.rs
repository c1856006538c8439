//! The client side: one connection to the next hop, by SMTP or LMTP (RFC 2033), every answer waited for a limited time.

use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::config::{NextHop, StartTls};
use crate::text;

use super::command::xtext;
use super::lines;
use super::offers::Offers;
use super::reply::{Replies, Reply};
use super::{Certificates, Relay};

/// Bytes of a message that are written at a time.
const PIECE: usize = 64 << 10;

/// How many times longer than for other answers is waited for the one to a whole message: the next hop has work with it.
const PATIENCE: u32 = 10;

/// How long is waited for the answer to QUIT, which does not matter.
const GOODBYE: Duration = Duration::from_secs(1);

/// Longest XFORWARD command.
const XFORWARD_LINE: usize = 512;

/// A stream of either kind, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// Why the next hop is of no use now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Down(pub(super) String);

/// What the next hop says to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    /// The same for all recipients: by SMTP, or where it wants no message at all.
    All(Reply),
    /// By LMTP, to each recipient in order.
    Each {
        replies: Vec<Reply>,
        /// Why there are less than recipients. What was said before that holds.
        broken: Option<Down>,
    },
}

impl Said {
    /// What is said to the first recipient.
    pub(super) fn first(&self) -> Option<&Reply> {
        match self {
            Self::All(reply) => Some(reply),
            Self::Each { replies, .. } => replies.first(),
        }
    }
}

/// Where a message was broken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Broken {
    /// Before its end: the next hop has nothing of it.
    Before(Down),
    /// Behind its end: the next hop may have it.
    Behind(Down),
}

/// A connection that was greeted.
pub(super) struct Hop {
    wire: Box<dyn Wire>,
    replies: Replies,
    pub(super) offers: Offers,
    lmtp: bool,
    patience: Duration,
    /// Something of a transaction that nobody wants any more stands there.
    pub(super) dirty: bool,
    /// Recipients that were accepted in the transaction that stands there.
    accepted: usize,
}

impl Hop {
    /// Connects, with TLS as configured.
    pub(super) async fn connect(relay: &Relay) -> Result<Self, Down> {
        let certificates = relay.certificates();
        let starttls = certificates.starttls;
        match Self::try_connect(relay, starttls, &certificates).await {
            // Where TLS only may be spoken it must not stand in the way.
            Err(TryDown::Tls(reason)) if starttls == StartTls::May => {
                tracing::warn!(reason, "no TLS with the next hop: going on without");
                Self::try_connect(relay, StartTls::None, &certificates).await
            }
            other => other,
        }
        .map_err(|down| match down {
            TryDown::Tls(reason) => Down(reason),
            TryDown::Down(down) => down,
        })
    }

    async fn try_connect(
        relay: &Relay,
        starttls: StartTls,
        certificates: &Certificates,
    ) -> Result<Self, TryDown> {
        let settings = &relay.settings;
        let patience = settings.next_hop_timeout;
        let opened = timeout(patience, open(&settings.next_hop)).await;
        let wire = match opened {
            Ok(Ok(wire)) => wire,
            Ok(Err(error)) => return Err(Down(format!("cannot connect: {error}")).into()),
            Err(_) => return Err(Down("cannot connect: no answer".to_owned()).into()),
        };
        let mut hop = Self {
            wire,
            replies: Replies::default(),
            offers: Offers::default(),
            lmtp: matches!(settings.next_hop, NextHop::Lmtp(_) | NextHop::LmtpUnix(_)),
            patience,
            dirty: false,
            accepted: 0,
        };
        let by_tls = matches!(settings.next_hop, NextHop::Smtps(_));
        if by_tls {
            hop.speak_tls(relay, certificates)
                .await
                .map_err(TryDown::Tls)?;
        }
        let greeting = hop.reply(patience).await?;
        if !greeting.is_positive() {
            return Err(Down(format!("it says {}", greeting.shown())).into());
        }
        if greeting.lines.iter().any(|line| line.contains(&relay.mark)) {
            return Err(
                Down("it is this relay itself: mails would go round and round".to_owned()).into(),
            );
        }
        hop.hello(&relay.name).await?;
        let no_more = match starttls {
            StartTls::None => true,
            StartTls::May => !hop.offers.has("STARTTLS"),
            StartTls::Encrypt | StartTls::Verify => by_tls,
        };
        if no_more {
            return Ok(hop);
        }
        hop.start_tls(relay, certificates)
            .await
            .map_err(TryDown::Tls)?;
        hop.hello(&relay.name).await?;
        Ok(hop)
    }

    async fn hello(&mut self, name: &str) -> Result<(), Down> {
        let word = if self.lmtp { "LHLO" } else { "EHLO" };
        let mut reply = self.ask(&format!("{word} {name}")).await?;
        if reply.is_permanent() && !self.lmtp {
            // Of before 1995.
            reply = self.ask(&format!("HELO {name}")).await?;
            reply.lines.truncate(1);
        }
        if !reply.is_positive() {
            return Err(Down(format!("it says {} to {word}", reply.shown())));
        }
        self.offers = Offers::of(&reply);
        Ok(())
    }

    async fn start_tls(
        &mut self,
        relay: &Relay,
        certificates: &Certificates,
    ) -> Result<(), String> {
        if !self.offers.has("STARTTLS") {
            return Err("it does not offer STARTTLS".to_owned());
        }
        let reply = self.ask("STARTTLS").await.map_err(|down| down.0)?;
        if reply.code != 220 {
            return Err(format!("it says {} to STARTTLS", reply.shown()));
        }
        if !self.replies.is_empty() {
            // Injected by somebody on the way.
            return Err("it says something between STARTTLS and TLS".to_owned());
        }
        self.speak_tls(relay, certificates).await
    }

    async fn speak_tls(
        &mut self,
        relay: &Relay,
        certificates: &Certificates,
    ) -> Result<(), String> {
        let connector = certificates.connector.clone();
        let connector = TlsConnector::from(connector.ok_or("TLS is not set up")?);
        let host = match &relay.settings.next_hop {
            NextHop::Smtp(address) | NextHop::Smtps(address) | NextHop::Lmtp(address) => {
                host(address)
            }
            NextHop::LmtpUnix(_) => "localhost",
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
        // Put back only with TLS in between.
        let plain = std::mem::replace(
            &mut self.wire,
            Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink())),
        );
        let secured = timeout(self.patience, connector.connect(name, plain)).await;
        let secured = secured.map_err(|_| "TLS does not come about in time".to_owned())?;
        self.wire = Box::new(secured.map_err(|error| format!("no TLS: {error}"))?);
        Ok(())
    }

    /// Says a command and waits for the answer.
    pub(super) async fn ask(&mut self, command: &str) -> Result<Reply, Down> {
        self.write(format!("{command}\r\n").as_bytes()).await?;
        let patience = self.patience;
        self.reply(patience).await
    }

    /// Makes it forget the transaction that stands there, if any.
    pub(super) async fn clean(&mut self) -> Result<(), Down> {
        if !self.dirty {
            return Ok(());
        }
        let reply = self.ask("RSET").await?;
        if !reply.is_positive() {
            return Err(Down(format!("it says {} to RSET", reply.shown())));
        }
        self.dirty = false;
        self.accepted = 0;
        Ok(())
    }

    /// Tells it who the client is, as far as it wants to know (Postfix's XFORWARD_README). That it refuses does not matter.
    pub(super) async fn forward(
        &mut self,
        attribute: impl Fn(&str) -> Option<String>,
    ) -> Result<(), Down> {
        let Some(wanted) = self.offers.parameters("XFORWARD").map(str::to_owned) else {
            return Ok(());
        };
        let mut line = String::new();
        for name in wanted.split_ascii_whitespace() {
            let value = attribute(name);
            let piece = format!(" {name}={}", xtext(&value.unwrap_or_default()));
            if line.len().saturating_add(piece.len()) > XFORWARD_LINE {
                self.ask(&format!("XFORWARD{line}")).await?;
                line.clear();
            }
            line.push_str(&piece);
        }
        if !line.is_empty() {
            self.ask(&format!("XFORWARD{line}")).await?;
        }
        Ok(())
    }

    /// Says MAIL.
    pub(super) async fn mail(&mut self, command: &str) -> Result<Reply, Down> {
        let reply = self.ask(command).await?;
        self.dirty |= reply.is_positive();
        alive(reply)
    }

    /// Says RCPT.
    pub(super) async fn rcpt(&mut self, command: &str) -> Result<Reply, Down> {
        let reply = self.ask(command).await?;
        if reply.is_positive() {
            self.accepted = self.accepted.saturating_add(1);
        }
        alive(reply)
    }

    /// Hands a message over to the recipients of the transaction that stands there.
    pub(super) async fn message(&mut self, text: &[u8]) -> Result<Said, Broken> {
        let go_on = self.ask("DATA").await.map_err(Broken::Before)?;
        match go_on.code {
            354 => {}
            // It says goodbye, as to somebody who let it wait for too long.
            421 => return Err(Broken::Before(Down(format!("it says {}", go_on.shown())))),
            400..=599 => return Ok(Said::All(go_on)),
            _ => {
                let why = format!("it says {} to DATA", go_on.shown());
                return Err(Broken::Before(Down(why)));
            }
        }
        let (mut out, mut line_start) = (Vec::with_capacity(PIECE), true);
        let mut pieces = text.chunks(PIECE).peekable();
        while let Some(piece) = pieces.next() {
            out.clear();
            lines::stuff(piece, &mut line_start, &mut out);
            if pieces.peek().is_some() {
                self.write(&out).await.map_err(Broken::Before)?;
            }
        }
        out.extend(b".\r\n");
        self.write(&out).await.map_err(Broken::Behind)?;
        let patience = self.patience.saturating_mul(PATIENCE);
        let said = match self.lmtp {
            false => Said::All(self.reply(patience).await.map_err(Broken::Behind)?),
            true => self.each(patience).await?,
        };
        if !matches!(
            said,
            Said::Each {
                broken: Some(_),
                ..
            }
        ) {
            self.dirty = false;
            self.accepted = 0;
        }
        Ok(said)
    }

    /// The answers to a message by LMTP, as many as come.
    async fn each(&mut self, patience: Duration) -> Result<Said, Broken> {
        let mut replies = Vec::new();
        // Ends because every round has a recipient of its own.
        for _ in 0..self.accepted {
            match self.reply(patience).await {
                Ok(reply) => replies.push(reply),
                Err(down) if replies.is_empty() => return Err(Broken::Behind(down)),
                Err(down) => {
                    let broken = Some(down);
                    return Ok(Said::Each { replies, broken });
                }
            }
        }
        let broken = None;
        Ok(Said::Each { replies, broken })
    }

    /// Ends in order, as far as that is quick.
    pub(super) async fn quit(mut self) {
        let goodbye = async {
            self.write(b"QUIT\r\n").await?;
            self.reply(GOODBYE).await
        };
        let _ = timeout(GOODBYE, goodbye).await;
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Down> {
        let written = async {
            self.wire.write_all(bytes).await?;
            self.wire.flush().await
        };
        match timeout(self.patience, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Down(format!("it broke off: {error}"))),
            Err(_) => Err(Down("it does not read in time".to_owned())),
        }
    }

    async fn reply(&mut self, patience: Duration) -> Result<Reply, Down> {
        let read = async {
            let mut buffer = [0; 4096];
            // Ends with an answer, the connection, or the time.
            loop {
                match self.replies.reply() {
                    Ok(Some(reply)) => return Ok(reply),
                    Ok(None) => {}
                    Err(error) => return Err(Down(format!("it gives {error}"))),
                }
                match self.wire.read(&mut buffer).await {
                    Ok(0) => return Err(Down("it broke off".to_owned())),
                    Ok(len) => self.replies.push(buffer.get(..len).unwrap_or_default()),
                    Err(error) => return Err(Down(format!("it broke off: {error}"))),
                }
            }
        };
        timeout(patience, read)
            .await
            .unwrap_or_else(|_| Err(Down("it does not answer in time".to_owned())))
    }
}

/// A next hop that says goodbye is down.
fn alive(reply: Reply) -> Result<Reply, Down> {
    match reply.code {
        421 => Err(Down(format!("it says {}", reply.shown()))),
        _ => Ok(reply),
    }
}

enum TryDown {
    /// TLS does not come about.
    Tls(String),
    Down(Down),
}

impl From<Down> for TryDown {
    fn from(down: Down) -> Self {
        Self::Down(down)
    }
}

async fn open(next_hop: &NextHop) -> std::io::Result<Box<dyn Wire>> {
    match next_hop {
        NextHop::Smtp(address) | NextHop::Smtps(address) | NextHop::Lmtp(address) => {
            let stream = TcpStream::connect(address.as_str()).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        NextHop::LmtpUnix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
    }
}

/// The host of host:port, without brackets.
fn host(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']')
}

/// A next hop in a log line.
pub(super) fn shown(next_hop: &NextHop) -> String {
    text::excerpt(&next_hop.to_string())
}
