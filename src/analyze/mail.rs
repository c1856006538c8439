//! What the structure of a mail says: ambiguities, breaches of the format, fragments of divided mails.

use super::{Findings, Found, Look};
use crate::model::{Fact, Hides};

/// The findings of this analyzer.
pub(super) const FINDINGS: &[&str] = &["mime-ambiguous", "mime-malformed", "mime-partial"];

/// Reports what the unpackers of mails noted.
pub(super) fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    for fact in &look.artifact.facts {
        match fact {
            Fact::MimeAmbiguous { what, hides } => {
                let found = Found::new("mime-ambiguous", what);
                findings.report(match hides {
                    Hides::Attachment => found.variant("hides-attachment"),
                    Hides::Nothing => found,
                });
            }
            Fact::MimeMalformed { at, what } => {
                let found = Found::new("mime-malformed", what);
                findings.report(match at {
                    Some(at) => found.at(*at),
                    None => found,
                });
            }
            Fact::MimePartial { what } => findings.report(Found::new("mime-partial", what)),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analyze::tests::run_on;
    use crate::model::{Artifact, Kind, Severity};

    fn severities(facts: Vec<Fact>) -> Vec<(String, Severity)> {
        let mut mail = Artifact::alone(Kind::Eml, bytes::Bytes::new());
        mail.facts = facts;
        let list = run_on(run, std::slice::from_ref(&mail), [&mail]).0;
        list.into_iter()
            .map(|found| (found.id.into_owned(), found.severity))
            .collect()
    }

    #[test]
    fn a_hidden_attachment_raises_the_severity() {
        let ambiguous = |hides| Fact::MimeAmbiguous {
            what: "x".to_owned(),
            hides,
        };
        assert_eq!(
            severities(vec![ambiguous(Hides::Nothing)]),
            [("mime-ambiguous".to_owned(), Severity::Info)]
        );
        assert_eq!(
            severities(vec![ambiguous(Hides::Attachment)]),
            [("mime-ambiguous".to_owned(), Severity::Medium)]
        );
    }

    #[test]
    fn fragments_and_breaches_are_reported() {
        let facts = vec![
            Fact::MimePartial {
                what: "part 1 of 2".to_owned(),
            },
            Fact::MimeMalformed {
                at: Some(3),
                what: "x".to_owned(),
            },
        ];
        assert_eq!(
            severities(facts),
            [
                ("mime-partial".to_owned(), Severity::Medium),
                ("mime-malformed".to_owned(), Severity::Info)
            ]
        );
        assert_eq!(severities(vec![]), []);
    }
}
