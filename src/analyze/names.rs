//! Names that say something else than the bytes, or show something else than they say.
//!
//! Every reading of a name is judged, since the victim's software may choose another one than the likeliest. Names
//! that a document gives to its own parts are no file names and are not held against the bytes.

use crate::knowledge::{Extensions, Match};
use crate::model::{Artifact, Fact, Family, Kind};

use super::{Analyzer, Findings, Found, Look, Sees};

/// Blanks in a row that push what follows out of sight.
const BLANKS: usize = 5;

/// Other filling characters in a row: names of forms end in a few of them.
const FILLERS: usize = 24;

/// The analyzer's row.
pub(super) const ROW: Analyzer = Analyzer {
    name: "names",
    kinds: &[],
    sees: Sees::Place,
    findings: &[
        "type-mismatch",
        "double-extension",
        "rtlo-filename",
        "padded-filename",
        "mime-ambiguous",
    ],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let Some(name) = &artifact.name else {
        return;
    };
    if !is_file_name(look) {
        return;
    }
    let extensions = &look.knowledge.extensions;
    let files: Vec<&str> = name.files().filter(|file| !file.is_empty()).collect();
    contradictions(artifact, &files, extensions, findings);
    if let Some(file) = files.iter().find(|file| reorders(file)) {
        findings.report(Found::new("rtlo-filename", file));
    }
    if let Some(file) = files.iter().find(|file| is_padded(file, extensions)) {
        findings.report(Found::new("padded-filename", file));
    }
    let double = files
        .iter()
        .filter_map(|file| Some((second_extension(file, extensions)?, file)));
    match double.max_by_key(|(double, _)| *double) {
        Some((Double::LastRuns, file)) => {
            findings.report(Found::new("double-extension", file).variant("last-one-runs"));
        }
        Some((Double::Known, file)) => {
            findings.report(Found::new("double-extension", file));
        }
        None => {}
    }
    mismatch(artifact, name.extensions(), extensions, findings);
}

/// Two names for one part of a mail: programs for mail differ in which one they take.
fn contradictions(
    artifact: &Artifact,
    files: &[&str],
    extensions: &Extensions,
    findings: &mut Findings<'_>,
) {
    let told = artifact.facts.iter().find_map(|fact| match fact {
        Fact::NameConflict { what } => Some(what),
        _ => None,
    });
    let Some(what) = told else {
        return;
    };
    findings.report(Found::new("mime-ambiguous", &format!("two names: {what}")));
    let claims: Vec<_> = files
        .iter()
        .filter_map(|file| extensions.of(&last_word(trimmed(file))))
        .collect();
    if claims.iter().any(|claim| claim.runs) && claims.iter().any(|claim| !claim.runs) {
        findings.report(Found::new("double-extension", what).variant("last-one-runs"));
    }
}

/// The word behind the last dot, in plain letters.
fn last_word(file: &str) -> String {
    let last = file.rsplit(is_dot).next().unwrap_or_default();
    crate::text::plain_letters(last.trim_matches(is_filling))
}

/// Whether the name is that of a file, as a user sees it, and not of a document's part.
fn is_file_name(look: &Look<'_>) -> bool {
    /// Ways by which files of a user's own choice stand in a document.
    const EMBEDDED: &[&str] = &[
        "ole-package",
        "rtf-object",
        "pdf-embedded-file",
        "pdf-attachment",
        "onenote-file",
        "mime-part",
    ];
    let Some(parent) = look.parent() else {
        return true;
    };
    let via = look.artifact.via.unwrap_or_default();
    let document = matches!(
        parent.kind.family(),
        Family::Ole | Family::Ooxml | Family::Odf | Family::Vba | Family::Pdf | Family::OneNote
    ) || matches!(parent.kind, Kind::Rtf | Kind::Msi | Kind::Msp | Kind::Msg);
    // A message of Outlook names its attachments, and its streams by their way into the compound file.
    let stream = matches!(
        via,
        "ole-stream" | "ole-storage" | "vba-module" | "vba-project"
    ) || matches!(look.artifact.kind, Kind::OleStream | Kind::OleNative);
    if stream {
        return false;
    }
    !document || parent.kind == Kind::Msg || EMBEDDED.contains(&via)
}

