//! Campaigns: messages that carry the same or nearly the same payload, whoever sent them to whom and when.
//!
//! A payload is an artifact that does something (the column `payload`): a logo or a text that everybody sends joins
//! nothing, and a group whose worst payload is as harmless as the macro of a form is no campaign. Messages are grouped
//! by [`Groups`]; a group whose messages are all in another one is the same campaign.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::knowledge::CampaignLists;
use crate::model::{Family, Kind, hex};

use super::alike::{Alike, Groups, Likeness};
use super::read::{Batches, Rows};
use super::schema::CAMPAIGNS;
use super::table::{Cell, TableWriter};
use super::tlsh::Tlsh;
use super::{OutputError, Results};

/// Distinct payloads that are grouped; what comes behind them is not.
const PAYLOADS: usize = 1_000_000;

/// Places of payloads that are remembered.
const PLACES: usize = 10_000_000;

/// Names that are remembered of a payload, and told of a campaign.
const NAMES: (usize, usize) = (8, 20);

/// Groups of one message that another group may be part of.
const GROUPS_OF_A_MESSAGE: usize = 32;

/// Longest lists of a campaign: payloads, senders and sites; recipients and references.
const LISTED: (usize, usize) = (1_000, 10_000);

/// When a site was first reached, and how often.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Site {
    /// Domain of recipients.
    pub domain: String,
    /// Earliest date of a message to it, in microseconds since 1970.
    pub first_seen: Option<i64>,
    /// Messages to it.
    pub messages: i64,
}

/// Messages that carry the same or nearly the same payload; a row of `campaigns.parquet`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Campaign {
    /// Its name.
    pub campaign: String,
    /// Earliest date, in microseconds since 1970.
    pub first_seen: Option<i64>,
    /// Latest date, in microseconds since 1970.
    pub last_seen: Option<i64>,
    /// How many messages.
    pub messages: i64,
    /// The worst level of its messages.
    pub level: String,
    /// The worst score of its payloads.
    pub score: i64,
    /// What joined them.
    pub alike: Vec<String>,
    /// Kinds of its payloads.
    pub kinds: Vec<String>,
    /// Names of its payloads and of the files that they lie in.
    pub names: Vec<String>,
    /// SHA-256 of its payloads.
    pub payloads: Vec<String>,
    /// Ids of what was found in its payloads.
    pub findings: Vec<String>,
    /// Addresses of From in order of appearance.
    pub senders: Vec<String>,
    /// Addresses of To and Cc in order of appearance.
    pub recipients: Vec<String>,
    /// Domains of the recipients in order of appearance.
    pub sites: Vec<Site>,
    /// Its messages in order of appearance.
    pub references: Vec<String>,
}

/// Finds the campaigns of all results, the worst and largest first.
pub(super) fn find(results: &Results, lists: &CampaignLists) -> Result<Vec<Campaign>, OutputError> {
    let mut gathered = Gathered::default();
    for shard in results.shards() {
        for rows in results.rows("artifacts", shard, ARTIFACT_COLUMNS)? {
            gathered.artifacts(&rows?);
        }
        gathered.end_message();
    }
    let mut drafts = gathered.group(lists);
    let mut members = Members::new(&drafts, &gathered.messages);
    for shard in results.shards() {
        for rows in results.rows("messages", shard, MESSAGE_COLUMNS)? {
            members.messages(&rows?);
        }
        for rows in results.rows("findings", shard, FINDING_COLUMNS)? {
            members.findings(&rows?, &mut drafts);
        }
    }
    let mut campaigns: Vec<Campaign> = drafts
        .into_iter()
        .zip(members.of_draft)
        .map(|(draft, members)| draft.finish(members, &gathered.payloads))
        .collect();
    campaigns.sort_by(|a, b| {
        (b.score, b.messages, &a.campaign).cmp(&(a.score, a.messages, &b.campaign))
    });
    Ok(campaigns)
}

