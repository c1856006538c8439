//! `[arc]` and `[dns]`: how the state of a changed message's signatures is told to those behind us.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::text;

/// Longest key file, in bytes.
const LONGEST: usize = 16 << 10;

/// The seal on changed messages, checked.
#[derive(Clone, PartialEq, Eq)]
pub struct Seal {
    /// The domain that seals.
    pub domain: String,
    /// Where its public key stands: `SELECTOR._domainkey.DOMAIN`.
    pub selector: String,
    /// The file of the private key.
    pub key_file: PathBuf,
    /// The private key, PEM.
    pub key: String,
}

impl std::fmt::Debug for Seal {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal")
            .field("domain", &self.domain)
            .field("selector", &self.selector)
            .field("key_file", &self.key_file)
            .finish_non_exhaustive()
    }
}

/// Settings of signatures, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signatures {
    /// Our name in Authentication-Results; none: that of this machine.
    pub id: Option<String>,
    /// The seal; none: changed messages are not sealed.
    pub seal: Option<Seal>,
    /// Name servers; none: those of the system.
    pub dns: Vec<SocketAddr>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ArcTable {
    /// The domain that seals changed messages.
    #[schemars(with = "Option<String>")]
    domain: Option<Spanned<String>>,
    /// Where its public key stands: SELECTOR._domainkey.DOMAIN.
    #[schemars(with = "Option<String>")]
    selector: Option<Spanned<String>>,
    /// File with the private RSA key, PEM; a relative one lies beside the configuration.
    #[schemars(with = "Option<PathBuf>")]
    key: Option<Spanned<PathBuf>>,
    /// Our name in Authentication-Results; by default the domain, else that of this machine.
    #[schemars(with = "Option<String>")]
    id: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DnsTable {
    /// Addresses of name servers, with or without a port; by default those of the system.
    #[schemars(with = "Vec<String>")]
    servers: Vec<Spanned<String>>,
}

impl Signatures {
    pub(super) fn check(
        arc: ArcTable,
        dns: &DnsTable,
        folder: &Path,
    ) -> Result<Self, (usize, String)> {
        let names = [
            ("domain", &arc.domain),
            ("selector", &arc.selector),
            ("id", &arc.id),
        ];
        for (key, name) in names {
            if let Some(name) = name
                && !is_domain(name.get_ref())
            {
                let reason = format!("arc.{key} = {:?}: no name of a domain", name.get_ref());
                return Err((name.span().start, reason));
            }
        }
        let id = arc.id.or_else(|| arc.domain.clone());
        let id = id.map(|id| id.into_inner().to_ascii_lowercase());
        let seal = match (arc.domain, arc.selector, arc.key) {
            (Some(domain), Some(selector), Some(key)) => Some(Seal {
                domain: domain.into_inner().to_ascii_lowercase(),
                selector: selector.into_inner(),
                key: read(&key, folder)?,
                key_file: folder.join(key.get_ref()),
            }),
            (None, None, None) => None,
            (domain, selector, key) => {
                let at = [
                    domain.map(|given| given.span().start),
                    selector.map(|given| given.span().start),
                    key.map(|given| given.span().start),
                ];
                let at = at.into_iter().flatten().next().unwrap_or_default();
                let reason = "[arc] needs domain, selector and key together".to_owned();
                return Err((at, reason));
            }
        };
        let mut servers = Vec::new();
        for server in &dns.servers {
            let text = server.get_ref();
            let with_port = text.parse::<SocketAddr>().ok();
            let address = text.parse().map(|address| SocketAddr::new(address, 53));
            let Some(server) = with_port.or(address.ok()) else {
                let reason = format!("dns.servers: {text:?} is no address of a server");
                return Err((server.span().start, reason));
            };
            servers.push(server);
        }
        Ok(Self {
            id,
            seal,
            dns: servers,
        })
    }

    pub(super) fn write(&self, out: &mut String) {
        let quoted = |text: &str| toml::Value::String(text.to_owned());
        // Writing to a String cannot fail.
        if self.seal.is_some() || self.id.is_some() {
            let _ = writeln!(out, "\n[arc]");
        }
        if let Some(seal) = &self.seal {
            let _ = writeln!(
                out,
                "domain = {}\nselector = {}\nkey = {}",
                quoted(&seal.domain),
                quoted(&seal.selector),
                quoted(&seal.key_file.to_string_lossy())
            );
        }
        if let Some(id) = &self.id {
            let _ = writeln!(out, "id = {}", quoted(id));
        }
        if !self.dns.is_empty() {
            let servers = self.dns.iter().map(|server| quoted(&server.to_string()));
            let _ = writeln!(
                out,
                "\n[dns]\nservers = {}",
                toml::Value::Array(servers.collect())
            );
        }
    }
}

fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    text.len() < 254 && text.split('.').all(label)
}

fn read(key: &Spanned<PathBuf>, folder: &Path) -> Result<String, (usize, String)> {
    let path = folder.join(key.get_ref());
    let shown = text::path(&path);
    let refuse = |what: String| (key.span().start, format!("arc.key: {what}"));
    let pem = std::fs::read_to_string(&path)
        .map_err(|error| refuse(format!("cannot read {shown}: {error}")))?;
    if pem.len() > LONGEST || !pem.contains("PRIVATE KEY-----") {
        return Err(refuse(format!(
            "{shown} is no private key in PEM (`openssl genrsa 2048` makes one)"
        )));
    }
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arc: &str, dns: &str) -> Result<Signatures, String> {
        let arc = toml::from_str(arc).map_err(|error| error.to_string())?;
        let dns = toml::from_str(dns).map_err(|error| error.to_string())?;
        Signatures::check(arc, &dns, Path::new("conf")).map_err(|(_, reason)| reason)
    }

    #[test]
    fn name_servers_have_a_port_or_the_usual_one() {
        let signatures = check(
            "id = \"MX.example\"",
            "servers = [\"::1\", \"127.0.0.1:5353\"]",
        );
        let signatures = signatures.unwrap();
        assert_eq!(signatures.id.as_deref(), Some("mx.example"));
        let servers: Vec<String> = signatures.dns.iter().map(SocketAddr::to_string).collect();
        assert_eq!(servers, ["[::1]:53", "127.0.0.1:5353"]);
        let mut out = String::new();
        signatures.write(&mut out);
        assert_eq!(
            out,
            "\n[arc]\nid = \"mx.example\"\n\n[dns]\nservers = [\"[::1]:53\", \"127.0.0.1:5353\"]\n"
        );
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        for (arc, dns, reason) in [
            ("domain = \"a b\"", "", "arc.domain = \"a b\""),
            (
                "domain = \"a.example\"",
                "",
                "[arc] needs domain, selector and key together",
            ),
            (
                "domain = \"a\"\nselector = \"s\"\nkey = \"k.pem\"",
                "",
                "arc.key: cannot read conf/k.pem",
            ),
            (
                "",
                "servers = [\"ns.example\"]",
                "dns.servers: \"ns.example\"",
            ),
        ] {
            let error = check(arc, dns).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
