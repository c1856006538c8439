//! Findings: what an analyzer or a rule says of an artifact, with evidence.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Id;

/// How bad a finding is by itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Ordinary in some business documents.
    Low,
    /// Unusual.
    Medium,
    /// Seldom harmless.
    High,
    /// Never harmless.
    Critical,
}

impl Severity {
    /// All, the least first.
    pub const ALL: [Self; 5] = [
        Self::Info,
        Self::Low,
        Self::Medium,
        Self::High,
        Self::Critical,
    ];

    /// The score of a finding of this severity, 0 to 100.
    pub fn score(self) -> u8 {
        match self {
            Self::Info => 0,
            Self::Low => 10,
            Self::Medium => 30,
            Self::High => 60,
            Self::Critical => 100,
        }
    }

    /// The severity that a score falls into.
    pub fn of_score(score: u8) -> Self {
        Self::ALL
            .into_iter()
            .rev()
            .find(|severity| severity.score() <= score)
            .unwrap_or(Self::Info)
    }

    /// The lower-case word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What shows that a finding is true; every text is safe to show.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Evidence {
    /// What was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Where, as an offset in the artifact's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<usize>,
    /// What it means once decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<String>,
}

/// One thing said of one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Id in the catalogue, or `yara:RULE`.
    pub id: Cow<'static, str>,
    /// Severity with its variant applied.
    pub severity: Severity,
    /// 0 to 100.
    pub score: u8,
    /// The artifact.
    pub artifact: Id,
    /// What shows it.
    pub evidence: Evidence,
    /// ATT&CK technique ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attack: Vec<String>,
    /// How many more of this id the artifact has beyond the ones listed; stands at the last one listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<u32>,
}

/// What an indicator is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IocType {
    /// An address with a scheme.
    Url,
    /// A host name.
    Domain,
    /// An IP address.
    Ip,
    /// A file name or path.
    File,
    /// A UNC path.
    Unc,
    /// A mail address.
    Email,
    /// A command line.
    Command,
    /// A registry key.
    Registry,
}

impl IocType {
    /// The lower-case word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Url => "url",
            Self::Domain => "domain",
            Self::Ip => "ip",
            Self::File => "file",
            Self::Unc => "unc",
            Self::Email => "email",
            Self::Command => "command",
            Self::Registry => "registry",
        }
    }
}

/// An indicator of compromise: an address, a file, a command that something names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ioc {
    /// What it is.
    pub r#type: IocType,
    /// The value, safe to show.
    pub value: String,
    /// The artifact that names it.
    pub artifact: Id,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_and_scores_are_one_scale() {
        for severity in Severity::ALL {
            assert_eq!(Severity::of_score(severity.score()), severity);
        }
        assert_eq!(Severity::of_score(79), Severity::High);
    }
}
