//! What signatures and sender policies say of a message: DKIM (RFC 6376), SPF (RFC 7208), ARC (RFC 8617), by mail-auth.
//!
//! Asked only where a route requires it and where a message is changed: a change breaks the signatures of its sender,
//! so that what they were is told in Authentication-Results (RFC 8601) and, with a key, sealed by ARC. A name server
//! that does not answer within [`PATIENCE`] makes a `temperror`, and never holds a message up longer.
//!
//! A signature over a part of the body (`l=`) proves nothing here: whoever has such a mail can append to it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail_auth::arc::ArcSealer;
use mail_auth::common::crypto::{RsaKey, Sha256};
use mail_auth::common::headers::HeaderWriter as _;
use mail_auth::dkim::Done;
use mail_auth::hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts,
};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{
    ArcOutput, AuthenticatedMessage, AuthenticationResults, DkimOutput, DkimResult, DnsError,
    Error, MessageAuthenticator, SpfOutput, SpfResult,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use tokio::runtime::Handle;
use tokio::time::timeout;

use crate::config::{Seal, Signatures};
use crate::formats::header::{self, Breaks, Doubtful, Header};
use crate::model::Envelope;
use crate::policy::Proofs;

use super::plan::Changes;

/// How long name servers have for one message as a whole.
const PATIENCE: Duration = Duration::from_secs(3);

/// Signatures of one message that are looked at; each may cost a hash of the body. RFC 8617 allows 50 seals.
const SIGNATURES: usize = 20;

/// What a seal covers, where it is there.
const SEALED: [&str; 16] = [
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "List-Id",
    "List-Unsubscribe",
    "List-Post",
    "DKIM-Signature",
];

/// Asks for what is published about senders, and seals.
pub struct Authenticator {
    /// None: no name server is known, and every question a `temperror`.
    resolver: Option<MessageAuthenticator>,
    id: String,
    sealer: Option<ArcSealer<RsaKey<Sha256>, Done>>,
}

impl std::fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sealer = self.sealer.is_some();
        let mut shown = f.debug_struct("Authenticator");
        shown.field("id", &self.id).field("seals", &sealer);
        shown.finish_non_exhaustive()
    }
}

/// What was found out about a message.
struct Standing<'a> {
    dkim: Vec<DkimOutput<'a>>,
    spf: Option<SpfOutput>,
    arc: Option<ArcOutput<'a>>,
}

impl Authenticator {
    /// By the settings. The error says what does not hold.
    pub fn new(settings: &Signatures) -> Result<Self, String> {
        let id = settings.id.clone().unwrap_or_else(|| {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
            let host = host.unwrap_or_default().trim().to_ascii_lowercase();
            // Apart from the machine's own name: another program on it may use that one.
            let usable = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
            match !host.is_empty() && host.bytes().all(usable) {
                true => format!("sekisho.{host}"),
                false => "sekisho.localhost".to_owned(),
            }
        });
        Ok(Self {
            resolver: resolver(&settings.dns)?,
            id,
            sealer: settings.seal.as_ref().map(sealer).transpose()?,
        })
    }

    /// Finds out what routes ask of an envelope.
    pub(super) async fn prove(
        self: &Arc<Self>,
        envelope: &mut Envelope,
        message: &Bytes,
        proofs: Proofs,
    ) {
        if !(proofs.dkim || proofs.spf) {
            return;
        }
        let (own, message, asked) = (Arc::clone(self), message.clone(), envelope.clone());
        let proven = aside(move |handle| handle.block_on(own.proofs(&message, &asked, proofs)));
        if let Some((dkim, spf)) = proven.await {
            envelope.dkim = dkim;
            envelope.spf = spf;
        }
    }

    async fn proofs(
        &self,
        message: &[u8],
        envelope: &Envelope,
        proofs: Proofs,
    ) -> (Vec<String>, bool) {
        let spf = async {
            match proofs.spf {
                true => self
                    .spf(envelope)
                    .await
                    .is_some_and(|spf| spf.result() == SpfResult::Pass),
                false => false,
            }
        };
        let dkim = async {
            match proofs.dkim && bearable(message) {
                true => self.domains(message).await,
                false => Vec::new(),
            }
        };
        tokio::join!(dkim, spf)
    }