const ARTIFACT_COLUMNS: &[&str] = &[
    "reference",
    "id",
    "parent",
    "kind",
    "sha256",
    "name",
    "score",
    "payload",
    "vba",
    "tlsh",
];
const MESSAGE_COLUMNS: &[&str] = &["reference", "date", "from", "to", "sites", "level"];
const FINDING_COLUMNS: &[&str] = &["reference", "artifact", "id"];

/// What is known of a payload.
struct Payload {
    sha256: [u8; 32],
    kind: Option<Kind>,
    score: u8,
    names: Vec<String>,
}

/// Where a payload lies.
#[derive(Debug, Clone, Copy)]
struct Place {
    payload: usize,
    message: usize,
    artifact: i64,
}

/// Everything that is remembered of the artifacts.
#[derive(Default)]
struct Gathered {
    payloads: Vec<Payload>,
    likeness: Vec<Likeness>,
    by_digest: BTreeMap<[u8; 32], usize>,
    places: Vec<Place>,
    /// References of the messages that have a payload.
    messages: Vec<String>,
    current: Current,
}

/// The message whose rows are being read.
#[derive(Default)]
struct Current {
    reference: String,
    /// Whether it stands at the end of the list of messages.
    listed: bool,
    /// Parent and name to be told of each artifact so far.
    tree: Vec<(Option<i64>, Option<String>)>,
}

impl Gathered {
    fn artifacts(&mut self, rows: &Rows) {
        for row in 0..rows.len() {
            let reference = rows.word("reference", row);
            if reference != self.current.reference {
                self.end_message();
                self.current.reference = reference.to_owned();
            }
            let kind = Kind::from_name(rows.word("kind", row));
            let told = kind.is_none_or(|kind| kind.family() != Family::Vba);
            let name = rows.text("name", row).filter(|_| told).map(str::to_owned);
            let parent = rows.number("parent", row);
            self.current.tree.push((parent, name));
            if rows.truth("payload", row) {
                self.payload(rows, row, kind);
            }
        }
    }

    fn end_message(&mut self) {
        self.current = Current::default();
    }

    fn payload(&mut self, rows: &Rows, row: usize, kind: Option<Kind>) {
        let Some(sha256) = digest(rows.word("sha256", row)) else {
            return;
        };
        if self.places.len() >= PLACES {
            return;
        }
        let at = match self.by_digest.get(&sha256) {
            Some(at) => *at,
            None if self.payloads.len() >= PAYLOADS => return,
            None => {
                self.payloads.push(Payload {
                    sha256,
                    kind,
                    score: 0,
                    names: Vec::new(),
                });
                self.likeness.push(Likeness {
                    vba: rows.text("vba", row).and_then(digest),
                    tlsh: rows.text("tlsh", row).and_then(Tlsh::parse),
                });
                let at = self.payloads.len().saturating_sub(1);
                self.by_digest.insert(sha256, at);
                at
            }
        };
        if !self.current.listed {
            self.messages.push(self.current.reference.clone());
            self.current.listed = true;
        }
        if let Some(payload) = self.payloads.get_mut(at) {
            let score = rows.number("score", row).unwrap_or_default();
            payload.score = payload.score.max(u8::try_from(score).unwrap_or(u8::MAX));
            self.current.names(&mut payload.names);
        }
        self.places.push(Place {
            payload: at,
            message: self.messages.len().saturating_sub(1),
            artifact: rows.number("id", row).unwrap_or_default(),
        });
    }

    /// Groups of payloads with all their messages that are campaigns.
    fn group(&self, lists: &CampaignLists) -> Vec<Draft> {
        let groups = Groups::of(&self.likeness, lists.distance);
        let mut drafts: BTreeMap<usize, Draft> = BTreeMap::new();
        for (at, payload) in self.payloads.iter().enumerate() {
            let draft = drafts.entry(groups.first(at)).or_default();
            draft.payloads.insert(at);
            draft.score = draft.score.max(payload.score);
        }
        for place in &self.places {
            if let Some(draft) = drafts.get_mut(&groups.first(place.payload)) {
                draft.places.push(*place);
            }
        }
        for (alike, at) in groups.joins() {
            if let Some(draft) = drafts.get_mut(&groups.first(at)) {
                draft.alike.insert(alike);
            }
        }
        let mut drafts: Vec<Draft> = drafts
            .into_values()
            .filter(|draft| draft.score >= lists.least_score)
            .map(Draft::with_messages)
            .filter(|draft| draft.messages.len() > 1)
            .collect();
        drafts.sort_by(|a, b| {
            let order = |draft: &Draft| (draft.messages.len(), draft.score);
            order(b).cmp(&order(a)).then(a.payloads.cmp(&b.payloads))
        });
        absorb(drafts)
    }
}

