//! `[relay]`: the SMTP relay, where it sends mails on to, and whom it believes.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::gateway::ListenTable;
use super::policy::Refused;
use super::quarantine::is_host_and_port;
use super::tls::{SMTPS, StartTls};

/// Where mails go after the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NextHop {
    /// SMTP at host:port.
    Smtp(String),
    /// SMTP by TLS from the first byte on (RFC 8314 section 3.3), at host:port.
    Smtps(String),
    /// LMTP (RFC 2033) at host:port.
    Lmtp(String),
    /// LMTP at the path of a UNIX socket.
    LmtpUnix(PathBuf),
}

impl NextHop {
    fn of(text: &str) -> Option<Self> {
        let tcp = |text: &str| is_host_and_port(text).then(|| text.to_owned());
        if let Some(smtps) = text.strip_prefix("smtps:") {
            return tcp(smtps).map(Self::Smtps);
        }
        let Some(lmtp) = text.strip_prefix("lmtp:") else {
            return tcp(text).map(Self::Smtp);
        };
        match lmtp.strip_prefix("unix:") {
            Some(path) => Some(PathBuf::from(path))
                .filter(|path| path.is_absolute())
                .map(Self::LmtpUnix),
            None => tcp(lmtp).map(Self::Lmtp),
        }
    }
}

impl fmt::Display for NextHop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Smtp(address) => f.write_str(address),
            Self::Smtps(address) => write!(f, "smtps:{address}"),
            Self::Lmtp(address) => write!(f, "lmtp:{address}"),
            Self::LmtpUnix(path) => write!(f, "lmtp:unix:{}", path.display()),
        }
    }
}

/// Whether the MTA in front still has its client on the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RelayMode {
    /// Before its queue (Postfix: `smtpd_proxy_filter`): a refusal reaches the sender's server.
    #[default]
    BeforeQueue,
    /// After its queue (Postfix: `content_filter`): a refusal would become a bounce to whoever is named as sender, so
    /// what policy refuses is quarantined.
    AfterQueue,
}

/// Settings of the relay, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Where mails go after the verdict. TLS from the first byte on only with [`StartTls::Encrypt`] or
    /// [`StartTls::Verify`].
    pub next_hop: NextHop,
    /// Whether the MTA in front still has its client on the line.
    pub mode: RelayMode,
    /// Networks whose XFORWARD and XCLIENT are believed.
    pub xforward_from: Vec<IpNet>,
    /// Whether those of a UNIX socket are.
    pub xforward_from_unix: bool,
    /// The name that it gives itself; none: the machine's.
    pub name: Option<String>,
    /// Certificate chain and key (PEM) for STARTTLS of clients.
    pub certificate: Option<(PathBuf, PathBuf)>,
    /// When TLS is spoken to the next hop.
    pub starttls: StartTls,
    /// Certificates (PEM) that the next hop's is checked against.
    pub ca: Option<PathBuf>,
    /// How long the next hop may take for an answer; for the one to a whole message ten times as long.
    pub next_hop_timeout: Duration,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            next_hop: NextHop::Smtp("127.0.0.1:10026".to_owned()),
            mode: RelayMode::BeforeQueue,
            xforward_from: Vec::new(),
            xforward_from_unix: false,
            name: None,
            certificate: None,
            starttls: StartTls::None,
            ca: None,
            next_hop_timeout: Duration::from_secs(30),
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RelayTable {
    /// `host:port` or `unix:/path`.
    #[schemars(with = "Option<String>")]
    listen: Option<Spanned<String>>,
    /// `host:port`, `smtps:host:port`, `lmtp:host:port` or `lmtp:unix:/path`: where mails go after the verdict.
    #[schemars(with = "Option<String>")]
    next_hop: Option<Spanned<String>>,
    /// Before or after the queue of the MTA in front.
    mode: RelayMode,
    /// Addresses and networks whose XFORWARD and XCLIENT are believed; `unix`: those of a UNIX socket.
    #[schemars(with = "Option<Vec<String>>")]
    xforward_from: Option<Spanned<Vec<String>>>,
    /// The name that it gives itself.
    #[schemars(with = "Option<String>")]
    name: Option<Spanned<String>>,
    /// Certificate chain (PEM) for STARTTLS of clients.
    #[schemars(with = "Option<PathBuf>")]
    certificate: Option<Spanned<PathBuf>>,
    /// Its key (PEM).
    key: Option<PathBuf>,
    /// When TLS is spoken to the next hop.
    #[schemars(with = "StartTls")]
    starttls: Option<Spanned<StartTls>>,
    /// Certificates (PEM) that the next hop's is checked against.
    ca: Option<PathBuf>,
    /// Seconds that the next hop may take for an answer.
    #[schemars(with = "Option<u64>")]
    next_hop_timeout: Option<Spanned<u64>>,
}

