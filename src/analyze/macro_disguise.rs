//! Macros in a file whose name or claimed type says that it has none.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::knowledge::Disguise;
use crate::model::{Artifact, Fact, Family, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "macro_disguise",
    kinds: &[],
    sees: Sees::Place,
    findings: &["macro-in-disguise"],
    run,
};

/// Reports `macro-in-disguise` on the document, at every place where it stands.
///
/// Asked of each storage for macros: the first artifact from it upwards whose name claims no macros is in disguise; a
/// document on the way whose name is honest ends the search, so that what embeds it is not blamed.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let stored = |fact: &Fact| matches!(fact, Fact::VbaStorage { modules, .. } if *modules > 0);
    let formulas = look.artifact.kind == Kind::XlmSource
        && memchr::memmem::find(&look.artifact.data, b"' macro sheet").is_some();
    if !formulas && !look.artifact.facts.iter().any(stored) || look.artifact.same_as.is_some() {
        return;
    }
    let disguise = &look.knowledge.vba.disguise;
    let chain = std::iter::once(look.artifact).chain(look.ancestors());
    for artifact in chain {
        let mut found = false;
        for copy in look.index.copies(artifact.id) {
            if let Some(claim) = claim(copy, disguise).filter(|_| !is_outside(copy)) {
                findings.turn_to(copy.id);
                if !findings.has(copy.id, "macro-in-disguise") {
                    findings.report(Found::new("macro-in-disguise", &claim));
                }
                found = true;
            }
        }
        if found || is_document(artifact) || is_outside(artifact) {
            break;
        }
    }
    findings.turn_to(look.artifact.id);
}

/// What claims that there are no macros: the extension, or where there is none the declared type; the types of
/// macro-free Office documents also against an extension.
fn claim(artifact: &Artifact, disguise: &Disguise) -> Option<String> {
    let extensions: Vec<String> = artifact
        .name
        .iter()
        .flat_map(|name| name.extensions())
        .filter(|extension| !extension.is_empty())
        .collect();
    if let Some(extension) = extensions
        .iter()
        .find(|one| disguise.extensions.contains(one.as_str()))
    {
        return Some(format!(".{extension} holds macros"));
    }
    let declared = artifact
        .declared
        .as_deref()?
        .split(';')
        .next()?
        .trim()
        .to_lowercase();
    let office = declared.contains("openxmlformats-officedocument");
    let claims = disguise.types.contains(&declared) && (extensions.is_empty() || office);
    claims.then(|| format!("{declared} holds macros"))
}

/// Whether macros are at home in it and its own name is what counts.
fn is_document(artifact: &Artifact) -> bool {
    matches!(artifact.kind.family(), Family::Ole | Family::Ooxml) && artifact.kind != Kind::Ole
}

/// Whether it only carries documents: its name claims nothing about them.
fn is_outside(artifact: &Artifact) -> bool {
    matches!(
        artifact.kind.family(),
        Family::Archive | Family::Compressed | Family::Disk | Family::Mail
    ) && artifact.kind != Kind::Mht
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Name;

    fn document(kind: Kind, name: Option<&str>, declared: Option<&str>) -> Vec<(u32, String)> {
        let mut outer = testing::holding(kind, b"");
        outer.name = name.map(Name::of);
        outer.declared = declared.map(str::to_owned);
        let mut project = testing::holding(Kind::VbaProject, b"");
        (project.id, project.parent, project.via) = (1, Some(0), Some("zip-member"));
        project.name = Some(Name::of("word/vbaProject.bin"));
        project.facts.push(Fact::VbaStorage {
            modules: 1,
            with_code: 1,
        });
        let (found, _) = testing::run(run, &[outer, project]);
        found
            .into_iter()
            .map(|one| (one.artifact, one.evidence.text))
            .collect()
    }

    #[test]
    fn names_and_types_that_claim_no_macros_are_in_disguise() {
        assert_eq!(
            document(Kind::Docm, Some("報告書.docx"), None),
            [(0, ".docx holds macros".to_owned())]
        );
        assert_eq!(document(Kind::Doc, Some("letter.rtf"), None).len(), 1);
        let docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        assert_eq!(document(Kind::Docm, Some("a.docm"), Some(docx)).len(), 1);
    }

    #[test]
    fn macros_of_excel_4_are_in_disguise_too() {
        let mut outer = testing::holding(Kind::Xlsx, b"");
        outer.name = Some(Name::of("a.xlsx"));
        let mut formulas = testing::holding(Kind::XlmSource, b"' macro sheet: M\nM!A1\t=HALT()\n");
        (formulas.id, formulas.parent, formulas.via) = (1, Some(0), Some("xlm-formulas"));
        let (found, _) = testing::run(run, &[outer, formulas]);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn honest_names_and_no_names_are_not() {
        for name in [
            Some("a.docm"),
            Some("a.doc"),
            Some("book.xls"),
            Some("noextension"),
            None,
        ] {
            assert_eq!(document(Kind::Docm, name, None), [], "{name:?}");
        }
        assert_eq!(document(Kind::Doc, Some("a.doc"), Some("text/plain")), []);
        assert_eq!(document(Kind::Zip, Some("a.docx"), None), []);
    }
}
