//! One connection of an MTA: commands in, steps out. No input or output, no clock.
//!
//! Nothing is answered before the end of a message, so every stage that the MTA lets us be silent at is silent.
//! Sendmail and Postfix differ in which macros they send; none of them is relied on.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;

use crate::formats::header::{self, Breaks, Doubtful};
use crate::model::Envelope;

use super::super::plan::{Abilities, Answer, Changes, LISTENER_MILTER, OWN_HEADERS};
use super::codec::{Bits, CHUNK, Command, NEWEST, OLDEST, Reply, Stage, actions, steps};

/// What we may want to do with a message.
const WANTED_ACTIONS: Bits = Bits(
    actions::ADD_HEADERS.0
        | actions::CHANGE_BODY.0
        | actions::DELETE_RECIPIENTS.0
        | actions::CHANGE_HEADERS.0
        | actions::SET_MACROS.0,
);

/// What we want to be silent at, and blanks as they are.
const WANTED_STEPS: Bits = Bits(
    steps::NO_UNKNOWN.0
        | steps::NO_REPLY_HEADER.0
        | steps::NO_REPLY_CONNECT.0
        | steps::NO_REPLY_HELO.0
        | steps::NO_REPLY_MAIL.0
        | steps::NO_REPLY_RCPT.0
        | steps::NO_REPLY_DATA.0
        | steps::NO_REPLY_UNKNOWN.0
        | steps::NO_REPLY_END_OF_HEADER.0
        | steps::NO_REPLY_BODY.0
        | steps::LEADING_SPACE.0,
);

/// The macros that are read.
const MACROS: &[(Stage, &str)] = &[
    (Stage::Mail, "i {auth_authen}"),
    (Stage::Data, "i"),
    (Stage::EndOfMessage, "i"),
];

/// What the connection does next.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// Reads on.
    Read,
    /// Sends an answer.
    Answer(Reply),
    /// Judges a message, then asks [`Session::answers`] for the answers.
    Judge(Box<Mail>),
    /// Ends.
    Close,
}

/// A message that is complete.
#[derive(Debug, PartialEq, Eq)]
pub struct Mail {
    /// How it came.
    pub envelope: Envelope,
    /// All of it with CR LF; none where it was given up.
    pub message: Option<Bytes>,
    /// What the MTA lets us do with it.
    pub abilities: Abilities,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Header {
    name: Vec<u8>,
    /// As it came: lines ended by LF, the first blank as negotiated.
    value: Vec<u8>,
}

/// What came of a message so far.
#[derive(Debug, Default)]
struct Incoming {
    envelope: Envelope,
    /// Forward paths as they came, to be named when one is dropped.
    recipients: Vec<Vec<u8>>,
    headers: Vec<Header>,
    raw: Vec<u8>,
    header_ended: bool,
    given_up: bool,
    /// Bytes beside those of the message.
    beside: usize,
}

/// The state of one connection.
#[derive(Debug, Default)]
pub struct Session {
    negotiated: Option<Negotiated>,
    client: Option<IpAddr>,
    helo: String,
    /// Of the transaction that goes on or comes next.
    queue_id: String,
    user: Option<String>,
    message: Incoming,
}

#[derive(Debug, Clone, Copy)]
struct Negotiated {
    version: u32,
    actions: Bits,
    steps: Bits,
}

impl Session {
    /// Takes one command.
    pub fn take(&mut self, command: Command) -> Step {
        let Some(negotiated) = self.negotiated else {
            return match command {
                Command::Negotiate {
                    version,
                    actions,
                    steps,
                } => self.negotiate(version, actions, steps),
                _ => Step::Close,
            };
        };
        // Silent where that was agreed on, else the word that keeps the MTA going.
        let go_on = |silent: Bits| match negotiated.steps.has(silent) {
            true => Step::Read,
            false => Step::Answer(Reply::Continue),
        };
        match command {
            Command::Negotiate {
                version,
                actions,
                steps,
            } => self.negotiate(version, actions, steps),
            Command::Macros { values, .. } => {
                self.take_macros(values);
                Step::Read
            }
            Command::Connect {
                family, address, ..
            } => {
                self.client = client(family, &address);
                go_on(steps::NO_REPLY_CONNECT)
            }
            Command::Helo(name) => {
                self.helo = lossy(&name);
                go_on(steps::NO_REPLY_HELO)
            }
            Command::Mail(arguments) => {
                self.message = Incoming::default();
                self.message.envelope.sender = path(arguments.first());
                go_on(steps::NO_REPLY_MAIL)
            }
            Command::Rcpt(arguments) => {
                self.message.add_recipient(arguments.into_iter().next());
                go_on(steps::NO_REPLY_RCPT)
            }
            Command::Data => go_on(steps::NO_REPLY_DATA),
            Command::Header { name, value } => {
                self.message.add_header(name, value, negotiated.steps);
                go_on(steps::NO_REPLY_HEADER)
            }
            Command::EndOfHeader => {
                self.message.end_header();
                go_on(steps::NO_REPLY_END_OF_HEADER)
            }
            Command::Body(chunk) => {
                self.message.add_body(&chunk);
                go_on(steps::NO_REPLY_BODY)
            }
            Command::EndOfMessage(chunk) => {
                self.message.add_body(&chunk);
                Step::Judge(Box::new(self.complete(negotiated)))
            }
            Command::Abort => {
                self.end_message();
                Step::Read
            }
            Command::Quit => Step::Close,
            Command::QuitNewConnection => {
                self.end_message();
                self.client = None;
                self.helo = String::new();
                Step::Read
            }
            Command::Unknown => go_on(steps::NO_REPLY_UNKNOWN),
        }
    }

