//! `[[route]]`, `[[allow]]` and `[floor]`: what is done with what was found, as written and checked.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};
use ipnet::IpNet;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::Deserialize;
use toml::Spanned;

use crate::knowledge::{Catalogue, Entry};
use crate::model::{Action, Level};

/// Why a table does not hold: the offset in the file, and what would be right.
pub(super) type Refused = (usize, String);

/// Characters and bytes of a mark before a subject: with its encoding it fits into one encoded word (RFC 2047).
const LONGEST_MARK: usize = 16;
const LONGEST_MARK_BYTES: usize = 44;

/// What decides over a finding, from the least to the most specific.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The level that a score alone would give.
    Level(Level),
    /// Something could not be looked through because of what the bytes are.
    Incomplete,
    /// All findings of a group.
    Group(String),
    /// One finding.
    Finding(String),
}

impl Key {
    /// Its name in a configuration.
    pub fn name(&self) -> &str {
        match self {
            Self::Level(level) => level.as_str(),
            Self::Incomplete => "incomplete",
            Self::Group(name) | Self::Finding(name) => name,
        }
    }
}

/// What is done when we cannot scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unscannable {
    /// The sender's server is asked to try again.
    Tempfail,
    /// An action of the policy.
    Act(Action),
}

/// Actions by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Actions {
    /// For what was found.
    pub of: BTreeMap<Key, Action>,
    /// For what could not be scanned.
    pub unscannable: Option<Unscannable>,
}

/// What a sender has to have proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Require {
    /// A valid DKIM signature of the sender's domain.
    Dkim,
    /// SPF passes for the sender's domain.
    Spf,
}

/// Addresses with wildcards, compared without regard to case.
#[derive(Debug, Clone)]
pub struct Addresses {
    written: Vec<String>,
    matchers: Vec<GlobMatcher>,
}

impl Addresses {
    fn new(patterns: &Spanned<Vec<String>>) -> Result<Self, Refused> {
        let compile = |pattern: &String| {
            GlobBuilder::new(pattern)
                .case_insensitive(true)
                .build()
                .map(|glob| glob.compile_matcher())
                .map_err(|error| (patterns.span().start, format!("{pattern:?}: {error}")))
        };
        let matchers = patterns
            .get_ref()
            .iter()
            .map(compile)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            written: patterns.get_ref().clone(),
            matchers,
        })
    }

    /// The patterns as they were written.
    pub(super) fn written(&self) -> &[String] {
        &self.written
    }

    /// Whether an address matches one of them.
    pub fn contains(&self, address: &str) -> bool {
        self.matchers.iter().any(|glob| glob.is_match(address))
    }
}

impl PartialEq for Addresses {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Addresses {}

/// Which mails a route or an allowance is for; what is not named matches all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Conditions {
    /// Networks of the client.
    pub client: Option<Vec<IpNet>>,
    /// Authenticated users.
    pub user: Option<Vec<String>>,
    /// Listeners by name.
    pub listener: Option<Vec<String>>,
    /// Envelope sender.
    pub from: Option<Addresses>,
    /// Envelope recipient.
    pub to: Option<Addresses>,
    /// What the sender has to have proven.
    pub require: Option<Require>,
}

impl Conditions {
    /// Whether it rests on something that a stranger cannot claim.
    fn is_proven(&self) -> bool {
        self.client.is_some() || self.user.is_some() || self.require.is_some()
    }

    fn names_addresses(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }
}

/// A way for mails: who they are from and for, and what is done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Shown in logs, headers and notices.
    pub name: String,
    /// Which mails.
    pub conditions: Conditions,
    /// What is done.
    pub actions: Actions,
    /// Decide and log only.
    pub dry_run: bool,
    /// What stands before the subject of mails that are tagged.
    pub subject_mark: Option<String>,
}

/// How a macro project is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownMacros {
    /// By the hash over its source, in lower-case hex.
    Source(String),
    /// By who signed it: SHA-256 over the certificate, in lower-case hex.
    Signer(String),
}

