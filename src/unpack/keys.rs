//! Passwords for what is locked: well-known ones, those that were given, and words of the mails around it.

use std::collections::BTreeSet;

use bytes::Bytes;

use crate::formats::password_recipes::{self, Day, Spelling, Surroundings, Told};
use crate::formats::password_words;
use crate::knowledge::passwords;
use crate::limits::Budget;
use crate::model::{Artifact, Kind, Name, children};
use crate::text;

use super::volumes::{Set, Sets};

/// Where a word stood that many choose, or that programs try by themselves.
pub const WELL_KNOWN: &str = "a well-known password";

/// Passwords given by whoever asks for a scan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Passwords {
    /// The words, in the order in which they are tried.
    pub words: Vec<String>,
    /// Whether findings name the word that opened something.
    pub show: bool,
}

/// One word to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// Where it stood.
    pub origin: String,
}

/// Where an artifact's candidates come from; they are gathered only when something is locked.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keys<'a> {
    tree: &'a [Artifact],
    artifact: Option<&'a Artifact>,
    given: Option<&'a Passwords>,
    /// Files that lie beside the input.
    outside: &'a [(Name, Bytes)],
    opener: Opener,
    sets: Option<&'a Sets>,
}

/// Whether the volume that opens an archive of several is scanned besides the input, which is another one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Opener {
    /// It is, or whoever asks for the scan knows that it is not.
    #[default]
    Scanned,
    /// It is not, and nobody would know: what is in the archive is not seen.
    NotScanned,
}

/// Mails around an artifact that are looked through.
const MAILS: usize = 4;

/// Texts of one mail that are looked through.
const TEXTS: usize = 6;

impl<'a> Keys<'a> {
    /// The candidates for `artifact` of a tree.
    pub fn new(tree: &'a [Artifact], artifact: &'a Artifact, given: &'a Passwords) -> Self {
        Self {
            tree,
            artifact: Some(artifact),
            given: Some(given),
            outside: &[],
            opener: Opener::default(),
            sets: None,
        }
    }

    /// Says which files lie beside the input.
    #[must_use]
    pub fn with_files_beside(mut self, outside: &'a [(Name, Bytes)]) -> Self {
        self.outside = outside;
        self
    }

    /// Says whether the volume that opens the input is scanned.
    #[must_use]
    pub fn with_opener(mut self, opener: Opener) -> Self {
        self.opener = opener;
        self
    }

    /// Whether the artifact is the input, and the volume that opens it is not scanned.
    pub(super) fn lacks_opener(self) -> bool {
        let is_input = self
            .artifact
            .is_some_and(|artifact| artifact.parent.is_none());
        is_input && self.opener == Opener::NotScanned
    }

    /// Says where sets of volumes are kept from one artifact to the next.
    #[must_use]
    pub fn with_sets(mut self, sets: &'a Sets) -> Self {
        self.sets = Some(sets);
        self
    }

