//! Tokens of released messages: a header that says, signed by the store, that this message may pass once.
//!
//! `v1.NONCE.MAC` in lower-case hexadecimal digits. The MAC (HMAC-SHA256, RFC 2104, with a key that never leaves the
//! store) covers the nonce, the number of the message, the recipient, and the message without its leading trace
//! headers, so that a token fits no other message. The gateway takes the header away from every message, asks
//! [`Store::redeem`], and lets through what it names.

use hmac::{Hmac, KeyInit as _, Mac as _};
use rusqlite::{OptionalExtension as _, params};
use sha2::Sha256;

use crate::model::hex;

use super::audit::{self, Because};
use super::entry::Entry;
use super::index::Fault;
use super::{Store, StoreError, Ticket, time};

/// The header that carries a token.
pub const HEADER: &str = "X-Sekisho-Release";

/// How long a token is good: as long as servers commonly try to deliver (RFC 5321 section 4.5.4.1), in seconds.
const LIFETIME: i64 = 5 * 24 * 60 * 60;

const VERSION: &str = "v1";

type Nonce = [u8; 16];

/// What a token that was good stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redeemed {
    /// The message.
    pub ticket: Ticket,
    /// The recipient it was released to.
    pub recipient: String,
}

impl Store {
    /// A token for one recipient of a message. `digest`: [`super::message_digest`] of what is sent.
    pub(super) fn issue(
        &self,
        transaction: &rusqlite::Transaction<'_>,
        entry: &Entry,
        recipient: &str,
        digest: &[u8; 32],
        secret: &[u8; 32],
    ) -> Result<String, Fault> {
        let mut nonce: Nonce = [0; 16];
        getrandom::fill(&mut nonce).map_err(|error| StoreError::Unreachable {
            what: "cannot get random numbers".to_owned(),
            source: error.to_string().into(),
        })?;
        transaction.execute(
            "INSERT INTO token (nonce, message, recipient, made) VALUES (?1, ?2, ?3, ?4)",
            params![nonce, entry.row, recipient, time::now()],
        )?;
        let mac = sign(secret, &nonce, entry.id, recipient, digest).finalize();
        Ok(format!(
            "{VERSION}.{}.{}",
            hex(&nonce),
            hex(&mac.into_bytes())
        ))
    }

    /// Takes a token in, which is good only once. `digest`: [`super::message_digest`] of the message that carries it,
    /// with or without the header. A message that is not let through afterwards needs a new token.
    ///
    /// [`StoreError::Refused`]: forged, for another message, used, too old, or the message is deleted.
    pub fn redeem(&self, token: &str, digest: &[u8; 32]) -> Result<Redeemed, StoreError> {
        let refused = || StoreError::refused("the release token is not good for this message");
        let mut parts = token.trim().split('.');
        let (Some(VERSION), Some(nonce), Some(mac), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(refused());
        };
        let nonce: Nonce = unhex(nonce).ok_or_else(refused)?;
        let mac: [u8; 32] = unhex(mac).ok_or_else(refused)?;
        let secret = self.files.secret()?;
        self.index.write(|transaction| {
            let found = transaction
                .query_row(
                    "SELECT m.ticket, t.recipient, t.made, t.redeemed FROM token t JOIN message m ON m.row = t.message \
                     WHERE t.nonce = ?1",
                    [nonce],
                    |row| {
                        let ticket: String = row.get(0)?;
                        let recipient: String = row.get(1)?;
                        let made: i64 = row.get(2)?;
                        let redeemed: Option<i64> = row.get(3)?;
                        Ok((ticket, recipient, made, redeemed))
                    },
                )
                .optional()?;
            let (ticket, recipient, made, redeemed) = found.ok_or_else(refused)?;
            let ticket: Ticket = ticket.parse().map_err(|_| refused())?;
            sign(&secret, &nonce, ticket, &recipient, digest)
                .verify_slice(&mac)
                .map_err(|_| refused())?;
            if redeemed.is_some() {
                return Err(StoreError::refused("the release token was used before").into());
            }
            if time::now().saturating_sub(made) > LIFETIME {
                return Err(StoreError::refused("the release token is too old").into());
            }
            transaction.execute(
                "UPDATE token SET redeemed = ?2 WHERE nonce = ?1",
                params![nonce, time::now()],
            )?;
            let because = Because {
                who: "sekisho",
                why: "release token",
            };
            audit::write(transaction, Some(ticket), because, "passed", &recipient)?;
            Ok(Redeemed { ticket, recipient })
        })
    }
}

fn sign(
    secret: &[u8; 32],
    nonce: &Nonce,
    ticket: Ticket,
    recipient: &str,
    digest: &[u8; 32],
) -> Hmac<Sha256> {
    // HMAC fills a short key up with zeros to a block of its hash.
    let mut block = [0; 64];
    for (to, from) in block.iter_mut().zip(secret) {
        *to = *from;
    }
    let mut mac = Hmac::<Sha256>::new(&block.into());
    // All but the recipient have a fixed length, and it comes last.
    mac.update(b"sekisho release 1");
    mac.update(nonce);
    mac.update(ticket.to_string().as_bytes());
    mac.update(digest);
    mac.update(recipient.as_bytes());
    mac
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N.saturating_mul(2) || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
