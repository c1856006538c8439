//! A server that takes mails of ours, released ones and notices: where it is, when TLS is spoken to it, who we are there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::tls::{SMTPS, StartTls};
use crate::text;

/// Bytes of a file with a password.
const LONGEST: usize = 4 << 10;

/// A server, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailServer {
    /// host:port.
    pub address: String,
    /// Whether TLS is spoken from the first byte on; only with [`StartTls::Encrypt`] or [`StartTls::Verify`].
    pub smtps: bool,
    /// When TLS is spoken.
    pub starttls: StartTls,
    /// Certificates (PEM) that its own is checked against.
    pub ca: Option<PathBuf>,
    /// Who we are, where it asks.
    pub login: Option<Login>,
}

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The name.
    pub user: String,
    /// The file of the password.
    pub file: PathBuf,
    password: String,
}

impl Login {
    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl std::fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// What a table says of its server.
#[derive(Debug)]
pub(super) struct Given {
    /// The table, and the setting of it that names the server.
    pub(super) names: (&'static str, &'static str),
    pub(super) address: Option<Spanned<String>>,
    pub(super) starttls: Option<Spanned<StartTls>>,
    pub(super) ca: Option<PathBuf>,
    pub(super) user: Option<Spanned<String>>,
    pub(super) password: Option<Spanned<PathBuf>>,
}

impl MailServer {
    /// One on this machine or beside it: no TLS, no login.
    pub fn near(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            smtps: false,
            starttls: StartTls::None,
            ca: None,
            login: None,
        }
    }

    /// Checks what a table says; where it names no server, what it says is said of the `usual` one.
    pub(super) fn check(given: Given, usual: Self, folder: &Path) -> Result<Self, (usize, String)> {
        let (table, key) = given.names;
        let mut server = usual;
        let mut at = 0;
        if let Some(address) = &given.address {
            at = address.span().start;
            server = named(given.names, address)?;
        }
        if let Some(starttls) = &given.starttls {
            at = starttls.span().start;
            server.starttls = *starttls.get_ref();
        }
        if let Some(ca) = given.ca {
            server.ca = Some(folder.join(ca));
        }
        if server.smtps && !server.starttls.is_always() {
            let reason = format!("{table}.{key} = \"smtps:{}\": {SMTPS}", server.address);
            return Err((at, reason));
        }
        if server.starttls == StartTls::Verify && server.ca.is_none() {
            let reason = format!(
                "{table}.starttls = \"verify\": name the certificates to check against in ca, \
                 such as \"/etc/ssl/certs/ca-certificates.crt\""
            );
            return Err((at, reason));
        }
        if let Some(login) = login(table, given.user, given.password, server.starttls, folder)? {
            server.login = Some(login);
        }
        if server.login.is_some() && !server.starttls.is_always() {
            return Err((at, in_clear(table)));
        }
        Ok(server)
    }

    /// The lines of a table, the first of which is `key`.
    pub(super) fn write(&self, key: &str, out: &mut String) {
        let quoted = |text: &str| toml::Value::String(text.to_owned());
        let scheme = if self.smtps { "smtps:" } else { "" };
        let address = quoted(&format!("{scheme}{}", self.address));
        let starttls = self.starttls.as_str();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{key} = {address}\nstarttls = \"{starttls}\"");
        if let Some(ca) = &self.ca {
            let _ = writeln!(out, "ca = {}", quoted(&ca.to_string_lossy()));
        }
        if let Some(login) = &self.login {
            let (user, file) = (quoted(&login.user), quoted(&login.file.to_string_lossy()));
            let _ = writeln!(out, "user = {user}\npassword = {file}");
        }
    }
}