impl KnownMacros {
    /// As it is written.
    pub fn written(&self) -> String {
        match self {
            Self::Source(hash) => hash.clone(),
            Self::Signer(hash) => format!("{SIGNER}{hash}"),
        }
    }
}

/// What stands before the hash of a certificate.
const SIGNER: &str = "signer:";

/// Findings that are lifted before the policy looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// In mails like these.
    pub conditions: Conditions,
    /// On the file with this SHA-256 (lower-case hex) and on what is in it.
    pub sha256: Option<String>,
    /// Of this id.
    pub finding: Option<String>,
    /// What macro projects that are known like this give rise to.
    pub vba: Option<KnownMacros>,
    /// Why, for the audit.
    pub reason: String,
    /// The last day on which it holds (UTC).
    pub expires: Date,
}

/// All that the policy is made from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicySettings {
    /// In order; the first that matches wins.
    pub routes: Vec<Route>,
    /// Allowances.
    pub allows: Vec<Allow>,
    /// Actions that no route and no allowance can weaken.
    pub floor: Actions,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    /// Shown in logs, headers and notices.
    #[schemars(with = "String")]
    name: Spanned<String>,
    /// Client networks, such as `10.20.0.0/16`.
    #[schemars(with = "Option<Vec<String>>")]
    client: Option<Spanned<Vec<String>>>,
    /// Authenticated users.
    user: Option<Vec<String>>,
    /// Listeners: milter, relay, clamd, olefy, http.
    #[schemars(with = "Option<Vec<String>>")]
    listener: Option<Spanned<Vec<String>>>,
    /// Envelope senders, with wildcards.
    #[schemars(with = "Option<Vec<String>>")]
    from: Option<Spanned<Vec<String>>>,
    /// Envelope recipients, with wildcards.
    #[schemars(with = "Option<Vec<String>>")]
    to: Option<Spanned<Vec<String>>>,
    /// What the sender has to have proven.
    require: Option<Require>,
    /// Decide and log, change nothing.
    #[serde(default)]
    dry_run: bool,
    /// What stands before the subject of mails that are tagged, such as `[suspicious]`; it breaks signatures of the
    /// sender.
    #[schemars(with = "Option<String>")]
    subject_mark: Option<Spanned<String>>,
    /// Actions by level (clean, suspicious, malicious), `incomplete`, `unscannable`, group or finding.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, String>")]
    actions: BTreeMap<Spanned<String>, Spanned<String>>,
}

