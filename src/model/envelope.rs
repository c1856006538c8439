//! How a mail comes: what the server of the sender said about it before the mail itself.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// The envelope of one message (RFC 5321) with what is known of the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// Address of the client that the MTA took the mail from; none for a local submission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<IpAddr>,
    /// Name that the client gave in HELO or EHLO.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub helo: String,
    /// User name, where the client authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Name of the listener that took it: `milter`, `relay`, …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub listener: String,
    /// Reverse path without angle brackets; empty for a bounce.
    pub sender: String,
    /// Forward paths without angle brackets, in the order in which they were given.
    pub recipients: Vec<String>,
    /// The MTA's id of the message, where it told one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub queue_id: String,
    /// Domains with a valid DKIM signature aligned with the sender, in lower case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dkim: Vec<String>,
    /// Whether SPF passed for the sender's domain.
    #[serde(default)]
    pub spf: bool,
}

impl Envelope {
    /// Whether the mail is a bounce: nobody must answer it.
    pub fn is_bounce(&self) -> bool {
        self.sender.is_empty()
    }
}
