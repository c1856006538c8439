//! What goes from which file, and how the files around it take the new ones: innermost first.
//!
//! Every finding goes to the nearest file around it whose disarmer takes it out. Where there is none, or it refuses,
//! the finding climbs: an archive or a mail puts a notice in the place of the whole file, else the file around has its
//! turn, and at last the input is refused. Containers that take new content are mails, messages of Outlook, zip archives,
//! packages of Office and OpenDocument; other archives become zip archives. What only stands in something else cannot
//! be put back, so what is found in it is a matter of that.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::archive;
use super::holder::Holder;
use super::message;
use super::tnef;
use super::{DISARMERS, Disarmer, FindingId, Job, Refusal, Removed, Turns, ooxml};
use crate::limits::Budget;
use crate::model::{Artifact, Fact, Finding, Id, Kind, Report, Severity};
use crate::rewrite::{blocks, mail};

/// Whether a file that is not disarmed may be replaced by a notice, in a mail or an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notices {
    /// It may, for findings of this score or more.
    From(u8),
    /// It may not.
    Never,
}

/// Whether documents whose type claims macros get the type without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retype {
    /// They do.
    Plain,
    /// They keep it.
    Keep,
}

/// What is to be done with an input.
pub struct Task<'a> {
    /// What a scan of it found.
    pub report: &'a Report,
    /// Findings that have to go, as places in the report.
    pub findings: &'a BTreeSet<usize>,
    /// Parts of a mail that go as a whole, whatever could be done with them.
    pub strip: &'a BTreeSet<Id>,
    /// Whether files may be replaced by notices.
    pub notices: Notices,
    /// Whether types that claim macros change.
    pub retype: Retype,
    /// Whether parts change that somebody signed.
    pub break_signatures: bool,
    /// The text in the place of a file, and that beside a disarmed one: lines that end in `\n`.
    pub notice: &'a dyn Fn(&Artifact, &[Removed]) -> String,
    /// One line of ASCII in the place of a block in a text.
    pub line: &'a dyn Fn(&Artifact) -> String,
}

impl<'a> Task<'a> {
    /// What is to be done where nothing else is said: files for which there is no other way give way to a notice, types and
    /// what somebody signed stay.
    pub fn usual(
        report: &'a Report,
        findings: &'a BTreeSet<usize>,
        notice: &'a dyn Fn(&Artifact, &[Removed]) -> String,
        line: &'a dyn Fn(&Artifact) -> String,
    ) -> Self {
        const NONE: &BTreeSet<Id> = &BTreeSet::new();
        Self {
            report,
            findings,
            strip: NONE,
            notices: Notices::From(Severity::Medium.score()),
            retype: Retype::Keep,
            break_signatures: false,
            notice,
            line,
        }
    }
}

/// What was made of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// All of it.
    pub data: Bytes,
    /// What was done, in the order of the tree.
    pub deeds: Vec<Deed>,
    /// The extension that goes with the new content of the input, where another one does.
    pub extension: Option<&'static str>,
    /// Parts of mails in whose place a notice stands.
    pub notices: usize,
}

/// What was done with one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The file.
    pub artifact: Id,
    /// What was taken out of it; nothing where a notice stands in its place.
    pub removed: Vec<Removed>,
    /// The findings for which a notice stands in its place.
    pub replaced_for: Vec<FindingId>,
}

/// The state of one artifact.
#[derive(Debug, Default)]
struct State {
    /// Findings that its disarmer has to take out, with their scores.
    pending: BTreeMap<FindingId, u8>,
    /// All findings that are dealt with in it or below it.
    below: BTreeMap<FindingId, u8>,
    /// Whether its disarmer, or what holds its children, has failed.
    barred: bool,
    /// Whether a notice takes its place.
    gone: bool,
    /// Its new bytes.
    new: Option<Bytes>,
    /// What its disarmer took out.
    removed: Vec<Removed>,
    /// The extension that goes with its new bytes.
    extension: Option<&'static str>,
}

