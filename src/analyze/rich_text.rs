//! Objects in rich text, and data that is written so as to be hidden.

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::model::{Fact, Kind};

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "rich_text",
    kinds: &[Kind::Rtf],
    sees: Sees::Content,
    findings: &["rtf-object", "rtf-obfuscated"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    for fact in &look.artifact.facts {
        let Fact::Object {
            at,
            class,
            linked,
            updates,
            hidden,
        } = fact
        else {
            continue;
        };
        let mut what = match class.as_str() {
            "" => "no class".to_owned(),
            class => format!("class {class}"),
        };
        if *linked {
            what.push_str(", linked");
        }
        if *updates {
            what.push_str(", loaded when the document is opened");
        }
        findings.report(Found::new("rtf-object", &what).at(*at));
        if !hidden.is_empty() {
            let what = format!("in object data: {}", hidden.join(", "));
            findings.report(Found::new("rtf-obfuscated", &what).at(*at));
        }
    }
}