    pub(super) fn sets(self) -> Option<&'a Sets> {
        self.sets
    }

    /// What lies beside the artifact under a name: in the same container, or beside the input.
    pub(super) fn beside(self) -> impl Iterator<Item = (&'a Name, &'a Bytes)> {
        let own = self.artifact.map(|artifact| artifact.id);
        let parent = self.artifact.and_then(|artifact| artifact.parent);
        let within = parent.map_or(&[][..], |parent| children(self.tree, parent));
        let within = within.iter().filter(move |one| Some(one.id) != own);
        let within = within.filter_map(|one| Some((one.name.as_ref()?, &one.data)));
        let is_root = own.is_some() && parent.is_none();
        let outside = self.outside.iter().filter(move |_| is_root);
        within.chain(outside.map(|(name, data)| (name, data)))
    }

    /// The artifact around this one.
    pub(super) fn parent(self) -> Option<&'a Artifact> {
        let id = self.artifact?.parent?;
        let at = usize::try_from(id).ok()?;
        self.tree.get(at).filter(|parent| parent.id == id)
    }

    /// Whether other volumes of the archive that the artifact is one of lie beside it, or that cannot be told in time.
    pub fn has_other_volumes(self, budget: &Budget) -> bool {
        let Some(artifact) = self.artifact else {
            return false;
        };
        let set = Set::find(artifact, self.beside(), self.sets(), budget);
        set.map_or(true, |set| set.is_some_and(|set| set.has_others()))
    }

    /// Whether findings name words.
    pub(super) fn show(&self) -> bool {
        self.given.is_some_and(|given| given.show)
    }

    /// Every candidate, the best first, each word once.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let lists = passwords();
        let mut all = Candidates::default();
        all.extend(&lists.well_known, WELL_KNOWN);
        let given = self.given.map(|given| given.words.as_slice());
        all.extend(given.unwrap_or_default(), "a given password");
        let Some(artifact) = self.artifact else {
            return all.list;
        };
        let above = |artifact: &Artifact| self.tree.get(usize::try_from(artifact.parent?).ok()?);
        let chain: Vec<&Artifact> =
            std::iter::successors(Some(artifact), |one| above(one)).collect();
        let mails: Vec<&Artifact> = chain
            .iter()
            .copied()
            .filter(|one| one.mail.is_some())
            .take(MAILS)
            .collect();
        let mut rest: Vec<(String, &str)> = Vec::new();
        for (place, mail) in mails.iter().enumerate() {
            self.add_mail(
                mail,
                ORIGINS.get(place).unwrap_or(&ENCLOSING),
                &mut all,
                &mut rest,
            );
        }
        for mail in mails.iter().flat_map(|mail| self.neighbours(mail)) {
            self.add_mail(mail, &NEIGHBOUR, &mut all, &mut rest);
        }
        let attached = mails.iter().flat_map(|mail| children(self.tree, mail.id));
        let attached = attached.filter(|one| one.mail.is_some() && one.id != artifact.id);
        for mail in attached.take(NEIGHBOURS) {
            self.add_mail(mail, &ATTACHED, &mut all, &mut rest);
        }
        for holder in &chain {
            self.add_files_beside(holder, &mut all);
        }
        for (word, origin) in rest {
            all.add(word, origin);
        }
        if let Some(comment) = zip_comment(&artifact.data) {
            let words = password_words::words(&comment, &lists.phrases, &lists.leading);
            all.extend(&words, "the comment of the archive");
        }
        for one in chain.iter().take(MAILS) {
            let label = one.label();
            let stem = label.rsplit(['/', '\\']).next().unwrap_or_default();
            let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
            let folders = label.rsplit(['/', '\\']).skip(1).take(MAILS);
            for word in [stem].into_iter().chain(folders).flat_map(words_of_name) {
                all.add(word.to_owned(), "a word in the name of the file");
            }
            if stem.len() >= 3 {
                all.add(stem.to_owned(), "the name of the file");
            }
        }
        all.extend(&lists.weak, "a password that many choose");
        all.list
    }

    /// The words of files that lie beside one in its mail or archive: of a text, a document of Word, an entry of a calendar
    /// or a card, and of a name that speaks of a password.
    fn add_files_beside(&self, one: &Artifact, all: &mut Candidates) {
        let lists = passwords();
        let Some(parent) = one.parent else {
            return;
        };
        let in_mail = usize::try_from(parent)
            .ok()
            .and_then(|at| self.tree.get(at))
            .is_some_and(|parent| parent.mail.is_some());
        let beside = children(self.tree, parent);
        for file in beside.iter().filter(|file| file.id != one.id).take(BESIDE) {
            let name = file.label();
            if file.name.is_some() && password_words::says(name, &lists.phrases) {
                let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
                let words = password_words::words(stem, &lists.phrases, &lists.leading);
                all.extend(&words, "a word in the name of a file beside");
            }
            let text = match file.kind {
                // Those of a mail are looked through as its own.
                Kind::Text if !in_mail && file.data.len() <= NOTE => {
                    text::to_utf8(&file.data).into_owned()
                }
                Kind::Docx => {
                    let mut parts = children(self.tree, file.id).iter();
                    let body = parts.find(|part| part.label().ends_with("word/document.xml"));
                    let body = body.filter(|body| body.data.len() <= NOTE);
                    match body {
                        Some(body) => password_words::of_document(&text::to_utf8(&body.data)),
                        None => continue,
                    }
                }
                Kind::Ics | Kind::Vcf if file.data.len() <= NOTE => {
                    password_words::of_entry(&text::to_utf8(&file.data))
                }
                _ => continue,
            };
            let words = password_words::words(&text, &lists.phrases, &lists.leading);
            let words = words.get(..LIKELY.min(words.len())).unwrap_or_default();
            all.extend(words, "a word in a file beside");
        }
    }

    /// The words of one mail: what stands behind the word for a password, then what the mail describes, and in `rest`
    /// all others that may be one.
    fn add_mail(
        &self,
        mail: &Artifact,
        origin: &Origin,
        all: &mut Candidates,
        rest: &mut Vec<(String, &'static str)>,
    ) {
        let lists = passwords();
        let summary = mail.mail.as_deref();
        let subject = summary.and_then(|summary| summary.subject.as_deref());
        let mut described = Vec::new();
        let around = self.around(mail);
        for text in self.texts(mail) {
            let mut found = password_words::words(&text, &lists.phrases, &lists.leading);
            if password_words::says(&text, &lists.phrases) {
                let says = |words: &[String]| password_words::says(&text, words);
                let recipes = &lists.recipes;
                let told = Told {
                    phone: says(&recipes.phone),
                    date: says(&recipes.date),
                    company: says(&recipes.company),
                    postal: says(&recipes.postal),
                    person: says(&recipes.person),
                    domain: says(&recipes.domain),
                };
                described.extend(password_recipes::words(&text, told, &around, &spelling()));
                if says(&recipes.reversed) {
                    let turned = found
                        .iter()
                        .take(4)
                        .map(|word| word.chars().rev().collect());
                    described.splice(0..0, turned.collect::<Vec<String>>());
                }
            }
            let others = found.split_off(LIKELY.min(found.len()));
            all.extend(&found, origin.body);
            rest.extend(others.into_iter().map(|word| (word, origin.body)));
        }
        if let Some(subject) = subject {
            all.extend(
                &password_words::words(subject, &lists.phrases, &lists.leading),
                origin.subject,
            );
        }
        let fields = password_words::of_header(&mail.data, &lists.phrases);
        let found = password_words::words(&fields, &lists.phrases, &lists.leading);
        let found = found.get(..LIKELY.min(found.len())).unwrap_or_default();
        all.extend(found, origin.header);
        for word in described.into_iter().take(DESCRIBED) {
            all.add(word, origin.described);
        }
        let days = Told {
            date: true,
            ..Told::default()
        };
        let dates = password_recipes::words("", days, &around, &spelling());
        rest.extend(
            dates
                .into_iter()
                .take(5)
                .map(|word| (word, "the date of the mail")),
        );
    }

    /// What is known of a mail besides its text.
    fn around(&self, mail: &Artifact) -> Surroundings {
        let summary = mail.mail.as_deref();
        let date = summary.and_then(|summary| summary.date.as_deref());
        let from = summary.and_then(|summary| summary.from.as_deref());
        let (person, domain) = from
            .and_then(|from| from.rsplit_once('@'))
            .unwrap_or_default();
        let domain = domain.trim_end_matches('>');
        let person = person.rsplit(['<', ' ', '"']).next().unwrap_or_default();
        let parts = person.split(['.', '_', '-']).filter(|part| *part != person);
        let mut labels = domain.split('.');
        let common = &passwords().recipes.common_labels;
        let name = labels.rfind(|label| !common.iter().any(|one| label.eq_ignore_ascii_case(one)));
        // `tanaka-shoji` is also written in one word, or by its first alone.
        let shorter = name.and_then(|name| Some((name.split_once('-')?.0, name)));
        let shorter = shorter.map(|(first, name)| [name.replace('-', ""), first.to_owned()]);
        let names = name.map(str::to_owned).into_iter();
        Surroundings {
            sent: date.map(Day::of).unwrap_or_default(),
            names: names.chain(shorter.into_iter().flatten()).collect(),
            person: [person]
                .into_iter()
                .chain(parts)
                .map(str::to_owned)
                .take(4)
                .collect(),
            domain: Some(domain.to_owned()).filter(|domain| !domain.is_empty()),
        }
    }

    /// The texts of a mail.
    fn texts(&self, mail: &Artifact) -> impl Iterator<Item = String> {
        let texts = children(self.tree, mail.id)
            .iter()
            .filter(|one| matches!(one.kind, Kind::Text | Kind::Email | Kind::Html));
        texts.take(TEXTS).map(|part| {
            let shown = text::to_utf8(&part.data);
            let page = part
                .declared
                .as_deref()
                .is_some_and(|declared| declared.contains("html"));
            if page || part.kind == Kind::Html {
                let alternatives = password_words::alternatives(&shown);
                format!("{}\n{alternatives}", password_words::plain(&shown))
            } else {
                shown.into_owned()
            }
        })
    }

    /// Mails of the same sender that lie next to a mail in its mailbox, archive or folder: the password comes in a second
    /// mail, mostly behind the first.
    fn neighbours(&self, mail: &Artifact) -> Vec<&'a Artifact> {
        let Some(parent) = mail.parent else {
            return Vec::new();
        };
        let from = |one: &Artifact| {
            let summary = one.mail.as_deref()?;
            summary.from.as_deref().map(str::to_lowercase)
        };
        let own = from(mail);
        if own.is_none() {
            return Vec::new();
        }
        let siblings = children(self.tree, parent);
        let at = siblings.partition_point(|one| one.id < mail.id);
        let near = |one: &&Artifact| one.mail.is_some() && from(one) == own;
        let behind = siblings.get(at.saturating_add(1)..).unwrap_or_default();
        let behind = behind.iter().take(NEAR).filter(near);
        let before = siblings.get(..at).unwrap_or_default();
        let before = before.iter().rev().take(NEAR).filter(near);
        behind.chain(before).take(NEIGHBOURS).collect()
    }
}

