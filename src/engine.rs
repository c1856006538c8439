//! The one path from bytes to a report. Milter, relay, command line and batch all call [`Worker::scan`] and differ
//! only in where bytes come from and what is done with the report.

mod memory;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::analyze::{ANALYZERS, Analyzer, Findings, Found, Index, Look, Sees};
use crate::identify::{self, Told};
use crate::knowledge::Knowledge;
use crate::limits::{Budget, Halt, Limits};
use crate::model::{Artifact, Fact, Kind, Name, Report, Trouble};
use crate::rules::{Globals, Paths, RuleMatch, RuleScanner, RuleTrouble, Rules};
use crate::score::{self, Thresholds};
use crate::unpack::{
    Keys, MESSAGE, Nest, Opener, Passwords, Seen, Sets, UNPACKERS, UNSUPPORTED, Unpacker, signers,
};

use memory::Place;

pub use memory::Memory;

/// One immutable generation of rules, knowledge and limits; a reload makes a new one.
#[derive(Debug)]
pub struct Engine {
    /// Compiled rules.
    pub rules: Rules,
    /// Catalogue and lists.
    pub knowledge: Knowledge,
    /// Limits of a scan.
    pub limits: Limits,
    /// Scores from which an input is suspicious and malicious.
    pub thresholds: Thresholds,
}

impl Engine {
    /// The report on an input whose scan was given up from outside, because it hung or broke down as a whole:
    /// nothing below the input itself is known. `id` is the finding that says so.
    pub fn unfinished(&self, input: &Input, id: &'static str, why: &str, since: Instant) -> Report {
        let path = crate::text::safe(&input.path);
        let identity = identify::Identity::certain(Kind::Data);
        let root = root_of(input.clone(), identity);
        let mut findings = Findings::new(&self.knowledge.catalogue);
        findings.report(Found::new(id, why));
        self.report(path, vec![root], findings, since)
    }

    fn report(
        &self,
        path: String,
        tree: Vec<Artifact>,
        findings: Findings<'_>,
        started: Instant,
    ) -> Report {
        let (findings, iocs, incomplete) = findings.finish();
        let verdict = score::judge(&tree, &findings, &self.knowledge.catalogue, self.thresholds);
        Report {
            path,
            level: verdict.level,
            score: verdict.score,
            complete: !incomplete,
            artifacts: tree,
            findings,
            raised: verdict.raised,
            iocs,
            rules: self.rules.digest().to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            elapsed_us: u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        }
    }
}

/// One thing to scan.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// How it is named in the report.
    pub path: String,
    /// Its file name, where it has one.
    pub name: Option<Name>,
    /// The bytes.
    pub data: Bytes,
    /// What its source saw of it, such as that only the head of it was read.
    pub facts: Vec<Fact>,
    /// What else is known.
    pub context: Context,
}

/// What is known of an input besides its bytes.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// When the scan must have ended; none: the engine's timeout from now.
    pub deadline: Option<Instant>,
    /// Passwords to try on locked archives and documents, beside well-known ones and words of mails.
    pub passwords: Passwords,
    /// Files that lie beside the input and belong to it: the other volumes of an archive, with their names.
    pub beside: Vec<(Name, Bytes)>,
    /// Whether the volume that opens the archive is scanned, where the input is another one.
    pub opener: Opener,
    /// What the bytes are by the way they came, whatever they look like: a mail server hands over mails only.
    pub given: Option<Kind>,
}

/// One thread's scanner.
#[derive(Debug)]
pub struct Worker<'e> {
    engine: &'e Engine,
    scanner: RuleScanner<'e>,
    memory: Option<Arc<Memory>>,
}

impl<'e> Worker<'e> {
    /// A worker of an engine's generation.
    pub fn new(engine: &'e Engine) -> Self {
        Self {
            engine,
            scanner: engine.rules.scanner(),
            memory: None,
        }
    }

