//! One connection of a client (RFC 5321 section 4.1.4): lines in, steps out. No input or output, no clock.
//!
//! The envelope is the next hop's to accept: MAIL and RCPT are asked there while the client waits, and its answers go
//! back as they are. DATA and BDAT are ours, since the body goes on only after the verdict.

use std::net::IpAddr;

use crate::model::Envelope;

use super::super::plan::LISTENER_RELAY;
use super::command::{self, Command, Path, Wrong};
use super::lines::Line;
use super::offers::{Offers, Own};
use super::reply::Reply;

/// Wrong commands after which a client is sent away, as Postfix does (`smtpd_hard_error_limit`).
const MOST_ERRORS: u32 = 20;

/// Commands without a message.
const MOST_COMMANDS: u32 = 5000;

/// Recipients of a message; the next hop usually has a limit of its own.
const MOST_RECIPIENTS: usize = 2000;

/// Attributes that XFORWARD may bring for a message, as its authors list them.
const XFORWARD: &[&str] = &["NAME", "ADDR", "PORT", "PROTO", "HELO", "IDENT", "SOURCE"];

/// Those of XCLIENT.
const XCLIENT: &[&str] = &[
    "NAME", "ADDR", "PORT", "PROTO", "HELO", "LOGIN", "DESTADDR", "DESTPORT",
];

/// What the connection does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Answers.
    Answer(Reply),
    /// Answers, and ends.
    Close(Reply),
    /// Learns what the next hop offers, then asks [`Session::greeted`].
    Hello,
    /// Says MAIL or RCPT to the next hop, then asks [`Session::answered`].
    Ask(Ask),
    /// Answers 354 and takes the message.
    Data,
    /// Takes bytes of a message.
    Chunk {
        /// How many.
        size: u64,
        /// Whether the message ends with them.
        last: bool,
        /// What is answered when they are gone, where they are not wanted.
        unwanted: Option<Reply>,
    },
    /// Answers 220 and begins TLS, then calls [`Session::secured`].
    StartTls,
    /// Greets anew: the client is another one now.
    Greet,
}

/// A command of the envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// MAIL FROM.
    Mail(Path),
    /// RCPT TO.
    Rcpt(Path),
}

/// Who is on the line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peer {
    /// Its address; none where it came by a UNIX socket.
    pub address: Option<IpAddr>,
    /// Whether XFORWARD and XCLIENT are believed.
    pub trusted: bool,
}

/// The transaction that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// MAIL FROM.
    pub from: Path,
    /// RCPT TO, those that the next hop took.
    pub to: Vec<Path>,
    /// Why it cannot come to an end: the next hop went away.
    pub lost: bool,
    /// Whether BDAT began.
    pub chunked: bool,
}

/// Attributes with values in xtext, by name.
type Attributes = Vec<(String, String)>;

/// The state of one connection.
#[derive(Debug)]
pub struct Session {
    peer: Peer,
    own: Own,
    offers: Offers,
    /// Name of the client, and whether it speaks ESMTP.
    hello: Option<(String, bool)>,
    pending_hello: Option<(String, bool)>,
    secure: bool,
    errors: u32,
    commands: u32,
    pending: Option<Ask>,
    transaction: Option<Transaction>,
    xclient: Attributes,
    xforward: Attributes,
}

impl Session {
    /// A new connection. `own`: what is offered at the start.
    pub fn new(peer: Peer, own: Own) -> Self {
        Self {
            own: Own {
                trusted: peer.trusted,
                ..own
            },
            peer,
            offers: Offers::default(),
            hello: None,
            pending_hello: None,
            secure: false,
            errors: 0,
            commands: 0,
            pending: None,
            transaction: None,
            xclient: Attributes::new(),
            xforward: Attributes::new(),
        }
    }

