//! Programs: by themselves, under a name that claims something else, inside something that is no archive.

use crate::model::{Artifact, Family, Kind};

use super::{Analyzer, Findings, Found, Look, Sees, index};
use crate::formats::{pe, program_traits};

/// Programs that a system or its usual runtimes start.
const KINDS: &[Kind] = &[
    Kind::Pe,
    Kind::Dos,
    Kind::Elf,
    Kind::MachO,
    Kind::Class,
    Kind::Dex,
    Kind::Pyc,
    Kind::Wasm,
];

/// The analyzer's row.
pub(super) const ROW: Analyzer = Analyzer {
    name: "executables",
    kinds: KINDS,
    sees: Sees::Place,
    findings: &["executable", "executable-disguised", "embedded-executable"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let Some(kind) = program_kind(artifact) else {
        return;
    };
    // Pieces of a program package are its own matter.
    if is_part_of_package(look) {
        return;
    }
    let traits = traits(artifact, kind);
    let shown = match traits.is_empty() {
        true => kind.describe().to_owned(),
        false => format!("{}: {}", kind.describe(), traits.join(", ")),
    };
    match side_loaded(look, kind) {
        Some(library) => findings.report(
            Found::new("executable", &format!("{shown}; loads {library} beside it"))
                .variant("side-loading"),
        ),
        None => findings.report(Found::new("executable", &shown)),
    }
    if let Some(claim) = harmless_claim(look) {
        findings.report(Found::new(
            "executable-disguised",
            &format!("{}, but {claim}", kind.describe()),
        ));
    }
    if let Some(around) = host(look) {
        findings.report(Found::new(
            "embedded-executable",
            &format!("{} inside: {}", kind.describe(), around.kind.describe()),
        ));
    }
}

/// What its headers say, in words.
fn traits(artifact: &Artifact, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Pe => program_traits::windows(&artifact.data),
        Kind::Elf => program_traits::linux(&artifact.data),
        Kind::MachO => program_traits::macos(&artifact.data),
        _ => Vec::new(),
    }
}

/// The library without a signature that a program with one loads from the folder it stands in: Windows looks there
/// first, so that whoever trusts the program runs the library too.
fn side_loaded(look: &Look<'_>, kind: Kind) -> Option<String> {
    let artifact = look.artifact;
    let (parent, name) = (look.parent()?, artifact.name.as_ref()?);
    let archive = matches!(
        parent.kind.family(),
        Family::Archive | Family::Compressed | Family::Disk | Family::Mail
    );
    if kind != Kind::Pe || !archive {
        return None;
    }
    let program = pe::read(&artifact.data).filter(|program| program.signed && !program.library)?;
    let (folder, _) = index::split(name.readings.first()?);
    let first = program
        .imports
        .iter()
        .filter_map(|import| look.index.unsigned_library(parent.id, folder, import))
        .min_by_key(|library| library.id)?;
    let way = first.name.as_ref()?.readings.first()?;
    Some(index::split(way).1.to_owned())
}

/// The program that the bytes are, first the likeliest reading.
fn program_kind(artifact: &Artifact) -> Option<Kind> {
    std::iter::once(artifact.kind)
        .chain(artifact.readings.iter().copied())
        .find(|kind| KINDS.contains(kind))
}

/// Classes of a Java archive or an Android package: the archive itself is reported. A module that a page or its script
/// holds is run by the browser alone, as the script is.
fn is_part_of_package(look: &Look<'_>) -> bool {
    let in_page = |parent: &Artifact| matches!(parent.kind, Kind::Html | Kind::Js);
    if look.artifact.kind == Kind::Wasm && look.parent().is_some_and(in_page) {
        return true;
    }
    let byte_code = matches!(
        look.artifact.kind,
        Kind::Class | Kind::Dex | Kind::Wasm | Kind::Pyc
    );
    byte_code
        && look.parent().is_some_and(|parent| {
            matches!(parent.kind, Kind::Jar | Kind::Apk | Kind::Xpi | Kind::Crx)
        })
}

