//! Tables in text (RFC 4180 and what spreadsheets make of it): cells that run a command or send something away get an
//! apostrophe in front, which makes a text of them. What is such a cell is what a scan takes for one.

use super::asked::{Asked, Log};
use super::plain::Plain;
use super::{Disarmed, Disarmer, Job, Refusal, knowledge};
use crate::analyze;
use crate::limits::Budget;
use crate::model::Kind;

/// Its row in the table. A text is a table where its name says so.
pub(super) const ROW: Disarmer = Disarmer {
    name: "csv",
    kinds: &[Kind::Csv, Kind::Text, Kind::Data],
    findings: &[&["csv-formula-injection"]],
    run,
};

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    super::settled(job, budget, once)
}

fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let mut log = Log::default();
    let Some(finding) = Asked::of(job).one("csv-formula-injection") else {
        return Ok(log.ended(job, || job.data.clone()));
    };
    let plain = Plain::read(job.data, budget)?;
    let mut edited = String::with_capacity(plain.text.len());
    let mut from = 0usize;
    for start in analyze::dangerous_cells(&plain.text, &knowledge()?.links) {
        budget.tick().map_err(Refusal::Limit)?;
        let quoted = plain.text.as_bytes().get(start) == Some(&b'"');
        let at = start.saturating_add(usize::from(quoted));
        edited.push_str(plain.text.get(from..at).unwrap_or_default());
        edited.push('\'');
        from = at;
        log.add(&finding, &format!("cell at {start}"));
    }
    edited.push_str(plain.text.get(from..).unwrap_or_default());
    Ok(log.ended(job, || plain.written(&edited)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::run_on;
    use super::*;

    #[test]
    fn only_cells_that_run_something_become_text() {
        let table =
            "a,b\r\n=SUM(A1:A2),-1\r\n\"=cmd|'/c calc'!A0\",x\r\n=cmd|'/c calc'!A0;\"y\"\r\n";
        let made = run_on(
            &ROW,
            Kind::Csv,
            table.as_bytes(),
            &["csv-formula-injection"],
        )
        .unwrap();
        assert_eq!(
            made.data,
            "a,b\r\n=SUM(A1:A2),-1\r\n\"'=cmd|'/c calc'!A0\",x\r\n'=cmd|'/c calc'!A0;\"y\"\r\n"
        );
        assert_eq!(made.removed.len(), 2);
        let plain = run_on(&ROW, Kind::Csv, b"=SUM(1)", &["csv-formula-injection"]).unwrap();
        assert_eq!(
            (plain.data.as_ref(), plain.removed.len()),
            (&b"=SUM(1)"[..], 0)
        );
    }

    #[test]
    fn the_charset_is_kept() {
        let table = encoding_rs::SHIFT_JIS
            .encode("品名の一覧表です,数量\r\n＝cmd|'/c calc'!A0,2\r\n")
            .0;
        let made = run_on(&ROW, Kind::Csv, &table, &["csv-formula-injection"]).unwrap();
        let wanted = encoding_rs::SHIFT_JIS
            .encode("品名の一覧表です,数量\r\n'＝cmd|'/c calc'!A0,2\r\n")
            .0;
        assert_eq!(made.data, wanted.as_ref());
    }
}