/// The words of a name, and what stands in it in brackets.
fn words_of_name(name: &str) -> impl Iterator<Item = &str> {
    let marks = [
        '_', '-', ' ', '.', '(', ')', '[', ']', '（', '）', '【', '】', '「', '」',
    ];
    name.split(marks).filter(|word| word.len() >= 3)
}

/// The comment at the end of a zip, which archivers show.
fn zip_comment(data: &[u8]) -> Option<String> {
    const RECORD: usize = 22;
    let tail = data.len().saturating_sub(RECORD + usize::from(u16::MAX));
    let tail = data.get(tail..).filter(|_| data.starts_with(b"PK"))?;
    let at = memchr::memmem::rfind(tail, b"PK\x05\x06")?;
    let comment = tail.get(at.checked_add(RECORD)?..)?;
    (!comment.is_empty()).then(|| text::to_utf8(comment).into_owned())
}

/// How people write what their passwords are made of.
fn spelling() -> Spelling<'static> {
    let recipes = &passwords().recipes;
    Spelling {
        forms: &recipes.forms,
        months: &recipes.months,
        asked: &recipes.asked,
        company: &recipes.company,
        company_marks: &recipes.company_marks,
        company_endings: &recipes.company_endings,
        phone: &recipes.phone,
        date: &recipes.date,
        day_before: &recipes.day_before,
        day_after: &recipes.day_after,
    }
}

