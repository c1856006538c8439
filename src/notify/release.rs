//! Releases a stored message to a recipient: straight to the next hop, with a token that lets it pass the gateway
//! once, should it come by again.

use crate::config::MailServer;
use crate::quarantine::{
    Because, Claim, RELEASE_HEADER, Released, Repeat, Store, StoreError, Ticket, message_digest,
};

use super::smtp::{self, Letter, NotSent, Server};

/// What became of a release to one recipient.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase", tag = "result")]
pub enum Parting {
    /// The next hop took it.
    Sent {
        /// What it said.
        reply: String,
    },
    /// It was released to them before; nothing was sent.
    Before(Released),
    /// The next hop did not take it; it can be tried again.
    Failed {
        /// Why.
        reply: String,
    },
    /// The connection broke before the answer to the whole message: it may have arrived.
    Unknown {
        /// Why.
        reply: String,
    },
}

/// What of a stored message goes on.
#[derive(Debug, Clone, Copy)]
pub enum What<'a> {
    /// All of it.
    Original,
    /// This is left of it: [`super::Cleaning`].
    Cleaned(&'a [u8]),
}

/// Sends a message, but for line ends that SMTP cannot carry, to one recipient by `next_hop`, under its
/// own sender. What became of it stands in the store's audit.
pub fn release(
    store: &Store,
    ticket: Ticket,
    what: What<'_>,
    recipient: &str,
    next_hop: &MailServer,
    repeat: Repeat,
    because: Because<'_>,
) -> Result<Parting, StoreError> {
    let entry = store.get(ticket)?;
    let (body, sort) = match what {
        What::Original => (smtp::with_crlf(&store.message(ticket)?), ""),
        What::Cleaned(cleaned) => (smtp::with_crlf(cleaned), "cleaned; "),
    };
    let token = match store.claim(ticket, recipient, &message_digest(&body), repeat)? {
        Claim::Granted { token } => token,
        Claim::Before(released) => return Ok(Parting::Before(released)),
    };
    let mut message = format!("{RELEASE_HEADER}: {token}\r\n").into_bytes();
    message.extend_from_slice(&body);
    let letter = Letter {
        sender: &entry.envelope.sender,
        recipient,
        message: &message,
    };
    match smtp::send(&Server::of("release", next_hop), letter) {
        Ok(reply) => {
            let reply = format!("{sort}{reply}");
            store.released(ticket, recipient, &reply, because)?;
            Ok(Parting::Sent { reply })
        }
        Err(NotSent::Unknown(reply)) => Ok(Parting::Unknown { reply }),
        Err(error) => {
            let reply = error.to_string();
            store.not_released(ticket, recipient, &reply, because)?;
            Ok(Parting::Failed { reply })
        }
    }
}