impl RelayTable {
    /// The settings, and what is left: where it listens.
    pub(super) fn check(self, folder: &Path) -> Result<(Relay, ListenTable), Refused> {
        let mut relay = Relay {
            mode: self.mode,
            ..Relay::default()
        };
        let next_hop_at = self.next_hop.as_ref().map_or(0, |given| given.span().start);
        if let Some(given) = self.next_hop {
            let (at, text) = (given.span().start, given.into_inner());
            let reason = || {
                format!(
                    "relay.next_hop = {text:?}: write host:port, smtps:host:port, lmtp:host:port or lmtp:unix:/path"
                )
            };
            relay.next_hop = NextHop::of(&text).ok_or_else(|| (at, reason()))?;
            let own = self.listen.as_ref().map(Spanned::get_ref);
            if own == Some(&text) {
                let reason =
                    format!("relay.next_hop = {text:?}: that is where the relay itself listens");
                return Err((at, reason));
            }
        }
        for (at, text) in self.xforward_from.iter().flat_map(|list| {
            let at = list.span().start;
            list.get_ref().iter().map(move |text| (at, text))
        }) {
            let single = || {
                text.parse()
                    .map(|address: std::net::IpAddr| IpNet::from(address))
            };
            match text.parse::<IpNet>().or_else(|_| single()) {
                Ok(network) => relay.xforward_from.push(network.trunc()),
                Err(_) if text == "unix" => relay.xforward_from_unix = true,
                Err(_) => {
                    let reason = format!(
                        "relay.xforward_from: {text:?} is no network: write it like 127.0.0.1 or 10.20.0.0/16, or \"unix\""
                    );
                    return Err((at, reason));
                }
            }
        }
        if let Some(name) = self.name {
            let text = name.get_ref();
            let good =
                |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
            if text.is_empty() || text.len() > 255 || !text.bytes().all(good) {
                let reason = format!("relay.name = {text:?}: write a name like mx.example.co.jp");
                return Err((name.span().start, reason));
            }
            relay.name = Some(name.into_inner());
        }
        relay.certificate = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => {
                Some((folder.join(certificate.get_ref()), folder.join(key)))
            }
            (Some(certificate), None) => {
                let reason = "relay.certificate: its key is missing".to_owned();
                return Err((certificate.span().start, reason));
            }
            (None, Some(key)) => {
                let reason = format!(
                    "relay.key = {:?}: its certificate is missing",
                    key.display()
                );
                return Err((0, reason));
            }
            (None, None) => None,
        };
        relay.ca = self.ca.map(|ca| folder.join(ca));
        if let Some(starttls) = self.starttls {
            relay.starttls = *starttls.get_ref();
            if relay.starttls == StartTls::Verify && relay.ca.is_none() {
                let reason =
                    "relay.starttls = \"verify\": name the certificates to check against in ca";
                return Err((starttls.span().start, reason.to_owned()));
            }
        }
        if matches!(relay.next_hop, NextHop::Smtps(_)) && !relay.starttls.is_always() {
            let reason = format!("relay.next_hop = \"{}\": {SMTPS}", relay.next_hop);
            return Err((next_hop_at, reason));
        }
        if let Some(seconds) = self.next_hop_timeout {
            if *seconds.get_ref() == 0 {
                let reason = "relay.next_hop_timeout = 0: must be at least 1".to_owned();
                return Err((seconds.span().start, reason));
            }
            relay.next_hop_timeout = Duration::from_secs(*seconds.get_ref());
        }
        Ok((relay, ListenTable::at(self.listen)))
    }
}