/// Words of one text that come before anything else of its mail.
const LIKELY: usize = 14;

/// Words that one mail describes and that are tried.
const DESCRIBED: usize = 24;

/// How far away in a mailbox another mail of the sender is looked for, and how many of them are read.
const NEAR: usize = 16;
const NEIGHBOURS: usize = 3;

/// Files beside another that are looked at, and bytes of a text that is read among them.
const BESIDE: usize = 32;
const NOTE: usize = 256 << 10;

/// Where words stood, to be told.
struct Origin {
    body: &'static str,
    subject: &'static str,
    header: &'static str,
    described: &'static str,
}

/// Of the mail that an artifact came in.
const ORIGINS: [Origin; 1] = [Origin {
    body: "a word in the body of the mail",
    subject: "a word in the subject of the mail",
    header: "a word in the header of the mail",
    described: "a word that the mail describes",
}];

/// Of the mails around that one.
const ENCLOSING: Origin = Origin {
    body: "a word in the body of an enclosing mail",
    subject: "a word in the subject of an enclosing mail",
    header: "a word in the header of an enclosing mail",
    described: "a word that an enclosing mail describes",
};

/// Of another mail of the sender.
const NEIGHBOUR: Origin = Origin {
    body: "a word in the body of another mail of the sender",
    subject: "a word in the subject of another mail of the sender",
    header: "a word in the header of another mail of the sender",
    described: "a word that another mail of the sender describes",
};

