//! Indicators that macros name: in string literals and in what their expressions come to. Comments are no source.

use std::collections::BTreeSet;

use super::{Analyzer, Findings, Look, Sees};
use crate::formats::encoded::{self, Meaning};
use crate::formats::indicators::{self, IndicatorKind, Lists};
use crate::formats::vba::{Event, Module, TokenKind, fold};
use crate::formats::xlm;
use crate::knowledge::IndicatorLists;
use crate::model::{IocType, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "iocs",
    kinds: &[Kind::VbaSource, Kind::VbaPcode, Kind::XlmSource],
    sees: Sees::Content,
    findings: &[],
    run,
};

/// Indicators kept of one module.
const KEPT: usize = 200;

/// Keeps indicators; finds nothing.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    if look.artifact.kind == Kind::XlmSource {
        return formulas(look, findings);
    }
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
