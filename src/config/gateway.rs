//! The listeners' tables, `[log]` and what `[scan]` says of the gateway: where it listens, how much it takes at once.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use super::{Relay, Size};

/// What is spoken on a listener; in this order systemd hands over sockets without names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// The milter protocol, for Postfix and Sendmail.
    Milter,
    /// SMTP, for every MTA.
    Relay,
    /// The protocol of clamd, for whoever asks ClamAV.
    Clamd,
    /// OLEFY/1.0, for rspamd's module oletools.
    Olefy,
    /// Metrics and health.
    Http,
}

impl Protocol {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Milter,
        Self::Relay,
        Self::Clamd,
        Self::Olefy,
        Self::Http,
    ];

    /// The name of its table, in logs, metrics and routes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Milter => "milter",
            Self::Relay => "relay",
            Self::Clamd => "clamd",
            Self::Olefy => "olefy",
            Self::Http => "http",
        }
    }

    /// Where it listens when its table says nothing.
    fn usual(self) -> &'static str {
        match self {
            Self::Milter => "127.0.0.1:8891",
            Self::Relay => "127.0.0.1:10025",
            Self::Clamd => "127.0.0.1:3310",
            Self::Olefy => "127.0.0.1:10050",
            Self::Http => "127.0.0.1:8890",
        }
    }
}

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// host:port.
    Tcp(String),
    /// The path of a UNIX socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether the system chooses the port.
    fn is_any(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.ends_with(":0"))
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Words for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What clients of clamd may ask for, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clamd {
    /// Folders whose files may be scanned by path; none: no path may.
    pub roots: Vec<PathBuf>,
    /// Bytes of one file at the most.
    pub max_stream: u64,
}

impl Default for Clamd {
    fn default() -> Self {
        Self {
            roots: Vec::new(),
            max_stream: 100 << 20,
        }
    }
}

/// Settings of `serve`, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gateway {
    /// The listeners that are on.
    pub listeners: BTreeMap<Protocol, Listen>,
    /// The relay, where it is on.
    pub relay: Option<Relay>,
    /// What clients of clamd may ask for.
    pub clamd: Clamd,
    /// Connections of one listener at the same time.
    pub max_connections: usize,
    /// Memory for messages in bytes.
    pub max_memory: u64,
    /// Memory for what was seen of attachments before, in bytes; 0: nothing is remembered.
    pub max_remembered: u64,
    /// Messages that may wait for a scan thread.
    pub max_waiting: usize,
    /// Bytes unpacked from one message, where it differs from the limit of the command line.
    pub max_unpacked: u64,
    /// How log lines are written.
    pub log: LogFormat,
}

/// Bytes unpacked from one message where nothing is said.
const MAX_UNPACKED: u64 = 256 << 20;

/// Memory for what was seen of attachments before where nothing is said.
const MAX_REMEMBERED: u64 = 64 << 20;