    /// Domains that signed all of the message.
    async fn domains(&self, message: &[u8]) -> Vec<String> {
        let Some(parsed) = AuthenticatedMessage::parse(message) else {
            return Vec::new();
        };
        let signed = self.dkim(&parsed).await;
        let mut domains: Vec<String> = signed
            .iter()
            .filter(|output| *output.result() == DkimResult::Pass)
            .filter_map(|output| output.signature())
            .filter(|signature| signature.l == 0)
            .map(|signature| signature.d.to_ascii_lowercase())
            .collect();
        domains.sort_unstable();
        domains.dedup();
        domains
    }

    /// Tells of a changed message what its original was: takes away what pretends to be ours, and adds to the headers.
    pub(super) async fn tell(
        self: &Arc<Self>,
        envelope: &Arc<Envelope>,
        original: &Bytes,
        mut changes: Changes,
    ) -> Changes {
        let Some(changed) = changes.message.take() else {
            return changes;
        };
        let own = Arc::clone(self);
        let (envelope, original) = (Arc::clone(envelope), original.clone());
        let kept = changed.clone();
        let told = aside(move |handle| {
            let changed = own.without_forged(changed);
            let headers = handle.block_on(own.headers(&envelope, &original, &changed));
            (changed, headers)
        });
        let (message, headers) = told.await.unwrap_or((kept, Vec::new()));
        changes.message = Some(message);
        changes.added.splice(0..0, headers);
        changes
    }

    async fn headers(
        &self,
        envelope: &Envelope,
        original: &[u8],
        changed: &[u8],
    ) -> Vec<(String, String)> {
        if !bearable(original) {
            return Vec::new();
        }
        let Some(parsed) = AuthenticatedMessage::parse(original) else {
            return Vec::new();
        };
        let standing = self.standing(&parsed, envelope).await;
        let results = self.results(&parsed, envelope, &standing);
        let mut out = Vec::new();
        if let (Some(sealer), Some(arc)) = (&self.sealer, &standing.arc)
            && let Some(changed) = AuthenticatedMessage::parse(changed)
            // A chain that could not be looked at is not declared broken for ever.
            && !matches!(arc.result(), DkimResult::TempError(_))
        {
            match sealer.seal(&changed, &results, arc) {
                Ok(set) => set.write_header(&mut out),
                Err(error) => tracing::warn!("a changed message is not sealed: {error}"),
            }
        }
        results.write_header(&mut out);
        let block = read(&out);
        let field = |field: &header::Field| {
            let name = out.get(field.name.clone())?;
            let value = out.get(field.value.clone())?.trim_ascii();
            Some((
                String::from_utf8_lossy(name).into_owned(),
                String::from_utf8_lossy(value).into_owned(),
            ))
        };
        block.fields.iter().filter_map(field).collect()
    }