impl Current {
    /// Adds the names of the artifact read last and of the files that it lies in, the message itself left out.
    fn names(&self, names: &mut Vec<String>) {
        let mut at = self.tree.len().checked_sub(1);
        // Ends because a parent stands in front of its children.
        while let Some(here) = at.filter(|here| *here > 0 && names.len() < NAMES.0) {
            let Some((parent, name)) = self.tree.get(here) else {
                break;
            };
            if let Some(name) = name
                && !names.contains(name)
            {
                names.push(name.clone());
            }
            let parent = parent.and_then(|parent| usize::try_from(parent).ok());
            at = parent.filter(|parent| *parent < here);
        }
    }
}

/// Reads the hexadecimal digits of a digest.
pub(super) fn digest(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}

/// A campaign in the making.
#[derive(Default)]
struct Draft {
    payloads: BTreeSet<usize>,
    places: Vec<Place>,
    /// Messages in order, each once.
    messages: Vec<usize>,
    score: u8,
    alike: BTreeSet<Alike>,
    findings: BTreeSet<String>,
}

impl Draft {
    fn with_messages(mut self) -> Self {
        let mut pairs: Vec<(usize, usize)> = self
            .places
            .iter()
            .map(|place| (place.payload, place.message))
            .collect();
        pairs.sort_unstable();
        pairs.dedup();
        if pairs
            .windows(2)
            .any(|two| matches!(two, [a, b] if a.0 == b.0))
        {
            self.alike.insert(Alike::Sha256);
        }
        self.messages = pairs.into_iter().map(|(_, message)| message).collect();
        self.messages.sort_unstable();
        self.messages.dedup();
        self
    }

    fn holds(&self, messages: &[usize]) -> bool {
        messages
            .iter()
            .all(|message| self.messages.binary_search(message).is_ok())
    }

    fn finish(self, mut members: Vec<Member>, payloads: &[Payload]) -> Campaign {
        // Messages without a date come last.
        members.sort_by_key(|member| (member.date.unwrap_or(i64::MAX), member.order));
        let own = || self.payloads.iter().filter_map(|at| payloads.get(*at));
        let mut digests: Vec<String> = own().map(|payload| hex(&payload.sha256)).collect();
        digests.sort_unstable();
        let name = digests.first().and_then(|digest| digest.get(..12));
        let name = format!("c-{}", name.unwrap_or_default());
        let kinds: BTreeSet<&str> = own()
            .filter_map(|payload| Some(payload.kind?.as_str()))
            .collect();
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for name in own().flat_map(|payload| &payload.names) {
            let count = named.entry(name).or_default();
            *count = count.saturating_add(1);
        }
        let mut named: Vec<(&str, usize)> = named.into_iter().collect();
        named.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        let dates = || members.iter().filter_map(|member| member.date);
        let level = members.iter().map(|member| member.level.as_str());
        let worst = level.max_by_key(|level| rank(level)).unwrap_or_default();
        digests.truncate(LISTED.0);
        Campaign {
            campaign: name,
            first_seen: dates().min(),
            last_seen: dates().max(),
            messages: i64::try_from(self.messages.len()).unwrap_or(i64::MAX),
            level: worst.to_owned(),
            score: i64::from(self.score),
            alike: self
                .alike
                .iter()
                .map(|alike| alike.as_str().to_owned())
                .collect(),
            kinds: kinds.into_iter().map(str::to_owned).collect(),
            names: named
                .into_iter()
                .take(NAMES.1)
                .map(|(name, _)| name.to_owned())
                .collect(),
            payloads: digests,
            findings: self.findings.into_iter().collect(),
            senders: in_order(
                members.iter().filter_map(|member| member.from.as_ref()),
                LISTED.0,
            ),
            recipients: in_order(members.iter().flat_map(|member| &member.to), LISTED.1),
            sites: sites(&members),
            references: in_order(members.iter().map(|member| &member.reference), LISTED.1),
        }
    }
}