/// What the name or the declared media type claims, where all of it is harmless.
fn harmless_claim(look: &Look<'_>) -> Option<String> {
    let artifact = look.artifact;
    // Carved and decoded programs bear no name of their own.
    if let Some(name) = &artifact.name {
        let extensions = &look.knowledge.extensions;
        let mut claims = name.extensions().map(|extension| {
            let harmless = extensions
                .of(&extension)
                .is_some_and(|known| known.is_harmless());
            (extension, harmless)
        });
        if let Some((extension, _)) = claims.find(|(_, harmless)| *harmless) {
            return Some(format!("the name ends in .{extension}"));
        }
    }
    let declared = artifact.declared.as_deref()?.trim().to_ascii_lowercase();
    const HARMLESS: &[&str] = &[
        "image/",
        "audio/",
        "video/",
        "font/",
        "application/pdf",
        "application/msword",
        "application/rtf",
        "text/html",
        "text/csv",
        "text/rtf",
        "application/vnd.openxmlformats-",
        "application/vnd.ms-excel",
        "application/vnd.ms-powerpoint",
        "application/vnd.ms-word",
        "application/vnd.oasis.opendocument",
        "text/calendar",
    ];
    HARMLESS
        .iter()
        .any(|claim| declared.starts_with(claim))
        .then(|| format!("its declared type is {declared}"))
}

/// The document, picture or text that holds the program; none where it stands in an archive, a mail, an installer or
/// another program, as self-extractors do.
fn host<'a>(look: &Look<'a>) -> Option<&'a Artifact> {
    // A stream says nothing: what it is part of does. Ends because a parent's id is smaller than its child's.
    let around = look.ancestors().find(|artifact| {
        !matches!(
            artifact.kind,
            Kind::OleStream | Kind::OleNative | Kind::Data | Kind::Gz | Kind::ActiveMime
        ) || artifact.parent.is_none()
    })?;
    match around.kind.family() {
        Family::Archive
        | Family::Compressed
        | Family::Disk
        | Family::Mail
        | Family::Installer
        | Family::Executable => None,
        Family::Crypto => None,
        _ => Some(around),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::tests::{artifact, findings_of};
    use crate::model::Name;

    fn program(name: &str, declared: Option<&str>) -> Vec<String> {
        let mut file = artifact(Kind::Pe);
        file.name = (!name.is_empty()).then(|| Name::of(name));
        file.declared = declared.map(str::to_owned);
        findings_of("executables", &[file])
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    }

    fn inside(around: Kind, via: &'static str) -> Vec<String> {
        let mut file = artifact(Kind::Pe);
        file.id = 1;
        file.parent = Some(0);
        file.via = Some(via);
        findings_of("executables", &[artifact(around), file])
            .into_iter()
            .map(|(id, _)| id)
            .collect()
    }

    #[test]
    fn a_harmless_claim_is_a_disguise_and_an_honest_or_empty_one_is_none() {
        for name in [
            "a.exe",
            "a.dll",
            "a.SCR",
            "a.bin",
            "a.dat",
            "a",
            "",
            "a.unknown",
            "a.bat",
        ] {
            assert_eq!(
                program(name, Some("application/octet-stream")),
                ["executable"],
                "{name}"
            );
        }
        for name in ["a.pdf", "a.jpg", "請求書.docx", "a.txt", "a.zip"] {
            assert_eq!(
                program(name, None),
                ["executable", "executable-disguised"],
                "{name}"
            );
        }
        assert_eq!(
            program("a.exe", Some("image/png")),
            ["executable", "executable-disguised"]
        );
    }

    #[test]
    fn a_program_in_a_document_is_embedded_and_one_in_an_archive_is_not() {
        for kind in [
            Kind::Docx,
            Kind::Png,
            Kind::Text,
            Kind::Pdf,
            Kind::Doc,
            Kind::VbaSource,
        ] {
            assert_eq!(
                inside(kind, "carved"),
                ["executable", "embedded-executable"],
                "{kind}"
            );
        }
        for kind in [
            Kind::Zip,
            Kind::Eml,
            Kind::Msg,
            Kind::Msi,
            Kind::Pe,
            Kind::Iso,
            Kind::Gz,
        ] {
            let found = inside(kind, "zip-member");
            assert!(
                kind == Kind::Gz || found == ["executable"],
                "{kind}: {found:?}"
            );
        }
    }

    #[test]
    fn classes_of_a_java_archive_are_its_own_matter() {
        let mut class = artifact(Kind::Class);
        class.id = 1;
        class.parent = Some(0);
        assert!(findings_of("executables", &[artifact(Kind::Jar), class]).is_empty());
        let mut module = artifact(Kind::Wasm);
        module.id = 1;
        module.parent = Some(0);
        module.via = Some("decoded-text");
        for (around, told) in [
            (Kind::Html, 0),
            (Kind::Js, 0),
            (Kind::Zip, 1),
            (Kind::Png, 2),
        ] {
            let tree = [artifact(around), module.clone()];
            assert_eq!(findings_of("executables", &tree).len(), told, "{around}");
        }
    }
}