    async fn standing<'a>(
        &self,
        message: &'a AuthenticatedMessage<'a>,
        envelope: &Envelope,
    ) -> Standing<'a> {
        let (dkim, spf, arc) =
            tokio::join!(self.dkim(message), self.spf(envelope), self.arc(message));
        Standing {
            dkim,
            spf,
            arc: Some(arc),
        }
    }

    fn results<'a>(
        &'a self,
        message: &AuthenticatedMessage<'_>,
        envelope: &Envelope,
        standing: &Standing<'_>,
    ) -> AuthenticationResults<'a> {
        let mut results = AuthenticationResults::new(&self.id);
        results = results.with_dkim_results(&standing.dkim, message.from());
        let client = envelope.client.unwrap_or(IpAddr::from([0, 0, 0, 0]));
        if let Some(spf) = &standing.spf {
            let (sender, helo) = (printable(&envelope.sender), printable(&envelope.helo));
            results = results.with_spf_mailfrom_result(spf, client, &sender, &helo);
        }
        if let Some(arc) = &standing.arc
            && *arc.result() != DkimResult::None
        {
            results = results.with_arc_result(arc, client);
        }
        results
    }

    async fn dkim<'a>(&self, message: &'a AuthenticatedMessage<'a>) -> Vec<DkimOutput<'a>> {
        let signed = message
            .raw_parsed_headers()
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(b"dkim-signature"));
        if !signed {
            return Vec::new();
        }
        let asked = match &self.resolver {
            Some(resolver) => timeout(PATIENCE, resolver.verify_dkim(message)).await.ok(),
            None => None,
        };
        asked.unwrap_or_else(|| vec![DkimOutput::temp_err(late())])
    }

    async fn arc<'a>(&self, message: &'a AuthenticatedMessage<'a>) -> ArcOutput<'a> {
        let sealed = message.raw_parsed_headers().iter().any(|(name, _)| {
            name.get(..4)
                .is_some_and(|head| head.eq_ignore_ascii_case(b"arc-"))
        });
        if !sealed {
            return ArcOutput::default();
        }
        let asked = match &self.resolver {
            Some(resolver) => timeout(PATIENCE, resolver.verify_arc(message)).await.ok(),
            None => None,
        };
        let late = || ArcOutput::default().with_result(DkimResult::TempError(late()));
        asked.unwrap_or_else(late)
    }

    /// None where nothing can be said: no client, or one that has shown who it is.
    async fn spf(&self, envelope: &Envelope) -> Option<SpfOutput> {
        let client = envelope.client?.to_canonical();
        if envelope.user.is_some() {
            return None;
        }
        let parameters =
            SpfParameters::verify_mail_from(client, &envelope.helo, &self.id, &envelope.sender);
        let asked = match &self.resolver {
            Some(resolver) => timeout(PATIENCE, resolver.verify_spf(parameters))
                .await
                .ok(),
            None => None,
        };
        let late = || SpfOutput::new(String::new()).with_result(SpfResult::TempError);
        Some(asked.unwrap_or_else(late))
    }

    /// The message without Authentication-Results under our name (RFC 8601 section 5).
    fn without_forged(&self, message: Bytes) -> Bytes {
        let block = read(&message);
        let mut out: Vec<u8> = Vec::new();
        let mut done = 0;
        let ends = block.fields.iter().skip(1).map(|next| next.name.start);
        // The empty line belongs to no field.
        let last = block.fields.last().map_or(0, |field| {
            header::line_end(&message, field.value.end, message.len(), Breaks::Lf).1
        });
        for (field, end) in block.fields.iter().zip(ends.chain([last])) {
            let name = message.get(field.name.clone()).unwrap_or_default();
            let value = message.get(field.value.clone()).unwrap_or_default();
            if !name.eq_ignore_ascii_case(b"authentication-results") || !self.is_own(value) {
                continue;
            }
            out.extend_from_slice(message.get(done..field.name.start).unwrap_or_default());
            done = end;
        }
        if done == 0 {
            return message;
        }
        out.extend_from_slice(message.get(done..).unwrap_or_default());
        Bytes::from(out)
    }

    /// Whether the value of an Authentication-Results begins with our name, behind comments and blanks.
    fn is_own(&self, value: &[u8]) -> bool {
        let mut rest = value;
        let mut depth = 0_usize;
        // Ends because the rest gets shorter.
        while let Some((first, after)) = rest.split_first() {
            match first {
                b'(' => depth = depth.saturating_add(1),
                b')' => depth = depth.saturating_sub(1),
                b'\\' if depth > 0 => {
                    rest = after.get(1..).unwrap_or_default();
                    continue;
                }
                _ if depth > 0 || first.is_ascii_whitespace() => {}
                _ => break,
            }
            rest = after;
        }
        let rest = rest.strip_prefix(b"\"").unwrap_or(rest);
        let ends =
            |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(' | b'"' | b'/');
        let name = rest.split(ends).next().unwrap_or_default();
        name.eq_ignore_ascii_case(self.id.as_bytes())
    }
}

/// Runs what may hash a large message where it holds up nobody's socket; none where it broke down.
async fn aside<T: Send + 'static>(work: impl FnOnce(&Handle) -> T + Send + 'static) -> Option<T> {
    let handle = Handle::current();
    let done = tokio::task::spawn_blocking(move || work(&handle)).await;
    done.ok()
}