struct Driver<'a, 't> {
    task: &'a Task<'t>,
    tree: &'a [Artifact],
    states: Vec<State>,
    children: Vec<Vec<usize>>,
    copies: Vec<Vec<usize>>,
    editable: Vec<bool>,
    /// What goes with a part that goes as a whole, and that part.
    stripped: Vec<bool>,
    notices: Cell<usize>,
    refused: Option<Refusal>,
    turns: Turns,
    budget: &'a Budget,
}

/// Takes out what has to go. What comes of it must be scanned again. `barred` are files that are not to be disarmed,
/// since that was tried and did not hold.
pub fn disarm(
    task: &Task<'_>,
    barred: &BTreeSet<Id>,
    turns: Turns,
    budget: &Budget,
) -> Result<Made, Refusal> {
    let mut driver = Driver::new(task, barred, turns, budget);
    for number in task.findings {
        if let Some(finding) = task.report.findings.get(*number) {
            driver.assign(finding)?;
        }
    }
    // Children stand behind their parents: from the end, a file is told after all that is in it.
    for at in (0..driver.tree.len()).rev() {
        budget.tick().map_err(Refusal::Limit)?;
        driver.make(at)?;
    }
    match driver.refused.take() {
        Some(refused) => Err(refused),
        None => Ok(driver.made()),
    }
}

/// The disarmer of a kind.
fn disarmer(kind: Kind) -> Option<&'static Disarmer> {
    DISARMERS.iter().find(|row| row.kinds.contains(&kind))
}

/// Whether anything takes a finding out of files of a kind.
pub fn takes_out(kind: Kind, id: &str) -> bool {
    disarmer(kind).is_some_and(|row| row.takes_out(id))
}

/// Which artifacts hold something that goes as a whole part, the input itself left out.
fn stripped(tree: &[Artifact], strip: &BTreeSet<Id>) -> Vec<bool> {
    let mut stripped = vec![false; tree.len()];
    for artifact in tree.iter().rev() {
        let here = stripped.get(place(artifact.id)) == Some(&true);
        let parent = artifact.parent.map(place);
        if (here || strip.contains(&artifact.id))
            && let Some(parent) = parent
        {
            let mark = |mark: Option<&mut bool>| mark.into_iter().for_each(|mark| *mark = true);
            mark(stripped.get_mut(place(artifact.id)));
            // Nested mails are edited inside; what is in them may still be disarmed.
            if tree.get(parent).is_some_and(|one| one.kind != Kind::Eml) {
                mark(stripped.get_mut(parent));
            }
        }
    }
    stripped
}

fn place(id: Id) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

impl<'a, 't> Driver<'a, 't> {
    fn new(task: &'a Task<'t>, barred: &BTreeSet<Id>, turns: Turns, budget: &'a Budget) -> Self {
        let tree = task.report.artifacts.as_slice();
        let mut children = vec![Vec::new(); tree.len()];
        let mut copies = vec![Vec::new(); tree.len()];
        let mut editable = Vec::with_capacity(tree.len());
        let mut states = Vec::with_capacity(tree.len());
        for (at, artifact) in tree.iter().enumerate() {
            let parent = artifact.parent.map(place);
            let holder = parent
                .and_then(|parent| tree.get(parent))
                .and_then(|parent| Holder::of(parent, artifact));
            let above = parent.is_none_or(|parent| editable.get(parent) == Some(&true));
            editable.push(above && (parent.is_none() || holder.is_some()));
            if let Some(siblings) = parent.and_then(|parent| children.get_mut(parent)) {
                Vec::push(siblings, at);
            }
            if let Some(others) = artifact
                .same_as
                .and_then(|same| copies.get_mut(place(same)))
            {
                Vec::push(others, at);
            }
            states.push(State {
                barred: barred.contains(&artifact.id),
                ..State::default()
            });
        }
        Self {
            task,
            tree,
            states,
            children,
            copies,
            editable,
            stripped: stripped(tree, task.strip),
            notices: Cell::new(0),
            refused: None,
            turns,
            budget,
        }
    }

