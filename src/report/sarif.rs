//! The reports as one SARIF 2.1.0 log (OASIS, static analysis results interchange format).
//!
//! One run; every finding of the catalogue, combination and rule is a reporting descriptor; every finding of a report
//! is a result. The physical location is the input, the logical one the chain of artifacts down to the finding's.

use std::fmt::Write as _;

use serde::Serialize;
use serde_json::json;

use crate::knowledge::Text;
use crate::model::{Evidence, Id, Report, Severity};

use super::Totals;
use super::captions::Captions;
use super::text::artifacts_of;
use super::tree::artifact;

/// Names in a chain at the most: deeper ones are cut at the front.
const CHAIN: usize = 32;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: String,
    short_description: Message,
    full_description: Message,
    help: Message,
    default_configuration: Configuration,
    properties: DescriptorProperties,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct DescriptorProperties {
    tags: Vec<String>,
    #[serde(rename = "security-severity")]
    security_severity: String,
}

#[derive(Serialize)]
struct Message {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Outcome<'a> {
    rule_id: &'a str,
    level: &'static str,
    message: Message,
    locations: Vec<Location>,
    partial_fingerprints: Fingerprints,
    rank: f64,
    properties: OutcomeProperties<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
    logical_locations: Vec<LogicalLocation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
struct ArtifactLocation {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    byte_offset: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LogicalLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    fully_qualified_name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct Fingerprints {
    #[serde(rename = "sekisho/v1")]
    ours: String,
}

#[derive(Serialize)]
struct OutcomeProperties<'a> {
    #[serde(rename = "security-severity")]
    security_severity: String,
    kind: &'static str,
    sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decoded: Option<&'a str>,
    tags: Vec<&'a str>,
}

/// The head of the log, up to the first result.
pub(super) fn begin(captions: &Captions) -> String {
    let driver = Driver {
        name: "sekisho",
        version: env!("CARGO_PKG_VERSION"),
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules: descriptors(captions),
    };
    let driver = json!(driver);
    format!(
        r#"{{"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{{"tool":{{"driver":{driver}}},"columnKind":"unicodeCodePoints","results":[
"#
    )
}

fn descriptors(captions: &Captions) -> Vec<Descriptor> {
    let catalogue = captions.catalogue();
    let language = captions.language;
    let entries = catalogue.entries().map(|entry| {
        let tags = [entry.group.clone()]
            .into_iter()
            .chain(entry.attack.clone());
        descriptor(
            &entry.id,
            entry.text(language),
            entry.severity,
            tags.collect(),
        )
    });
    let combinations = catalogue.combinations().iter().map(|combination| {
        let severity = Severity::of_score(combination.score);
        let tags = vec!["combination".to_owned()];
        descriptor(&combination.id, combination.text(language), severity, tags)
    });
    let rules = captions.rules().filter_map(|rule| {
        let id = format!("yara:{}", rule.name);
        let text = captions.text(&id)?;
        let tags = ["yara".to_owned()].into_iter().chain(rule.attack.clone());
        Some(descriptor(
            &id,
            &text,
            Severity::of_score(rule.score),
            tags.collect(),
        ))
    });
    entries.chain(combinations).chain(rules).collect()
}

fn descriptor(id: &str, text: &Text, severity: Severity, mut tags: Vec<String>) -> Descriptor {
    tags.insert(0, "security".to_owned());
    let message = |text: &str| Message {
        text: text.to_owned(),
    };
    Descriptor {
        id: id.to_owned(),
        short_description: message(&text.title),
        full_description: message(&text.meaning),
        help: message(&text.action),
        default_configuration: Configuration {
            level: level(severity),
        },
        properties: DescriptorProperties {
            tags,
            security_severity: security_severity(severity.score()),
        },
    }
}

/// The results of one report, separated; empty where nothing was found.
pub(super) fn report(report: &Report, captions: &Captions) -> Result<String, serde_json::Error> {
    let mut results = Vec::new();
    for finding in &report.findings {
        let text = message(&captions.title(&finding.id), &finding.evidence);
        let mut outcome = outcome(
            report,
            &finding.id,
            finding.score,
            text,
            &[finding.artifact],
        );
        outcome.properties.offset = finding.evidence.offset;
        outcome.properties.decoded = finding.evidence.decoded.as_deref();
        outcome.properties.tags = finding.attack.iter().map(String::as_str).collect();
        // Only an offset in the input itself is one in the file that the location names.
        let region = finding.evidence.offset.filter(|_| finding.artifact == 0);
        for location in &mut outcome.locations {
            location.physical_location.region = region.map(|byte_offset| Region { byte_offset });
        }
        results.push(serde_json::to_string(&outcome)?);
    }
    for raised in &report.raised {
        let text = captions.title(&raised.by);
        let artifacts = artifacts_of(report, &raised.findings);
        let outcome = outcome(report, &raised.by, raised.score, text, &artifacts);
        results.push(serde_json::to_string(&outcome)?);
    }
    Ok(results.join(",\n"))
}

fn outcome<'a>(
    report: &'a Report,
    id: &'a str,
    score: u8,
    text: String,
    artifacts: &[Id],
) -> Outcome<'a> {
    let place = artifacts.first().and_then(|id| artifact(report, *id));
    let sha256 = place
        .map(crate::model::Artifact::sha256_hex)
        .unwrap_or_default();
    let logical = artifacts
        .iter()
        .map(|id| LogicalLocation {
            name: artifact(report, *id)
                .map(|artifact| artifact.label().to_owned())
                .filter(|name| !name.is_empty()),
            fully_qualified_name: chain(report, *id),
            kind: "resource",
        })
        .collect();
    Outcome {
        rule_id: id,
        level: level(Severity::of_score(score)),
        message: Message { text },
        locations: vec![Location {
            physical_location: PhysicalLocation {
                artifact_location: ArtifactLocation {
                    uri: uri(&report.path),
                },
                region: None,
            },
            logical_locations: logical,
        }],
        partial_fingerprints: Fingerprints {
            ours: format!("{sha256}:{id}"),
        },
        rank: f64::from(score),
        properties: OutcomeProperties {
            security_severity: security_severity(score),
            kind: place
                .map(|artifact| artifact.kind.as_str())
                .unwrap_or_default(),
            sha256,
            offset: None,
            decoded: None,
            tags: Vec::new(),
        },
    }
}