/// Levels from the least to the worst.
fn rank(level: &str) -> u8 {
    match level {
        "malicious" => 2,
        "suspicious" => 1,
        _ => 0,
    }
}

/// Distinct texts in the order of their first appearance.
fn in_order<'a>(texts: impl Iterator<Item = &'a String>, most: usize) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let news = texts.filter(|text| seen.insert(text.as_str()));
    news.take(most).cloned().collect()
}

/// Sites in the order in which they were reached.
fn sites(members: &[Member]) -> Vec<Site> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sites: Vec<Site> = Vec::new();
    for member in members {
        for domain in &member.sites {
            match places.get(domain.as_str()) {
                Some(at) => {
                    if let Some(site) = sites.get_mut(*at) {
                        site.messages = site.messages.saturating_add(1);
                    }
                }
                None if sites.len() < LISTED.0 => {
                    places.insert(domain, sites.len());
                    sites.push(Site {
                        domain: domain.clone(),
                        first_seen: member.date,
                        messages: 1,
                    });
                }
                None => {}
            }
        }
    }
    sites
}

/// Puts a group whose messages are all in a larger one into that: an attachment and the script in it are one campaign.
fn absorb(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut kept: Vec<Draft> = Vec::new();
    let mut of_message: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for draft in drafts {
        let candidates = draft
            .messages
            .first()
            .and_then(|first| of_message.get(first));
        let larger = candidates.into_iter().flatten().copied().find(|at| {
            kept.get(*at)
                .is_some_and(|kept| kept.holds(&draft.messages))
        });
        if let Some(larger) = larger.and_then(|at| kept.get_mut(at)) {
            larger.payloads.extend(draft.payloads);
            larger.places.extend(draft.places);
            larger.alike.extend(draft.alike);
            larger.score = larger.score.max(draft.score);
            continue;
        }
        for message in &draft.messages {
            let groups = of_message.entry(*message).or_default();
            if groups.len() < GROUPS_OF_A_MESSAGE {
                groups.push(kept.len());
            }
        }
        kept.push(draft);
    }
    kept
}

/// What is told of a message of a campaign.
#[derive(Clone)]
struct Member {
    order: usize,
    reference: String,
    date: Option<i64>,
    from: Option<String>,
    to: Vec<String>,
    sites: Vec<String>,
    level: String,
}

/// Messages of campaigns, as they come by.
struct Members {
    /// Of each reference: the drafts that it belongs to, and the artifacts in it that are payloads of each.
    wanted: BTreeMap<String, BTreeMap<usize, BTreeSet<i64>>>,
    of_draft: Vec<Vec<Member>>,
    seen: usize,
}

impl Members {
    fn new(drafts: &[Draft], messages: &[String]) -> Self {
        let mut wanted: BTreeMap<String, BTreeMap<usize, BTreeSet<i64>>> = BTreeMap::new();
        for (at, draft) in drafts.iter().enumerate() {
            for place in &draft.places {
                if let Some(reference) = messages.get(place.message) {
                    let drafts = wanted.entry(reference.clone()).or_default();
                    drafts.entry(at).or_default().insert(place.artifact);
                }
            }
        }
        Self {
            wanted,
            of_draft: vec![Vec::new(); drafts.len()],
            seen: 0,
        }
    }

