//! What becomes of a message, in words that milter and relay share.

use bytes::Bytes;

/// Name of the milter in routes, logs and envelopes.
pub const LISTENER_MILTER: &str = "milter";

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
}

impl Abilities {
    /// Everything.
    pub const ALL: Self = Self {
        add_headers: true,
        change_headers: true,
        change_body: true,
        drop_recipients: true,
    };
}

/// What is answered to the end of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It goes on, perhaps changed, to all recipients but some.
    Pass(Changes),
    /// It is in the store for all its recipients, and goes no further.
    Discard,
    /// It is refused for good: code, enhanced code and text.
    Reject(String),
    /// It is to be tried again later: code, enhanced code and text.
    Tempfail(String),
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