    /// Gives a finding to who can take it out, wherever its artifact or one around it stands a second time.
    fn assign(&mut self, finding: &Finding) -> Result<(), Refusal> {
        let mut visited = BTreeSet::new();
        let mut waiting = vec![place(finding.artifact)];
        // Ends because every artifact is entered once.
        while let Some(from) = waiting.pop() {
            self.budget.tick().map_err(Refusal::Limit)?;
            if !visited.insert(from) {
                continue;
            }
            waiting.extend(self.copies.get(from).into_iter().flatten());
            if !self.settle(&finding.id, finding.score, from)
                && !self.attached(&finding.id, finding.score, from)
            {
                match self.tree.get(from).and_then(|artifact| artifact.parent) {
                    Some(parent) => waiting.push(place(parent)),
                    None => self.refuse(Refusal::NoWay(finding.id.clone())),
                }
            }
        }
        Ok(())
    }

    /// Whether a finding in an artifact is dealt with there.
    fn settle(&mut self, id: &FindingId, score: u8, at: usize) -> bool {
        let Some(artifact) = self.tree.get(at) else {
            return false;
        };
        if self.stripped.get(at) == Some(&true) {
            return true;
        }
        let disarms = takes_out(artifact.kind, id) && self.editable.get(at) == Some(&true);
        let may_go = self.may_go(at, score);
        let Some(state) = self.states.get_mut(at) else {
            return false;
        };
        if disarms && !state.barred {
            state.pending.insert(id.clone(), score);
            return true;
        }
        if may_go {
            state.gone = true;
            state.below.insert(id.clone(), score);
        }
        may_go
    }

    /// Whether what was found in a file goes with it: the disarmer of a PDF takes files out whole.
    fn attached(&mut self, id: &FindingId, score: u8, at: usize) -> bool {
        const FILE: &str = "pdf-embedded-file";
        // One that is not packed makes an archive of the whole by another reading.
        let inside = |one: &&Artifact| matches!(one.via, Some(FILE | "zip-member"));
        let Some(artifact) = self.tree.get(at).filter(inside) else {
            return false;
        };
        let parent = artifact.parent.map(place);
        let of_pdf = |at: &usize| self.tree.get(*at).is_some_and(|one| one.kind == Kind::Pdf);
        let Some(parent) = parent.filter(of_pdf) else {
            return false;
        };
        let taken = self.settle(&FindingId::Borrowed(FILE), score, parent);
        if let Some(state) = self.states.get_mut(parent).filter(|_| taken) {
            state.below.insert(id.clone(), score);
        }
        taken
    }

    /// Whether a notice may take the place of an artifact.
    fn may_go(&self, at: usize, score: u8) -> bool {
        let Some(artifact) = self.tree.get(at) else {
            return false;
        };
        let Some(parent) = artifact.parent.map(place) else {
            return false;
        };
        // Macros of a web archive are a part by itself, which nobody opens: the page is the document.
        let of_page = artifact.kind == Kind::ActiveMime
            && self
                .tree
                .get(parent)
                .is_some_and(|one| one.kind == Kind::Mht);
        let allowed = match self.task.notices {
            Notices::From(least) => score >= least || of_page,
            Notices::Never => of_page,
        };
        if !allowed {
            return false;
        }
        let holder = self
            .tree
            .get(parent)
            .and_then(|parent| Holder::of(parent, artifact));
        let barred = self.states.get(parent).is_some_and(|state| state.barred);
        holder.is_some_and(Holder::takes_notices)
            && self.editable.get(parent) == Some(&true)
            && !barred
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refused.get_or_insert(refusal);
    }