    /// Lets it use what was seen by workers of the same engine.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<Memory>) -> Self {
        self.memory = Some(memory);
        self
    }

    /// Unpacks an input until it is plain, looks at everything, judges. Always ends with a report.
    pub fn scan(&mut self, mut input: Input) -> Report {
        let started = Instant::now();
        let limits = &self.engine.limits;
        let deadline = input
            .context
            .deadline
            .or_else(|| started.checked_add(limits.timeout));
        let budget = Budget::new(limits.clone(), deadline);
        let path = crate::text::safe(&input.path);
        let around = Around {
            passwords: std::mem::take(&mut input.context.passwords),
            beside: std::mem::take(&mut input.context.beside),
            opener: input.context.opener,
        };
        let root = root(input, &budget);
        let mut accounts = Accounts::new(budget);
        let memory = self.memory.as_deref();
        let (mut tree, places) = unpack(root, &mut accounts, &around, memory);
        let mut findings = Findings::new(&self.engine.knowledge.catalogue);
        self.analyze(&mut tree, &accounts, &places, &mut findings);
        self.engine.report(path, tree, findings, started)
    }

    /// Rules and content analyzers artifact by artifact, then what depends on the place, on the whole tree.
    fn analyze(
        &mut self,
        tree: &mut [Artifact],
        accounts: &Accounts,
        places: &[Known],
        findings: &mut Findings<'_>,
    ) {
        let paths = paths(tree);
        let index = Index::new(tree);
        let mut facts = Vec::new();
        for (at, (artifact, path)) in tree.iter().zip(&paths).enumerate() {
            let known = places.get(at).copied().unwrap_or_default();
            findings.turn_to(artifact.id);
            let fact = accounts
                .of(at)
                .spending(|budget| self.match_rules(tree, artifact, path, known, budget, findings));
            facts.push(fact);
            let look = self.look(tree, artifact, &index);
            self.look_at_content(&look, known, findings);
        }
        for (artifact, fact) in tree.iter_mut().zip(facts) {
            artifact.facts.extend(fact);
        }
        let index = Index::new(tree);
        for artifact in tree.iter() {
            findings.turn_to(artifact.id);
            let look = self.look(tree, artifact, &index);
            run_analyzers(&look, Sees::Place, findings);
        }
    }

    fn look<'a>(
        &self,
        tree: &'a [Artifact],
        artifact: &'a Artifact,
        index: &'a Index<'a>,
    ) -> Look<'a>
    where
        'e: 'a,
    {
        Look {
            tree,
            artifact,
            index,
            knowledge: &self.engine.knowledge,
        }
    }

    /// Runs what depends on bytes and facts alone, or repeats what it said of equal ones.
    fn look_at_content(&self, look: &Look<'_>, known: Known, findings: &mut Findings<'_>) {
        let artifact = look.artifact;
        let place = known
            .place
            .filter(|_| known.settled && artifact.same_as.is_none());
        if let (Some(memory), Some(place)) = (&self.memory, place) {
            let before = memory.said(place);
            let said = before.clone().unwrap_or_else(|| {
                let mut own = Findings::new(&self.engine.knowledge.catalogue);
                own.turn_to(artifact.id);
                run_analyzers(look, Sees::Content, &mut own);
                Arc::new(own.into_said())
            });
            if findings.has_room(&said) {
                findings.repeat(&said);
                if before.is_none() && !said.has("scanner-crashed") {
                    memory.keep_said(place, said);
                }
                return;
            }
        }
        run_analyzers(look, Sees::Content, findings);
    }

    fn match_rules(
        &mut self,
        tree: &[Artifact],
        artifact: &Artifact,
        path: &str,
        known: Known,
        budget: &Budget,
        findings: &mut Findings<'_>,
    ) -> Option<Fact> {
        if let Err(halt) = budget.check_time() {
            return Some(Fact::Limit {
                halt,
                what: "rules".to_owned(),
            });
        }
        let parent = artifact
            .parent
            .and_then(|id| tree.get(usize::try_from(id).ok()?));
        let name = artifact.name.as_ref();
        let filename = name
            .and_then(|name| name.files().next())
            .unwrap_or_default();
        let extension = name
            .and_then(|name| name.extensions().next())
            .map(|e| format!(".{e}"))
            .unwrap_or_default();
        let globals = Globals {
            filename,
            filepath: path,
            extension: &extension,
            filetype: &artifact.kind.as_str().to_ascii_uppercase(),
            kind: artifact.kind.as_str(),
            via: artifact.via.unwrap_or_default(),
            parent_kind: parent
                .map(|parent| parent.kind.as_str())
                .unwrap_or_default(),
            depth: artifact.depth,
        };
        let path = match self.engine.rules.paths() {
            Paths::Asked => path,
            Paths::Unasked => "",
        };
        let memory = self.memory.as_deref().zip(known.place);
        let before = memory.and_then(|(memory, place)| memory.matches(place, path));
        let matched = match before {
            Some(matches) => Ok(Vec::clone(&matches)),
            None => {
                let matched = self
                    .scanner
                    .scan(&artifact.data, globals, budget.time_left());
                if let (Some((memory, place)), Ok(matches)) = (memory, &matched) {
                    memory.keep_matches(place, path, matches.clone());
                }
                matched
            }
        };
        match matched {
            Ok(matches) => {
                // What is true of equal bytes is said at the first of them.
                let said = |rule: &str| {
                    artifact
                        .same_as
                        .is_some_and(|first| findings.has(first, &format!("yara:{rule}")))
                };
                let news: Vec<RuleMatch> = matches
                    .into_iter()
                    .filter(|found| !said(&found.rule.name))
                    .collect();
                for found in news {
                    findings.report_rule(
                        &found.rule.name,
                        found.rule.score,
                        found.rule.attack,
                        found.evidence,
                    );
                }
                None
            }
            Err(RuleTrouble::OutOfTime) => Some(Fact::Limit {
                halt: Halt::OutOfTime,
                what: "rules".to_owned(),
            }),
            Err(RuleTrouble::Failed(what)) => {
                self.scanner = self.engine.rules.scanner();
                Some(Fact::Crashed {
                    by: "rules".to_owned(),
                    what,
                })
            }
        }
    }
}

