//! Objects of other programs in compound files and rich texts: packaged files, formulas, links, controls.

use bytes::Bytes;

use crate::bytes::{index, u32_at};
use crate::formats::ole::{Ole, same_name};
use crate::formats::{monikers, mtef, ole1};
use crate::limits::{Budget, Halt};
use crate::model::{Artifact, Fact, Formula, Kind, Name, Role, Trouble};
use crate::text;

use super::{Child, Nest, Payload};

/// Classes of storages that are noted.
const CLASSES: usize = 64;

/// A stream with a meaning of its own, by its name ([MS-OLEDS] 2.3, [MS-DOC] 2.1.4, [MS-XLS] 2.1.7.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// `\x01Ole10Native`: the data of an object that knows no storages.
    Native,
    /// `Equation Native`.
    Equation,
    /// `\x01Ole`: where the data of a link is.
    Links,
    /// `\x03OCXNAME`: its storage is a control.
    Control,
    /// `Ctls`: the controls of a workbook, each behind its class id.
    Controls,
}

/// A stream with a meaning of its own, and the class of its storage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    role: Meaning,
    class: [u8; 16],
}

impl Part {
    /// What the stream at a position is; none for most.
    pub(super) fn of(ole: &Ole<'_>, position: usize) -> Option<Self> {
        let entry = ole.entries().get(position)?;
        let named = |name: &str| same_name(&entry.name, name);
        let role = if named("\u{1}Ole10Native") {
            Meaning::Native
        } else if named("Equation Native") {
            Meaning::Equation
        } else if named("\u{1}Ole") {
            Meaning::Links
        } else if named("\u{3}OCXNAME") {
            Meaning::Control
        } else if named("Ctls") {
            Meaning::Controls
        } else {
            return None;
        };
        let storage = entry.parent.and_then(|parent| ole.entries().get(parent));
        let class = storage.map(|storage| storage.clsid);
        let class = class.or(ole.root_clsid()).unwrap_or_default();
        Some(Self { role, class })
    }

    /// Puts what the stream's bytes say on its artifact.
    pub(super) fn describe(
        self,
        child: Child,
        data: &[u8],
        budget: &Budget,
    ) -> Result<Child, Halt> {
        Ok(match self.role {
            Meaning::Native => {
                let child = child.of_kind(Kind::OleNative);
                if mtef::is_editor(&self.class) {
                    let formula = data.get(4..).unwrap_or_default();
                    child.with_fact(equation(formula, budget)?)
                } else {
                    child
                }
            }
            Meaning::Equation => child.with_fact(equation(data, budget)?),
            Meaning::Links => {
                let link = |child: Child, (at, target): (usize, String)| {
                    child.with_fact(Fact::External {
                        at: Some(at),
                        role: Role::OleObject,
                        target,
                    })
                };
                monikers::targets(data).into_iter().fold(child, link)
            }
            Meaning::Control => child.with_fact(Fact::Control {
                class: class_id(&self.class),
            }),
            Meaning::Controls => match data.first_chunk::<16>() {
                Some(class) => child.with_fact(Fact::Control {
                    class: class_id(class),
                }),
                None => child,
            },
        })
    }
}

/// Notes the classes of storages.
pub(super) fn classes(ole: &Ole<'_>, nest: &mut Nest<'_>) {
    let mut classes: Vec<[u8; 16]> = Vec::new();
    for entry in ole.entries() {
        if entry.clsid != [0; 16] && classes.len() < CLASSES && !classes.contains(&entry.clsid) {
            classes.push(entry.clsid);
        }
    }
    for class in classes {
        nest.note(Fact::StorageClass {
            class: class_id(&class),
        });
    }
}

/// The state of a formula, with EQNOLEFILEHDR in front or without.
pub(super) fn equation(data: &[u8], budget: &Budget) -> Result<Fact, Halt> {
    Ok(Fact::Equation(match mtef::native(data, budget)? {
        mtef::Formula::WellFormed { .. } => Formula::WellFormed,
        mtef::Formula::Overflow { at, what } => Formula::Overflow(format!("at {at}: {what}")),
        mtef::Formula::Invalid { at, what } => Formula::Invalid(format!("at {at}: {what}")),
    }))
}

/// A class id as text: `{0002ce02-0000-0000-c000-000000000046}`.
fn class_id(class: &[u8; 16]) -> String {
    let [a, b, c, d, e, f, g, h, rest @ ..] = *class;
    let first = u32::from_le_bytes([a, b, c, d]);
    let (second, third) = (u16::from_le_bytes([e, f]), u16::from_le_bytes([g, h]));
    let rest = crate::model::hex(&rest);
    let (fourth, fifth) = rest.split_at(4);
    format!("{{{first:08x}-{second:04x}-{third:04x}-{fourth}-{fifth}}}")
}

/// Opens the data of an object that knows no storages ([MS-OLEDS] 2.3.6): a packaged file, or what another program
/// put there.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    /// Bytes of the size in front.
    const SIZE: usize = 4;
    let Some(claimed) = u32_at(&artifact.data, 0) else {
        return Ok(());
    };
    let there = artifact.data.len().saturating_sub(SIZE);
    if index(claimed) > there {
        nest.unread(
            0,
            format!("{claimed} bytes of data declared, {there} are there"),
        );
    }
    let data = artifact.data.slice(SIZE..);
    if push_package(&data, Some(SIZE), nest)? {
        return Ok(());
    }
    let len = index(claimed).min(there);
    if len > 0 {
        let child = Child::new("ole-native", data.slice(..len)).at(SIZE..SIZE.saturating_add(len));
        nest.push(child)?;
    }
    Ok(())
}

/// Pushes the file of a package; false where the bytes are none. `base` is where they stand in the artifact.
pub(super) fn push_package(
    data: &Bytes,
    base: Option<usize>,
    nest: &mut Nest<'_>,
) -> Result<bool, Trouble> {
    let Ok(package) = ole1::package(data) else {
        return Ok(false);
    };
    let missing = package.claimed.saturating_sub(package.data.len());
    if missing > 0 {
        let at = base.unwrap_or_default().saturating_add(package.at);
        nest.unread(
            at,
            format!("packaged file: {missing} of its bytes are missing"),
        );
    }
    // The names in UTF-16 stand behind the data: temporary path, label, path.
    let wide = |place: usize| package.wide.get(place).filter(|name| !name.is_empty());
    let name = match wide(1) {
        Some(label) => Name::of(label.as_str()),
        None => Name::from_raw(&package.label),
    };
    let plain = |wide: Option<&String>, raw: &[u8]| {
        let readings = || text::name_readings(raw).into_iter().next();
        wide.cloned().or_else(readings).unwrap_or_default()
    };
    let end = package.at.saturating_add(package.data.len());
    let mut child = Child::new("ole-package", Payload::from(data.slice(package.at..end)))
        .named(name)
        .with_fact(Fact::Package {
            label: plain(wide(1), &package.label),
            path: plain(wide(2), &package.path),
            temporary: plain(wide(0), &package.temporary),
        });
    if let Some(base) = base {
        child = child.at(base.saturating_add(package.at)..base.saturating_add(end));
    }
    nest.push(child)?;
    Ok(true)
}