    /// Makes the new bytes of an artifact, where it gets any.
    fn make(&mut self, at: usize) -> Result<(), Refusal> {
        let Some(artifact) = self.tree.get(at) else {
            return Ok(());
        };
        let changed = self.changed_children(at);
        let mut data = artifact.data.clone();
        if !changed.is_empty() {
            self.collect_below(at, &changed);
            if self.is_told_above(at) {
                return Ok(());
            }
            match self.put_back(artifact, &changed) {
                Ok((new, extension)) => {
                    data = new;
                    if let Some(state) = self.states.get_mut(at) {
                        state.new = Some(data.clone());
                        state.extension = extension;
                    }
                }
                Err(refusal @ Refusal::Limit(_)) => return Err(refusal),
                Err(refusal) => {
                    self.climb(at, &refusal);
                    return Ok(());
                }
            }
        }
        self.disarm_one(at, artifact, &data)
    }

    /// Lets the disarmer of an artifact take out what it has to.
    fn disarm_one(&mut self, at: usize, artifact: &Artifact, data: &Bytes) -> Result<(), Refusal> {
        let controls = |state: &State| state.pending.contains_key("activex-control");
        let bare = self.states.get(at).is_some_and(controls) && self.has_only_empty_projects(at);
        let Some(state) = self.states.get_mut(at) else {
            return Ok(());
        };
        if state.pending.is_empty() || state.gone {
            return Ok(());
        }
        let mut remove: BTreeSet<FindingId> = state.pending.keys().cloned().collect();
        if bare {
            remove.insert(FindingId::Borrowed("vba-macro"));
        }
        let addin = remove.contains("office-addin");
        let pending = state.pending.clone();
        state.below.extend(pending);
        let Some(row) = disarmer(artifact.kind) else {
            return Ok(());
        };
        let job = Job {
            data,
            kind: artifact.kind,
            remove: &remove,
            turns: self.turns,
        };
        match (row.run)(&job, self.budget) {
            Ok(disarmed) => {
                let mut new = disarmed.data;
                // An add-in that is none any more is opened by the name of a document only.
                let mut extension = match artifact.kind {
                    Kind::Xlam if addin => Some("xlsx"),
                    Kind::Ppam if addin => Some("pptx"),
                    _ => None,
                };
                if self.task.retype == Retype::Plain
                    && let Ok(Some((plain, end))) = ooxml::without_macros(&new, self.budget)
                {
                    (new, extension) = (plain, Some(end));
                }
                if let Some(state) = self.states.get_mut(at) {
                    state.new = Some(new);
                    state.removed = disarmed.removed;
                    state.extension = extension.or(state.extension);
                }
                Ok(())
            }
            Err(refusal @ Refusal::Limit(_)) => Err(refusal),
            Err(refusal) => {
                self.climb(at, &refusal);
                Ok(())
            }
        }
    }

    /// Gives everything that was to be dealt with in an artifact and below it to what stands around it.
    fn climb(&mut self, at: usize, refusal: &Refusal) {
        let Some(state) = self.states.get_mut(at) else {
            return;
        };
        state.barred = true;
        state.new = None;
        state.pending.clear();
        let below = std::mem::take(&mut state.below);
        for (id, score) in &below {
            let mut from = Some(at);
            // Ends because parents stand before their children.
            while let Some(place_of) = from {
                if self.settle(id, *score, place_of) {
                    break;
                }
                let parent = self.tree.get(place_of).and_then(|one| one.parent);
                from = parent.map(place);
            }
            if from.is_none() {
                self.refuse(refusal.clone());
            }
        }
        if self
            .tree
            .get(at)
            .is_none_or(|artifact| artifact.parent.is_none())
        {
            self.refuse(refusal.clone());
        }
    }