    /// Takes a line.
    pub fn take(&mut self, line: &Line) -> Step {
        self.commands = self.commands.saturating_add(1);
        if self.commands > MOST_COMMANDS {
            return Step::Close(Reply::new(421, "4.7.0 too many commands"));
        }
        let step = match line {
            Line::TooLong => no(500, "5.5.2 line too long"),
            Line::Bare => no(500, "5.5.2 bare CR, LF or NUL in a command"),
            Line::Whole(text) => match command::parse(text) {
                Ok(command) => self.obey(command),
                Err(Wrong::Unknown) => no(502, "5.5.1 command not implemented"),
                Err(Wrong::Arguments(what)) => no(501, &format!("5.5.4 wrong: {what}")),
                // What follows would be taken for commands.
                Err(Wrong::Chunk) => {
                    let text = "5.5.4 wrong: write BDAT size, then perhaps LAST; goodbye";
                    Step::Close(Reply::new(501, text))
                }
            },
        };
        match &step {
            // Of a message that comes in: its size bounds them.
            Step::Chunk {
                size: 1..,
                unwanted: None,
                ..
            } => {
                self.commands = self.commands.saturating_sub(1);
                step
            }
            Step::Answer(reply)
            | Step::Chunk {
                unwanted: Some(reply),
                ..
            } if !reply.is_positive() => self.count_error(step),
            _ => step,
        }
    }

    fn count_error(&mut self, step: Step) -> Step {
        self.errors = self.errors.saturating_add(1);
        match self.errors > MOST_ERRORS {
            true => Step::Close(Reply::new(421, "4.7.0 too many errors")),
            false => step,
        }
    }

    fn obey(&mut self, command: Command) -> Step {
        match command {
            Command::Hello { extended, name } => {
                self.transaction = None;
                self.xforward.clear();
                self.pending_hello = Some((name, extended));
                Step::Hello
            }
            Command::Mail(path) => self.mail(path),
            Command::Rcpt(path) => self.rcpt(path),
            Command::Data => match self.may_send() {
                Err(reply) => Step::Answer(reply),
                Ok(transaction) if transaction.chunked => no(503, "5.5.1 BDAT began already"),
                Ok(_) => Step::Data,
            },
            Command::Bdat { size, last } => {
                let unwanted = match self.may_send() {
                    Err(reply) => Some(reply),
                    Ok(transaction) => {
                        transaction.chunked = true;
                        None
                    }
                };
                Step::Chunk {
                    size,
                    last,
                    unwanted,
                }
            }
            Command::Rset => {
                self.end_transaction();
                yes("2.0.0 Ok")
            }
            Command::Noop => yes("2.0.0 Ok"),
            Command::Vrfy => Step::Answer(Reply::new(252, "2.5.2 send it and see")),
            Command::Quit => Step::Close(Reply::new(221, "2.0.0 Bye")),
            Command::StartTls => self.starttls(),
            Command::Xforward(attributes) => self.xforward(attributes),
            Command::Xclient(attributes) => self.xclient(attributes),
        }
    }

    fn mail(&mut self, path: Path) -> Step {
        if self.hello.is_none() {
            return no(503, "5.5.1 say EHLO first");
        }
        if self.transaction.is_some() {
            return no(503, "5.5.1 nested MAIL");
        }
        let size = path.parameter("SIZE").map(str::parse::<u64>);
        match size {
            Some(Err(_)) => return no(501, "5.5.4 wrong: SIZE"),
            Some(Ok(size)) if usize::try_from(size).map_or(true, |size| size > self.max_size()) => {
                return no(552, "5.3.4 message too large");
            }
            _ => {}
        }
        if path.parameter("SMTPUTF8").is_some() && !self.offers.has("SMTPUTF8") {
            return no(553, "5.6.7 the next hop takes no international addresses");
        }
        let body = path.parameter("BODY").unwrap_or_default();
        if body.eq_ignore_ascii_case("BINARYMIME") || path.parameter("REQUIRETLS").is_some() {
            return no(555, "5.5.4 not offered here");
        }
        self.pending = Some(Ask::Mail(path.clone()));
        Step::Ask(Ask::Mail(path))
    }

    fn rcpt(&mut self, path: Path) -> Step {
        match &self.transaction {
            None => no(503, "5.5.1 say MAIL first"),
            Some(open) if open.chunked => no(503, "5.5.1 BDAT began already"),
            Some(open) if open.lost => Step::Answer(lost()),
            Some(open) if open.to.len() >= MOST_RECIPIENTS => no(452, "4.5.3 too many recipients"),
            Some(_) => {
                self.pending = Some(Ask::Rcpt(path.clone()));
                Step::Ask(Ask::Rcpt(path))
            }
        }
    }

    /// The transaction, where its message may come.
    fn may_send(&mut self) -> Result<&mut Transaction, Reply> {
        match &mut self.transaction {
            None => Err(Reply::new(503, "5.5.1 say MAIL first")),
            Some(open) if open.lost => Err(lost()),
            Some(open) if open.to.is_empty() => Err(Reply::new(554, "5.5.1 no valid recipients")),
            Some(open) => Ok(open),
        }
    }

