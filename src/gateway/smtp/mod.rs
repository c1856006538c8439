//! The SMTP relay: between an MTA and its next hop (Postfix: `smtpd_proxy_filter` before the queue, `content_filter`
//! after it).
//!
//! | file | what |
//! | --- | --- |
//! | `lines` | bytes → command lines and the text of messages |
//! | `command`, `reply` | what client and next hop say |
//! | `offers` | extensions of the next hop, and what of them is offered in turn |
//! | `session` | one connection of a client: lines in, steps out |
//! | `trace` | trace headers, loops, the copy to send |
//! | `connection` | bytes from the client into its session, to and fro |
//! | `hop` | one connection to the next hop |
//! | `deliver` | from the verdict to the next hop |
//! | `retry` | copies that were not taken after others were |
//!
//! No queue of its own: a client is told yes only after the next hop said yes, or the message is in the store.

pub mod command;
mod connection;
mod deliver;
mod hop;
pub mod lines;
pub mod offers;
pub mod reply;
pub(super) mod retry;
pub mod session;
pub mod trace;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::{ClientConfig, ServerConfig};
use sha2::{Digest as _, Sha256};

use crate::config::{Gateway, Protocol, Relay as Settings, StartTls, client_tls, server_tls};
use crate::model::hex;
use crate::quarantine::{Store, StoreError};

use super::filter::Filter;

pub(super) use connection::serve;
use hop::{Down, Hop};
use offers::Offers;

/// The certificates of one reading of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Certificates {
    /// Spoken to clients, where there is a certificate.
    acceptor: Option<Arc<ServerConfig>>,
    /// When TLS is spoken to the next hop.
    starttls: StartTls,
    connector: Option<Arc<ClientConfig>>,
}

impl Certificates {
    /// Reads those of the relay, where it is on. The error says which file does not hold, and why.
    pub fn read(relay: Option<&Settings>) -> Result<Self, String> {
        let Some(relay) = relay else {
            return Ok(Self::default());
        };
        let acceptor = match &relay.certificate {
            Some((certificate, key)) => Some(server_tls("relay", certificate, key)?),
            None => None,
        };
        Ok(Self {
            acceptor,
            starttls: relay.starttls,
            connector: client_tls("relay", relay.starttls, relay.ca.as_deref())?,
        })
    }
}

/// What all connections of the relay share.
pub(super) struct Relay {
    filter: Arc<Filter>,
    settings: Settings,
    /// The name that it gives itself.
    name: String,
    /// What it is known again by, in its greeting and in traces.
    mark: String,
    /// What the next hop offered last: a client can be greeted while it is away for a moment.
    known: Mutex<Option<Offers>>,
}

impl Relay {
    /// The relay of a configuration, where it is on.
    pub(super) fn new(gateway: &Gateway, filter: Arc<Filter>) -> Option<Arc<Self>> {
        let settings = gateway.relay.clone()?;
        let name = settings.name.clone().unwrap_or_else(machine);
        let listen = gateway.listeners.get(&Protocol::Relay);
        let own = format!(
            "{name}\n{}\n{}",
            listen.map(ToString::to_string).unwrap_or_default(),
            settings.next_hop
        );
        let mark = hex(&Sha256::digest(own));
        Some(Arc::new(Self {
            mark: format!("sekisho relay {}", mark.get(..12).unwrap_or_default()),
            known: Mutex::default(),
            filter,
            name,
            settings,
        }))
    }

    /// The certificates in force.
    fn certificates(&self) -> Certificates {
        self.filter.pool.generation().certificates.clone()
    }

    /// Whether a peer may say who its client is.
    fn trusts(&self, peer: Option<IpAddr>) -> bool {
        match peer.map(|address| address.to_canonical()) {
            None => self.settings.xforward_from_unix,
            Some(address) => self
                .settings
                .xforward_from
                .iter()
                .any(|net| net.contains(&address)),
        }
    }

    /// A connection to the next hop.
    async fn connect(&self) -> Result<Hop, Down> {
        let connected = Hop::connect(self).await;
        match &connected {
            Ok(hop) => {
                *self.known.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(hop.offers.clone());
            }
            Err(down) => self.warn(down),
        }
        connected
    }

    /// What the next hop offered when it was last seen.
    fn known(&self) -> Option<Offers> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn warn(&self, down: &Down) {
        let next_hop = hop::shown(&self.settings.next_hop);
        tracing::warn!(next_hop, reason = down.0, "the next hop is of no use now");
    }

    /// Asks the store, off the threads of sockets.
    async fn ask_store<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = Arc::clone(&self.filter.store);
        let asked = tokio::task::spawn_blocking(move || ask(&store)).await;
        asked.unwrap_or_else(|error| {
            Err(StoreError::Unreachable {
                what: "asking it broke down".to_owned(),
                source: Box::new(error),
            })
        })
    }
}

/// The name of this machine.
fn machine() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    match read.trim() {
        name if !name.is_empty() && name.chars().all(good) => name.to_owned(),
        _ => "localhost".to_owned(),
    }
}
