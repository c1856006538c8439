//! Which procedures of a module run by themselves.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::vba::{Module, TokenKind};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "vba_autoexec",
    kinds: &[Kind::VbaSource, Kind::VbaPcode],
    sees: Sees::Content,
    findings: &["vba-autoexec"],
    run,
};

/// Reports `vba-autoexec`: the name of the procedure and where it stands. An empty procedure counts too: what it does
/// may stand in the compiled code alone.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let module = Module::read(&look.artifact.data);
    let vba = &look.knowledge.vba;
    let main_starts = module_name(&module).is_some_and(|name| vba.module_starts_by_itself(&name));
    let watched = watched(&module);
    let is_event = |name: &str| {
        let object = name.split_once('_').map(|(object, _)| object);
        object.is_some_and(|object| watched.iter().any(|one| one == object))
    };
    for procedure in module.procedures() {
        let name = module.name(procedure.symbol);
        if vba.starts_by_itself(name) || main_starts && name == "main" || is_event(name) {
            let written = module
                .data()
                .get(procedure.name.clone())
                .unwrap_or_default();
            let written = module.decode(written);
            findings.report(Found::new("vba-autoexec", &written).at(procedure.name.start));
        }
    }
}

/// Variables through which a module hears of the events of the whole program (`WithEvents x As Word.Application`,
/// [MS-VBAL] 5.2.3.1.5): those of documents that are opened, closed or changed come without a click.
fn watched(module: &Module<'_>) -> Vec<String> {
    /// More than any module has.
    const MOST: usize = 16;
    let tokens = module.statements().iter().filter_map(|statement| {
        let at = statement.tokens.clone();
        let with = at.clone().find(|at| module.word(*at) == "withevents")?;
        let typed = at.end.checked_sub(1).filter(|last| *last > with)?;
        let name = module.word(with.saturating_add(1));
        (module.word(typed) == "application" && !name.is_empty()).then(|| name.to_owned())
    });
    tokens.take(MOST).collect()
}

/// The name that the module gives itself: `Attribute VB_Name = "…"`.
fn module_name(module: &Module<'_>) -> Option<String> {
    let named = |at: &usize| {
        module.word(*at) == "attribute" && module.word(at.saturating_add(1)) == "vb_name"
    };
    let statement = module
        .statements()
        .iter()
        .find(|one| named(&one.tokens.start))?;
    let tokens = module.tokens().get(statement.tokens.clone())?;
    let text = tokens.iter().find(|token| token.kind == TokenKind::Text)?;
    Some(module.literal(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    #[test]
    fn procedures_that_start_by_themselves_are_named_with_their_place() {
        let source = b"Attribute VB_Name = \"ThisDocument\"\r\nSub AutoOpen()\r\nEnd Sub\r\nprivate sub document_CLOSE\r\nend sub\r\n";
        let (found, _) = testing::run(run, &[testing::holding(Kind::VbaSource, source)]);
        let shown: Vec<_> = found
            .iter()
            .map(|one| (one.evidence.text.as_str(), one.evidence.offset))
            .collect();
        assert_eq!(
            shown,
            [("AutoOpen", Some(40)), ("document_CLOSE", Some(73))]
        );
        for source in [
            "Sub InkPicture1_Painted(ByVal x)\r\nEnd Sub",
            "Attribute VB_Name = \"AutoExec\"\r\nSub MAIN()\r\nEnd Sub",
            "Private WithEvents app As Word.Application\r\nPrivate Sub app_DocumentChange()\r\nEnd Sub",
            "Dim WithEvents xl As Application\r\nSub xl_WorkbookOpen(ByVal b)\r\nEnd Sub",
        ] {
            assert_eq!(testing::in_module(run, source).len(), 1, "{source}");
        }
    }

    #[test]
    fn clicks_comments_calls_and_forms_do_not_start_by_themselves() {
        for source in [
            "Private Sub CommandButton1_Click()\r\n AutoOpen\r\nEnd Sub",
            "Dim WithEvents b As MSForms.CommandButton\r\nSub b_Click()\r\nEnd Sub",
            "Dim app As Word.Application\r\nSub app_DocumentChange()\r\nEnd Sub",
            "' Sub AutoOpen()\r\nSub Test()\r\n x = \"Sub Auto_Open()\"\r\nEnd Sub",
            "Private Sub ComboBox1_Change()\r\nEnd Sub\r\nPrivate Sub UserForm_Initialize()\r\nEnd Sub",
            "Attribute VB_Name = \"Module1\"\r\nSub Main()\r\nEnd Sub",
            "Private Sub Worksheet_FollowHyperlink(ByVal Target As Hyperlink)\r\nEnd Sub",
        ] {
            assert_eq!(testing::in_module(run, source), [], "{source}");
        }
    }
}
