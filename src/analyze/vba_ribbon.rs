//! Procedures that a package's own ribbon calls as soon as the document is opened ([MS-CUSTOMUI] 2.2.1, `onLoad` of `customUI`).

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::vba::Module;
use crate::formats::xml;
use crate::model::{Artifact, Family, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "vba_ribbon",
    kinds: &[Kind::VbaSource],
    sees: Sees::Place,
    findings: &["vba-autoexec"],
    run,
};

/// Reports `vba-autoexec` on a module that has the procedure.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let package = look
        .ancestors()
        .find(|above| above.kind.family() == Family::Ooxml);
    let Some(package) = package else { return };
    let called = look.index.called_by_ribbon(package.id);
    if called.is_empty() {
        return;
    }
    let module = Module::read(&look.artifact.data);
    for procedure in module.procedures() {
        if called
            .iter()
            .any(|name| name == module.name(procedure.symbol))
        {
            let written = module.data().get(procedure.name.clone());
            let written = module.decode(written.unwrap_or_default());
            let evidence = format!("{written}, called by the ribbon (onLoad)");
            findings.report(Found::new("vba-autoexec", &evidence).at(procedure.name.start));
        }
    }
}

/// The procedure that a part calls on loading, in lower case and without the name of its module.
pub(super) fn called(part: &Artifact) -> Option<String> {
    if part.kind != Kind::Xml {
        return None;
    }
    let source = text::to_utf8(&part.data);
    // Most parts are none, and need not be read.
    memchr::memmem::find(source.as_bytes(), b"customUI")?;
    let ribbon = xml::elements(&source).next()?;
    if ribbon.name != "customui" {
        return None;
    }
    let name = ribbon.attribute("onload")?;
    let name = name.rsplit(['.', '!']).next()?.trim().to_lowercase();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;

    fn found(ribbon: &str) -> usize {
        let package = holding(Kind::Xlsm, b"");
        let mut part = holding(Kind::Xml, ribbon.as_bytes());
        let mut project = holding(Kind::VbaProject, b"");
        let source = "Sub Geladen(r As IRibbonUI)\r\nEnd Sub\r\nSub b(c)\r\nEnd Sub\r\n";
        let mut module = holding(Kind::VbaSource, source.as_bytes());
        (part.id, part.parent) = (1, Some(0));
        (project.id, project.parent) = (2, Some(0));
        (module.id, module.parent) = (3, Some(2));
        findings_of("vba_ribbon", &[package, part, project, module]).len()
    }

    #[test]
    fn what_the_ribbon_calls_on_loading_starts_by_itself_and_what_a_button_calls_does_not() {
        let ribbon = |attribute: &str, button: &str| {
            format!(
                "<?xml version=\"1.0\"?><mso:customUI xmlns:mso=\"u\" {attribute}><mso:ribbon><mso:button {button}/></mso:ribbon></mso:customUI>"
            )
        };
        assert_eq!(found(&ribbon("onLoad='Module1.geladen'", "")), 1);
        assert_eq!(found(&ribbon("onLoad=\"other\"", "onAction=\"b\"")), 0);
        assert_eq!(found(&ribbon("", "onAction=\"b\"")), 0);
        assert_eq!(found("<a onLoad='geladen' b='customUI'/>"), 0);
    }
}