    /// Bytes that are held for the message that comes in.
    pub fn held(&self) -> usize {
        let message = &self.message;
        message.raw.len().saturating_add(message.beside)
    }

    /// Lets go of the bytes of the message that comes in: there is no room for them.
    pub fn give_up_message(&mut self) {
        self.message.given_up = true;
        self.message.raw = Vec::new();
        self.message.headers = Vec::new();
        self.message.beside = 0;
    }

    /// The answers to the message that was judged, in an order that Sendmail and Postfix take; it ends with them.
    pub fn answers(&mut self, answer: &Answer) -> Vec<Reply> {
        let replies = match answer {
            Answer::Pass(changes) => self.pass(changes),
            Answer::Discard => vec![Reply::Discard],
            // Never given to a milter, which has one copy for all.
            Answer::Copies(_) => vec![Reply::Code("451 4.3.0 internal error".to_owned())],
            Answer::Reject(text) | Answer::Tempfail(text) => vec![Reply::Code(text.clone())],
        };
        self.end_message();
        replies
    }

    fn negotiate(&mut self, version: u32, offered: Bits, silent: Bits) -> Step {
        if version < OLDEST {
            return Step::Close;
        }
        let version = version.min(NEWEST);
        let known = if version == OLDEST {
            steps::OF_VERSION_2
        } else {
            Bits(u32::MAX)
        };
        let negotiated = Negotiated {
            version,
            actions: WANTED_ACTIONS & offered,
            steps: WANTED_STEPS & silent & known,
        };
        *self = Self {
            negotiated: Some(negotiated),
            ..Self::default()
        };
        let ask = negotiated.actions.has(actions::SET_MACROS);
        Step::Answer(Reply::Negotiate {
            version,
            actions: negotiated.actions,
            steps: negotiated.steps,
            macros: if ask { MACROS } else { &[] },
        })
    }

    fn take_macros(&mut self, values: Vec<(Vec<u8>, Vec<u8>)>) {
        for (name, value) in values {
            match name.as_slice() {
                b"i" => self.queue_id = lossy(&value),
                b"auth_authen" => self.user = Some(lossy(&value)).filter(|user| !user.is_empty()),
                _ => {}
            }
        }
    }

