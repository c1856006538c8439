//! Objects of other programs in packages: packaged files, programs, formulas of the Equation Editor, controls.

use std::collections::BTreeSet;

use super::Work;
use crate::analyze;
use crate::formats::ole::{Ole, is_compound, same_name};
use crate::formats::{monikers, mtef, ole1, spreadsheet};
use crate::identify;
use crate::knowledge::Standing;
use crate::limits::{Budget, Fault, Halt};
use crate::model::{Fact, Family, Kind, Name, Role};
use crate::rewrite::disarm::asked::{COMMANDS, PACKAGES, PROGRAMS};
use crate::rewrite::disarm::outline::Source;
use crate::rewrite::disarm::{Refusal, knowledge};

const CONTROLS: &[&str] = &["activex-control"];
const LINKS: &[&str] = &["external-object-link"];
const EQUATIONS: &[&str] = &["equation-object"];

/// What a compound file in a package holds.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::rewrite::disarm) struct Holds {
    pub(in crate::rewrite::disarm) package: bool,
    pub(in crate::rewrite::disarm) program: bool,
    pub(in crate::rewrite::disarm) equation: bool,
    pub(in crate::rewrite::disarm) control: bool,
    pub(in crate::rewrite::disarm) link: bool,
}

impl Work<'_> {
    /// Takes out the parts that hold what has to go.
    pub(super) fn objects(&mut self) -> Result<(), Refusal> {
        let programs = self.wants(PROGRAMS) || self.wants(COMMANDS);
        let packages = self.wants(PACKAGES);
        let controls = self.wants(CONTROLS);
        let mut found: Vec<(usize, &'static [&'static str])> = Vec::new();
        let mut packaged = BTreeSet::new();
        for (at, part) in self.package.live() {
            if controls && self.is_control(at) {
                found.push((at, CONTROLS));
                continue;
            }
            if is_compound(&part.data) {
                let holds = holds(&part.data, self.budget)?;
                if holds.package || holds.program {
                    packaged.insert(at);
                }
                if holds.package && packages {
                    found.push((at, PACKAGES));
                }
                if holds.program && programs {
                    found.push((at, PROGRAMS));
                }
                if holds.equation && self.wants(EQUATIONS) {
                    found.push((at, EQUATIONS));
                }
                if holds.link && self.wants(LINKS) {
                    found.push((at, LINKS));
                }
                if holds.control && controls {
                    found.push((at, CONTROLS));
                }
            } else if programs
                && Source::read(&part.data).is_none()
                && is_program(&part.data, self.budget)
            {
                found.push((at, PROGRAMS));
            }
        }
        // A program that nothing here knows as one stands in one of the packages.
        let none = found.iter().all(|(_, ids)| *ids != PROGRAMS);
        if self.wants(PROGRAMS) && none {
            found.extend(packaged.into_iter().map(|at| (at, PROGRAMS)));
        }
        for (at, ids) in found {
            let told = self.package.is_gone(at);
            self.remove_part(at, ids);
            if told && let Some(name) = self.package.parts.get(at).map(|part| part.shown.clone()) {
                self.note(ids, &name);
            }
        }
        Ok(())
    }

    /// Whether a part is a control or the data of one, by its media type or by what leads to it.
    fn is_control(&self, at: usize) -> bool {
        let part = self.package.parts.get(at);
        // [MS-OI29500] 2.1: the root of what Office loads as a control, whatever leads to it.
        let by_root = part.is_some_and(|part| {
            memchr::memmem::find(&part.data, b"classid").is_some()
                && spreadsheet::root(&part.data).is_some_and(|root| root == "ocx")
        });
        let media_type = part.map(|part| self.package.media_type(part));
        by_root
            || media_type.is_some_and(|media_type| media_type.contains("activex"))
            || self
                .package
                .leads_to(at)
                .any(|kind| matches!(kind, "control" | "activexcontrolbinary"))
    }
}

/// Whether opening bytes starts what is in them, or they carry programs by their kind.
pub(in crate::rewrite::disarm) fn is_program(data: &[u8], budget: &Budget) -> bool {
    let identity = identify::identify(data, budget);
    let kinds = std::iter::once(identity.kind).chain(identity.readings);
    kinds.into_iter().any(starts)
}

fn starts(kind: Kind) -> bool {
    matches!(
        kind.family(),
        Family::Executable | Family::Script | Family::Shortcut | Family::Installer | Family::Disk
    ) || kind == Kind::Chm
}

/// What a compound file in a document holds.
pub(in crate::rewrite::disarm) fn holds(data: &[u8], budget: &Budget) -> Result<Holds, Refusal> {
    let mut holds = Holds::default();
    let mut ole = match Ole::open(data, budget) {
        Ok(ole) => ole,
        Err(Fault::Halt(halt)) => return Err(Refusal::Limit(halt)),
        Err(Fault::Broken(_)) => return Ok(holds),
    };
    let known = knowledge()?;
    let classes = &known.objects;
    for position in 0..ole.entries().len() {
        budget.tick().map_err(Refusal::Limit)?;
        let Some(entry) = ole.entries().get(position) else {
            break;
        };
        let abused = |class: &[u8; 16]| {
            let class = class_id(class);
            matches!(classes.class(&class), Some((_, Standing::Abused)))
        };
        holds.control |= entry.clsid != [0; 16] && abused(&entry.clsid);
        holds.control |= same_name(&entry.name, "\u{3}OCXNAME") || same_name(&entry.name, "Ctls");
        holds.equation |= same_name(&entry.name, "Equation Native");
        if same_name(&entry.name, "\u{1}Ole") {
            let stream = ole.stream(position).map_err(Refusal::Limit)?;
            let mut targets = monikers::targets(&stream.data).into_iter();
            holds.link |= targets.any(|(_, target)| {
                let fact = Fact::External {
                    at: None,
                    role: Role::OleObject,
                    target,
                };
                analyze::outside(&fact, &known.links).is_some()
            });
            continue;
        }
        if same_name(&entry.name, "\u{1}Ole10Native") {
            let storage = entry.parent.and_then(|parent| ole.entries().get(parent));
            let class = storage
                .map(|storage| storage.clsid)
                .or(ole.root_clsid())
                .unwrap_or_default();
            holds.equation |= mtef::is_editor(&class);
            native(&mut ole, position, budget, &mut holds).map_err(Refusal::Limit)?;
        }
    }
    Ok(holds)
}

/// What the data of an object that knows no storages is ([MS-OLEDS] 2.3.6).
fn native(
    ole: &mut Ole<'_>,
    position: usize,
    budget: &Budget,
    holds: &mut Holds,
) -> Result<(), Halt> {
    let stream = ole.stream(position)?;
    let data = stream.data.get(4..).unwrap_or_default();
    let Ok(package) = ole1::package(data) else {
        holds.program |= is_program(data, budget);
        return Ok(());
    };
    holds.package = true;
    let label = crate::text::name_readings(&package.label)
        .into_iter()
        .next();
    let label = label.unwrap_or_default();
    let label = label.rsplit(['\\', '/']).next().unwrap_or_default();
    let identity = identify::identify_named(package.data, Some(&Name::of(label)), budget);
    holds.program |= std::iter::once(identity.kind)
        .chain(identity.readings)
        .any(starts);
    Ok(())
}

/// A class id as text without braces.
fn class_id(class: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, i, j, rest @ ..] = *class;
    let first = u32::from_le_bytes([a, b, c, d]);
    let (second, third) = (u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    let rest = crate::model::hex(&rest);
    format!("{first:08x}-{second:04x}-{third:04x}-{i:02x}{j:02x}-{rest}")
}
