//! Reports to test the renderings with, built by hand: every place where foreign text is shown holds a trap.

use std::sync::Arc;

use crate::engine::Engine;
use crate::knowledge::{Knowledge, Language};
use crate::limits::Limits;
use crate::model::{
    Artifact, Evidence, Finding, Ioc, IocType, Kind, Level, MailSummary, Name, Raised, Report,
    Severity,
};
use crate::rules::{RuleSource, Rules, Strictness};
use crate::score::Thresholds;

use super::captions::Captions;

/// An engine with one rule.
pub(super) fn engine() -> Arc<Engine> {
    let source = RuleSource {
        origin: "test.yar".to_owned(),
        text: "rule test_rule { meta: description = \"a <test> rule\" condition: false }"
            .to_owned(),
    };
    Arc::new(Engine {
        rules: Rules::compile([source], Strictness::Strict).unwrap(),
        knowledge: Knowledge::embedded().unwrap(),
        limits: Limits::default(),
        thresholds: Thresholds::default(),
    })
}

pub(super) fn captions(language: Language) -> Captions {
    Captions::new(engine(), language)
}

fn artifact(
    id: u32,
    parent: Option<u32>,
    via: Option<&'static str>,
    kind: Kind,
    name: &str,
) -> Artifact {
    Artifact {
        id,
        parent,
        via,
        sha256: [u8::try_from(id).unwrap(); 32],
        name: (!name.is_empty()).then(|| Name::of(name)),
        ..Artifact::alone(kind, vec![0; 100].into())
    }
}

fn finding(id: &'static str, severity: Severity, artifact: u32, text: &str) -> Finding {
    Finding {
        id: id.into(),
        severity,
        score: severity.score(),
        artifact,
        evidence: Evidence {
            text: crate::text::excerpt(text),
            ..Evidence::default()
        },
        attack: vec!["T1059.005".to_owned()],
        more: None,
    }
}

/// A mail with a text and a document with a macro that starts PowerShell.
pub(super) fn mail_with_macro() -> Report {
    let mut mail = artifact(0, None, None, Kind::Eml, "mail.eml");
    mail.mail = Some(Box::new(MailSummary {
        message_id: Some("1@example.com".to_owned()),
        date: Some("2026-11-22T10:00:00+09:00".to_owned()),
        from: Some("a@example.com".to_owned()),
        to: vec!["b@example.com".to_owned()],
        subject: Some("<script>alert(1)</script>".to_owned()),
    }));
    let mut document = artifact(
        2,
        Some(0),
        Some("mime-part"),
        Kind::Docm,
        "報告書\u{202e}<b>.docm",
    );
    document.declared = Some("application/octet-stream".to_owned());
    let mut call = finding(
        "vba-suspicious-call",
        Severity::Medium,
        4,
        "o.Run \"x\"\u{1b}[2J",
    );
    call.evidence.offset = Some(130);
    call.evidence.decoded = Some("powershell -w hidden & <i>".to_owned());
    call.more = Some(3);
    Report {
        path: "in/mail.eml".to_owned(),
        level: Level::Malicious,
        score: 100,
        complete: true,
        artifacts: vec![
            mail,
            artifact(1, Some(0), Some("mime-part"), Kind::Text, ""),
            document,
            artifact(
                3,
                Some(2),
                Some("zip-member"),
                Kind::VbaProject,
                "word/vbaProject.bin",
            ),
            artifact(
                4,
                Some(3),
                Some("vba-module"),
                Kind::VbaSource,
                "ThisDocument",
            ),
        ],
        findings: vec![
            finding("vba-macro", Severity::Low, 3, "1 module with code"),
            finding("vba-autoexec", Severity::Low, 4, "AutoOpen"),
            call,
        ],
        raised: vec![Raised {
            by: "autostart-with-call".to_owned(),
            score: 100,
            findings: vec![1, 2],
        }],
        iocs: vec![Ioc {
            r#type: IocType::Url,
            value: "http://192.0.2.9/a.bin".to_owned(),
            artifact: 4,
        }],
        rules: "00".repeat(32),
        version: "0.0.0",
        elapsed_us: 1930,
    }
}

/// A file in which nothing was found.
pub(super) fn clean() -> Report {
    Report {
        path: "note.txt".to_owned(),
        level: Level::Clean,
        score: 0,
        complete: true,
        artifacts: vec![artifact(0, None, None, Kind::Text, "note.txt")],
        findings: Vec::new(),
        raised: Vec::new(),
        iocs: Vec::new(),
        rules: "00".repeat(32),
        version: "0.0.0",
        elapsed_us: 12,
    }
}
