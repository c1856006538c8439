//! The report: one JSON object per input.

use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::{Artifact, Finding, Ioc};

/// The verdict on an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing at or above the threshold `suspicious`.
    Clean,
    /// At or above the threshold `suspicious`.
    Suspicious,
    /// At or above the threshold `malicious`.
    Malicious,
}

impl Level {
    /// The lower-case word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Suspicious => "suspicious",
            Self::Malicious => "malicious",
        }
    }
}

/// A combination of findings that says more than each of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// Id of the combination in the catalogue.
    pub by: String,
    /// 0 to 100.
    pub score: u8,
    /// Indexes into the report's findings.
    pub findings: Vec<usize>,
}

/// Everything said about one input. Equal input, rules and options give an equal report but for `elapsed_us`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The input as it was given.
    pub path: String,
    /// The verdict.
    pub level: Level,
    /// 0 to 100.
    pub score: u8,
    /// Whether everything could be looked through.
    pub complete: bool,
    /// The tree, parents before children.
    pub artifacts: Vec<Artifact>,
    /// What was found, artifact by artifact.
    pub findings: Vec<Finding>,
    /// Combinations.
    pub raised: Vec<Raised>,
    /// Indicators.
    pub iocs: Vec<Ioc>,
    /// SHA-256 over the rule sources.
    pub rules: String,
    /// Version of the program.
    pub version: &'static str,
    /// Time the scan took in microseconds.
    pub elapsed_us: u64,
}

impl Serialize for Artifact {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut out = serializer.serialize_struct("Artifact", 10)?;
        out.serialize_field("id", &self.id)?;
        if let Some(parent) = self.parent {
            out.serialize_field("parent", &parent)?;
        }
        if let Some(via) = self.via {
            out.serialize_field("via", via)?;
        }
        out.serialize_field("kind", &self.kind)?;
        out.serialize_field("size", &self.data.len())?;
        out.serialize_field("sha256", &self.sha256_hex())?;
        if let Some(name) = &self.name {
            out.serialize_field("name", &name.text)?;
        }
        if let Some(declared) = &self.declared {
            out.serialize_field("declared", declared)?;
        }
        if let Some(same_as) = self.same_as {
            out.serialize_field("same_as", &same_as)?;
        }
        if let Some(mail) = &self.mail {
            out.serialize_field("mail", mail)?;
        }
        if let Some(hash) = self.vba_hash() {
            out.serialize_field("vba_hash", &hash)?;
        }
        if let Some(signer) = self.vba_signer() {
            out.serialize_field("vba_signer", &signer)?;
        }
        out.end()
    }
}
