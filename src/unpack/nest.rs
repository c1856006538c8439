//! The only door to a child: sized, hashed, identified, named and paid from the budget.

use std::cell::Cell;
use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::keys::{Candidate, Keys};
use super::volumes::Sets;
use crate::identify::{self, Identity, Told};
use crate::limits::{Account, Budget, Decoded, Fault, Halt, Metered};
use crate::model::{Artifact, Fact, Id, Kind, MailSummary, Name, Trouble};

/// The bytes of a child and whether they are paid for.
#[derive(Debug, Clone)]
pub enum Payload {
    /// A slice of the parent, or bytes that a decoder of ours made: paid when pushed.
    Unpaid(Bytes),
    /// Bytes that came through [`Budget::read`].
    Paid(Bytes),
}

impl From<Bytes> for Payload {
    fn from(data: Bytes) -> Self {
        Self::Unpaid(data)
    }
}

impl From<Vec<u8>> for Payload {
    fn from(data: Vec<u8>) -> Self {
        Self::Unpaid(data.into())
    }
}

/// A child to be: what the unpacker knows of it.
#[derive(Debug, Clone)]
pub struct Child {
    via: &'static str,
    payload: Payload,
    name: Option<Name>,
    declared: Option<String>,
    at: Option<Range<usize>>,
    kind: Option<Kind>,
    unknown: Option<Kind>,
    mail: Option<Box<MailSummary>>,
    facts: Vec<Fact>,
}

impl Child {
    /// A child reached by `via`, such as `zip-member`.
    pub fn new(via: &'static str, payload: impl Into<Payload>) -> Self {
        Self {
            via,
            payload: payload.into(),
            name: None,
            declared: None,
            at: None,
            kind: None,
            unknown: None,
            mail: None,
            facts: Vec::new(),
        }
    }

    /// Gives it a name.
    #[must_use]
    pub fn named(mut self, name: Name) -> Self {
        self.name = Some(name);
        self
    }

    /// Gives it the media type that its container claims; made safe to show here.
    #[must_use]
    pub fn declared(mut self, media_type: &str) -> Self {
        self.declared = Some(crate::text::excerpt(media_type));
        self
    }

    /// Says which bytes of the parent it is.
    #[must_use]
    pub fn at(mut self, range: Range<usize>) -> Self {
        self.at = Some(range);
        self
    }

    /// Fixes its kind where the container leaves no doubt; otherwise it is identified by its bytes.
    #[must_use]
    pub fn of_kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Says what it is where its bytes are of no known structure.
    #[must_use]
    pub fn else_kind(mut self, kind: Kind) -> Self {
        self.unknown = Some(kind);
        self
    }

    /// Gives it what a mail says about itself.
    #[must_use]
    pub fn with_mail(mut self, mail: MailSummary) -> Self {
        self.mail = Some(Box::new(mail));
        self
    }

    /// Adds something the unpacker saw about the child.
    #[must_use]
    pub fn with_fact(mut self, fact: Fact) -> Self {
        self.facts.push(fact);
        self
    }
}

/// How a message of a mailbox is reached: inside a mailbox the limits hold per message.
pub const MESSAGE: &str = "mbox-message";

/// The distinct bytes of a tree: digest to the first artifact that has them.
#[expect(
    clippy::disallowed_types,
    reason = "asked once an artifact, in constant time; its order is never seen"
)]
pub type Seen = std::collections::HashMap<[u8; 32], Id>;

/// The distinct bytes of an artifact's children.
#[expect(
    clippy::disallowed_types,
    reason = "asked in constant time; its order is never seen"
)]
type Held = std::collections::HashSet<[u8; 32]>;

/// A decoder that says nothing of what it took: from its first byte on, all of its source.
struct Unmetered<'a> {
    decoder: &'a mut dyn std::io::Read,
    meter: &'a Cell<u64>,
    source_len: u64,
}

impl std::io::Read for Unmetered<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        self.meter.set(self.source_len);
        self.decoder.read(out)
    }
}

/// Where an unpacker puts the children and facts of one artifact.
#[derive(Debug)]
pub struct Nest<'a> {
    budget: &'a Budget,
    seen: &'a mut Seen,
    parent: Id,
    depth: u32,
    next: Id,
    account: Account,
    keys: Keys<'a>,
    told: Option<&'a Told>,
    opened_with: Option<Candidate>,
    /// The candidates, once something was locked.
    candidates: Option<Vec<Candidate>>,
    /// Digests of the children.
    held: Held,
    /// Whether anything was asked that lies outside the artifact: words of mails, files beside it.
    pub(crate) asked: Cell<bool>,
    /// No other unpacker is to open the artifact.
    pub(crate) closed: bool,
    /// Children pushed so far.
    pub(crate) children: Vec<Artifact>,
    /// Facts about the artifact itself.
    pub(crate) facts: Vec<Fact>,
    /// What the artifact says about itself as a mail, where it is one.
    pub(crate) mail: Option<Box<MailSummary>>,
}

