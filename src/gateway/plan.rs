//! What becomes of a message, in words that milter and relay share.

use bytes::Bytes;

/// Name of the milter in routes, logs and envelopes.
pub const LISTENER_MILTER: &str = "milter";

/// Name of the relay, likewise.
pub const LISTENER_RELAY: &str = "relay";

/// How the names of our own headers begin, in lower case. Such headers on a message that comes in are forged, or of
/// a gateway before us: they are taken away.
pub const OWN_HEADERS: &[u8] = b"x-sekisho-";

/// What the MTA lets us do with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// Add headers.
    pub add_headers: bool,
    /// Change and delete headers.
    pub change_headers: bool,
    /// Replace the body.
    pub change_body: bool,
    /// Take recipients away.
    pub drop_recipients: bool,
    /// Refuse it for good, so that its sender's server learns of it.
    pub refuse: bool,
    /// Send different recipients different copies: answered by [`Answer::Copies`] instead of [`Answer::Pass`].
    pub copies: bool,
}

impl Abilities {
    /// Everything that a milter can have.
    pub const ALL: Self = Self {
        add_headers: true,
        change_headers: true,
        change_body: true,
        drop_recipients: true,
        refuse: true,
        copies: false,
    };
}

/// What is answered to the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It goes on, perhaps changed, to all recipients but some.
    Pass(Changes),
    /// It goes on in several copies, each to some recipients; the others' is in the store.
    Copies(Vec<Edition>),
    /// It is in the store for all its recipients, and goes no further.
    Discard,
    /// It is refused for good: code, enhanced code and text.
    Reject(String),
    /// It is to be tried again later: code, enhanced code and text.
    Tempfail(String),
}

impl Answer {
    /// The changes of all copies that go on.
    pub(super) fn changes_mut(&mut self) -> Vec<&mut Changes> {
        match self {
            Self::Pass(changes) => vec![changes],
            Self::Copies(editions) => {
                let copies = editions.iter_mut();
                copies.map(|edition| &mut edition.changes).collect()
            }
            Self::Discard | Self::Reject(_) | Self::Tempfail(_) => Vec::new(),
        }
    }
}

/// One copy of a message that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edition {
    /// To whom, as places in the envelope.
    pub to: Vec<usize>,
    /// How it differs from what came; nobody is dropped from it.
    pub changes: Changes,
}

/// How a message that goes on differs from what came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    /// Recipients that it does not go to, as places in the envelope.
    pub dropped: Vec<usize>,
    /// Headers that are put on top, in order.
    pub added: Vec<(String, String)>,
    /// Whether headers of ours that came with it are taken away.
    pub clean_own: bool,
    /// All of it, where more than headers of ours changes.
    pub message: Option<Bytes>,
}