/// Whether a message has no more signatures than are looked at.
fn bearable(message: &[u8]) -> bool {
    let block = read(message);
    ["dkim-signature", "arc-message-signature", "arc-seal"]
        .iter()
        .all(|name| block.values(message, name).count() <= SIGNATURES)
}

fn read(message: &[u8]) -> Header {
    header::read(message, 0, message.len(), Breaks::Lf, Doubtful::default())
}

fn printable(text: &str) -> String {
    let shown = |c: char| match c {
        '!'..='~' => c,
        _ => '?',
    };
    text.chars().map(shown).collect()
}

fn late() -> Error {
    Error::Dns(DnsError::Resolver("no answer in time".to_owned()))
}

fn resolver(servers: &[SocketAddr]) -> Result<Option<MessageAuthenticator>, String> {
    let (config, mut options) = if servers.is_empty() {
        match read_system_conf() {
            Ok(system) => system,
            Err(error) => {
                tracing::debug!("no name server is known: {error}");
                return Ok(None);
            }
        }
    } else {
        let server = |address: &SocketAddr| {
            let mut ways = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
            for way in &mut ways {
                way.port = address.port();
            }
            NameServerConfig::new(address.ip(), true, ways)
        };
        let servers = servers.iter().map(server).collect();
        let config = ResolverConfig::from_name_servers(servers);
        (config, ResolverOpts::default())
    };
    options.timeout = PATIENCE / 2;
    options.attempts = 2;
    MessageAuthenticator::new(config, options)
        .map(Some)
        .map_err(|error| format!("cannot ask name servers: {error}"))
}

fn sealer(seal: &Seal) -> Result<ArcSealer<RsaKey<Sha256>, Done>, String> {
    let refuse = |error: &dyn std::fmt::Display| {
        let file = crate::text::path(&seal.key_file);
        format!("arc.key: {file} is no RSA key that can be used: {error}")
    };
    let key = PrivateKeyDer::from_pem_slice(seal.key.as_bytes()).map_err(|error| refuse(&error))?;
    let key = RsaKey::<Sha256>::from_key_der(key).map_err(|error| refuse(&error))?;
    Ok(ArcSealer::from_key(key)
        .domain(seal.domain.clone())
        .selector(seal.selector.clone())
        .headers(SEALED))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn authenticator() -> Authenticator {
        let settings = Signatures {
            id: Some("mx.hq.example".to_owned()),
            dns: vec![SocketAddr::from(([127, 0, 0, 1], 9))],
            ..Signatures::default()
        };
        Authenticator::new(&settings).unwrap()
    }

    #[test]
    fn only_results_under_our_name_are_taken_away() {
        let authenticator = authenticator();
        let forged = [
            " mx.hq.example; spf=pass",
            "\r\n\t(a (b) \\) c) MX.HQ.Example 1; dkim=pass",
            " \"mx.hq.example\"; none",
            "mx.hq.example(x); none",
        ];
        for value in forged {
            let message = format!("A: b\r\nAuthentication-Results:{value}\r\nC: d\r\n\r\nbody\r\n");
            let left = authenticator.without_forged(Bytes::from(message));
            assert_eq!(&left[..], b"A: b\r\nC: d\r\n\r\nbody\r\n", "{value}");
        }
        let last = "A: b\r\nAuthentication-Results: mx.hq.example; none\r\n\r\nbody\r\n";
        let left = authenticator.without_forged(Bytes::from(last));
        assert_eq!(&left[..], b"A: b\r\n\r\nbody\r\n");
        for value in [
            " mx.other.example; spf=pass",
            " mx.hq.example.evil; none",
            "",
        ] {
            let message = format!("Authentication-Results:{value}\r\n\r\nbody\r\n");
            let left = authenticator.without_forged(Bytes::from(message.clone()));
            assert_eq!(&left[..], message.as_bytes());
        }
    }

    #[test]
    fn a_flood_of_signatures_is_not_looked_at() {
        let flood = |count| "DKIM-Signature: v=1; l=1\r\n".repeat(count) + "\r\nbody\r\n";
        assert!(bearable(flood(SIGNATURES).as_bytes()));
        assert!(!bearable(flood(SIGNATURES + 1).as_bytes()));
    }
}