    fn changed_children(&self, at: usize) -> Vec<usize> {
        let children = self.children.get(at).into_iter().flatten().copied();
        let changed = |child: &usize| {
            let told = self.is_told_above(*child) && self.has_changes(*child);
            let state = self.states.get(*child);
            told || state.is_some_and(|state| state.gone || state.new.is_some())
        };
        let mut changed: Vec<usize> = children.filter(changed).collect();
        if at == 0 && !self.task.strip.is_empty() && changed.is_empty() {
            // Only whole parts go.
            changed.push(0);
        }
        changed
    }

    /// Whether an artifact stands as it is in a mail, and is a mail, or a text in which only blocks change: then the
    /// outer mail is edited inside of it.
    fn is_told_above(&self, at: usize) -> bool {
        let Some(artifact) = self.tree.get(at) else {
            return false;
        };
        let parent = artifact.parent.and_then(|id| self.tree.get(place(id)));
        let as_it_is = parent.is_some_and(|parent| {
            let range = artifact.at.clone();
            parent.kind == Kind::Eml
                && artifact.via == Some("mime-part")
                && range.and_then(|range| parent.data.get(range)) == Some(artifact.data.as_ref())
        });
        as_it_is && (artifact.kind == Kind::Eml || self.only_blocks_change(at))
    }

    fn only_blocks_change(&self, at: usize) -> bool {
        let mut children = self.children.get(at).into_iter().flatten();
        children.all(|child| {
            let (artifact, state) = (self.tree.get(*child), self.states.get(*child));
            let gone = state.is_some_and(|state| state.gone);
            let still = !gone && state.is_none_or(|state| state.new.is_none());
            let block = artifact.is_some_and(|one| matches!(one.via, Some("uuencoded" | "yenc")));
            still || gone && block
        })
    }

    /// Whether anything below a file that the outer mail edits has changed.
    fn has_changes(&self, at: usize) -> bool {
        self.states.get(at).is_some_and(|state| {
            !state.below.is_empty() && !state.barred && state.new.is_none() && !state.gone
        })
    }

    fn collect_below(&mut self, at: usize, changed: &[usize]) {
        let mut below = BTreeMap::new();
        for child in changed.iter().filter_map(|child| self.states.get(*child)) {
            below.extend(child.below.clone());
        }
        if let Some(state) = self.states.get_mut(at) {
            state.below.extend(below);
        }
    }

    /// Puts changed children into their container.
    fn put_back(
        &self,
        artifact: &Artifact,
        changed: &[usize],
    ) -> Result<(Bytes, Option<&'static str>), Refusal> {
        let first = changed.iter().find_map(|child| self.tree.get(*child));
        let holder = match first {
            Some(child) if child.id != artifact.id => Holder::of(artifact, child),
            _ => Some(Holder::Mail),
        };
        match holder {
            Some(Holder::Mail) => Ok((self.put_into_mail(artifact)?, None)),
            Some(Holder::Zip | Holder::Package) => {
                let changes = self.changes(changed);
                let new = archive::edit(&artifact.data, &changes, self.budget)?;
                Ok((new, None))
            }
            Some(Holder::Archive) => {
                let children = self.children.get(place(artifact.id));
                let all: Vec<&Artifact> = children
                    .into_iter()
                    .flatten()
                    .filter_map(|child| self.tree.get(*child))
                    .collect();
                let new = archive::rebuild(artifact, &all, &self.changes(changed), self.budget)?;
                Ok((new, Some("zip")))
            }
            Some(Holder::Envelope) => match changed {
                [only] => self.in_place(*only),
                _ => Err(Refusal::Broken("it cannot be put back".to_owned())),
            },
            Some(Holder::Tnef) => {
                let changes = self.changes(changed);
                Ok((tnef::edit(&artifact.data, &changes, self.budget)?, None))
            }
            Some(Holder::Message | Holder::Body) => {
                let children = self.children.get(place(artifact.id));
                let files = children.into_iter().flatten();
                let files = files.filter_map(|child| self.tree.get(*child));
                let files: Vec<&Artifact> = files
                    .filter(|child| Holder::of(artifact, child) == Some(Holder::Message))
                    .collect();
                let changes = self.changes(changed);
                let new = message::edit(&artifact.data, &files, &changes, self.budget)?;
                Ok((new, None))
            }
            Some(Holder::Block) => Ok((self.put_into_text(artifact, changed)?, None)),
            None => Err(Refusal::Broken("it cannot be put back".to_owned())),
        }
    }

