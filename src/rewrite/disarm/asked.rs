//! What disarmers have in common: lists of findings that go together, what of them is asked for, and what was taken out.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{Disarmed, FindingId, Job, Removed};
use crate::text;

/// Findings that a macro project gives rise to: who asks for one of them has all of the project removed.
pub(super) const MACROS: &[&str] = &[
    "vba-macro",
    "vba-autoexec",
    "vba-suspicious-call",
    "vba-obfuscated",
    "vba-stomped",
    "macro-in-disguise",
];

/// Findings about sheets of Excel 4 macros.
pub(super) const SHEETS: &[&str] = &["xlm-macro", "xlm-autoexec"];

/// Findings about what a program says: the texts of macros give rise to them as well as packaged files.
pub(super) const COMMANDS: &[&str] = &[
    "script",
    "script-obfuscated",
    "powershell-command",
    "lolbin-command",
];

/// Findings about files packaged as objects.
pub(super) const PACKAGES: &[&str] = &["ole-package", "ole-package-executable"];

/// Findings about files that start something, and about names that hide what they are.
pub(super) const PROGRAMS: &[&str] = &[
    "executable",
    "executable-disguised",
    "embedded-executable",
    "renamed-system-binary",
    "shortcut-lnk",
    "installer",
    "java-archive",
    "clickonce",
    "disk-image",
    "msc-console",
    "settingcontent-command",
    "remote-desktop-file",
    "internet-shortcut",
    "search-connector",
    "double-extension",
    "rtlo-filename",
    "padded-filename",
];

/// Findings about objects of other kinds.
pub(super) const OBJECTS: &[&str] = &["equation-object", "activex-control"];

/// Findings that only files in a file give rise to, where nothing of its own does.
pub(super) const CARRIED: &[&str] = &[
    "sylk-macro",
    "odf-macro",
    "rtf-object",
    "rtf-obfuscated",
    "csv-formula-injection",
    "web-query",
    "office-addin",
    "msbuild-inline-task",
    "msbuild-build-event",
    "pdf-javascript",
    "pdf-launch",
    "pdf-embedded-file",
];

/// Findings about what a document names outside of it.
pub(super) const OUTSIDE: &[&str] = &["dde-link", "remote-template", "external-object-link"];

/// What has to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a>(&'a BTreeSet<FindingId>);

impl<'a> Asked<'a> {
    pub(super) fn of(job: &Job<'a>) -> Self {
        Self(job.remove)
    }

    /// The id, where it is asked for.
    pub(super) fn one(self, id: &'static str) -> Option<FindingId> {
        self.0.contains(id).then_some(FindingId::Borrowed(id))
    }

    /// The first id of these lists that is asked for.
    pub(super) fn first(self, lists: &[&[&'static str]]) -> Option<FindingId> {
        let mut ids = lists.iter().flat_map(|list| list.iter().copied());
        ids.find_map(|id| self.one(id))
    }
}

/// What was taken out so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) removed: Vec<Removed>,
}

impl Log {
    pub(super) fn add(&mut self, finding: &FindingId, place: &str) {
        self.removed.push(Removed {
            finding: finding.clone(),
            place: text::excerpt(place),
        });
    }

    /// The result of a job: what was made, or the old file where nothing was taken out.
    pub(super) fn ended(self, job: &Job<'_>, made: impl FnOnce() -> Bytes) -> Disarmed {
        Disarmed {
            data: match self.removed.is_empty() {
                true => job.data.clone(),
                false => made(),
            },
            removed: self.removed,
        }
    }
}