    fn complete(&mut self, negotiated: Negotiated) -> Mail {
        let message = &mut self.message;
        message.end_header();
        let can = |bits: Bits| negotiated.actions.has(bits);
        Mail {
            envelope: Envelope {
                client: self.client,
                helo: self.helo.clone(),
                user: self.user.clone(),
                listener: LISTENER_MILTER.to_owned(),
                queue_id: self.queue_id.clone(),
                ..std::mem::take(&mut message.envelope)
            },
            message: (!message.given_up).then(|| Bytes::from(std::mem::take(&mut message.raw))),
            abilities: Abilities {
                add_headers: can(actions::ADD_HEADERS),
                change_headers: can(actions::CHANGE_HEADERS),
                change_body: can(actions::CHANGE_BODY),
                drop_recipients: can(actions::DELETE_RECIPIENTS),
                refuse: true,
                copies: false,
            },
        }
    }

    fn end_message(&mut self) {
        self.message = Incoming::default();
        self.queue_id = String::new();
        self.user = None;
    }

    /// Headers first (deletions from the last one on: Postfix counts anew after each, Sendmail does not), then
    /// recipients, then the body in one go: in Postfix anything else between its pieces ends it.
    fn pass(&self, changes: &Changes) -> Vec<Reply> {
        let mut replies = Vec::new();
        let leading_space = self
            .negotiated
            .is_some_and(|negotiated| negotiated.steps.has(steps::LEADING_SPACE));
        let new = changes
            .message
            .as_ref()
            .map(|message| split(message, leading_space));
        let headers = new.as_ref().map(|new| new.headers.as_slice());
        self.change_headers(changes.clean_own, headers, &mut replies);
        let can_insert = self
            .negotiated
            .is_some_and(|negotiated| negotiated.version > OLDEST);
        for (name, value) in changes.added.iter().rev() {
            let name = name.clone().into_bytes();
            let blank = if leading_space { " " } else { "" };
            let value = format!("{blank}{value}");
            let value = without_carriage_returns(value.as_bytes());
            replies.push(if can_insert {
                Reply::InsertHeader {
                    place: 0,
                    name,
                    value,
                }
            } else {
                Reply::AddHeader { name, value }
            });
        }
        let dropped = changes
            .dropped
            .iter()
            .filter_map(|number| self.message.recipients.get(*number));
        replies.extend(dropped.cloned().map(Reply::DeleteRecipient));
        if let Some(new) = new {
            let body = new.body.chunks(CHUNK).map(<[u8]>::to_vec);
            replies.extend(body.map(Reply::ReplaceBody));
            if new.body.is_empty() {
                replies.push(Reply::ReplaceBody(Vec::new()));
            }
        }
        replies.push(Reply::Continue);
        replies
    }

    /// Takes away our own headers, and makes the others those of the new message.
    fn change_headers(&self, clean_own: bool, new: Option<&[Header]>, replies: &mut Vec<Reply>) {
        if new.is_none() && !clean_own {
            return;
        }
        // Mostly nothing is asked but whether any of our own is there.
        let concerned = |header: &&Header| new.is_some() || is_own(&header.name);
        let old = by_name(self.message.headers.iter().filter(concerned));
        let new = new.map(by_name);
        for (key, olds) in &old {
            let none = Vec::new();
            let wanted = match &new {
                _ if key.starts_with(OWN_HEADERS) => match clean_own {
                    true => &none,
                    false => continue,
                },
                Some(new) => new.get(key).unwrap_or(&none),
                None => continue,
            };
            for (at, header) in olds.iter().enumerate().rev() {
                let wanted = wanted.get(at).map(|header| header.value.as_slice());
                if wanted == Some(header.value.as_slice()) {
                    continue;
                }
                replies.push(Reply::ChangeHeader {
                    number: u32::try_from(at).unwrap_or(u32::MAX).saturating_add(1),
                    name: header.name.clone(),
                    value: wanted.unwrap_or_default().to_vec(),
                });
            }
        }
        for (key, news) in new.iter().flatten() {
            if key.starts_with(OWN_HEADERS) {
                continue;
            }
            let known = old.get(key).map_or(0, Vec::len);
            for header in news.iter().skip(known) {
                replies.push(Reply::AddHeader {
                    name: header.name.clone(),
                    value: header.value.clone(),
                });
            }
        }
    }
}

impl Incoming {
    fn add_recipient(&mut self, address: Option<Vec<u8>>) {
        self.envelope.recipients.push(path(address.as_ref()));
        let address = address.unwrap_or_default();
        self.beside = self
            .beside
            .saturating_add(address.len())
            .saturating_add(PER_ITEM);
        self.recipients.push(address);
    }