fn root(input: Input, budget: &Budget) -> Artifact {
    let identity = guarded("identify", || {
        let name = input.name.as_ref();
        Ok(identify::identify_named(&input.data, name, budget))
    });
    let (identity, crash) = match identity {
        Ok(Ok(identity)) => (identity, None),
        Ok(Err(trouble)) => (
            identify::Identity::certain(Kind::Data),
            Some(trouble.into_fact("")),
        ),
        Err(crash) => (identify::Identity::certain(Kind::Data), Some(crash)),
    };
    let given = input.context.given;
    let mut root = root_of(input, identity);
    if let Some(given) = given
        && !root.reads_as(given)
    {
        root.readings.insert(0, root.kind);
        root.kind = given;
    }
    root.facts.extend(crash);
    root
}

fn root_of(input: Input, identity: identify::Identity) -> Artifact {
    Artifact {
        readings: identity.readings,
        sha256: Sha256::digest(&input.data).into(),
        name: input.name,
        facts: identity.facts.into_iter().chain(input.facts).collect(),
        ..Artifact::alone(identity.kind, input.data)
    }
}

/// The budgets of one scan: one for the input, and one for each message of a mailbox with all that is in it.
struct Accounts {
    input: Account,
    messages: Vec<Account>,
    /// The account of each artifact of the tree: 0 is the input's, a message's is one more than its place in the list.
    owners: Vec<usize>,
}

/// One budget, whose clock runs only while something is done on it.
struct Account {
    budget: Budget,
    /// The limit that ended it, and how many of its artifacts were left closed.
    ended: Option<(Halt, usize)>,
    /// The artifact that it was opened for.
    first: usize,
}

impl Account {
    fn new(budget: Budget, first: usize) -> Self {
        budget.stop();
        Self {
            budget,
            ended: None,
            first,
        }
    }

    /// Says how much stayed closed when a limit ended the unpacking.
    fn say_unopened(&self, tree: &mut [Artifact]) {
        if let Some((halt, closed)) = self.ended
            && closed > 0
            && let Some(first) = tree.get_mut(self.first)
        {
            let what = format!("{closed} artifacts were not opened");
            first.facts.push(Fact::Limit { halt, what });
        }
    }

    fn spending<T>(&self, step: impl FnOnce(&Budget) -> T) -> T {
        self.budget.resume();
        let done = step(&self.budget);
        self.budget.stop();
        done
    }
}

impl Accounts {
    fn new(budget: Budget) -> Self {
        Self {
            input: Account::new(budget, 0),
            messages: Vec::new(),
            owners: vec![0],
        }
    }

    /// The account of an artifact.
    fn of(&self, artifact: usize) -> &Account {
        let owner = self.owners.get(artifact).copied().unwrap_or_default();
        self.messages
            .get(owner.wrapping_sub(1))
            .unwrap_or(&self.input)
    }