    fn messages(&mut self, rows: &Rows) {
        for row in 0..rows.len() {
            let reference = rows.word("reference", row);
            let Some(drafts) = self.wanted.get(reference) else {
                continue;
            };
            let member = Member {
                order: self.seen,
                reference: reference.to_owned(),
                date: rows.time("date", row),
                from: rows.text("from", row).map(str::to_owned),
                to: rows.texts("to", row),
                sites: rows.texts("sites", row),
                level: rows.word("level", row).to_owned(),
            };
            self.seen = self.seen.saturating_add(1);
            for draft in drafts.keys() {
                if let Some(members) = self.of_draft.get_mut(*draft) {
                    members.push(member.clone());
                }
            }
        }
    }

    fn findings(&self, rows: &Rows, drafts: &mut [Draft]) {
        for row in 0..rows.len() {
            let Some(wanted) = self.wanted.get(rows.word("reference", row)) else {
                continue;
            };
            let artifact = rows.number("artifact", row).unwrap_or_default();
            for (draft, artifacts) in wanted {
                let draft = drafts
                    .get_mut(*draft)
                    .filter(|_| artifacts.contains(&artifact));
                if let Some(draft) = draft {
                    draft.findings.insert(rows.word("id", row).to_owned());
                }
            }
        }
    }
}

/// The file of the campaigns.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("campaigns.parquet")
}

/// Writes the campaigns.
pub(super) fn write(folder: &Path, campaigns: &[Campaign]) -> Result<(), OutputError> {
    fn texts(texts: &[String]) -> Cell<'_> {
        Cell::Texts(texts.iter().map(String::as_str).collect())
    }
    let mut table = TableWriter::create(path(folder), CAMPAIGNS)?;
    for campaign in campaigns {
        let sites = campaign.sites.iter();
        // In the order of the schema.
        table.push(vec![
            Cell::text(&campaign.campaign),
            Cell::Time(campaign.first_seen),
            Cell::Time(campaign.last_seen),
            Cell::number(campaign.messages),
            Cell::text(&campaign.level),
            Cell::number(campaign.score),
            texts(&campaign.alike),
            texts(&campaign.kinds),
            texts(&campaign.names),
            texts(&campaign.payloads),
            texts(&campaign.findings),
            texts(&campaign.senders),
            texts(&campaign.recipients),
            Cell::Texts(sites.clone().map(|site| site.domain.as_str()).collect()),
            Cell::Times(sites.clone().map(|site| site.first_seen).collect()),
            Cell::Numbers(sites.map(|site| site.messages).collect()),
            texts(&campaign.references),
        ])?;
    }
    table.finish()
}

/// Reads the campaigns; none where there is no file of them.
pub(super) fn read(folder: &Path) -> Result<Vec<Campaign>, OutputError> {
    let path = path(folder);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let names: Vec<&str> = CAMPAIGNS.iter().map(|column| column.name).collect();
    let mut campaigns = Vec::new();
    for rows in Batches::open(path, &names)? {
        let rows = rows?;
        campaigns.extend((0..rows.len()).map(|row| campaign(&rows, row)));
    }
    Ok(campaigns)
}

fn campaign(rows: &Rows, row: usize) -> Campaign {
    let number = |name: &str| rows.number(name, row).unwrap_or_default();
    let domains = rows.texts("sites", row).into_iter();
    let first = rows.times("site_first_seen", row);
    let counts = rows.numbers("site_messages", row);
    let sites = domains.enumerate().map(|(at, domain)| Site {
        domain,
        first_seen: first.get(at).copied().flatten(),
        messages: counts.get(at).copied().unwrap_or_default(),
    });
    Campaign {
        campaign: rows.word("campaign", row).to_owned(),
        first_seen: rows.time("first_seen", row),
        last_seen: rows.time("last_seen", row),
        messages: number("messages"),
        level: rows.word("level", row).to_owned(),
        score: number("score"),
        alike: rows.texts("alike", row),
        kinds: rows.texts("kinds", row),
        names: rows.texts("names", row),
        payloads: rows.texts("payloads", row),
        findings: rows.texts("findings", row),
        senders: rows.texts("senders", row),
        recipients: rows.texts("recipients", row),
        sites: sites.collect(),
        references: rows.texts("references", row),
    }
}