impl<'a> Nest<'a> {
    /// A nest for the children of `parent`, the first of which gets the id `next`.
    pub fn new(budget: &'a Budget, seen: &'a mut Seen, parent: &Artifact, next: Id) -> Self {
        Self {
            budget,
            seen,
            parent: parent.id,
            depth: parent.depth,
            next,
            account: Account::new(u64::try_from(parent.data.len()).unwrap_or(u64::MAX)),
            keys: Keys::default(),
            told: None,
            opened_with: None,
            candidates: None,
            held: Held::new(),
            asked: Cell::new(false),
            closed: false,
            children: Vec::new(),
            facts: Vec::new(),
            mail: None,
        }
    }

    /// Says where passwords for what is locked come from.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys<'a>) -> Self {
        self.keys = keys;
        self
    }

    /// Says where it is kept what bytes were told to be.
    #[must_use]
    pub fn with_told(mut self, told: Option<&'a Told>) -> Self {
        self.told = told;
        self
    }

    /// Tries passwords on something that is locked until `attempt` opens it, and tells which one did.
    ///
    /// The word that opened another part of this artifact comes first. Words that mails name are tried after the
    /// well-known and the given ones, as many as the budget allows.
    pub fn unlock<T>(
        &mut self,
        scheme: &str,
        what: Option<&str>,
        mut attempt: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        self.asked.set(true);
        if let Some(known) = self.opened_with.clone()
            && let Some(opened) = attempt(&known.word)
        {
            return Some(opened);
        }
        let candidates = match self.candidates.take() {
            Some(candidates) => candidates,
            None if self.budget.may_gather() => self.budget.trying(|| self.keys.candidates()),
            None => return None,
        };
        let opened = self.try_each(&candidates, scheme, what, attempt);
        self.candidates = Some(candidates);
        opened
    }

    fn try_each<T>(
        &mut self,
        candidates: &[Candidate],
        scheme: &str,
        what: Option<&str>,
        mut attempt: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        for candidate in candidates {
            if !self.budget.may_try() {
                return None;
            }
            let opened = self.budget.trying(|| attempt(&candidate.word));
            if let Some(opened) = opened {
                self.note(Fact::Unlocked {
                    scheme: scheme.to_owned(),
                    what: what.map(str::to_owned),
                    origin: candidate.origin.clone(),
                    word: self.keys.show().then(|| candidate.word.clone()),
                });
                self.opened_with = Some(candidate.clone());
                return Some(opened);
            }
        }
        None
    }

    /// The account of the scan.
    pub fn budget(&self) -> &'a Budget {
        self.budget
    }

    /// To be called in every long loop: fails once the deadline has passed.
    pub fn tick(&self) -> Result<(), Halt> {
        self.budget.tick()
    }

    /// Notes something seen in the artifact.
    pub fn note(&mut self, fact: Fact) {
        self.facts.push(fact);
    }

    /// Notes a deviation that did not keep anything from being read.
    pub fn deviation(&mut self, at: usize, what: impl Into<String>) {
        self.note(Fact::Deviation {
            at: Some(at),
            what: what.into(),
        });
    }

    /// Notes that a member, stream or object could not be read; the others go on.
    pub fn unread(&mut self, at: usize, what: impl Into<String>) {
        self.note(Fact::Unread {
            at: Some(at),
            what: what.into(),
        });
    }

    /// Sets what the artifact, a mail, says about itself.
    pub fn set_mail(&mut self, mail: MailSummary) {
        self.mail = Some(Box::new(mail));
    }

    /// Adds a fact to a child that was pushed before.
    pub fn note_on(&mut self, child: Id, fact: Fact) {
        // Ids of children are consecutive.
        let first = self.children.first().map_or(child, |first| first.id);
        let at = child
            .checked_sub(first)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(child) = at.and_then(|at| self.children.get_mut(at)) {
            child.facts.push(fact);
        }
    }

    /// What lies beside the artifact under a name.
    pub fn beside(&self) -> impl Iterator<Item = (&'a Name, &'a Bytes)> {
        self.asked.set(true);
        self.keys.beside()
    }

    /// The same for the sets of volumes, which say by themselves whether others belong to them.
    pub(super) fn volumes_beside(&self) -> impl Iterator<Item = (&'a Name, &'a Bytes)> {
        self.keys.beside()
    }

    /// Where sets of volumes are kept from one artifact to the next.
    pub(super) fn sets(&self) -> Option<&'a Sets> {
        self.keys.sets()
    }

    /// Whether the artifact is the input, a volume that another one opens, which is not scanned.
    pub(super) fn lacks_opener(&self) -> bool {
        self.keys.lacks_opener()
    }

    /// The artifact around this one.
    pub fn parent(&self) -> Option<&'a Artifact> {
        self.asked.set(true);
        self.keys.parent()
    }

    /// Says that the artifact is opened elsewhere, whole: no other unpacker is to open it.
    pub fn close(&mut self) {
        self.closed = true;
    }

    /// Children pushed so far.
    pub fn len(&self) -> usize {
        self.children.len()
    }

    /// Whether no child was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.children.is_empty()
    }

    /// Whether bytes of this digest are in the tree already: for second readings, which add only what the first lacks.
    pub fn holds(&self, data: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(data).into();
        self.held.contains(&digest)
    }

    /// Tells what bytes are that are no child yet.
    pub fn identify(&self, data: &[u8]) -> Identity {
        self.tell(data, || Sha256::digest(data).into())
    }

    fn tell(&self, data: &[u8], digest: impl FnOnce() -> [u8; 32]) -> Identity {
        match self.told {
            Some(told) => told.identify(data, &digest(), self.budget),
            None => identify::identify(data, self.budget),
        }
    }

    /// Reads a decoder over `source` to its end within the budget; ratios count against this artifact.
    ///
    /// `make` puts the decoder on the metered source; `expected` is a claimed length in bytes, used only as a hint.
    pub fn inflate<'s, R: std::io::Read>(
        &mut self,
        source: &'s [u8],
        expected: u64,
        make: impl FnOnce(Metered<'s>) -> R,
    ) -> Decoded {
        let metered = Metered::new(source);
        let meter = metered.meter();
        let mut decoder = make(metered);
        self.budget
            .read(&mut decoder, &meter, &mut self.account, expected)
    }

    /// [`Nest::inflate`] for a decoder that cannot be metered; it counts as having consumed all of `source_len`.
    pub fn read(
        &mut self,
        decoder: &mut dyn std::io::Read,
        source_len: usize,
        expected: u64,
    ) -> Decoded {
        let meter = Cell::new(0);
        let source_len = u64::try_from(source_len).unwrap_or(u64::MAX);
        let mut unmetered = Unmetered {
            decoder,
            meter: &meter,
            source_len,
        };
        self.budget
            .read(&mut unmetered, &meter, &mut self.account, expected)
    }

    /// [`Nest::inflate`] for a decoder that counts by itself what it took of the artifact.
    pub fn read_metered(
        &mut self,
        decoder: &mut dyn std::io::Read,
        meter: &Cell<u64>,
        expected: u64,
    ) -> Decoded {
        self.budget
            .read(decoder, meter, &mut self.account, expected)
    }

    /// Pushes what a decoder gave, with its fault as a fact on this artifact under `place`.
    ///
    /// The partial bytes of a faulty member are looked at as far as they go. Only a limit that holds for the whole
    /// scan ends the unpacking.
    pub fn push_decoded(
        &mut self,
        child: Child,
        fault: Option<Fault>,
        place: &str,
    ) -> Result<Id, Trouble> {
        let id = self.push(child)?;
        match fault {
            None => Ok(id),
            Some(Fault::Halt(halt @ (Halt::OutOfTime | Halt::Unpacked | Halt::Ratio))) => {
                Err(Trouble::TooMuch(halt))
            }
            Some(fault) => {
                self.facts.push(Trouble::from(fault).into_fact(place));
                Ok(id)
            }
        }
    }

    /// Makes a child. Fails where a limit of the whole scan is met: the unpacker then returns that trouble.
    pub fn push(&mut self, child: Child) -> Result<Id, Trouble> {
        let depth = self.depth.saturating_add(1);
        // A message of a mailbox is paid from an account of its own, which starts when it is opened.
        let message = child.via == MESSAGE;
        if message {
            self.budget.admit_message(depth)?;
        } else {
            self.budget.admit(depth)?;
        }
        let data = match child.payload {
            Payload::Paid(data) => data,
            Payload::Unpaid(data) => {
                if !message {
                    self.budget.spend(data.len())?;
                }
                data
            }
        };
        let id = self.next;
        self.next = self.next.saturating_add(1);
        let sha256: [u8; 32] = Sha256::digest(&data).into();
        self.held.insert(sha256);
        let same_as = self.seen.get(&sha256).copied();
        if same_as.is_none() {
            self.seen.insert(sha256, id);
        }
        let mut identity = match child.kind {
            Some(kind) => Identity::certain(kind),
            None => {
                let identity = self.tell(&data, || sha256);
                let identity = identify::named(identity, &data, child.name.as_ref());
                identify::declared(
                    identity,
                    &data,
                    child.declared.as_deref(),
                    child.name.as_ref(),
                )
            }
        };
        if let Some(kind) = child.unknown.filter(|_| identity.kind == Kind::Data) {
            identity.kind = kind;
        }
        let index = u32::try_from(self.children.len()).unwrap_or(u32::MAX);
        self.children.push(Artifact {
            id,
            parent: Some(self.parent),
            via: Some(child.via),
            index,
            at: child.at,
            depth,
            kind: identity.kind,
            readings: identity.readings,
            sha256,
            name: child.name,
            declared: child.declared,
            same_as,
            mail: child.mail,
            facts: child.facts.into_iter().chain(identity.facts).collect(),
            data,
        });
        Ok(id)
    }
}