/// A server by host:port or smtps:host:port, of which nothing else is said.
fn named(
    (table, key): (&str, &str),
    address: &Spanned<String>,
) -> Result<MailServer, (usize, String)> {
    let given = address.get_ref();
    let (host, smtps) = match given.strip_prefix("smtps:") {
        Some(host) => (host, true),
        None => (given.as_str(), false),
    };
    if !super::quarantine::is_host_and_port(host) {
        let reason = format!(
            "{table}.{key} = {given:?}: write host:port, such as \"127.0.0.1:10026\", or smtps:host:465"
        );
        return Err((address.span().start, reason));
    }
    Ok(MailServer {
        smtps,
        ..MailServer::near(host)
    })
}

fn in_clear(table: &str) -> String {
    format!(
        "{table}.user: a password is not sent in clear: set starttls = \"verify\" (or \"encrypt\")"
    )
}

/// Name and password, both or none, and neither in clear over the wire.
fn login(
    table: &str,
    user: Option<Spanned<String>>,
    file: Option<Spanned<PathBuf>>,
    starttls: StartTls,
    folder: &Path,
) -> Result<Option<Login>, (usize, String)> {
    let (user, file) = match (user, file) {
        (None, None) => return Ok(None),
        (Some(user), Some(file)) => (user, file),
        (Some(user), None) => {
            let reason = format!("{table}.user: name the file of its password in password");
            return Err((user.span().start, reason));
        }
        (None, Some(file)) => {
            let reason = format!("{table}.password: its user is missing");
            return Err((file.span().start, reason));
        }
    };
    if !starttls.is_always() {
        return Err((user.span().start, in_clear(table)));
    }
    let path = folder.join(file.get_ref());
    let refuse = |what: String| (file.span().start, format!("{table}.password: {what}"));
    let read = std::fs::read_to_string(&path);
    let shown = text::path(&path);
    let read = read.map_err(|error| refuse(format!("cannot read {shown}: {error}")))?;
    let password = read.trim_end_matches(['\r', '\n']);
    let good = !password.is_empty() && !password.contains(['\r', '\n', '\0']);
    if !good || password.len() > LONGEST {
        return Err(refuse(format!(
            "{shown} must hold the password on one line"
        )));
    }
    Ok(Some(Login {
        user: user.into_inner(),
        password: password.to_owned(),
        file: path,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::quarantine::{Quarantine, QuarantineTable, ReleaseTable};
    use super::*;

    fn check(release: &str) -> Result<MailServer, String> {
        let table: ReleaseTable = toml::from_str(release).map_err(|error| error.to_string())?;
        let mut quarantine = Quarantine::default();
        quarantine
            .take(QuarantineTable::default(), table, Path::new("conf"))
            .map_err(|(_, reason)| reason)?;
        Ok(quarantine.next_hop)
    }

    #[test]
    fn what_is_said_of_the_usual_server_is_said_of_it() {
        let server = check("starttls = \"encrypt\"").unwrap();
        assert_eq!(server.address, "127.0.0.1:10026");
        assert_eq!(server.starttls, StartTls::Encrypt);
        let server =
            check("next_hop = \"smtps:mx:465\"\nstarttls = \"verify\"\nca = \"ca.pem\"").unwrap();
        assert!(server.smtps);
        assert_eq!(server.ca, Some(PathBuf::from("conf/ca.pem")));
        let mut written = String::new();
        server.write("next_hop", &mut written);
        let again = check(&written.replace("conf/", "")).unwrap();
        assert_eq!(again, server);
    }

    #[test]
    fn what_does_not_hold_is_refused() {
        for (text, reason) in [
            (
                "next_hop = \"smtps:mx:465\"",
                "release.next_hop = \"smtps:mx:465\": TLS from the first byte on: set starttls",
            ),
            (
                "starttls = \"verify\"",
                "release.starttls = \"verify\": name the certificates",
            ),
            (
                "starttls = \"encrypt\"\nuser = \"u\"",
                "release.user: name the file of its password",
            ),
            (
                "user = \"u\"\npassword = \"p\"",
                "release.user: a password is not sent in clear",
            ),
        ] {
            let error = check(text).unwrap_err();
            assert!(error.starts_with(reason), "{error}");
        }
    }
}