impl Default for Gateway {
    /// Without any configuration the milter and metrics are on.
    fn default() -> Self {
        let on = [Protocol::Milter, Protocol::Http];
        let usual = |protocol: Protocol| (protocol, Listen::Tcp(protocol.usual().to_owned()));
        Self {
            listeners: on.map(usual).into(),
            ..Self::silent()
        }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ListenTable {
    /// `host:port` or `unix:/path`.
    #[schemars(with = "Option<String>")]
    listen: Option<Spanned<String>>,
}

impl ListenTable {
    /// A table that holds nothing else.
    pub(super) fn at(listen: Option<Spanned<String>>) -> Self {
        Self { listen }
    }
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ClamdTable {
    /// `host:port` or `unix:/path`.
    #[schemars(with = "Option<String>")]
    listen: Option<Spanned<String>>,
    /// Folders whose files may be scanned by path.
    #[schemars(with = "Vec<PathBuf>")]
    roots: Vec<Spanned<PathBuf>>,
    /// Bytes of one file at the most.
    #[schemars(with = "Option<Size>")]
    max_stream: Option<Spanned<Size>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LogTable {
    /// How log lines are written.
    format: LogFormat,
}

/// What `[scan]` says of the gateway.
#[derive(Debug, Default)]
pub(super) struct Amounts {
    pub(super) max_memory: Option<Spanned<Size>>,
    pub(super) max_remembered: Option<Size>,
    pub(super) max_waiting: Option<Spanned<usize>>,
    pub(super) max_connections: Option<Spanned<usize>>,
    pub(super) max_unpacked: Option<u64>,
}

impl Gateway {
    /// No listener: in a configuration each is turned on by its table.
    pub(super) fn silent() -> Self {
        Self {
            listeners: BTreeMap::new(),
            relay: None,
            clamd: Clamd::default(),
            max_connections: 500,
            max_memory: 1 << 30,
            max_remembered: MAX_REMEMBERED,
            max_waiting: 256,
            max_unpacked: MAX_UNPACKED,
            log: LogFormat::Text,
        }
    }

    /// Turns a listener on: where its table says, else where it usually is.
    pub(super) fn turn_on(
        &mut self,
        protocol: Protocol,
        table: ListenTable,
    ) -> Result<(), (usize, String)> {
        let at = table.listen.as_ref().map_or(0, |given| given.span().start);
        let listen = listen(protocol, table)?;
        let mut others = self.listeners.iter();
        if let Some((other, _)) = others.find(|(_, known)| **known == listen && !listen.is_any()) {
            let (name, other) = (protocol.as_str(), other.as_str());
            let reason = format!("{name}.listen = \"{listen}\": that is where [{other}] listens");
            return Err((at, reason));
        }
        self.listeners.insert(protocol, listen);
        Ok(())
    }

    /// Turns the protocol of clamd on, with what its clients may ask for.
    pub(super) fn turn_clamd_on(&mut self, table: ClamdTable) -> Result<(), (usize, String)> {
        for root in table.roots {
            let path = root.get_ref();
            if !path.is_absolute() {
                let reason = format!("clamd.roots: {}: write the whole path", path.display());
                return Err((root.span().start, reason));
            }
            self.clamd.roots.push(root.into_inner());
        }
        if let Some(size) = table.max_stream {
            self.clamd.max_stream = size.get_ref().0;
            if self.clamd.max_stream == 0 {
                let reason = "clamd.max_stream = 0: must be at least 1".to_owned();
                return Err((size.span().start, reason));
            }
        }
        let listen = ListenTable {
            listen: table.listen,
        };
        self.turn_on(Protocol::Clamd, listen)
    }

    pub(super) fn take(&mut self, log: &LogTable, amounts: Amounts) -> Result<(), (usize, String)> {
        self.log = log.format;
        if let Some(size) = amounts.max_memory {
            self.max_memory = size.get_ref().0;
            if self.max_memory < 16 << 20 {
                let reason = format!(
                    "scan.max_memory = {}: must be at least 16MiB",
                    size.get_ref()
                );
                return Err((size.span().start, reason));
            }
        }
        for (name, given, setting) in [
            ("max_waiting", amounts.max_waiting, &mut self.max_waiting),
            (
                "max_connections",
                amounts.max_connections,
                &mut self.max_connections,
            ),
        ] {
            if let Some(number) = given {
                *setting = *number.get_ref();
                if *setting == 0 {
                    let reason = format!("scan.{name} = 0: must be at least 1");
                    return Err((number.span().start, reason));
                }
            }
        }
        self.max_unpacked = amounts.max_unpacked.unwrap_or(MAX_UNPACKED);
        self.max_remembered = amounts.max_remembered.map_or(MAX_REMEMBERED, |size| size.0);
        Ok(())
    }

    /// The lines that belong to `[scan]`.
    pub(super) fn write_amounts(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "max_memory = \"{}\"\nmax_remembered = \"{}\"\nmax_waiting = {}\nmax_connections = {}",
            Size(self.max_memory),
            Size(self.max_remembered),
            self.max_waiting,
            self.max_connections
        );
    }

    pub(super) fn write(&self, out: &mut String) {
        for (protocol, listen) in &self.listeners {
            let text = toml::Value::String(listen.to_string());
            let _ = writeln!(out, "\n[{}]\nlisten = {text}", protocol.as_str());
            if let (Protocol::Relay, Some(relay)) = (protocol, &self.relay) {
                relay.write(out);
            }
            if *protocol == Protocol::Clamd {
                self.clamd.write(out);
            }
        }
        let format = match self.log {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        let _ = writeln!(out, "\n[log]\nformat = \"{format}\"");
    }
}

impl Clamd {
    fn write(&self, out: &mut String) {
        let roots = self.roots.iter().map(|root| root.to_string_lossy());
        let roots = roots.map(|root| toml::Value::String(root.into_owned()));
        let roots = toml::Value::Array(roots.collect());
        let most = Size(self.max_stream);
        // Writing to a String cannot fail.
        let _ = writeln!(out, "roots = {roots}\nmax_stream = \"{most}\"");
    }
}

fn listen(protocol: Protocol, table: ListenTable) -> Result<Listen, (usize, String)> {
    let (name, usual) = (protocol.as_str(), protocol.usual());
    let Some(given) = table.listen else {
        return Ok(Listen::Tcp(usual.to_owned()));
    };
    let text = given.get_ref();
    if let Some(path) = text.strip_prefix("unix:").map(PathBuf::from)
        && path.is_absolute()
    {
        return Ok(Listen::Unix(path));
    }
    if super::quarantine::is_host_and_port(text) || text.ends_with(":0") {
        return Ok(Listen::Tcp(text.clone()));
    }
    let reason =
        format!("{name}.listen = {text:?}: write host:port, such as {usual:?}, or unix:/path");
    Err((given.span().start, reason))
}
