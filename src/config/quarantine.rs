//! `[quarantine]` and `[release]`: where messages are kept, how long, how many, and where released ones go.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::mail_server::{Given, MailServer};
use super::tls::StartTls;
use super::{Age, Size};

/// The store of root.
const SYSTEM_PATH: &str = "/var/lib/sekisho";

/// Settings of the quarantine and of releases, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Folder of the store.
    pub path: PathBuf,
    /// How long a message is kept.
    pub keep: Duration,
    /// Bytes at the most.
    pub max_size: u64,
    /// Who takes released messages.
    pub next_hop: MailServer,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            path: default_path(),
            keep: Duration::from_secs(90 * 24 * 3600),
            max_size: 50 << 30,
            next_hop: MailServer::near("127.0.0.1:10026"),
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct QuarantineTable {
    /// Folder of the store; a relative one lies beside the configuration.
    path: Option<PathBuf>,
    /// How long a message is kept.
    #[schemars(with = "Option<Age>")]
    keep: Option<Spanned<Age>>,
    /// Bytes at the most; when they are full, messages stay with their senders' servers.
    #[schemars(with = "Option<Size>")]
    max_size: Option<Spanned<Size>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReleaseTable {
    /// host:port or smtps:host:port of the server that takes released messages: one that does not filter them again.
    #[schemars(with = "Option<String>")]
    next_hop: Option<Spanned<String>>,
    /// When TLS is spoken to it.
    #[schemars(with = "StartTls")]
    starttls: Option<Spanned<StartTls>>,
    /// Certificates (PEM) that its own is checked against; a relative path lies beside the configuration.
    ca: Option<PathBuf>,
    /// Name for its login.
    #[schemars(with = "Option<String>")]
    user: Option<Spanned<String>>,
    /// File that holds the password; a relative path lies beside the configuration.
    #[schemars(with = "Option<PathBuf>")]
    password: Option<Spanned<PathBuf>>,
}

impl Quarantine {
    pub(super) fn take(
        &mut self,
        quarantine: QuarantineTable,
        release: ReleaseTable,
        folder: &Path,
    ) -> Result<(), (usize, String)> {
        if let Some(path) = quarantine.path {
            self.path = folder.join(path);
        }
        if let Some(keep) = quarantine.keep {
            self.keep = keep.get_ref().0;
            if self.keep.is_zero() {
                let reason = "quarantine.keep: must be longer than nothing".to_owned();
                return Err((keep.span().start, reason));
            }
        }
        if let Some(size) = quarantine.max_size {
            self.max_size = size.get_ref().0;
            if self.max_size < 1 << 20 {
                let reason = format!(
                    "quarantine.max_size = {}: must be at least 1MiB",
                    size.get_ref()
                );
                return Err((size.span().start, reason));
            }
        }
        let given = Given {
            names: ("release", "next_hop"),
            address: release.next_hop,
            starttls: release.starttls,
            ca: release.ca,
            user: release.user,
            password: release.password,
        };
        self.next_hop = MailServer::check(given, self.next_hop.clone(), folder)?;
        Ok(())
    }

    pub(super) fn write(&self, out: &mut String) {
        let quoted = |text: &str| toml::Value::String(text.to_owned());
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "\n[quarantine]\npath = {}\nkeep = \"{}\"\nmax_size = \"{}\"\n\n[release]",
            quoted(&self.path.to_string_lossy()),
            Age(self.keep),
            Size(self.max_size)
        );
        self.next_hop.write("next_hop", out);
    }
}

pub(super) fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let is_host = match host.strip_prefix('[') {
        Some(rest) => rest
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok()),
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
        }
    };
    is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// The system's place for root, the user's own for everybody else (XDG Base Directory Specification).
fn default_path() -> PathBuf {
    if is_root() {
        return PathBuf::from(SYSTEM_PATH);
    }
    let absolute = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .map_or_else(|| PathBuf::from(SYSTEM_PATH), |state| state.join("sekisho"))
}

/// By the owner of this process, where the system tells.
#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_hop_is_a_host_and_a_port() {
        for good in ["127.0.0.1:25", "[::1]:10026", "mail.example.co.jp:587"] {
            assert!(is_host_and_port(good), "{good}");
        }
        for wrong in [
            "",
            "127.0.0.1",
            ":25",
            "::1:25",
            "host:0",
            "host:65536",
            "a b:25",
            "lmtp:host:24",
            "[1.2.3.4]:25",
        ] {
            assert!(!is_host_and_port(wrong), "{wrong}");
        }
    }
}