fn message(title: &str, evidence: &Evidence) -> String {
    let mut text = title.to_owned();
    if !evidence.text.is_empty() {
        // Writing to a String cannot fail.
        let _ = write!(text, ": {}", evidence.text);
    }
    if let Some(decoded) = &evidence.decoded {
        let _ = write!(text, " ({decoded})");
    }
    text
}

/// The names from the input down to an artifact; a nameless one is called by its kind and number.
fn chain(report: &Report, id: Id) -> String {
    let mut names = Vec::new();
    let mut next = Some(id);
    // Ends because a parent's id is smaller than its child's, and at the bound.
    while let Some(artifact) = next.and_then(|id| artifact(report, id)) {
        names.push(match artifact.label() {
            "" => format!("{}#{}", artifact.kind.as_str(), artifact.id),
            label => label.to_owned(),
        });
        if names.len() >= CHAIN {
            break;
        }
        next = artifact.parent;
    }
    names.reverse();
    names.join("/")
}

/// The tail of the log, behind the last result.
pub(super) fn end(totals: &Totals) -> String {
    let successful = totals.unreadable == 0;
    let mut notifications = Vec::new();
    if totals.unreadable > 0 {
        notifications.push(json!({
            "level": "error",
            "message": {"text": format!("{} inputs could not be read", totals.unreadable)},
        }));
    }
    if totals.incomplete > 0 {
        notifications.push(json!({
            "level": "warning",
            "message": {"text": format!("{} inputs could not be looked through whole", totals.incomplete)},
        }));
    }
    let invocation = json!({
        "executionSuccessful": successful,
        "toolExecutionNotifications": notifications,
    });
    format!("\n],\"invocations\":[{invocation}]}}]}}\n")
}

/// The level of SARIF (3.27.10), which has three.
fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Info | Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

/// A number from 0.0 to 10.0 whose bands dashboards name: above 9.0 critical, 7.0 high, 4.0 medium, above 0 low.
fn security_severity(score: u8) -> String {
    match Severity::of_score(score) {
        Severity::Info => "0.0",
        Severity::Low => "2.0",
        Severity::Medium => "5.0",
        Severity::High => "8.0",
        Severity::Critical => "9.8",
    }
    .to_owned()
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters and slashes in percent signs.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::samples;
    use super::*;
    use crate::knowledge::Language;

    #[test]
    fn the_log_is_one_document_with_a_result_for_each_finding() {
        let captions = samples::captions(Language::English);
        let results = report(&samples::mail_with_macro(), &captions).unwrap();
        let text = begin(&captions) + &results + &end(&Totals::default());
        let log: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(log["version"], "2.1.0");
        let run = &log["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
        let results = run["results"].as_array().unwrap();
        assert_eq!(results.len(), 4);
        for result in results {
            assert!(
                rules.iter().any(|rule| rule["id"] == result["ruleId"]),
                "{result}"
            );
        }
        let call = &results[2];
        assert_eq!(call["level"], "warning");
        assert_eq!(call["properties"]["offset"], 130);
        let location = &call["locations"][0];
        assert_eq!(
            location["physicalLocation"]["artifactLocation"]["uri"],
            "in/mail.eml"
        );
        assert_eq!(
            location["logicalLocations"][0]["fullyQualifiedName"],
            "mail.eml/報告書\\u{202e}<b>.docm/word/vbaProject.bin/ThisDocument"
        );
        assert_eq!(results[3]["ruleId"], "autostart-with-call");
        assert_eq!(results[3]["properties"]["security-severity"], "9.8");
        assert_eq!(run["invocations"][0]["executionSuccessful"], true);
    }

    #[test]
    fn rules_of_the_operator_are_described_too() {
        let log = begin(&samples::captions(Language::English)) + &end(&Totals::default());
        let log: Value = serde_json::from_str(&log).unwrap();
        let rules = log["runs"][0]["tool"]["driver"]["rules"]
            .as_array()
            .unwrap();
        let rule = rules
            .iter()
            .find(|rule| rule["id"] == "yara:test_rule")
            .unwrap();
        assert_eq!(rule["shortDescription"]["text"], "a <test> rule");
    }

    #[test]
    fn a_path_becomes_a_uri_reference() {
        assert_eq!(uri("a b/c:d"), "a%20b/c%3Ad");
        assert_eq!(uri("/tmp/日"), "file:///tmp/%E6%97%A5");
    }
}
