//! Which procedures of a module run by themselves.

use super::{Findings, Found, Look};
use crate::formats::vba::{Module, TokenKind};

/// Reports `vba-autoexec`: the name of the procedure and where it stands. An empty procedure counts too: what it does
/// may stand in the compiled code alone.
pub(super) fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let module = Module::read(&look.artifact.data);
    let vba = &look.knowledge.vba;
    let main_starts = module_name(&module).is_some_and(|name| vba.module_starts_by_itself(&name));
    for procedure in module.procedures() {
        let name = module.name(procedure.symbol);
        if vba.starts_by_itself(name) || main_starts && name == "main" {
            let written = module.data().get(procedure.name.clone()).unwrap_or_default();
            let written = module.decode(written);
            findings.report(Found::new("vba-autoexec", &written).at(procedure.name.start));
        }
    }
}

/// The name that the module gives itself: `Attribute VB_Name = "…"`.
fn module_name(module: &Module<'_>) -> Option<String> {
    let named = |at: &usize| module.word(*at) == "attribute" && module.word(at.saturating_add(1)) == "vb_name";
    let statement = module.statements().iter().find(|one| named(&one.tokens.start))?;
    let tokens = module.tokens().get(statement.tokens.clone())?;
    let text = tokens.iter().find(|token| token.kind == TokenKind::Text)?;
    Some(module.literal(text).into_owned())
}