/// The extension that agrees best with the bytes counts: another reading of the name may be no reading at all.
fn mismatch(
    artifact: &Artifact,
    claimed: impl Iterator<Item = String>,
    extensions: &Extensions,
    findings: &mut Findings<'_>,
) {
    let kinds = || std::iter::once(artifact.kind).chain(artifact.readings.iter().copied());
    let mut best: Option<(Match, String)> = None;
    for extension in claimed {
        let Some(known) = extensions.of(&extension) else {
            return;
        };
        let Some(against) = kinds().map(|kind| known.against(kind)).min() else {
            return;
        };
        if best.as_ref().is_none_or(|(other, _)| against < *other) {
            best = Some((against, extension));
        }
    }
    let Some((against, extension)) = best else {
        return;
    };
    let found = Found::new(
        "type-mismatch",
        &format!(
            ".{extension}, but the content is: {}",
            artifact.kind.describe()
        ),
    );
    match against {
        Match::Honest => {}
        Match::Near => findings.report(found),
        Match::Across => findings.report(found.variant("across-families")),
    }
}

/// What a second extension does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Double {
    /// The name ends in another known extension.
    Known,
    /// The name ends in one that runs.
    LastRuns,
}

/// Whether a decoy stands in front of another extension, or behind the end that some programs take a name to have.
fn second_extension(file: &str, extensions: &Extensions) -> Option<Double> {
    // Windows ends a name at a zero, and shows or takes from a mail what stands behind it, or does not.
    if let Some((ended, behind)) = file.split_once('\0') {
        let known = |name: &str| extensions.of(&last_word(trimmed(name)));
        let (runs, decoy) = (known(ended)?.runs, known(behind)?.decoy);
        return (runs && decoy).then_some(Double::LastRuns);
    }
    let shown = trimmed(file);
    let mut parts = shown
        .rsplit(is_dot)
        .map(|part| crate::text::plain_letters(part.trim_matches(is_filling)));
    let last = parts.next()?;
    // Numbers and filling between the two do not hide the decoy.
    let mut before = parts.take(16).skip_while(|part| {
        part.is_empty() || part.len() <= 3 && part.chars().all(|c| c.is_ascii_digit())
    });
    let decoy = before.next()?;
    // The first part of a name is no extension.
    before.next()?;
    // A word or a mark of a copy may stand between the decoy and the filling: "invoice.pdf   (1)".
    let decoy = decoy.split(is_filling).find(|word| !word.is_empty())?;
    let (first, second) = (extensions.of(decoy)?, extensions.of(&last)?);
    if !first.decoy || decoy == last {
        return None;
    }
    if second.runs && !(second.decoy && first.group == second.group) {
        return Some(Double::LastRuns);
    }
    (!second.wraps && first.group != second.group).then_some(Double::Known)
}

/// What Windows drops at the end of a name: dots, blanks, and the stream of a file that is named behind a colon.
fn trimmed(file: &str) -> &str {
    // A drive's letter stands in front of its colon alone.
    let colon = file.char_indices().position(|(at, c)| c == ':' && at > 1);
    let end = colon.and_then(|number| file.char_indices().nth(number));
    let file = file
        .get(..end.map_or(file.len(), |(at, _)| at))
        .unwrap_or(file);
    file.trim_end_matches(|c: char| c == '.' || c.is_whitespace() || crate::text::is_deceptive(c))
}

/// Blanks of all kinds, among them the ideographic one and those that are no letters but look empty.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || crate::text::is_deceptive(c) && !crate::text::is_bidi_control(c)
}

/// A dot, or a character that looks like one: one dot leader, small and full-width full stop, the ideographic one,
/// three of other scripts.
fn is_dot(c: char) -> bool {
    matches!(
        c,
        '.' | '\u{2024}'
            | '\u{fe52}'
            | '\u{ff0e}'
            | '\u{3002}'
            | '\u{ff61}'
            | '\u{a4f8}'
            | '\u{701}'
            | '\u{6d4}'
    )
}

fn is_filling(c: char) -> bool {
    is_blank(c) || matches!(c, '_' | '-' | '~' | '\u{2026}' | '\u{30fb}')
}