/// What a route and an allowance have in common.
#[derive(Debug, Default)]
struct ConditionsTable {
    client: Option<Spanned<Vec<String>>>,
    user: Option<Vec<String>>,
    listener: Option<Spanned<Vec<String>>>,
    from: Option<Spanned<Vec<String>>>,
    to: Option<Spanned<Vec<String>>>,
    require: Option<Require>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AllowTable {
    /// Client networks, such as `10.20.0.0/16`.
    #[schemars(with = "Option<Vec<String>>")]
    client: Option<Spanned<Vec<String>>>,
    /// Authenticated users.
    user: Option<Vec<String>>,
    /// Listeners: milter, relay, clamd, olefy, http.
    #[schemars(with = "Option<Vec<String>>")]
    listener: Option<Spanned<Vec<String>>>,
    /// Envelope senders, with wildcards.
    #[schemars(with = "Option<Vec<String>>")]
    from: Option<Spanned<Vec<String>>>,
    /// Envelope recipients, with wildcards.
    #[schemars(with = "Option<Vec<String>>")]
    to: Option<Spanned<Vec<String>>>,
    /// What the sender has to have proven.
    require: Option<Require>,
    /// SHA-256 of a file, in hex.
    #[schemars(with = "Option<String>")]
    sha256: Option<Spanned<String>>,
    /// A finding's id.
    #[schemars(with = "Option<String>")]
    finding: Option<Spanned<String>>,
    /// Hash of a macro project, in hex, or `signer:` and the hash of the certificate it is signed with, as `sekisho scan`
    /// prints them.
    #[schemars(with = "Option<String>")]
    vba: Option<Spanned<String>>,
    /// Why, for the audit.
    #[schemars(with = "String")]
    reason: Spanned<String>,
    /// The last day on which it holds.
    #[schemars(with = "String")]
    expires: Spanned<toml::value::Datetime>,
}

const LISTENERS: &[&str] = &["milter", "relay", "clamd", "olefy", "http"];

/// Checks the three tables.
pub(super) fn check(
    routes: Vec<RouteTable>,
    allows: Vec<AllowTable>,
    floor: BTreeMap<Spanned<String>, Spanned<String>>,
    catalogue: &Catalogue,
) -> Result<PolicySettings, Refused> {
    let mut checked = PolicySettings {
        floor: actions(floor, catalogue)?,
        ..PolicySettings::default()
    };
    for table in routes {
        let at = table.name.span().start;
        let name = table.name.into_inner();
        if name.is_empty()
            || name.len() > 64
            || !name
                .chars()
                .all(|c| c.is_alphanumeric() || "-_.".contains(c))
        {
            return Err((
                at,
                format!("route {name:?}: a name is 1 to 64 letters, digits, '-', '_', '.'"),
            ));
        }
        if checked.routes.iter().any(|route| route.name == name) {
            return Err((at, format!("route {name:?} stands twice")));
        }
        let route = Route {
            name,
            conditions: conditions(ConditionsTable {
                client: table.client,
                user: table.user,
                listener: table.listener,
                from: table.from,
                to: table.to,
                require: table.require,
            })?,
            actions: actions(table.actions, catalogue)?,
            dry_run: table.dry_run,
            subject_mark: table.subject_mark.as_ref().map(subject_mark).transpose()?,
        };
        // A sender's address can be forged: who relies on it must not get less than everybody.
        if route.conditions.names_addresses()
            && !route.conditions.is_proven()
            && let Some(weaker) = weaker_than_default(&route, catalogue)
        {
            return Err((
                at,
                format!(
                    "route {:?} is weaker than the default ({weaker}): an address can be forged, so it must name client, user or require",
                    route.name
                ),
            ));
        }
        checked.routes.push(route);
    }
    for table in allows {
        checked.allows.push(allow(table, catalogue)?);
    }
    Ok(checked)
}

fn conditions(table: ConditionsTable) -> Result<Conditions, Refused> {
    let network = |at: usize| {
        move |text: &String| {
            let single = || {
                text.parse()
                    .map(|address: std::net::IpAddr| IpNet::from(address))
            };
            text.parse::<IpNet>()
                .map(|net| net.trunc())
                .or_else(|_| single())
                .map_err(|_| {
                    (
                        at,
                        format!("client {text:?} is no network: write it like 10.20.0.0/16"),
                    )
                })
        }
    };
    let client = table.client.map(|list| {
        list.get_ref()
            .iter()
            .map(network(list.span().start))
            .collect::<Result<Vec<_>, _>>()
    });
    if let Some(list) = &table.listener
        && let Some(unknown) = list
            .get_ref()
            .iter()
            .find(|name| !LISTENERS.contains(&name.as_str()))
    {
        let reason = format!("listener {unknown:?}: there are {}", LISTENERS.join(", "));
        return Err((list.span().start, reason));
    }
    Ok(Conditions {
        client: client.transpose()?,
        user: table.user,
        listener: table.listener.map(Spanned::into_inner),
        from: table.from.as_ref().map(Addresses::new).transpose()?,
        to: table.to.as_ref().map(Addresses::new).transpose()?,
        require: table.require,
    })
}

fn allow(table: AllowTable, catalogue: &Catalogue) -> Result<Allow, Refused> {
    let reason_at = table.reason.span().start;
    let expires_at = table.expires.span().start;
    if table.reason.get_ref().trim().is_empty() {
        return Err((reason_at, "allow: the reason is empty".to_owned()));
    }
    let expires = table
        .expires
        .get_ref()
        .date
        .and_then(|date| {
            Date::new(
                i16::try_from(date.year).ok()?,
                i8::try_from(date.month).ok()?,
                i8::try_from(date.day).ok()?,
            )
            .ok()
        })
        .ok_or_else(|| {
            (
                expires_at,
                "allow: expires must be a date like 2027-03-31".to_owned(),
            )
        })?;
    let in_hex = |hash: Spanned<String>| {
        let text = hash.get_ref().to_ascii_lowercase();
        let good = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        good.then_some(text).ok_or_else(|| {
            (
                hash.span().start,
                format!("allow: {:?} is no SHA-256 in hex", hash.get_ref()),
            )
        })
    };
    let macros = |written: Spanned<String>| {
        let span = written.span();
        let text = written.get_ref();
        match text.strip_prefix(SIGNER).map(str::to_owned) {
            Some(hash) => in_hex(Spanned::new(span, hash)).map(KnownMacros::Signer),
            None => in_hex(written).map(KnownMacros::Source),
        }
    };
    if let Some(id) = &table.finding
        && catalogue.entry(id.get_ref()).is_none()
        && !id.get_ref().starts_with("yara:")
    {
        return Err((id.span().start, no_finding(id.get_ref())));
    }
    let allow = Allow {
        conditions: conditions(ConditionsTable {
            client: table.client,
            user: table.user,
            listener: table.listener,
            from: table.from,
            to: table.to,
            require: table.require,
        })?,
        sha256: table.sha256.map(in_hex).transpose()?,
        finding: table.finding.map(Spanned::into_inner),
        vba: table.vba.map(macros).transpose()?,
        reason: table.reason.into_inner(),
        expires,
    };
    let unproven = allow.conditions.from.is_some() && !allow.conditions.is_proven();
    if unproven {
        return Err((
            reason_at,
            "allow: a sender's address can be forged: name client, user or require beside from"
                .to_owned(),
        ));
    }
    let names_nothing = allow.sha256.is_none()
        && allow.finding.is_none()
        && allow.vba.is_none()
        && allow.conditions.from.is_none();
    if names_nothing {
        return Err((
            reason_at,
            "allow: name sha256, vba, finding, or from with client".to_owned(),
        ));
    }
    Ok(allow)
}

fn no_finding(id: &str) -> String {
    format!("no level, group or finding {id:?}; `sekisho findings` lists them")
}

fn actions(
    table: BTreeMap<Spanned<String>, Spanned<String>>,
    catalogue: &Catalogue,
) -> Result<Actions, Refused> {
    let mut checked = Actions::default();
    for (name, action) in table {
        let at = name.span().start;
        let name = name.into_inner();
        let word = action.get_ref().as_str();
        let known = Action::ALL
            .into_iter()
            .find(|action| action.as_str() == word);
        if name == "unscannable" && word == "tempfail" {
            checked.unscannable = Some(Unscannable::Tempfail);
            continue;
        }
        let Some(action) = known else {
            let words: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
            let reason = format!("{name} = {word:?}: must be one of {}", words.join(", "));
            return Err((action.span().start, reason));
        };
        if name == "unscannable" {
            checked.unscannable = Some(Unscannable::Act(action));
            continue;
        }
        checked.of.insert(
            key(&name, catalogue).ok_or_else(|| (at, no_finding(&name)))?,
            action,
        );
    }
    Ok(checked)
}

fn key(name: &str, catalogue: &Catalogue) -> Option<Key> {
    Some(match name {
        "clean" => Key::Level(Level::Clean),
        "suspicious" => Key::Level(Level::Suspicious),
        "malicious" => Key::Level(Level::Malicious),
        "incomplete" => Key::Incomplete,
        _ if catalogue.entry(name).is_some() || name.starts_with("yara:") => {
            Key::Finding(name.to_owned())
        }
        _ if catalogue.entries().any(|entry| entry.group == name) => Key::Group(name.to_owned()),
        _ => return None,
    })
}

impl Actions {
    /// What is done where nothing is configured.
    pub fn built_in() -> Self {
        let of = [
            (Key::Level(Level::Clean), Action::Deliver),
            (Key::Level(Level::Suspicious), Action::Strip),
            (Key::Level(Level::Malicious), Action::Quarantine),
            (Key::Incomplete, Action::Quarantine),
            (Key::Group("encrypted".to_owned()), Action::Hold),
            // Locked no more: what was found in it decides.
            (
                Key::Finding("decrypted-with-known-password".to_owned()),
                Action::Deliver,
            ),
        ];
        Self {
            of: BTreeMap::from(of),
            unscannable: Some(Unscannable::Tempfail),
        }
    }

