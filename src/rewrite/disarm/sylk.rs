//! SYLK ("SYLK File Format", Excel 4 documentation) without what computes: the mark of a macro sheet, names and
//! expressions go, the values that cells last had stay.

use super::asked::{Asked, COMMANDS, Log, SHEETS};
use super::plain::Plain;
use super::{Disarmed, Disarmer, FindingId, Job, Refusal};
use crate::limits::Budget;
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Disarmer = Disarmer {
    name: "sylk",
    kinds: &[Kind::Sylk],
    findings: &[OWN, SHEETS, COMMANDS, OUTSIDE],
    run,
};

const OWN: &[&str] = &["sylk-macro"];
const OUTSIDE: &[&str] = &["dde-link", "external-object-link"];

fn run(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    super::settled(job, budget, once)
}

fn once(job: &Job<'_>, budget: &Budget) -> Result<Disarmed, Refusal> {
    let mut log = Log::default();
    let Some(finding) = Asked::of(job).first(&[OWN, SHEETS, COMMANDS, OUTSIDE]) else {
        return Ok(log.ended(job, || job.data.clone()));
    };
    let plain = Plain::read(job.data, budget)?;
    let mut edited = String::with_capacity(plain.text.len());
    let mut dropped = false;
    for (number, line) in plain.text.split_inclusive(['\n', '\r']).enumerate() {
        budget.tick().map_err(Refusal::Limit)?;
        // The second half of a line's end goes with its line.
        dropped = if dropped && line == "\n" {
            false
        } else {
            !record(line, number, &finding, &mut edited, &mut log)
        };
    }
    Ok(log.ended(job, || plain.written(&edited)))
}

/// Writes a record without what goes; false where all of it goes.
fn record(line: &str, number: usize, finding: &FindingId, out: &mut String, log: &mut Log) -> bool {
    let content = line.trim_end_matches(['\r', '\n']);
    let end = line.get(content.len()..).unwrap_or_default();
    let fields = fields(content.trim_start());
    let kind = fields.first().map(|kind| kind.to_ascii_uppercase());
    let goes = |field: &str| match kind.as_deref() {
        Some("C") => field.starts_with('E'),
        Some("O") => field.eq_ignore_ascii_case("E"),
        _ => false,
    };
    let at = number.saturating_add(1);
    if matches!(kind.as_deref(), Some("NN" | "NE")) {
        log.add(finding, &format!("name in line {at}"));
        return false;
    }
    if !fields.iter().skip(1).any(|field| goes(field)) {
        out.push_str(line);
        return true;
    }
    log.add(finding, &format!("line {at}: {content}"));
    let kept = fields.iter().enumerate();
    let kept = kept.filter(|(place, field)| *place == 0 || !goes(field));
    let kept: Vec<&str> = kept.map(|(_, field)| *field).collect();
    out.push_str(&kept.join(";"));
    out.push_str(end);
    true
}

/// The fields of a record as they stand there: a doubled semicolon separates none.
fn fields(line: &str) -> Vec<&str> {
    let bytes = line.as_bytes();
    let mut found = Vec::new();
    let (mut from, mut at) = (0usize, 0usize);
    // Ends because each round takes a semicolon.
    while let Some(semicolon) = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr(b';', rest))
        .map(|skip| at.saturating_add(skip))
    {
        let next = semicolon.saturating_add(1);
        if bytes.get(next) == Some(&b';') {
            at = next.saturating_add(1);
            continue;
        }
        found.push(line.get(from..semicolon).unwrap_or_default());
        (from, at) = (next, next);
    }
    found.push(line.get(from..).unwrap_or_default());
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::run_on;
    use super::*;

    #[test]
    fn values_stay_and_what_computes_goes() {
        let sheet = "ID;PWXL;N;E\r\nO;L;E;D\r\nNN;NAuto_open;ER1C1\r\nC;Y1;X1;K\"a;;b\";EEXEC(\"calc;;x\")\r\nC;Y2;K2\r\nE\r\n";
        let made = run_on(&ROW, Kind::Sylk, sheet.as_bytes(), &["sylk-macro"]).unwrap();
        assert_eq!(
            made.data,
            "ID;PWXL;N;E\r\nO;L;D\r\nC;Y1;X1;K\"a;;b\"\r\nC;Y2;K2\r\nE\r\n"
        );
        assert_eq!(made.removed.len(), 3);
    }
}