/// Whether a run of blanks or of filling stands right in front of the last extension, or between a decoy and it.
fn is_padded(file: &str, extensions: &Extensions) -> bool {
    let shown = trimmed(file);
    let Some((stem, last)) = shown.rsplit_once('.') else {
        return false;
    };
    let last = last.trim_matches(is_blank).to_lowercase();
    if last.is_empty() || last.chars().count() > 12 {
        return false;
    }
    let directly = run_at_end(stem, is_blank) >= BLANKS
        || run_at_end(stem, |c| is_filling(c) || c == '.') >= FILLERS;
    // Behind the dot: "invoice.pdf.          exe".
    let behind = shown
        .rsplit('.')
        .next()
        .is_some_and(|part| part.chars().take_while(|c| is_blank(*c)).count() >= BLANKS);
    if directly || behind {
        return true;
    }
    let runs = extensions.of(&last).is_some_and(|extension| extension.runs);
    runs && longest_run(stem) >= BLANKS
}

fn run_at_end(text: &str, fits: impl Fn(char) -> bool) -> usize {
    text.chars().rev().take_while(|c| fits(*c)).count()
}

fn longest_run(text: &str) -> usize {
    let mut longest = 0usize;
    let mut run = 0usize;
    for c in text.chars() {
        run = if is_blank(c) {
            run.saturating_add(1)
        } else {
            0
        };
        longest = longest.max(run);
    }
    longest
}