/// Of a mail that is attached beside the archive.
const ATTACHED: Origin = Origin {
    body: "a word in the body of an attached mail",
    subject: "a word in the subject of an attached mail",
    header: "a word in the header of an attached mail",
    described: "a word that an attached mail describes",
};

/// Words in the order of their likelihood, each once.
#[derive(Default)]
struct Candidates {
    list: Vec<Candidate>,
    known: BTreeSet<String>,
}

impl Candidates {
    fn add(&mut self, word: String, origin: &str) {
        if self.known.insert(word.clone()) {
            self.list.push(Candidate {
                word,
                origin: origin.to_owned(),
            });
        }
    }

    fn extend(&mut self, words: &[String], origin: &str) {
        for word in words {
            self.add(word.clone(), origin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(comment: &str) -> Vec<String> {
        let record = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
        let data = [b"PK\x03\x04", &record[..], comment.as_bytes()].concat();
        let tree = [Artifact::alone(Kind::Zip, data.into())];
        let given = Passwords::default();
        let all = Keys::new(&tree, &tree[0], &given).candidates();
        let all = all.into_iter();
        let all = all.filter(|one| one.origin == "the comment of the archive");
        all.map(|one| one.word).collect()
    }

    #[test]
    fn the_comment_of_a_zip_may_say_its_password() {
        assert_eq!(
            words("パスワードは Qq1122zz です").first().unwrap(),
            "Qq1122zz"
        );
        assert!(words("").is_empty());
        assert!(words("made by an archiver").is_empty());
    }

    #[test]
    fn files_beside_and_folders_say_passwords_too() {
        let below = |kind, name: &str, data: &[u8]| {
            let mut one = Artifact::alone(kind, Bytes::copy_from_slice(data));
            one.name = (!name.is_empty()).then(|| Name::of(name));
            one
        };
        let xml = "<w:p><w:r><w:t>パスワード：Doc</w:t></w:r><w:r><w:t>x77</w:t></w:r></w:p>";
        let mut mail = below(Kind::Eml, "fw.eml", b"");
        mail.mail = Some(Box::default());
        let mut tree = vec![
            below(Kind::Eml, "", b""),
            below(Kind::Docx, "案内.docx", b""),
            mail,
            below(Kind::Zip, "outer.zip", b""),
            below(Kind::Png, "PW_Nam55e.png", b""),
            below(Kind::Xml, "word/document.xml", xml.as_bytes()),
            below(Kind::Text, "", "パスワード：Att66a".as_bytes()),
            below(Kind::Text, "readme.txt", b"PW: Not88e"),
            below(Kind::Zip, "pass(Dir99x)/locked.zip", b""),
        ];
        tree[0].mail = Some(Box::default());
        let parents = [
            None,
            Some(0),
            Some(0),
            Some(0),
            Some(0),
            Some(1),
            Some(2),
            Some(3),
            Some(3),
        ];
        for (id, (one, parent)) in (0..).zip(tree.iter_mut().zip(parents)) {
            (one.id, one.parent) = (id, parent);
        }
        let given = Passwords::default();
        let all = Keys::new(&tree, &tree[8], &given).candidates();
        for (word, origin) in [
            ("Docx77", "a word in a file beside"),
            ("Nam55e", "a word in the name of a file beside"),
            ("Att66a", "a word in the body of an attached mail"),
            ("Not88e", "a word in a file beside"),
            ("Dir99x", "a word in the name of the file"),
        ] {
            let found = all.iter().find(|one| one.word == word);
            assert_eq!(found.map(|one| one.origin.as_str()), Some(origin), "{word}");
        }
    }
}
