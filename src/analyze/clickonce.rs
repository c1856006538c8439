//! Start files that fetch and install a program: ClickOnce manifests and references, app installer files.

use super::place::{Place, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::xml;
use crate::model::{IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "clickonce",
    kinds: &[Kind::ClickOnce, Kind::AppInstaller, Kind::Jnlp],
    sees: Sees::Content,
    findings: &["clickonce", "installer", "java-archive"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let source = text::to_utf8(&artifact.data);
    let id = match artifact.kind {
        Kind::ClickOnce if source.contains("urn:schemas-microsoft-com:vst") => return,
        Kind::ClickOnce => "clickonce",
        Kind::AppInstaller => "installer",
        _ => "java-archive",
    };
    let mut addresses = Vec::new();
    if source.trim_start().starts_with('<') {
        for element in xml::elements(&source) {
            let names = ["codebase", "uri", "href"];
            let given = names.iter().filter_map(|name| element.attribute(name));
            addresses.extend(given.map(plain));
        }
    } else {
        // A reference: the address of the manifest, then the identity behind a number sign.
        let first = source.trim().split('#').next().unwrap_or_default();
        addresses.push(plain(first));
    }
    let lists = &look.knowledge.links;
    let outside: Vec<String> = addresses
        .into_iter()
        .filter(|address| matches!(Place::of(address, lists), Place::Web | Place::Share(_)))
        .filter(|address| !address.contains("//www.w3.org/"))
        .take(16)
        .collect();
    for address in &outside {
        let share = matches!(Place::of(address, lists), Place::Share(_));
        findings.ioc(if share { IocType::Unc } else { IocType::Url }, address);
    }
    let shown = outside
        .first()
        .map_or_else(|| artifact.kind.describe(), String::as_str);
    findings.report(Found::new(id, shown));
}

#[cfg(test)]
mod tests {
    use super::super::tests::{holding, run as run_on};
    use super::*;

    #[test]
    fn the_address_of_the_program_is_the_evidence() {
        for (kind, text, id, address) in [
            (
                Kind::ClickOnce,
                "http://example.invalid/a.application#a.application, Culture=neutral, PublicKeyToken=0000000000000000, processorArchitecture=msil",
                "clickonce",
                "http://example.invalid/a.application",
            ),
            (
                Kind::ClickOnce,
                "<asmv1:assembly><deployment install=\"true\"><deploymentProvider codebase=\"\\\\192.0.2.1\\s\\a.application\"/></deployment></asmv1:assembly>",
                "clickonce",
                "\\\\192.0.2.1\\s\\a.application",
            ),
            (
                Kind::AppInstaller,
                "<AppInstaller Uri=\"https://example.invalid/a.appinstaller\"><MainPackage Uri=\"https://example.invalid/a.msix\"/></AppInstaller>",
                "installer",
                "https://example.invalid/a.appinstaller",
            ),
        ] {
            let (findings, iocs) = run_on(run, &[holding(kind, text.as_bytes())]);
            assert_eq!(findings[0].id, id);
            assert_eq!(findings[0].evidence.text, address);
            assert!(!iocs.is_empty());
        }
    }
}