    /// These, and the built-in ones where these say nothing.
    pub fn over_built_in(&self) -> Self {
        let mut all = Self::built_in();
        all.of.extend(self.of.clone());
        all.unscannable = self.unscannable.or(all.unscannable);
        all
    }
}

/// The first key by which a route does less than the default would, if any.
/// A few words that can stand in a header.
fn subject_mark(given: &Spanned<String>) -> Result<String, Refused> {
    let text = given.get_ref();
    let bare = text.trim();
    let too_long = bare.chars().count() > LONGEST_MARK || bare.len() > LONGEST_MARK_BYTES;
    if bare.is_empty() || too_long || bare.chars().any(char::is_control) {
        let reason = format!(
            "subject_mark = {text:?}: write 1 to {LONGEST_MARK} characters on one line, such as \"[suspicious]\""
        );
        return Err((given.span().start, reason));
    }
    Ok(bare.to_owned())
}

fn weaker_than_default(route: &Route, catalogue: &Catalogue) -> Option<String> {
    if route.dry_run {
        return Some("dry_run".to_owned());
    }
    let default = Actions::built_in();
    let worst = |entry: &Entry| {
        let severities = entry.variants.values().map(|variant| variant.severity);
        let worst = severities
            .chain([entry.severity])
            .max()
            .map_or(0, |severity| severity.score());
        let level = match worst {
            0..30 => Level::Clean,
            30..80 => Level::Suspicious,
            _ => Level::Malicious,
        };
        let by_level = default.of.get(&Key::Level(level));
        let group = default.of.get(&Key::Group(entry.group.clone()));
        let incomplete = entry
            .incomplete
            .then(|| default.of.get(&Key::Incomplete))
            .flatten();
        group
            .copied()
            .or(by_level.max(incomplete).copied())
            .unwrap_or(Action::Deliver)
    };
    let weaker = |key: &Key, action: Action| match key {
        Key::Level(_) | Key::Incomplete => default
            .of
            .get(key)
            .is_some_and(|usual| action < *usual)
            .then(|| format!("{} in [route.actions]", key.name())),
        Key::Group(group) => catalogue
            .entries()
            .find(|entry| entry.group == *group && worst(entry) > action)
            .map(|entry| {
                format!(
                    "{group}, where {} would be {}",
                    entry.id,
                    worst(entry).as_str()
                )
            }),
        Key::Finding(id) => catalogue
            .entry(id)
            .filter(|entry| worst(entry) > action)
            .map(|entry| format!("{id} would be {}", worst(entry).as_str())),
    };
    let unscannable = match route.actions.unscannable {
        Some(Unscannable::Act(action)) if action < Action::Hold => {
            Some(format!("unscannable = {}", action.as_str()))
        }
        _ => None,
    };
    unscannable.or_else(|| {
        route
            .actions
            .of
            .iter()
            .find_map(|(key, action)| weaker(key, *action))
    })
}