    fn of_mut(&mut self, artifact: usize) -> &mut Account {
        let owner = self.owners.get(artifact).copied().unwrap_or_default();
        self.messages
            .get_mut(owner.wrapping_sub(1))
            .unwrap_or(&mut self.input)
    }

    /// Ends the account of an artifact: nothing more of it is opened.
    fn end(&mut self, artifact: usize, halt: Halt) {
        self.of_mut(artifact).ended = Some((halt, 0));
    }

    /// Counts an artifact that stays closed.
    fn leave_closed(&mut self, artifact: usize) {
        if let Some((_, closed)) = &mut self.of_mut(artifact).ended {
            *closed = closed.saturating_add(1);
        }
    }

    /// Enters the children of an artifact; a message of a mailbox opens an account with the limits of the input.
    fn enter(&mut self, parent: usize, children: &[Artifact]) {
        let owner = self.owners.get(parent).copied().unwrap_or_default();
        for child in children {
            if child.via == Some(MESSAGE) {
                let limits = self.of(parent).budget.limits().clone();
                let deadline = Instant::now().checked_add(limits.timeout);
                let account = Account::new(Budget::new(limits, deadline), self.owners.len());
                self.messages.push(account);
                self.owners.push(self.messages.len());
            } else {
                self.owners.push(owner);
            }
        }
    }
}

/// What is known of an input that its unpackers may ask for.
struct Around {
    passwords: Passwords,
    beside: Vec<(Name, Bytes)>,
    opener: Opener,
}

/// Opens containers in the order in which they were found until nothing opens.
fn unpack(
    root: Artifact,
    accounts: &mut Accounts,
    around: &Around,
    memory: Option<&Memory>,
) -> (Vec<Artifact>, Vec<Known>) {
    let mut known = Vec::new();
    let mut seen = Seen::from([(root.sha256, root.id)]);
    let mut tree = vec![root];
    let sets = Sets::default();
    let told = memory.map(Memory::told);
    let mut at = 0;
    // Ends because the budgets bound the artifacts, and a mailbox its messages.
    while let Some(artifact) = tree.get(at) {
        let mut here = Known {
            place: memory.and_then(|_| Place::of(&tree, artifact)),
            settled: false,
        };
        if accounts.of(at).ended.is_some() {
            accounts.leave_closed(at);
        } else if artifact.same_as.is_none() {
            let next = tree.len();
            let opened = accounts.of(at).spending(|budget| {
                let keys = Keys::new(&tree, artifact, &around.passwords)
                    .with_files_beside(&around.beside)
                    .with_opener(around.opener)
                    .with_sets(&sets);
                let memory = memory.zip(here.place);
                let (opened, settled) = match memory {
                    Some((memory, place)) => {
                        open_or_recall(artifact, keys, budget, &mut seen, next, memory, place)
                    }
                    None => (open(artifact, keys, budget, &mut seen, next, told), false),
                };
                here.settled = settled;
                opened
            });
            if let Some(artifact) = tree.get_mut(at) {
                artifact.facts.extend(opened.facts);
                artifact.mail = artifact.mail.take().or(opened.mail);
            }
            accounts.enter(at, &opened.children);
            tree.extend(opened.children);
            if let Some(halt) = opened.halt {
                accounts.end(at, halt);
            }
        }
        known.push(here);
        at = at.saturating_add(1);
    }
    for account in std::iter::once(&accounts.input).chain(&accounts.messages) {
        account.say_unopened(&mut tree);
    }
    signers(&mut tree);
    (tree, known)
}

/// What a memory is asked about an artifact.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    place: Option<Place>,
    /// Whether what was made of it depends on bytes, kind and place alone.
    settled: bool,
}

/// Opens an artifact, or makes of it what was made of an equal one; tells whether that depends on nothing else.
fn open_or_recall(
    artifact: &Artifact,
    keys: Keys<'_>,
    budget: &Budget,
    seen: &mut Seen,
    next: usize,
    memory: &Memory,
    place: Place,
) -> (Opened, bool) {
    if let Some(before) = memory.opening(place)
        && !keys.has_other_volumes(budget)
        && let Some(opened) = before.again(artifact, next, budget, seen)
    {
        return (opened, true);
    }
    let before = budget.spent();
    let opened = open(artifact, keys, budget, seen, next, Some(memory.told()));
    let settled = budget
        .spent_since(before)
        .is_some_and(|spent| memory.keep_opening(place, artifact, &opened, spent));
    (opened, settled)
}