    fn starttls(&self) -> Step {
        match () {
            () if self.secure => no(503, "5.5.1 TLS is on already"),
            () if !self.own.starttls => no(502, "5.5.1 command not implemented"),
            () if self.transaction.is_some() => no(503, "5.5.1 within a transaction"),
            () => Step::StartTls,
        }
    }

    fn xforward(&mut self, attributes: Attributes) -> Step {
        match self.may_name(&attributes, XFORWARD) {
            Err(step) => step,
            Ok(()) => {
                merge(&mut self.xforward, attributes);
                yes("2.0.0 Ok")
            }
        }
    }

    fn xclient(&mut self, attributes: Attributes) -> Step {
        match self.may_name(&attributes, XCLIENT) {
            Err(step) => step,
            Ok(()) => {
                merge(&mut self.xclient, attributes);
                self.hello = None;
                self.xforward.clear();
                Step::Greet
            }
        }
    }

    fn may_name(&self, attributes: &Attributes, known: &[&str]) -> Result<(), Step> {
        if !self.peer.trusted {
            return Err(no(550, "5.7.0 not for you"));
        }
        if self.transaction.is_some() {
            return Err(no(503, "5.5.1 within a transaction"));
        }
        match attributes
            .iter()
            .all(|(name, _)| known.contains(&name.as_str()))
        {
            true => Ok(()),
            false => Err(no(501, "5.5.4 wrong: an attribute that is not offered")),
        }
    }

    /// The answer to EHLO or HELO, once it is known what the next hop offers.
    pub fn greeted(&mut self, offers: Offers, name: &str) -> Reply {
        self.hello = self.pending_hello.take();
        self.offers = offers;
        let extended = self.hello.as_ref().is_some_and(|(_, extended)| *extended);
        let mut lines = vec![name.to_owned()];
        if extended {
            let own = Own {
                starttls: self.own.starttls && !self.secure,
                ..self.own
            };
            lines.extend(self.offers.offered(own));
        }
        Reply { code: 250, lines }
    }

    /// The answer to MAIL or RCPT, once the next hop has given its own.
    pub fn answered(&mut self, reply: Reply) -> Reply {
        match self.pending.take() {
            Some(Ask::Mail(from)) if reply.is_positive() => {
                self.transaction = Some(Transaction {
                    from,
                    to: Vec::new(),
                    lost: false,
                    chunked: false,
                });
            }
            Some(Ask::Rcpt(to)) if reply.is_positive() => {
                if let Some(open) = &mut self.transaction {
                    open.to.push(to);
                }
            }
            _ => {}
        }
        // Anything else would not be understood there, and our connection goes on where the next hop's ends.
        match reply.code {
            421 => Reply { code: 451, ..reply },
            200..=299 | 400..=599 => reply,
            _ => Reply::new(451, "4.3.0 the next hop gives an unexpected answer"),
        }
    }

    /// The answer where the next hop went away: what was said to it is gone.
    pub fn next_hop_lost(&mut self) -> Reply {
        self.pending = None;
        if let Some(open) = &mut self.transaction {
            open.lost = true;
        }
        lost()
    }

    /// TLS is on: what was said before does not count (RFC 3207 section 4.2).
    pub fn secured(&mut self) {
        self.secure = true;
        self.hello = None;
        self.xclient.clear();
        self.end_transaction();
    }

    /// The transaction that goes on.
    pub fn transaction(&self) -> Option<&Transaction> {
        self.transaction.as_ref()
    }

    /// The message was answered, or given up.
    pub fn end_transaction(&mut self) {
        if self.transaction.take().is_some() {
            self.commands = 0;
        }
        self.xforward.clear();
    }

    /// Bytes of a message at the most.
    pub fn max_size(&self) -> usize {
        self.offers.size_with(self.own.size)
    }

