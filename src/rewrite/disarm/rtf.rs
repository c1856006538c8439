//! Rich text (RTF 1.9.1): written again from its tokens without objects, data stored beside the text, outside templates
//! and the code of fields that lead outside. What an object or a field shows stays; every other byte is the old one.

use std::collections::BTreeSet;

use super::asked::{Asked, COMMANDS, Log, MACROS, OBJECTS, OUTSIDE, PACKAGES, PROGRAMS, SHEETS};
use super::compound::leads_outside;
use super::{Disarmed, Disarmer, FindingId, Job, Refusal};
use crate::formats::rtf::{self, Lower, Token, Tokens};
use crate::limits::{Budget, Halt};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "rtf",
    kinds: &[Kind::Rtf],
    findings: &[
        OBJECT, PACKAGES, OBJECTS, PROGRAMS, COMMANDS, MACROS, SHEETS, OUTSIDE,
    ],
    run,
};

/// Findings about objects, whatever they hold.
const OBJECT: &[&str] = &["rtf-object", "rtf-obfuscated"];

/// Control words of an object that may stand outside of one ("Objects").
const PARTS: &[&[u8]] = &[
    b"objdata",
    b"objclass",
    b"objname",
    b"objalias",
    b"objsect",
    b"objupdate",
    b"objlink",
    b"objautlink",
    b"objocx",
    b"objemb",
    b"objhtml",
];

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    super::settled(job, budget, once)
}

fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let found = rtf::read(job.data, budget).map_err(Refusal::Limit)?;
    if found.more {
        let halt = Halt::Ceiling("objects and fields of a rich text");
        return Err(Refusal::Limit(halt));
    }
    let asked = Asked::of(job);
    let objects = asked.first(&[
        OBJECT,
        PACKAGES,
        OBJECTS,
        &["external-object-link"],
        PROGRAMS,
        COMMANDS,
        MACROS,
        SHEETS,
    ]);
    let mut log = Log::default();
    let mut inert = BTreeSet::new();
    for field in &found.fields {
        let finding = match field.keyword.as_str() {
            "dde" | "ddeauto" => asked.one("dde-link"),
            _ if field.arguments.iter().any(|target| leads_outside(target)) => {
                asked.one("external-object-link")
            }
            _ => None,
        };
        if let Some(finding) = finding {
            log.add(
                &finding,
                &format!("field {} at {}", field.keyword, field.at),
            );
            inert.insert(field.at);
        }
    }
    let outside = |name: &[u8]| leads_outside(&String::from_utf8_lossy(name));
    let mut dropped = BTreeSet::new();
    for (list, id, what) in [
        (&found.templates, "remote-template", "template"),
        (
            &found.pictures,
            "external-object-link",
            "place of a picture",
        ),
    ] {
        for (at, _) in list.iter().filter(|(_, name)| outside(name)) {
            if let Some(finding) = asked.one(id) {
                log.add(&finding, &format!("{what} at {at}"));
                dropped.insert(*at);
            }
        }
    }
    let mut writer = Writer {
        data: job.data,
        out: Vec::with_capacity(job.data.len()),
        groups: Vec::new(),
        objects,
        inert,
        dropped,
        log,
    };
    writer.write(budget)?;
    Ok(writer.log.ended(job, || writer.out.into()))
}

/// What becomes of what stands in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Keep,
    /// Nothing of it but what it shows.
    Object,
    Drop,
}

#[derive(Debug, Clone, Copy)]
struct Group {
    mode: Mode,
    /// Whether its opening brace was written.
    written: bool,
    /// Whether it is of a field whose code goes.
    inert: bool,
}

struct Writer<'a> {
    data: &'a [u8],
    out: Vec<u8>,
    groups: Vec<Group>,
    objects: Option<FindingId>,
    inert: BTreeSet<usize>,
    /// Where templates and places of pictures stand that go.
    dropped: BTreeSet<usize>,
    log: Log,
}

impl Writer<'_> {
    fn write(&mut self, budget: &Budget) -> Result<(), Refusal> {
        let start = memchr::memchr(b'{', self.data).unwrap_or(0);
        self.out
            .extend_from_slice(self.data.get(..start).unwrap_or_default());
        let mut tokens = Tokens::new(self.data, start);
        while let Some((at, token)) = tokens.next() {
            budget.tick().map_err(Refusal::Limit)?;
            let raw = self.data.get(at..tokens.offset()).unwrap_or_default();
            match token {
                Token::Open => self.open(),
                Token::Close => self.close(),
                Token::Word { name, .. } => self.word(at, Lower::of(name).letters(), raw),
                Token::Code(_) | Token::Symbol(_) | Token::Binary { .. } | Token::Text(_) => {
                    self.keep(raw);
                }
            }
        }
        Ok(())
    }

    fn top(&self) -> Group {
        self.groups.last().copied().unwrap_or(Group {
            mode: Mode::Keep,
            written: true,
            inert: false,
        })
    }

    fn keep(&mut self, raw: &[u8]) {
        if self.top().mode == Mode::Keep {
            self.out.extend_from_slice(raw);
        }
    }

    fn open(&mut self) {
        let top = self.top();
        let written = top.mode == Mode::Keep;
        if written {
            self.out.push(b'{');
        }
        self.groups.push(Group { written, ..top });
    }

    fn close(&mut self) {
        if self.groups.pop().is_none_or(|group| group.written) {
            self.out.push(b'}');
        }
    }

    fn turn(&mut self, mode: Mode) {
        if self.groups.is_empty() {
            // What stands outside of all groups ends with the text.
            self.groups.push(Group {
                written: false,
                ..self.top()
            });
        }
        if let Some(group) = self.groups.last_mut() {
            group.mode = mode;
        }
    }

    fn word(&mut self, at: usize, name: &[u8], raw: &[u8]) {
        match (self.top().mode, name) {
            (Mode::Drop, _) => {}
            (Mode::Object, b"result") => {
                self.turn(Mode::Keep);
                if let Some(group) = self.groups.last_mut().filter(|group| !group.written) {
                    group.written = true;
                    self.out.push(b'{');
                }
            }
            (Mode::Object, b"objdata") => self.turn(Mode::Drop),
            (Mode::Object, _) => {}
            (Mode::Keep, name) => self.kept_word(at, name, raw),
        }
    }

    fn kept_word(&mut self, at: usize, name: &[u8], raw: &[u8]) {
        match (name, &self.objects) {
            (b"object", Some(finding)) => {
                self.log.add(finding, &format!("object at {at}"));
                self.turn(Mode::Object);
            }
            (b"datastore", Some(finding)) => {
                self.log.add(finding, &format!("stored data at {at}"));
                self.turn(Mode::Drop);
            }
            (name, Some(finding)) if PARTS.contains(&name) => {
                self.log.add(finding, &format!("part of an object at {at}"));
                if name == b"objdata" {
                    self.turn(Mode::Drop);
                }
            }
            (b"template" | b"sv", _) if self.dropped.contains(&at) => self.turn(Mode::Drop),
            (b"field", _) => {
                let inert = self.inert.contains(&at);
                if let Some(group) = self.groups.last_mut() {
                    group.inert = inert;
                }
                self.out.extend_from_slice(raw);
            }
            (b"fldinst", _) if self.top().inert => {
                self.out.extend_from_slice(b"\\fldinst ADDIN");
                self.turn(Mode::Drop);
            }
            _ => self.out.extend_from_slice(raw),
        }
    }
}
