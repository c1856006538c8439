//! What an unpacker saw and does not judge: analyzers turn facts into findings.

use crate::limits::Halt;

use super::Kind;

/// One thing seen while unpacking.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// The specification does not allow it, but it was read whole all the same.
    Deviation {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What was expected and what was found.
        what: String,
    },
    /// Something in the container could not be read.
    Unread {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What it was and why.
        what: String,
    },
    /// The whole container is locked by a password.
    Locked {
        /// How, such as `AES-256` or `RC4 CryptoAPI`.
        scheme: String,
        /// Which part of it, where not all is locked.
        what: Option<String>,
    },
    /// A container for which there is no reader.
    NoReader {
        /// What about it is not supported.
        what: String,
    },
    /// A limit that left something unseen.
    Limit {
        /// Which one.
        halt: Halt,
        /// Where it was met.
        what: String,
    },
    /// A part of the scanner panicked on these bytes.
    Crashed {
        /// The unpacker or analyzer.
        by: String,
        /// The panic's message.
        what: String,
    },
    /// The bytes are plausible as another kind too, and that reading was followed.
    Polyglot {
        /// The other kind.
        kind: Kind,
        /// Offset at which it starts.
        at: usize,
    },
    /// A mail that different readers take apart differently.
    MimeAmbiguous {
        /// What is ambiguous.
        what: String,
        /// Whether one reading shows an attachment that another hides.
        hides: Hides,
    },
    /// A mail that breaks the syntax of its specification.
    MimeMalformed {
        /// Offset in the artifact, where one is known.
        at: Option<usize>,
        /// What was expected and what was found.
        what: String,
    },
    /// A fragment of a message that was sent in several mails (RFC 2046 5.2.2).
    MimePartial {
        /// Its number, total and id as declared.
        what: String,
    },
    /// Two places give this artifact different names.
    NameConflict {
        /// Both, safe to show.
        what: String,
    },
    /// Storage for macros, with or without code in it.
    VbaStorage {
        /// Modules found.
        modules: usize,
        /// Modules with at least one line that is neither an attribute nor blank.
        with_code: usize,
    },
    /// The Windows code page that its text is in, as its container says.
    CodePage {
        /// Its number, such as 932.
        number: u16,
    },
}

/// Whether an ambiguity hides something from one of the readings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hides {
    /// All readings show the same attachments.
    Nothing,
    /// One reading shows an attachment that another hides.
    Attachment,
}