    /// A document in the place of what locked it.
    fn in_place(&self, child: usize) -> Result<(Bytes, Option<&'static str>), Refusal> {
        let state = self.states.get(child);
        let new = state.and_then(|state| Some((state.new.clone()?, state.extension)));
        new.ok_or_else(|| Refusal::Broken("it cannot be put back".to_owned()))
    }

    /// Writes blocks of a text anew, each where it stands.
    fn put_into_text(&self, artifact: &Artifact, changed: &[usize]) -> Result<Bytes, Refusal> {
        let text = &artifact.data;
        let no_place = || Refusal::Broken("it cannot be put back".to_owned());
        let mut edits = Vec::new();
        for child in changed {
            let (Some(child), Some(state)) = (self.tree.get(*child), self.states.get(*child))
            else {
                continue;
            };
            let block = Holder::of(artifact, child) == Some(Holder::Block);
            let range = child.at.clone().filter(|_| block).ok_or_else(no_place)?;
            let old = text.get(range.clone()).ok_or_else(no_place)?;
            let bytes = match (&state.new, state.gone) {
                (Some(new), false) => {
                    blocks::filled(old, new, state.extension).ok_or_else(no_place)?
                }
                _ => {
                    let eol = if old.ends_with(b"\r\n") { "\r\n" } else { "\n" };
                    [(self.task.line)(child).as_bytes(), eol.as_bytes()].concat()
                }
            };
            edits.push((range, bytes));
        }
        edits.sort_by_key(|(range, _)| range.start);
        let mut out = Vec::with_capacity(text.len());
        let mut from = 0;
        for (range, bytes) in edits {
            // A block of one kind inside of one of the other.
            let kept = text.get(from..range.start).ok_or_else(no_place)?;
            out.extend_from_slice(kept);
            out.extend_from_slice(&bytes);
            from = range.end;
        }
        out.extend_from_slice(text.get(from..).unwrap_or_default());
        self.budget.spend(out.len()).map_err(Refusal::Limit)?;
        Ok(out.into())
    }

