//! TOML → checked [`Config`]: unknown keys and values that do not hold are refused with file and line.
//!
//! Every command works without a configuration. The tables of parts that do not exist yet are unknown here on purpose: a setting that has no effect must not look as if it had one.

mod age;
mod arc;
mod gateway;
mod mail_server;
mod notify;
mod policy;
mod policy_text;
mod quarantine;
mod relay;
mod size;
mod strip;
mod tls;
mod words;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use thiserror::Error;
use toml::Spanned;

use crate::knowledge::Catalogue;
use crate::limits::Limits;
use crate::model::Severity;
use crate::score::Thresholds;
use crate::text;

pub use age::Age;
use arc::{ArcTable, DnsTable};
pub use arc::{Seal, Signatures};
pub use gateway::{Clamd, Gateway, Listen, LogFormat, Protocol};
pub use mail_server::{Login, MailServer};
pub use notify::{Notify, Texts};
pub use policy::{
    Actions, Allow, Conditions, Key, KnownMacros, PolicySettings, Require, Route, Unscannable,
};
pub use quarantine::Quarantine;
pub use relay::{NextHop, Relay, RelayMode};
pub use size::Size;
use strip::StripTable;
pub use strip::{NoticeLanguage, Strip, Template, Templates};
pub use tls::{StartTls, client_tls, server_tls};

use gateway::{Amounts, ClamdTable, ListenTable, LogTable};
use notify::NotifyTable;
use quarantine::{QuarantineTable, ReleaseTable};
use relay::RelayTable;

/// Where the configuration lies when nothing names it.
pub const DEFAULT_PATH: &str = "/etc/sekisho/sekisho.toml";

/// The environment variable that names it.
pub const ENVIRONMENT: &str = "SEKISHO_CONFIG";

/// Time for one message in the mail flow at the most: a client waits ten minutes for the answer to a message (RFC 5321
/// section 4.5.3.2.6), Postfix five for one of a milter.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Inputs scanned at the same time, at the most.
const MOST_THREADS: usize = 1024;

