//! Addresses in QR codes: a reader who follows one leaves the mail for a telephone, which no gateway watches. They are
//! indicators, no finding: tickets, invoices and signatures bear codes too.

use super::{Analyzer, Findings, Look, Sees};
use crate::formats::indicators::{self, IndicatorKind, Lists};
use crate::model::IocType;
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "qr_codes",
    kinds: &[],
    sees: Sees::Place,
    findings: &[],
    run,
};

/// Keeps indicators; finds nothing.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    if look.artifact.via != Some("qr-code") {
        return;
    }
    let text = text::to_utf8(&look.artifact.data);
    let known = &look.knowledge.indicators;
    let lists = Lists {
        namespaces: &known.namespaces,
        executable_extensions: &known.executable_extensions,
        commands: &known.commands,
    };
    for found in indicators::find(&text, lists) {
        let kind = match found.kind {
            IndicatorKind::Url => IocType::Url,
            IndicatorKind::Unc => IocType::Unc,
            IndicatorKind::Ip | IndicatorKind::File | IndicatorKind::Command => continue,
        };
        if let Some(value) = text.get(found.span) {
            findings.ioc(kind, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;
    use crate::model::Kind;

    #[test]
    fn only_a_code_s_text_gives_addresses() {
        let mut code = testing::holding(Kind::Text, b"HTTPS://EXAMPLE.INVALID/A?B=1");
        assert!(testing::run(run, &[code.clone()]).1.is_empty());
        code.via = Some("qr-code");
        let (findings, iocs) = testing::run(run, &[code]);
        assert!(findings.is_empty());
        assert_eq!(iocs[0].value, "HTTPS://EXAMPLE.INVALID/A?B=1");
    }
}