    fn changes(&self, changed: &[usize]) -> Vec<archive::Change<'a>> {
        let change = |child: &usize| {
            let (artifact, state) = (self.tree.get(*child)?, self.states.get(*child)?);
            let notice = || (self.task.notice)(artifact, &[]);
            Some(archive::Change {
                artifact,
                new: match state.gone {
                    true => None,
                    false => state.new.clone(),
                },
                notice: match state.gone {
                    true => notice(),
                    false => String::new(),
                },
                extension: state.extension,
            })
        };
        changed.iter().filter_map(change).collect()
    }

    /// Edits a mail, and the mails that stand in it as they are.
    fn put_into_mail(&self, artifact: &Artifact) -> Result<Bytes, Refusal> {
        let mut targets = BTreeSet::new();
        let mut replaced = BTreeMap::new();
        let mut waiting = vec![place(artifact.id)];
        // Ends because children stand behind their parents.
        while let Some(at) = waiting.pop() {
            for child in self.children.get(at).into_iter().flatten().copied() {
                self.budget.tick().map_err(Refusal::Limit)?;
                let (Some(part), Some(state)) = (self.tree.get(child), self.states.get(child))
                else {
                    continue;
                };
                if state.gone {
                    targets.insert(part.id);
                } else if let Some(new) = &state.new {
                    let content = mail::Content {
                        bytes: new.clone(),
                        removed: self.removed_below(child),
                        extension: state.extension,
                    };
                    replaced.insert(part.id, content);
                } else {
                    // Mails as they are, and texts with blocks in them.
                    waiting.push(child);
                }
            }
        }
        if artifact.parent.is_none() {
            targets.extend(self.task.strip.iter().copied());
        }
        let order = mail::Order {
            tree: self.tree,
            root: artifact.id,
            targets: &targets,
            replaced: &replaced,
            break_signatures: self.task.break_signatures,
            notice: self.task.notice,
            line: self.task.line,
        };
        match mail::rewrite(&order, self.budget) {
            Ok(rewritten) => {
                let notices = self.notices.get().saturating_add(rewritten.removed.len());
                self.notices.set(notices);
                Ok(rewritten.message)
            }
            Err(mail::Refused::Limit(halt)) => Err(Refusal::Limit(halt)),
            Err(refused) => Err(Refusal::Broken(refused.to_string())),
        }
    }

    /// Whether an artifact has macro projects, none of them with code: controls bring those along, and nothing needs
    /// them any longer.
    fn has_only_empty_projects(&self, at: usize) -> bool {
        let findings = &self.task.report.findings;
        if findings
            .iter()
            .any(|finding| finding.id.starts_with("vba-"))
        {
            return false;
        }
        let mut projects = 0usize;
        let mut waiting = vec![at];
        // Ends because a tree has no loops.
        while let Some(at) = waiting.pop() {
            let facts = self.tree.get(at).map(|artifact| artifact.facts.as_slice());
            for fact in facts.unwrap_or_default() {
                match fact {
                    Fact::VbaStorage { with_code: 0, .. } => projects = projects.saturating_add(1),
                    Fact::VbaStorage { .. } => return false,
                    _ => {}
                }
            }
            waiting.extend(self.children.get(at).into_iter().flatten());
        }
        projects > 0
    }

    /// What was taken out of an artifact and of what is in it.
    fn removed_below(&self, at: usize) -> Vec<Removed> {
        let mut removed = Vec::new();
        let mut waiting = vec![at];
        while let Some(at) = waiting.pop() {
            let state = self.states.get(at);
            removed.extend(state.into_iter().flat_map(|state| state.removed.clone()));
            if let Some(artifact) = self
                .tree
                .get(at)
                .filter(|_| state.is_some_and(|one| one.gone))
            {
                let ids = state.into_iter().flat_map(|state| state.below.keys());
                removed.extend(ids.map(|id| Removed {
                    finding: id.clone(),
                    place: artifact.label().to_owned(),
                }));
                continue;
            }
            waiting.extend(self.children.get(at).into_iter().flatten().rev().copied());
        }
        removed
    }

    fn made(self) -> Made {
        let root = self.tree.first();
        let data = root.map(|root| root.data.clone()).unwrap_or_default();
        let new = self.states.first().and_then(|state| state.new.clone());
        let extension = self.states.first().and_then(|state| state.extension);
        let mut deeds = Vec::new();
        let mut hidden: Vec<bool> = Vec::with_capacity(self.tree.len());
        for (artifact, state) in self.tree.iter().zip(&self.states) {
            let parent = artifact.parent.map(place);
            let above = parent.is_some_and(|parent| {
                hidden.get(parent) == Some(&true)
                    || self
                        .states
                        .get(parent)
                        .is_some_and(|state| state.gone || state.barred)
            });
            hidden.push(above);
            if above || !(state.gone || !state.removed.is_empty() && state.new.is_some()) {
                continue;
            }
            deeds.push(Deed {
                artifact: artifact.id,
                removed: match state.gone {
                    true => Vec::new(),
                    false => state.removed.clone(),
                },
                replaced_for: match state.gone {
                    true => state.below.keys().cloned().collect(),
                    false => Vec::new(),
                },
            });
        }
        Made {
            data: new.unwrap_or(data),
            deeds,
            extension,
            notices: self.notices.get(),
        }
    }
}