/// The settings of a run, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file they came from, if any.
    pub origin: Option<PathBuf>,
    /// Limits of a scan.
    pub limits: Limits,
    /// Scan threads; none: one for each core.
    pub threads: Option<usize>,
    /// Scores from which an input is suspicious and malicious.
    pub thresholds: Thresholds,
    /// Severities of findings by id, where they differ from the catalogue's.
    pub severities: BTreeMap<String, Severity>,
    /// Files and folders of rules beside the embedded ones.
    pub rule_paths: Vec<PathBuf>,
    /// Whether the embedded rules are used.
    pub default_rules: bool,
    /// Where messages are kept, and where released ones go.
    pub quarantine: Quarantine,
    /// Where the gateway listens, and how much it takes at once.
    pub gateway: Gateway,
    /// What stands in the place of parts that were taken out.
    pub strip: Strip,
    /// What is told of changed messages, and who is asked about senders.
    pub signatures: Signatures,
    /// Who is told of what was held back; none: nobody.
    pub notify: Option<Notify>,
    /// What is done with what was found.
    pub policy: PolicySettings,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            origin: None,
            limits: Limits::default(),
            threads: None,
            thresholds: Thresholds::default(),
            severities: BTreeMap::new(),
            rule_paths: Vec::new(),
            default_rules: true,
            quarantine: Quarantine::default(),
            gateway: Gateway::default(),
            strip: Strip::default(),
            signatures: Signatures::default(),
            notify: None,
            policy: PolicySettings::default(),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum BadConfig {
    /// The file could not be read.
    #[error("cannot read the configuration {path}: {source}")]
    Unreadable {
        /// The file, safe to show.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something in the file does not hold.
    #[error("{path}:{line}: {reason}")]
    Invalid {
        /// The file, safe to show.
        path: String,
        /// The line, counted from 1; 0 where none is known.
        line: usize,
        /// What is wrong and what would be right.
        reason: String,
    },
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "sekisho.toml")]
struct File {
    /// Limits of a scan.
    scan: ScanTable,
    /// From which score an input is what, and how severe findings are.
    score: ScoreTable,
    /// Where rules come from.
    rules: RulesTable,
    /// The milter; the table turns it on.
    milter: Option<ListenTable>,
    /// The SMTP relay; the table turns it on.
    relay: Option<RelayTable>,
    /// The protocol of clamd; the table turns it on.
    clamd: Option<ClamdTable>,
    /// OLEFY/1.0; the table turns it on.
    olefy: Option<ListenTable>,
    /// Metrics and health; the table turns them on.
    http: Option<ListenTable>,
    /// The log of the gateway.
    log: LogTable,
    /// Where messages are kept, how long, how many.
    quarantine: QuarantineTable,
    /// Where released messages go.
    release: ReleaseTable,
    /// What stands in the place of parts that were taken out.
    strip: StripTable,
    /// The seal on changed messages.
    arc: ArcTable,
    /// Who is asked about senders.
    dns: DnsTable,
    /// Who is told of what was held back; the table turns it on.
    notify: Option<NotifyTable>,
    /// Ways for mails; the first that matches wins.
    route: Vec<policy::RouteTable>,
    /// Findings that are lifted before the policy looks.
    allow: Vec<policy::AllowTable>,
    /// Actions that no route and no allowance can weaken.
    #[schemars(with = "BTreeMap<String, String>")]
    floor: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ScanTable {
    /// Seconds for one input.
    #[schemars(with = "Option<u64>")]
    timeout: Option<Spanned<u64>>,
    /// Containers within containers.
    max_depth: Option<u32>,
    /// Artifacts of one input.
    max_artifacts: Option<u32>,
    /// Bytes unpacked from one input.
    max_unpacked: Option<Size>,
    /// Bytes read of one input.
    max_file: Option<Size>,
    /// Bytes out for one byte in.
    #[schemars(with = "Option<u64>")]
    max_ratio: Option<Spanned<u64>>,
    /// Inputs scanned at the same time.
    #[schemars(with = "Option<usize>")]
    threads: Option<Spanned<usize>>,
    /// Memory for the messages that the gateway has at the same time.
    #[schemars(with = "Option<Size>")]
    max_memory: Option<Spanned<Size>>,
    /// Memory of the gateway for what was seen of attachments before; "0": each is looked at again.
    max_remembered: Option<Size>,
    /// Messages that may wait in the gateway for a scan thread.
    #[schemars(with = "Option<usize>")]
    max_waiting: Option<Spanned<usize>>,
    /// Connections of one listener of the gateway.
    #[schemars(with = "Option<usize>")]
    max_connections: Option<Spanned<usize>>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct ScoreTable {
    /// Score from which an input is suspicious.
    #[schemars(with = "Option<u8>")]
    suspicious: Option<Spanned<u8>>,
    /// Score from which it is malicious.
    #[schemars(with = "Option<u8>")]
    malicious: Option<Spanned<u8>>,
    /// Severities by finding.
    #[schemars(with = "BTreeMap<String, Severity>")]
    severity: BTreeMap<Spanned<String>, Severity>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RulesTable {
    /// Files and folders of rules; relative ones lie beside the configuration.
    paths: Vec<PathBuf>,
    /// Whether the embedded rules are used.
    default_rules: Option<bool>,
}

impl Config {
    /// The file to read: the one `given`, else the one the environment names, else the one in the system's place
    /// if there is one.
    pub fn locate(given: Option<&Path>, environment: Option<OsString>) -> Option<PathBuf> {
        given
            .map(Path::to_path_buf)
            .or_else(|| {
                environment
                    .filter(|path| !path.is_empty())
                    .map(PathBuf::from)
            })
            .or_else(|| Some(PathBuf::from(DEFAULT_PATH)).filter(|path| path.exists()))
    }

    /// Reads and checks a file.
    pub fn read(path: &Path, catalogue: &Catalogue) -> Result<Self, BadConfig> {
        let text = std::fs::read_to_string(path).map_err(|source| BadConfig::Unreadable {
            path: text::path(path),
            source,
        })?;
        Self::parse(&text, path, catalogue)
    }

    /// Checks the text of the file at `path`.
    pub fn parse(text: &str, path: &Path, catalogue: &Catalogue) -> Result<Self, BadConfig> {
        let invalid = |offset: Option<usize>, reason: String| BadConfig::Invalid {
            path: text::path(path),
            line: offset.map_or(0, |offset| line(text, offset)),
            reason,
        };
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map(|span| span.start);
            let number = at.map_or(0, |at| line(text, at));
            let shown = text.lines().nth(number.saturating_sub(1));
            let reason = words::plain(error.message(), shown.unwrap_or_default());
            invalid(at, text::safe(&reason))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut config = Self {
            origin: Some(path.to_path_buf()),
            default_rules: file.rules.default_rules.unwrap_or(true),
            gateway: Gateway::silent(),
            ..Self::default()
        };
        let mut scan = file.scan;
        let timeout_at = scan.timeout.as_ref().map_or(0, |given| given.span().start);
        let amounts = Amounts {
            max_memory: scan.max_memory.take(),
            max_remembered: scan.max_remembered.take(),
            max_waiting: scan.max_waiting.take(),
            max_connections: scan.max_connections.take(),
            max_unpacked: scan.max_unpacked.map(|size| size.0),
        };
        config
            .take_scan(scan)
            .and_then(|()| {
                let tables = [
                    (Protocol::Milter, file.milter),
                    (Protocol::Olefy, file.olefy),
                    (Protocol::Http, file.http),
                ];
                for (protocol, table) in tables {
                    let Some(table) = table else { continue };
                    config.gateway.turn_on(protocol, table)?;
                }
                if let Some(table) = file.relay {
                    let (relay, listen) = table.check(folder)?;
                    config.gateway.turn_on(Protocol::Relay, listen)?;
                    config.gateway.relay = Some(relay);
                }
                if let Some(table) = file.clamd {
                    config.gateway.turn_clamd_on(table)?;
                }
                config.gateway.take(&file.log, amounts)?;
                config.check_timeout(timeout_at)
            })
            .and_then(|()| config.take_score(file.score, catalogue))
            .and_then(|()| {
                let quarantine = &mut config.quarantine;
                quarantine.take(file.quarantine, file.release, folder)
            })
            .and_then(|()| config.strip.take(file.strip, folder))
            .and_then(|()| {
                config.signatures = Signatures::check(file.arc, &file.dns, folder)?;
                Ok(())
            })
            .and_then(|()| {
                let Some(table) = file.notify else {
                    return Ok(());
                };
                let usual = &config.quarantine.next_hop;
                config.notify = Some(Notify::check(table, &config.strip, usual, folder)?);
                Ok(())
            })
            .and_then(|()| {
                config.policy = policy::check(file.route, file.allow, file.floor, catalogue)?;
                Ok(())
            })
            .map_err(|(offset, reason)| invalid(Some(offset), reason))?;
        config.rule_paths = file
            .rules
            .paths
            .iter()
            .map(|rules| folder.join(rules))
            .collect();
        Ok(config)
    }

    /// Whoever sends a mail does not wait for ever for the answer to it.
    fn check_timeout(&self, at: usize) -> Result<(), (usize, String)> {
        let listeners = &self.gateway.listeners;
        let mail = [Protocol::Milter, Protocol::Relay];
        let waits = mail.iter().any(|of| listeners.contains_key(of));
        if waits && self.limits.timeout > LONGEST_WAIT {
            let reason = format!(
                "scan.timeout = {}: must be at most {} beside [milter] or [relay], since a client gives up after some minutes",
                self.limits.timeout.as_secs(),
                LONGEST_WAIT.as_secs()
            );
            return Err((at, reason));
        }
        Ok(())
    }

    fn take_scan(&mut self, table: ScanTable) -> Result<(), (usize, String)> {
        let limits = &mut self.limits;
        if let Some(seconds) = table.timeout {
            limits.timeout =
                Duration::from_secs(above_zero("timeout", &seconds, *seconds.get_ref())?);
        }
        if let Some(ratio) = table.max_ratio {
            limits.max_ratio = above_zero("max_ratio", &ratio, *ratio.get_ref())?;
        }
        if let Some(threads) = table.threads {
            let number = above_zero("threads", &threads, *threads.get_ref())?;
            if number > MOST_THREADS {
                let reason = format!("scan.threads = {number}: must be at most {MOST_THREADS}");
                return Err((threads.span().start, reason));
            }
            self.threads = Some(number);
        }
        limits.max_depth = table.max_depth.unwrap_or(limits.max_depth);
        limits.max_artifacts = table.max_artifacts.unwrap_or(limits.max_artifacts);
        limits.max_unpacked = table
            .max_unpacked
            .map_or(limits.max_unpacked, |size| size.0);
        limits.max_file = table.max_file.map_or(limits.max_file, |size| size.0);
        Ok(())
    }

    fn take_score(
        &mut self,
        table: ScoreTable,
        catalogue: &Catalogue,
    ) -> Result<(), (usize, String)> {
        for (name, score) in [
            ("suspicious", &table.suspicious),
            ("malicious", &table.malicious),
        ] {
            if let Some(score) = score
                && !(1..=100).contains(score.get_ref())
            {
                let reason = format!("score.{name} = {}: must be 1 to 100", score.get_ref());
                return Err((score.span().start, reason));
            }
        }
        let thresholds = &mut self.thresholds;
        let offset = table
            .malicious
            .as_ref()
            .or(table.suspicious.as_ref())
            .map_or(0, |score| score.span().start);
        thresholds.suspicious = table
            .suspicious
            .map_or(thresholds.suspicious, Spanned::into_inner);
        thresholds.malicious = table
            .malicious
            .map_or(thresholds.malicious, Spanned::into_inner);
        if thresholds.suspicious > thresholds.malicious {
            let reason = format!(
                "score.suspicious = {} is above score.malicious = {}",
                thresholds.suspicious, thresholds.malicious
            );
            return Err((offset, reason));
        }
        for (id, severity) in table.severity {
            if catalogue.entry(id.get_ref()).is_none() {
                let reason = format!(
                    "score.severity: no finding {:?}; `sekisho findings` lists them",
                    id.get_ref()
                );
                return Err((id.span().start, reason));
            }
            self.severities.insert(id.into_inner(), severity);
        }
        Ok(())
    }

    /// The JSON Schema of the file.
    pub fn schema() -> serde_json::Value {
        schema_for!(File).to_value()
    }

    /// The settings as the text of a configuration file, defaults spelled out.
    pub fn to_toml(&self) -> String {
        let limits = &self.limits;
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "[scan]\ntimeout = {}\nmax_depth = {}\nmax_artifacts = {}\nmax_file = \"{}\"\nmax_ratio = {}",
            limits.timeout.as_secs(),
            limits.max_depth,
            limits.max_artifacts,
            Size(limits.max_file),
            limits.max_ratio
        );
        let (scan, serve) = (Size(limits.max_unpacked), Size(self.gateway.max_unpacked));
        let _ = if scan == serve {
            writeln!(out, "max_unpacked = \"{scan}\"")
        } else {
            writeln!(out, "# max_unpacked: \"{scan}\", in serve \"{serve}\"")
        };
        self.gateway.write_amounts(&mut out);
        if let Some(threads) = self.threads {
            let _ = writeln!(out, "threads = {threads}");
        }
        let _ = writeln!(
            out,
            "\n[score]\nsuspicious = {}\nmalicious = {}",
            self.thresholds.suspicious, self.thresholds.malicious
        );
        for (id, severity) in &self.severities {
            let _ = writeln!(out, "severity.{id} = \"{}\"", severity.as_str());
        }
        let paths = self
            .rule_paths
            .iter()
            .map(|path| toml::Value::String(path.to_string_lossy().into_owned()));
        let _ = writeln!(
            out,
            "\n[rules]\npaths = {}\ndefault_rules = {}",
            toml::Value::Array(paths.collect()),
            self.default_rules
        );
        self.gateway.write(&mut out);
        self.quarantine.write(&mut out);
        self.strip.write(&mut out);
        self.signatures.write(&mut out);
        if let Some(notify) = &self.notify {
            notify.write(&mut out);
        }
        policy_text::write(&self.policy, &mut out);
        out
    }
}

fn above_zero<T: Default + PartialEq>(
    name: &str,
    spanned: &Spanned<T>,
    number: T,
) -> Result<T, (usize, String)> {
    if number == T::default() {
        return Err((
            spanned.span().start,
            format!("scan.{name} = 0: must be at least 1"),
        ));
    }
    Ok(number)
}

/// The line of an offset, counted from 1.
fn line(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    memchr::memchr_iter(b'\n', before).count().saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    fn parse(text: &str) -> Result<Config, String> {
        let catalogue = Knowledge::embedded().unwrap().catalogue;
        Config::parse(text, Path::new("conf/sekisho.toml"), &catalogue)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_file_gives_the_defaults_without_listeners() {
        let config = parse("").unwrap();
        let mut silent = Config::default();
        silent.gateway.listeners.clear();
        assert_eq!(
            Config {
                origin: None,
                ..config
            },
            silent
        );
    }

    #[test]
    fn every_setting_is_taken() {
        let config = parse(
            "[scan]\ntimeout = 5\nmax_depth = 3\nmax_artifacts = 7\nmax_unpacked = \"1MiB\"\nmax_file = 4096\n\
             max_ratio = 9\nthreads = 2\n[score]\nsuspicious = 40\nmalicious = 90\nseverity.vba-macro = \"medium\"\n\
             [rules]\npaths = [\"mine\", \"/abs\"]\ndefault_rules = false\n\
             [milter]\nlisten = \"unix:/run/s.sock\"\n[http]\n[olefy]\n\
             [clamd]\nlisten = \"unix:/run/c.sock\"\nroots = [\"/srv\"]\nmax_stream = \"7MiB\"\n[log]\nformat = \"json\"\n\
             [[route]]\nname = \"a\"\nclient = [\"10.0.0.0/8\"]\nto = [\"*@b\"]\nrequire = \"spf\"\ndry_run = true\nsubject_mark = \" [注意] \"\n\
             [route.actions]\nmacros = \"hold\"\nincomplete = \"reject\"\nunscannable = \"tempfail\"\n\
             [[allow]]\nfinding = \"script\"\nreason = \"why\"\nexpires = 2027-01-31\n[floor]\nmalicious = \"hold\"\n\
             [quarantine]\npath = \"/q\"\nkeep = \"2w\"\nmax_size = \"3GiB\"\n[release]\nnext_hop = \"[::1]:26\"\nstarttls = \"encrypt\"\n\
             [strip]\nlanguage = \"en\"\nsigned = \"strip\"\n[strip.languages]\n\"HQ.example\" = \"ja\"\n",
        )
        .unwrap();
        assert_eq!(config.limits.timeout, Duration::from_secs(5));
        assert_eq!(config.limits.max_unpacked, 1 << 20);
        assert_eq!(config.limits.max_file, 4096);
        assert_eq!(
            (config.limits.max_depth, config.limits.max_artifacts),
            (3, 7)
        );
        assert_eq!((config.limits.max_ratio, config.threads), (9, Some(2)));
        assert_eq!(config.thresholds.malicious, 90);
        assert_eq!(config.severities.get("vba-macro"), Some(&Severity::Medium));
        assert_eq!(
            config.rule_paths,
            [PathBuf::from("conf/mine"), PathBuf::from("/abs")]
        );
        assert!(!config.default_rules);
        let quarantine = Quarantine {
            path: "/q".into(),
            keep: Duration::from_secs(14 * 86_400),
            max_size: 3 << 30,
            next_hop: MailServer {
                starttls: StartTls::Encrypt,
                ..MailServer::near("[::1]:26")
            },
        };
        assert_eq!(config.quarantine, quarantine);
        assert_eq!(config.gateway.listeners.len(), 4);
        assert_eq!(config.gateway.clamd.roots, [PathBuf::from("/srv")]);
        assert!(config.strip.break_signatures);
        assert_eq!(config.strip.language, NoticeLanguage::English);
        assert_eq!(
            config.strip.language_of(["a@hq.example"]),
            NoticeLanguage::Japanese
        );
        let again = Config::parse(
            &config.to_toml(),
            Path::new("sekisho.toml"),
            &Knowledge::embedded().unwrap().catalogue,
        );
        assert_eq!(
            again.unwrap(),
            Config {
                origin: Some("sekisho.toml".into()),
                ..config
            }
        );
    }

    #[test]
    fn what_does_not_hold_is_refused_with_its_line() {
        let cases = [
            (
                "[scan]\n\ntimeot = 1\n",
                "conf/sekisho.toml:3: unknown setting `timeot`",
            ),
            (
                "[milter]\n\nlisen = \"x\"\n",
                "conf/sekisho.toml:3: unknown setting `lisen`",
            ),
            (
                "[milter]\nlisten = \"8891\"\n",
                "conf/sekisho.toml:2: milter.listen = \"8891\": write host:port",
            ),
            (
                "[scan]\nmax_memory = \"1K\"\n",
                "conf/sekisho.toml:2: scan.max_memory = 1KiB: must be at least 16MiB",
            ),
            (
                "[scan]\ntimeout = 0\n",
                "conf/sekisho.toml:2: scan.timeout = 0: must be at least 1",
            ),
            (
                "[scan]\nmax_file = \"2 pounds\"\n",
                "conf/sekisho.toml:2: max_file = \"2 pounds\": \"2 pounds\" is no size",
            ),
            (
                "[score]\nmalicious = 101\n",
                "conf/sekisho.toml:2: score.malicious = 101: must be 1 to 100",
            ),
            (
                "[score]\nmalicious = 20\n",
                "conf/sekisho.toml:2: score.suspicious = 30 is above score.malicious = 20",
            ),
            (
                "[score]\n\nseverity.vba-makro = \"low\"\n",
                "conf/sekisho.toml:3: score.severity: no finding \"vba-makro\"",
            ),
            (
                "[score]\nseverity.vba-macro = \"awful\"\n",
                "conf/sekisho.toml:2: severity.vba-macro = \"awful\": unknown word `awful`",
            ),
        ];
        let more = [
            (
                "[clamd]\nroots = [\"srv\"]\n",
                "conf/sekisho.toml:2: clamd.roots: srv: write the whole path",
            ),
            (
                "[clamd]\nmax_stream = 0\n",
                "conf/sekisho.toml:2: clamd.max_stream = 0: must be at least 1",
            ),
            (
                "[olefy]\nroots = []\n",
                "conf/sekisho.toml:2: unknown setting `roots`",
            ),
            (
                "[quarantine]\n\nkeeep = \"1d\"\n",
                "conf/sekisho.toml:3: unknown setting `keeep`",
            ),
            (
                "[quarantine]\nkeep = \"0d\"\n",
                "conf/sekisho.toml:2: quarantine.keep: must be longer",
            ),
            (
                "[quarantine]\nkeep = 90\n",
                "conf/sekisho.toml:2: keep = 90: wrong type",
            ),
            (
                "[quarantine]\nmax_size = \"1K\"\n",
                "conf/sekisho.toml:2: quarantine.max_size = 1KiB: must be at least 1MiB",
            ),
            (
                "[release]\nnext_hop = \"lmtp\"\n",
                "conf/sekisho.toml:2: release.next_hop = \"lmtp\": write host:port",
            ),
            (
                "[strip]\nlanguage = \"fr\"\n",
                "conf/sekisho.toml:2: language = \"fr\": unknown word `fr`",
            ),
            (
                "[strip]\n\ntemplate_en = \"none.txt\"\n",
                "conf/sekisho.toml:3: strip.template_en: cannot read conf/none.txt",
            ),
            (
                "[strip]\n\ndisarmed_ja = \"none.txt\"\n",
                "conf/sekisho.toml:3: strip.disarmed_ja: cannot read conf/none.txt",
            ),
        ];
        for (text, expected) in cases.into_iter().chain(more) {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let cases = [
            (
                "[scan]\ntimeout = 301\n[milter]\n",
                "conf/sekisho.toml:2: scan.timeout = 301: must be at most 300",
            ),
            (
                "[scan]\nthreads = 1025\n",
                "conf/sekisho.toml:2: scan.threads = 1025: must be at most 1024",
            ),
            (
                "[milter]\n[http]\n\nlisten = \"127.0.0.1:8891\"\n",
                "conf/sekisho.toml:4: http.listen = \"127.0.0.1:8891\": that is where [milter] listens",
            ),
        ];
        for (text, expected) in cases {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(expected), "{error}\nis not\n{expected}");
        }
    }
}
