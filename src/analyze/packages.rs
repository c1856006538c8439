//! Files that the Object Packager put into a document, told by what a double click does with them.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Fact, Family, Kind, Name};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "packages",
    kinds: &[],
    sees: Sees::Place,
    findings: &["ole-package", "ole-package-executable"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    for fact in &artifact.facts {
        let Fact::Package {
            label,
            path,
            temporary,
        } = fact
        else {
            continue;
        };
        let mut names = vec![label.as_str()];
        for name in [path.as_str(), temporary.as_str()] {
            if !name.is_empty() && !names.contains(&name) {
                names.push(name);
            }
        }
        let what = format!("{}, {} bytes", names.join(", "), artifact.data.len());
        findings.report(Found::new("ole-package", &what));
        let kinds = std::iter::once(artifact.kind).chain(artifact.readings.iter().copied());
        let by_bytes = kinds.into_iter().find(|kind| starts(*kind));
        // Windows goes by the name under which the file is put down.
        let by_name = names.iter().find_map(|name| runs(look, name));
        let why = match (by_bytes, by_name) {
            (Some(kind), _) => kind.describe().to_owned(),
            (None, Some(extension)) => format!("opened as .{extension}"),
            (None, None) => continue,
        };
        let what = format!("{why}: {}", names.join(", "));
        findings.report(Found::new("ole-package-executable", &what));
    }
}

/// Whether opening bytes of a kind runs what is in them.
fn starts(kind: Kind) -> bool {
    matches!(
        kind.family(),
        Family::Executable | Family::Script | Family::Shortcut | Family::Installer
    ) || kind == Kind::Chm
}

/// The last extension of a name, where opening such a file runs what is in it.
fn runs(look: &Look<'_>, name: &str) -> Option<String> {
    let file = name.rsplit(['\\', '/']).next().unwrap_or_default();
    let name = Name::of(file);
    let extension = name.extensions().next()?;
    let extensions = &look.knowledge.extensions;
    extensions
        .of(&extension)
        .is_some_and(|known| known.runs)
        .then_some(extension)
}