    /// What the next hop takes, as far as it is known.
    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Name of the client and protocol for the trace.
    pub fn spoken(&self) -> &'static str {
        let extended = self.hello.as_ref().is_some_and(|(_, extended)| *extended);
        let utf8 = self
            .transaction
            .as_ref()
            .is_some_and(|open| open.from.parameter("SMTPUTF8").is_some());
        match (utf8, extended, self.secure) {
            (true, _, true) => "UTF8SMTPS",
            (true, _, false) => "UTF8SMTP",
            (_, true, true) => "ESMTPS",
            (_, true, false) => "ESMTP",
            _ => "SMTP",
        }
    }

    /// What the trace and the next hop learn of the client, by the names of XFORWARD, in clear; what a trusted peer says
    /// of its own client counts more than what we see.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let given = |attributes: &Attributes| {
            let found = attributes.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| command::clear(value))
        };
        given(&self.xforward)
            .or_else(|| given(&self.xclient))
            .unwrap_or_else(|| {
                // Whoever forwards says all that it knows: the rest is not known.
                let own = self.xforward.is_empty();
                match name {
                    "ADDR" if own => self.peer.address.map(shown_address),
                    "HELO" if own => self.hello.as_ref().map(|(name, _)| name.clone()),
                    "PROTO" if own => Some(self.spoken().to_owned()),
                    _ => None,
                }
            })
    }

    /// The envelope of the transaction.
    pub fn envelope(&self) -> Envelope {
        let open = self.transaction.as_ref();
        let address = |text: String| {
            let text = match text.get(..5) {
                Some(tag) if tag.eq_ignore_ascii_case("IPV6:") => text.get(5..).unwrap_or_default(),
                _ => &text,
            };
            text.parse().ok()
        };
        let login = self.xclient.iter().find(|(name, _)| name == "LOGIN");
        Envelope {
            client: self.attribute("ADDR").and_then(address),
            helo: self.attribute("HELO").unwrap_or_default(),
            user: login.and_then(|(_, value)| command::clear(value)),
            listener: LISTENER_RELAY.to_owned(),
            sender: open
                .map(|open| open.from.mailbox().to_owned())
                .unwrap_or_default(),
            recipients: open
                .map(|open| open.to.iter().map(|to| to.mailbox().to_owned()).collect())
                .unwrap_or_default(),
            queue_id: self.attribute("IDENT").unwrap_or_default(),
            ..Envelope::default()
        }
    }
}

fn shown_address(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("IPV6:{address}"),
    }
}

fn merge(all: &mut Attributes, new: Attributes) {
    for (name, value) in new {
        all.retain(|(known, _)| *known != name);
        all.push((name, value));
    }
}

/// The answer where the next hop is not there.
pub fn lost() -> Reply {
    Reply::new(451, "4.4.1 the next hop does not answer, try again later")
}

fn no(code: u16, text: &str) -> Step {
    Step::Answer(Reply::new(code, text))
}