impl Relay {
    pub(super) fn write(&self, out: &mut String) {
        let quoted = |text: String| toml::Value::String(text);
        let path = |path: &Path| toml::Value::String(path.to_string_lossy().into_owned());
        let mode = match self.mode {
            RelayMode::BeforeQueue => "before-queue",
            RelayMode::AfterQueue => "after-queue",
        };
        let mut peers: Vec<toml::Value> = self
            .xforward_from
            .iter()
            .map(|net| quoted(net.to_string()))
            .collect();
        if self.xforward_from_unix {
            peers.push(quoted("unix".to_owned()));
        }
        let starttls = self.starttls.as_str();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "next_hop = {}\nmode = \"{mode}\"\nxforward_from = {}\nstarttls = \"{starttls}\"\nnext_hop_timeout = {}",
            quoted(self.next_hop.to_string()),
            toml::Value::Array(peers),
            self.next_hop_timeout.as_secs()
        );
        if let Some(name) = &self.name {
            let _ = writeln!(out, "name = {}", quoted(name.clone()));
        }
        if let Some((certificate, key)) = &self.certificate {
            let _ = writeln!(
                out,
                "certificate = {}\nkey = {}",
                path(certificate),
                path(key)
            );
        }
        if let Some(ca) = &self.ca {
            let _ = writeln!(out, "ca = {}", path(ca));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::knowledge::Knowledge;

    fn parse(text: &str) -> Result<Config, String> {
        let catalogue = Knowledge::embedded().unwrap().catalogue;
        Config::parse(text, Path::new("/etc/s/sekisho.toml"), &catalogue)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn settings_are_read_and_written() {
        let text = "[relay]\nlisten = \"127.0.0.1:1\"\nnext_hop = \"lmtp:unix:/run/l.sock\"\nmode = \"after-queue\"\n\
                    xforward_from = [\"127.0.0.1\", \"10.1.2.3/8\", \"unix\"]\nname = \"mx.test\"\ncertificate = \"c.pem\"\n\
                    key = \"/k.pem\"\nstarttls = \"verify\"\nca = \"ca.pem\"\nnext_hop_timeout = 7\n";
        let config = parse(text).unwrap();
        let expected = Relay {
            next_hop: NextHop::LmtpUnix("/run/l.sock".into()),
            mode: RelayMode::AfterQueue,
            xforward_from: vec![
                "127.0.0.1/32".parse().unwrap(),
                "10.0.0.0/8".parse().unwrap(),
            ],
            xforward_from_unix: true,
            name: Some("mx.test".to_owned()),
            certificate: Some(("/etc/s/c.pem".into(), "/k.pem".into())),
            starttls: StartTls::Verify,
            ca: Some("/etc/s/ca.pem".into()),
            next_hop_timeout: Duration::from_secs(7),
        };
        assert_eq!(config.gateway.relay.as_ref(), Some(&expected));
        assert_eq!(parse(&config.to_toml()).unwrap().gateway, config.gateway);
        assert_eq!(
            parse("[relay]\n").unwrap().gateway.relay,
            Some(Relay::default())
        );
        assert_eq!(parse("").unwrap().gateway.relay, None);
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        for (line, expected) in [
            (
                "next_hop = \"lmtp:unix:run\"",
                "relay.next_hop = \"lmtp:unix:run\": write host:port",
            ),
            (
                "next_hop = \"here\"",
                "relay.next_hop = \"here\": write host:port",
            ),
            (
                "next_hop = \"smtps:mx:465\"\nstarttls = \"may\"",
                "relay.next_hop = \"smtps:mx:465\": TLS from the first byte on: set starttls",
            ),
            (
                "xforward_from = [\"mx\"]",
                "relay.xforward_from: \"mx\" is no network",
            ),
            (
                "starttls = \"verify\"",
                "relay.starttls = \"verify\": name the certificates",
            ),
            (
                "certificate = \"a\"",
                "relay.certificate: its key is missing",
            ),
            (
                "key = \"a\"",
                "relay.key = \"a\": its certificate is missing",
            ),
            ("name = \"a b\"", "relay.name = \"a b\": write a name"),
            ("next_hop_timeout = 0", "relay.next_hop_timeout = 0"),
            (
                "listen = \"127.0.0.1:26\"\nnext_hop = \"127.0.0.1:26\"",
                "relay.next_hop = \"127.0.0.1:26\": that is where",
            ),
        ] {
            let error = parse(&format!("[relay]\n{line}\n")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