    fn add_header(&mut self, name: Vec<u8>, value: Vec<u8>, agreed: Bits) {
        if self.given_up {
            return;
        }
        if self.raw.is_empty() {
            self.raw.reserve(USUAL_HEADER);
        }
        self.raw.extend_from_slice(&name);
        self.raw.push(b':');
        if !agreed.has(steps::LEADING_SPACE) {
            self.raw.push(b' ');
        }
        for line in value.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(bare) if !bare.ends_with(b"\r") => {
                    self.raw.extend_from_slice(bare);
                    self.raw.extend_from_slice(b"\r\n");
                }
                _ => self.raw.extend_from_slice(line),
            }
        }
        self.raw.extend_from_slice(b"\r\n");
        let size = name.len().saturating_add(value.len());
        self.beside = self.beside.saturating_add(size).saturating_add(PER_ITEM);
        self.headers.push(Header { name, value });
    }

    fn end_header(&mut self) {
        if !self.header_ended && !self.given_up {
            self.raw.extend(b"\r\n");
        }
        self.header_ended = true;
    }

    fn add_body(&mut self, chunk: &[u8]) {
        if chunk.is_empty() || self.given_up {
            return;
        }
        self.end_header();
        self.raw.extend_from_slice(chunk);
    }
}

/// Bytes of the headers of most messages.
const USUAL_HEADER: usize = 4 << 10;

/// What a header or recipient costs beside its bytes.
const PER_ITEM: usize = 100;

struct Split<'a> {
    headers: Vec<Header>,
    body: &'a [u8],
}

/// A message as headers, written as commands have them, and body.
fn split(message: &[u8], leading_space: bool) -> Split<'_> {
    let block = header::read(message, 0, message.len(), Breaks::Lf, Doubtful::default());
    let headers = block.fields.iter().filter_map(|field| {
        let name = message.get(field.name.clone())?.to_vec();
        let value = message.get(field.value.clone())?;
        let value = match value.strip_prefix(b" ") {
            Some(bare) if !leading_space => bare,
            _ => value,
        };
        let value = without_carriage_returns(value);
        Some(Header { name, value })
    });
    Split {
        headers: headers.collect(),
        body: message.get(block.body..).unwrap_or_default(),
    }
}

/// Lines ended by LF: what Postfix wants between the lines of a folded header.
fn without_carriage_returns(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    let mut bytes = value.iter().peekable();
    while let Some(byte) = bytes.next() {
        if *byte != b'\r' || bytes.peek() != Some(&&b'\n') {
            out.push(*byte);
        }
    }
    out
}

/// Whether a header is one that we add.
fn is_own(name: &[u8]) -> bool {
    let start = name.get(..OWN_HEADERS.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(OWN_HEADERS))
}

/// Headers by lower-case name, in order.
fn by_name<'a>(
    headers: impl IntoIterator<Item = &'a Header>,
) -> BTreeMap<Vec<u8>, Vec<&'a Header>> {
    let mut names: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for header in headers {
        let key = header.name.to_ascii_lowercase();
        names.entry(key).or_default().push(header);
    }
    names
}

/// A path without its angle brackets.
fn path(argument: Option<&Vec<u8>>) -> String {
    let bare = argument.map(Vec::as_slice).unwrap_or_default();
    let bare = bare.trim_ascii();
    let bare = bare.strip_prefix(b"<").unwrap_or(bare);
    lossy(bare.strip_suffix(b">").unwrap_or(bare))
}

fn client(family: u8, address: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(address).ok()?;
    match family {
        b'4' => text.parse().ok(),
        // Sendmail writes the tag of an address literal (RFC 5321 section 4.1.3) before it.
        b'6' => text
            .get(..5)
            .filter(|tag| tag.eq_ignore_ascii_case("IPv6:"))
            .map_or(Some(text), |tag| text.strip_prefix(tag))?
            .parse()
            .ok(),
        _ => None,
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests;