fn yes(text: &str) -> Step {
    Step::Answer(Reply::new(250, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(trusted: bool) -> Session {
        let peer = Peer {
            address: Some("192.0.2.7".parse().unwrap()),
            trusted,
        };
        let own = Own {
            size: 1000,
            starttls: true,
            trusted: false,
        };
        Session::new(peer, own)
    }

    /// Says lines; the next hop says 250 to everything. Gives codes.
    fn say(session: &mut Session, lines: &[&str]) -> Vec<u16> {
        let mut codes = Vec::new();
        for line in lines {
            let code = match session.take(&Line::Whole(line.as_bytes().to_vec())) {
                Step::Answer(reply) | Step::Close(reply) => reply.code,
                Step::Hello => session.greeted(Offers::default(), "mx").code,
                Step::Ask(_) => session.answered(Reply::new(250, "2.1.0 Ok")).code,
                Step::Data => 354,
                Step::Chunk { unwanted, .. } => unwanted.map_or(250, |reply| reply.code),
                Step::StartTls => 220,
                Step::Greet => 220,
            };
            codes.push(code);
        }
        codes
    }

    #[test]
    fn commands_have_an_order() {
        let mut one = session(false);
        let lines = [
            "MAIL FROM:<a@b>",
            "EHLO c",
            "RCPT TO:<a@b>",
            "DATA",
            "MAIL FROM:<a@b>",
            "DATA",
            "MAIL FROM:<c@d>",
            "RCPT TO:<a@b>",
            "DATA",
        ];
        assert_eq!(
            say(&mut one, &lines),
            [503, 250, 503, 503, 250, 554, 503, 250, 354]
        );
        let lines = [
            "BDAT 1",
            "DATA",
            "RCPT TO:<x@y>",
            "BDAT 0 LAST",
            "RSET",
            "BDAT 5",
            "QUIT",
        ];
        assert_eq!(say(&mut one, &lines), [250, 503, 503, 250, 250, 503, 221]);
        let lines = [
            "MAIL FROM:<a@b> SIZE=1001",
            "MAIL FROM:<a@b> SIZE=x",
            "MAIL FROM:<a@b> SMTPUTF8",
            "MAIL FROM:<a@b> BODY=BINARYMIME",
        ];
        assert_eq!(say(&mut one, &lines), [552, 501, 553, 555]);
    }

    #[test]
    fn a_client_that_talks_nonsense_is_sent_away() {
        let mut one = session(false);
        let mut last = 0;
        for _ in 0..=MOST_ERRORS {
            last = say(&mut one, &["GET / HTTP/1.1"])[0];
        }
        assert_eq!(last, 421);
        let mut two = session(false);
        let codes: Vec<u16> = (0..=MOST_COMMANDS)
            .flat_map(|_| say(&mut two, &["NOOP"]))
            .collect();
        assert_eq!((codes.first(), codes.last()), (Some(&250), Some(&421)));
    }

    #[test]
    fn who_the_client_is_may_say_only_who_is_believed() {
        let line = "XFORWARD ADDR=198.51.100.9 HELO=h+20x IDENT=Q1 NAME=[UNAVAILABLE]";
        let mut stranger = session(false);
        let lines = [
            "EHLO c",
            line,
            "XCLIENT LOGIN=taro",
            "MAIL FROM:<a@b>",
            "RCPT TO:<c@d>",
        ];
        assert_eq!(say(&mut stranger, &lines), [250, 550, 550, 250, 250]);
        let envelope = stranger.envelope();
        assert_eq!(envelope.client, "192.0.2.7".parse().ok());
        assert_eq!((envelope.helo.as_str(), envelope.user), ("c", None));
        let mut proxy = session(true);
        let lines = [
            "XCLIENT LOGIN=taro ADDR=IPV6:2001:db8::1",
            "EHLO c",
            line,
            "MAIL FROM:<a@b>",
            "XFORWARD ADDR=1.1.1.1",
            "RCPT TO:<c@d>",
        ];
        assert_eq!(say(&mut proxy, &lines), [220, 250, 250, 250, 503, 250]);
        let envelope = proxy.envelope();
        assert_eq!(envelope.client, "198.51.100.9".parse().ok());
        assert_eq!(envelope.user.as_deref(), Some("taro"));
        assert_eq!(
            (envelope.queue_id.as_str(), envelope.helo.as_str()),
            ("Q1", "h x")
        );
        // For one message only.
        proxy.end_transaction();
        say(&mut proxy, &["MAIL FROM:<a@b>"]);
        assert_eq!(proxy.envelope().client, "2001:db8::1".parse().ok());
        assert_eq!(proxy.envelope().helo, "c");
    }

    #[test]
    fn what_was_said_before_tls_does_not_count() {
        let mut one = session(true);
        assert_eq!(
            say(&mut one, &["XCLIENT LOGIN=taro", "EHLO c", "STARTTLS"]),
            [220, 250, 220]
        );
        one.secured();
        assert_eq!(
            say(&mut one, &["MAIL FROM:<a@b>", "STARTTLS", "EHLO d"]),
            [503, 503, 250]
        );
        assert_eq!(one.envelope().user, None);
        let offered = one.greeted(Offers::default(), "mx").lines;
        assert!(!offered.contains(&"STARTTLS".to_owned()), "{offered:?}");
    }

    #[test]
    fn the_answers_of_the_next_hop_go_back_but_for_its_goodbye() {
        let mut one = session(false);
        say(&mut one, &["EHLO c", "MAIL FROM:<a@b>"]);
        let mut rcpt = |code: u16| {
            one.take(&Line::Whole(b"RCPT TO:<x@y>".to_vec()));
            one.answered(Reply::new(code, "x")).code
        };
        assert_eq!(
            [rcpt(550), rcpt(450), rcpt(421), rcpt(354), rcpt(251)],
            [550, 450, 451, 451, 251]
        );
        assert_eq!(one.transaction().unwrap().to.len(), 1);
        assert_eq!(one.next_hop_lost().code, 451);
        assert_eq!(
            say(&mut one, &["RCPT TO:<c@d>", "DATA", "BDAT 1 LAST"]),
            [451, 451, 451]
        );
    }
}
