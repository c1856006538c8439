//! Macros of Access databases that run when the database is opened: one of the name `AutoExec`.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::jet::Database;
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "access_macro",
    kinds: &[Kind::Mdb, Kind::Accdb],
    sees: Sees::Content,
    findings: &["vba-autoexec"],
    run,
};

/// Reports `vba-autoexec` where the list of objects has the name.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let Some(database) = Database::read(&look.artifact.data) else {
        return;
    };
    let wide: Vec<u8> = "AutoExec"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    // A text of one byte a character has a mark in front.
    let marks = [b"\xff\xfeAutoExec".to_vec(), wide];
    let found = database.pages().any(|page| {
        let mut marks = marks.iter();
        page.first() == Some(&1)
            && page.get(4..8) != Some(b"LVAL")
            && marks.any(|mark| memchr::memmem::find(&page, mark).is_some())
    });
    if found {
        findings.report(Found::new("vba-autoexec", "AutoExec (Access macro)"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding};
    use super::*;
    use crate::formats::jet::tests::database;

    #[test]
    fn a_macro_of_that_name_starts_by_itself() {
        let found = |page: &[u8]| {
            let file = database(&[], page);
            findings_of("access_macro", &[holding(Kind::Accdb, &file)]).len()
        };
        assert_eq!(
            found(b"\x01\x01\0\0\x02\0\0\0\0\0\0\0\xff\xfeAutoExec\0"),
            1
        );
        assert_eq!(
            found(b"\x01\x01\0\0\x02\0\0\0\0A\0u\0t\0o\0E\0x\0e\0c\0"),
            1
        );
        assert_eq!(found(b"\x01\x01\0\0\x02\0\0\0\xff\xfeAutoNumber\0"), 0);
    }
}