/// What all unpackers of one artifact made of it.
#[derive(Debug, Default)]
struct Opened {
    children: Vec<Artifact>,
    facts: Vec<Fact>,
    mail: Option<Box<crate::model::MailSummary>>,
    /// A limit that ends the whole scan.
    halt: Option<Halt>,
    /// Whether it depends on words of mails or files beside.
    asked: bool,
}

fn open(
    artifact: &Artifact,
    keys: Keys<'_>,
    budget: &Budget,
    seen: &mut Seen,
    next: usize,
    told: Option<&Told>,
) -> Opened {
    let next = u32::try_from(next).unwrap_or(u32::MAX);
    let mut nest = Nest::new(budget, seen, artifact, next)
        .with_keys(keys)
        .with_told(told);
    let fitting = |unpacker: &&Unpacker| unpacker.kinds.iter().any(|kind| artifact.reads_as(*kind));
    let mut halt = None;
    for unpacker in UNPACKERS.iter().filter(fitting) {
        let ended = guarded(unpacker.name, || (unpacker.run)(artifact, &mut nest));
        match ended {
            Ok(Ok(())) if nest.closed => break,
            Ok(Ok(())) => {}
            Ok(Err(Trouble::TooMuch(
                met @ (Halt::OutOfTime | Halt::Unpacked | Halt::Artifacts),
            ))) => {
                nest.note(Trouble::TooMuch(met).into_fact(unpacker.name));
                halt = Some(met);
                break;
            }
            Ok(Err(trouble)) => nest.note(trouble.into_fact("")),
            Err(crash) => nest.note(crash),
        }
    }
    for kind in UNSUPPORTED.iter().filter(|kind| artifact.reads_as(**kind)) {
        nest.note(Fact::NoReader {
            what: format!("no reader for {}", kind.describe()),
        });
    }
    Opened {
        children: nest.children,
        facts: nest.facts,
        mail: nest.mail,
        halt,
        asked: nest.asked.get(),
    }
}

fn run_analyzers(look: &Look<'_>, sees: Sees, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let fitting = |analyzer: &&Analyzer| {
        let once = sees == Sees::Place || artifact.same_as.is_none();
        let kind =
            analyzer.kinds.is_empty() || analyzer.kinds.iter().any(|kind| artifact.reads_as(*kind));
        analyzer.sees == sees && once && kind
    };
    for analyzer in ANALYZERS.iter().filter(fitting) {
        let ended = guarded(analyzer.name, || {
            (analyzer.run)(look, findings);
            Ok(())
        });
        if let Err(Fact::Crashed { by, what }) = ended {
            findings.report(Found::new("scanner-crashed", &format!("{by}: {what}")));
        }
    }
}

/// Runs a step and turns a panic into a fact.
fn guarded<T>(
    by: &str,
    step: impl FnOnce() -> Result<T, Trouble>,
) -> Result<Result<T, Trouble>, Fact> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| {
        let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let what = what
            .or_else(|| panic.downcast_ref::<String>().cloned())
            .unwrap_or_default();
        Fact::Crashed {
            by: by.to_owned(),
            what: crate::text::excerpt(&what),
        }
    })
}

/// The names from the input down to each artifact, joined by slashes.
fn paths(tree: &[Artifact]) -> Vec<String> {
    /// Longer paths are cut at the front: depth times name length is an attacker's to choose.
    const LONGEST: usize = 512;
    let mut paths: Vec<String> = Vec::with_capacity(tree.len());
    for artifact in tree {
        let above = artifact
            .parent
            .and_then(|id| paths.get(usize::try_from(id).ok()?))
            .cloned()
            .unwrap_or_default();
        let name = artifact
            .name
            .as_ref()
            .and_then(|name| name.readings.first())
            .map(String::as_str);
        let path = match name {
            None => above,
            Some(name) if above.is_empty() => name.to_owned(),
            Some(name) => format!("{above}/{name}"),
        };
        let skip = match path.len() {
            0..=LONGEST => 0,
            _ => path.chars().count().saturating_sub(LONGEST),
        };
        paths.push(match skip {
            0 => path,
            _ => path.chars().skip(skip).collect(),
        });
    }
    paths
}
