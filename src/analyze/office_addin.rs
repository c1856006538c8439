//! Code that is added to Office itself: libraries with the functions that Excel and Word call, add-ins with macros,
//! manifests of add-ins, and documents that name the place of one.

use std::sync::LazyLock;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::{pe, xml};
use crate::model::{IocType, Kind};
use crate::text::{self, AnyOf};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "office_addin",
    kinds: &[
        Kind::Pe,
        Kind::Xlam,
        Kind::Ppam,
        Kind::Xls,
        Kind::Ppt,
        Kind::Xml,
        Kind::ClickOnce,
    ],
    sees: Sees::Place,
    findings: &["office-addin"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let shown = match artifact.kind {
        Kind::Pe => library(look),
        Kind::Xlam | Kind::Ppam => Some(artifact.kind.describe().to_owned()),
        Kind::Xls | Kind::Ppt => by_name(look),
        Kind::Xml | Kind::ClickOnce => manifest(look, findings),
        _ => None,
    };
    if let Some(shown) = shown {
        findings.report(Found::new("office-addin", &shown));
    }
}

/// A library that exports a function by which Office starts an add-in.
fn library(look: &Look<'_>) -> Option<String> {
    let exports = pe::read(&look.artifact.data)?.exports;
    let called = &look.knowledge.commands.addin_exports;
    if let Some(found) = exports.iter().find(|name| called.contains(name.as_str())) {
        return Some(format!("library that exports {found}"));
    }
    // Word and Excel load every library under these names and ask for the function later.
    let name = look.artifact.name.as_ref()?;
    let named = name
        .extensions()
        .find(|one| matches!(one.as_str(), "wll" | "xll"))?;
    Some(format!("library under the name of an add-in (.{named})"))
}

/// Add-ins of Office 97-2003 are told by their names alone.
fn by_name(look: &Look<'_>) -> Option<String> {
    let extension = match look.artifact.kind {
        Kind::Xls => "xla",
        _ => "ppa",
    };
    let name = look.artifact.name.as_ref()?;
    let named = name.extensions().any(|one| one == extension);
    named.then(|| format!("add-in of Office 97-2003 (.{extension})"))
}

/// What files have that name the place of an add-in.
static MARKS: LazyLock<AnyOf> = LazyLock::new(|| {
    AnyOf::new(&[
        "_Assembly",
        "/custom-properties",
        "OfficeApp",
        "SourceLocation",
        "urn:schemas-microsoft-com:vst",
    ])
});

fn manifest(look: &Look<'_>, findings: &mut Findings<'_>) -> Option<String> {
    let artifact = look.artifact;
    let data = &artifact.data;
    // Texts of two bytes a letter are rare, and short.
    let wide = matches!(
        data.as_ref(),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..]
    );
    if !wide && !MARKS.is_in(data) {
        return None;
    }
    let source = text::to_utf8(data);
    let elements = || xml::elements(&source);
    if artifact.kind == Kind::ClickOnce {
        let office = source.contains("urn:schemas-microsoft-com:vst");
        let provider = elements().find_map(|one| one.attribute("codebase").map(str::to_owned));
        let provider = provider.unwrap_or_else(|| "no address".to_owned());
        return office.then(|| format!("VSTO manifest: {provider}"));
    }
    // A custom property that makes Office load code from a place ([MS-OE376] part 4, "_AssemblyLocation").
    let mut properties = elements().skip_while(|one| {
        let name = one.attribute("name").filter(|_| one.name == "property");
        !name.is_some_and(|name| name.trim().eq_ignore_ascii_case("_AssemblyLocation"))
    });
    if let Some(value) = properties.nth(1).filter(|one| !one.text.trim().is_empty()) {
        return Some(format!("_AssemblyLocation: {}", value.text.trim()));
    }
    if elements().next()?.name != "officeapp" {
        return None;
    }
    let location = elements().find(|one| one.name == "sourcelocation")?;
    let address = location.attribute("defaultvalue")?;
    findings.ioc(IocType::Url, address);
    Some(format!("add-in manifest: {address}"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    #[test]
    fn the_place_of_an_assembly_is_told_however_it_is_written() {
        const SPACE: &str =
            "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties";
        let property = |name: &str| {
            format!(
                "<Properties xmlns=\"{SPACE}\"><property name=\"{name}\"><vt:lpwstr>http://a.example/b.vsto</vt:lpwstr></property></Properties>"
            )
        };
        let found = |data: &[u8]| findings_of("office_addin", &[holding(Kind::Xml, data)]).len();
        for name in [
            "_AssemblyLocation",
            "_assemblylocation",
            "&#95;Assembl&#121;Location",
        ] {
            assert_eq!(found(property(name).as_bytes()), 1, "{name}");
        }
        let wide = format!("\u{feff}{}", property("_AssemblyLocation"));
        let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(found(&wide), 1);
        assert_eq!(found(property("_AssemblyName").as_bytes()), 0);
    }
}