/// Whether an override stands in the name, or an embedding or isolate that is still open where the extension begins
/// (Unicode Standard Annex 9). Marks alone, as Hebrew and Arabic names have them, turn nothing around.
fn reorders(file: &str) -> bool {
    if file.contains(['\u{202d}', '\u{202e}']) {
        return true;
    }
    let at = file.rfind('.').unwrap_or(file.len());
    let mut open = 0usize;
    for c in file.get(..at).unwrap_or_default().chars() {
        match c {
            // Right-to-left embedding and isolates; the left-to-right ones change nothing in a Latin extension.
            '\u{202b}' | '\u{2067}' | '\u{2068}' => open = open.saturating_add(1),
            '\u{202c}' | '\u{2069}' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    open > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::tests::{artifact, findings_of};
    use crate::model::Name;

    fn found(name: &str, kind: Kind) -> Vec<(String, &'static str)> {
        let mut file = artifact(kind);
        file.name = Some(Name::of(name));
        findings_of("names", &[file])
    }

    fn ids(name: &str, kind: Kind) -> Vec<String> {
        found(name, kind)
            .into_iter()
            .map(|(id, severity)| format!("{id} {severity}"))
            .collect()
    }

    #[test]
    fn a_decoy_in_front_of_an_extension_that_runs_is_high() {
        for name in [
            "invoice.pdf.exe",
            "請求書.docx.js",
            "a.JPG.Scr",
            "photo.png.001.exe",
            "letter.TXT.exe",
            "x/invoice.pdf.exe. ",
            "invoice\u{2024}pdf.exe",
            "請求書\u{ff0e}pdf.exe",
            "請求書。pdf.exe",
            "invoice.рdf.exe",
            "invoice.ｐｄｆ.exe",
            "invoice.pdf．ｅｘｅ",
            "invoice.pdf.exe::$DATA",
        ] {
            let kind = if name.ends_with("js") {
                Kind::Js
            } else {
                Kind::Pe
            };
            assert_eq!(ids(name, kind), ["double-extension high"], "{name}");
        }
        assert_eq!(
            ids("invoice.exe\0.pdf", Kind::Pe),
            ["double-extension high", "type-mismatch medium"]
        );
        assert_eq!(
            ids("contract.docx.pdf", Kind::Pdf),
            ["double-extension info"]
        );
    }

    #[test]
    fn dots_in_ordinary_names_are_no_second_extension() {
        for (name, kind) in [
            ("report.v1.2.pdf", Kind::Pdf),
            ("2024.03.docx", Kind::Docx),
            ("photo.jpg.jpg", Kind::Jpg),
            ("archive.tar.gz", Kind::Gz),
            ("app.config.js", Kind::Js),
            ("jquery.min.js", Kind::Js),
            ("pdf.exe", Kind::Pe),
            ("signed.pdf.p7m", Kind::P7m),
            ("report.pdf.gz", Kind::Gz),
            ("www.example.com", Kind::Text),
        ] {
            let doubles: Vec<_> = ids(name, kind)
                .into_iter()
                .filter(|id| id.starts_with("double"))
                .collect();
            assert!(doubles.is_empty(), "{name}: {doubles:?}");
        }
    }

    #[test]
    fn two_names_of_one_part_are_told_and_worse_where_one_runs() {
        let found = |first: &str, second: &str| {
            let mut file = artifact(Kind::Text);
            file.name = Some(Name::from_readings(
                Vec::new(),
                vec![first.to_owned(), second.to_owned()],
            ));
            file.facts.push(Fact::NameConflict {
                what: format!("{first} / {second}"),
            });
            let found = findings_of("names", &[file]);
            found
                .into_iter()
                .map(|(id, severity)| format!("{id} {severity}"))
                .collect::<Vec<_>>()
        };
        assert_eq!(found("a.txt", "a.log"), ["mime-ambiguous info"]);
        assert_eq!(
            found("report.txt", "report.js"),
            ["mime-ambiguous info", "double-extension high"]
        );
    }

    #[test]
    fn directions_that_reorder_the_extension_are_found_and_marks_are_not() {
        assert_eq!(
            ids("invoice\u{202e}fdp.exe", Kind::Pe),
            ["rtlo-filename high"]
        );
        assert_eq!(ids("a\u{2067}fdp.exe", Kind::Pe), ["rtlo-filename high"]);
        assert!(ids("חשבונית\u{200f}.pdf", Kind::Pdf).is_empty());
        assert!(ids("\u{202b}فاتورة\u{202c}.pdf", Kind::Pdf).is_empty());
    }

    #[test]
    fn extensions_pushed_out_of_sight_are_found() {
        for name in [
            "invoice.pdf          .exe",
            "請求書\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}.exe",
            "a.pdf____________________________.exe",
            "invoice.     exe",
        ] {
            let found = ids(name, Kind::Pe);
            assert!(
                found.iter().any(|id| id == "padded-filename high"),
                "{name}: {found:?}"
            );
        }
        for name in [
            "Report  2024.docx",
            "Report      2024.docx",
            "form______.docx",
            "wait...docx",
        ] {
            assert!(ids(name, Kind::Docx).is_empty(), "{name}");
        }
    }

    #[test]
    fn names_are_held_against_the_bytes() {
        assert_eq!(ids("a.pdf", Kind::Zip), ["type-mismatch medium"]);
        assert_eq!(ids("a.xls", Kind::Html), ["type-mismatch info"]);
        assert_eq!(ids("a.doc", Kind::Docx), ["type-mismatch info"]);
        assert_eq!(ids("a.docx", Kind::Xlsx), ["type-mismatch info"]);
        assert_eq!(ids("a.jpg", Kind::Png), ["type-mismatch info"]);
        assert_eq!(ids("a.docx", Kind::Empty), ["type-mismatch info"]);
        assert!(ids("a.txt", Kind::Empty).is_empty());
        for (name, kind) in [
            ("a.doc", Kind::Doc),
            ("a.jpeg", Kind::Jpg),
            ("a.txt", Kind::Csv),
            ("a.unknown", Kind::Pe),
            ("a", Kind::Pe),
            ("a.log", Kind::Text),
            ("a.conf", Kind::Xml),
        ] {
            assert!(ids(name, kind).is_empty(), "{name}");
        }
    }

    #[test]
    fn another_reading_that_agrees_is_enough_and_parts_of_documents_do_not_count() {
        let mut file = artifact(Kind::Pdf);
        file.name = Some(Name::from_readings(
            b"x".to_vec(),
            vec!["a.exe".to_owned(), "a.pdf".to_owned()],
        ));
        assert!(findings_of("names", &[file]).is_empty());
        let mut part = artifact(Kind::Xml);
        part.id = 1;
        part.parent = Some(0);
        part.via = Some("zip-member");
        part.name = Some(Name::of("word/media/image1.jpg"));
        assert!(findings_of("names", &[artifact(Kind::Docx), part.clone()]).is_empty());
        assert_eq!(findings_of("names", &[artifact(Kind::Zip), part]).len(), 1);
    }
}
