//! Artifact → findings. An analyzer never unpacks.
//!
//! A new analyzer is one file here, its `mod` line and its row in [`ANALYZERS`].

mod access_macro;
mod activex;
mod clickonce;
mod command_lines;
mod console;
mod containers;
mod credential_form;
mod csv;
mod dde;
mod encrypted;
mod equation;
mod executables;
mod external;
mod findings;
mod hidden_sheet;
mod html_script;
mod html_smuggling;
mod index;
mod internet_shortcut;
mod iocs;
mod leading_page;
mod macro_disguise;
mod mail;
mod msbuild;
mod names;
mod odf_macro;
mod office_addin;
mod onenote;
mod packages;
mod packages_of_programs;
mod page_commands;
mod pdf;
mod place;
mod postscript;
mod qr_codes;
mod remote_desktop;
mod renamed;
mod rich_text;
mod script_obfuscation;
mod scripts;
mod search_connector;
mod settings_file;
mod shortcut;
mod svg_script;
mod vba;
mod vba_autoexec;
mod vba_calls;
mod vba_obfuscation;
mod vba_ribbon;
mod vba_stomped;
mod web_query;
mod xlm;
mod xml_commands;

pub use csv::dangerous_cells;
pub use external::outside;
pub use findings::{Findings, Found, Said};
pub use index::Index;
pub use svg_script::is_script as is_script_address;

use crate::knowledge::Knowledge;
use crate::model::{Artifact, Kind, children};

/// What an analyzer depends on, and so how often it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sees {
    /// Bytes and facts alone: runs once per distinct bytes.
    Content,
    /// Name, claimed type, parents too: runs once per occurrence, when the tree is whole.
    Place,
}

/// One question asked of artifacts.
#[derive(Debug)]
pub struct Analyzer {
    /// Its name: the file it stands in.
    pub name: &'static str,
    /// The kinds it looks at, in any reading; empty for all.
    pub kinds: &'static [Kind],
    /// What it depends on.
    pub sees: Sees,
    /// The ids it may find.
    pub findings: &'static [&'static str],
    /// Reports what it finds.
    pub run: fn(&Look<'_>, &mut Findings<'_>),
}

/// What an analyzer looks at.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The whole tree, parents before children.
    pub tree: &'a [Artifact],
    /// The artifact in question.
    pub artifact: &'a Artifact,
    /// What is looked up in the tree as a whole.
    pub index: &'a Index<'a>,
    /// Lists to look things up in.
    pub knowledge: &'a Knowledge,
}

impl<'a> Look<'a> {
    /// The artifact that holds this one.
    pub fn parent(&self) -> Option<&'a Artifact> {
        self.above(self.artifact)
    }

    /// The artifact that holds `artifact`.
    pub fn above(&self, artifact: &Artifact) -> Option<&'a Artifact> {
        self.tree.get(usize::try_from(artifact.parent?).ok()?)
    }

    /// The artifacts above this one, the nearest first. Ends because a parent's id is smaller than its child's.
    pub fn ancestors(&self) -> impl Iterator<Item = &'a Artifact> {
        let look = *self;
        std::iter::successors(self.parent(), move |artifact| look.above(artifact))
    }

    /// The children of this artifact.
    pub fn children(&self) -> &'a [Artifact] {
        children(self.tree, self.artifact.id)
    }
}

/// Every analyzer, in the order in which their findings are listed.
pub const ANALYZERS: &[Analyzer] = &[
    Analyzer {
        name: "mail",
        kinds: &[Kind::Eml, Kind::Mht, Kind::Emlx, Kind::Mbox],
        sees: Sees::Place,
        findings: mail::FINDINGS,
        run: mail::run,
    },
    vba::ROW,
    vba_autoexec::ROW,
    vba_ribbon::ROW,
    vba_calls::ROW,
    vba_obfuscation::ROW,
    xlm::ROW,
    hidden_sheet::ROW,
    vba_stomped::ROW,
    macro_disguise::ROW,
    odf_macro::ROW,
    dde::ROW,
    external::ROW,
    csv::ROW,
    iocs::ROW,
    qr_codes::ROW,
    packages::ROW,
    rich_text::ROW,
    equation::ROW,
    access_macro::ROW,
    activex::ROW,
    names::ROW,
    executables::ROW,
    renamed::ROW,
    shortcut::ROW,
    scripts::ROW,
    script_obfuscation::ROW,
    msbuild::ROW,
    // Behind those of macros: only modules that call something are looked into for commands.
    command_lines::ROW,
    html_script::ROW,
    onenote::ROW,
    pdf::ROW,
    html_smuggling::ROW,
    svg_script::ROW,
    leading_page::ROW,
    postscript::ROW,
    xml_commands::ROW,
    credential_form::ROW,
    internet_shortcut::ROW,
    search_connector::ROW,
    settings_file::ROW,
    remote_desktop::ROW,
    console::ROW,
    office_addin::ROW,
    web_query::ROW,
    clickonce::ROW,
    packages_of_programs::ROW,
    page_commands::ROW,
    // Last: they judge the facts that the others may still add to.
    encrypted::ROW,
    containers::ROW,
];

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::{Finding, Ioc, Severity};

    /// An artifact of a kind, without name, place and bytes.
    pub(crate) fn artifact(kind: Kind) -> Artifact {
        holding(kind, b"")
    }

    /// What one analyzer finds on the last artifact of a tree: ids with severities.
    pub(crate) fn findings_of(name: &str, tree: &[Artifact]) -> Vec<(String, &'static str)> {
        let mut rows = ANALYZERS.iter();
        let analyzer = rows.find(|analyzer| analyzer.name == name).unwrap();
        let (list, _) = run_on(analyzer.run, tree, tree.last());
        list.into_iter()
            .map(|finding| (finding.id.into_owned(), Severity::as_str(finding.severity)))
            .collect()
    }

    /// An artifact of a kind with bytes, else as [`artifact`].
    pub(super) fn holding(kind: Kind, data: &[u8]) -> Artifact {
        Artifact::alone(kind, bytes::Bytes::copy_from_slice(data))
    }

    /// What an analyzer finds in a tree, run on each of its artifacts.
    pub(super) fn run(
        run: fn(&Look<'_>, &mut Findings<'_>),
        tree: &[Artifact],
    ) -> (Vec<Finding>, Vec<Ioc>) {
        run_on(run, tree, tree)
    }

    /// What an analyzer finds in a tree, run on some of its artifacts.
    pub(super) fn run_on<'t>(
        run: fn(&Look<'_>, &mut Findings<'_>),
        tree: &'t [Artifact],
        on: impl IntoIterator<Item = &'t Artifact>,
    ) -> (Vec<Finding>, Vec<Ioc>) {
        let knowledge = Knowledge::embedded().unwrap();
        let mut findings = Findings::new(&knowledge.catalogue);
        let index = Index::new(tree);
        for artifact in on {
            findings.turn_to(artifact.id);
            let look = Look {
                tree,
                artifact,
                index: &index,
                knowledge: &knowledge,
            };
            run(&look, &mut findings);
        }
        let (findings, iocs, _) = findings.finish();
        (findings, iocs)
    }

    /// What an analyzer finds in a module: texts and what they decode to.
    pub(super) fn in_module(
        analyzer: fn(&Look<'_>, &mut Findings<'_>),
        source: &str,
    ) -> Vec<(String, Option<String>)> {
        let (findings, _) = run(analyzer, &[holding(Kind::VbaSource, source.as_bytes())]);
        findings
            .into_iter()
            .map(|finding| (finding.evidence.text, finding.evidence.decoded))
            .collect()
    }
}
