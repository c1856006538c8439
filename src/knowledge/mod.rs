//! `signatures/` typed: the catalogue of findings and the lists that analyzers look things up in.
//!
//! All of it is embedded in the binary. Knowledge is data; code names only ids.

mod behaviour;
mod campaigns;
mod catalogue;
mod commands;
mod extensions;
mod indicators;
mod links;
mod objects;
mod passwords;
mod pdf;
mod scripts;
mod vba;
mod xlm;

pub use behaviour::{Behaviours, Deed, Obfuscation};
pub use campaigns::CampaignLists;
pub use catalogue::{Catalogue, Combination, Entry, Language, Scope, Text, Variant};
pub use commands::{BuildLists, Commands as CommandKnowledge};
pub use extensions::{Extension, Extensions, Match};
pub use indicators::IndicatorLists;
pub use links::LinkLists;
pub use objects::{ObjectLists, Standing};
pub use passwords::{PasswordLists, Recipes, passwords};
pub use pdf::PdfLists;
pub use scripts::{Feature, Language as ScriptLanguage, Meaning, Scripts, scripts};
pub use vba::{Api, AssignmentRule, CallRule, Commands, Disguise, VbaKnowledge, Weight, When};
pub use xlm::XlmKnowledge;

use thiserror::Error;

/// A signature file that does not hold.
#[derive(Debug, Error)]
#[error("signatures/{file}: {reason}")]
pub struct BadSignatures {
    /// The file.
    pub file: &'static str,
    /// What is wrong with it.
    pub reason: String,
}

/// Everything that analyzers and the score look up.
#[derive(Debug)]
pub struct Knowledge {
    /// What is said about each finding.
    pub catalogue: Catalogue,
    /// What VBA does by itself and what it can do.
    pub vba: VbaKnowledge,
    /// What Excel 4 macros can do.
    pub xlm: XlmKnowledge,
    /// What scripts do.
    pub behaviour: Behaviours,
    /// Tools of Windows and command lines that misuse them.
    pub commands: CommandKnowledge,
    /// What joins messages into a campaign.
    pub campaigns: CampaignLists,
    /// Lists for indicators.
    pub indicators: IndicatorLists,
    /// Lists for links of documents.
    pub links: LinkLists,
    /// Classes of objects.
    pub objects: ObjectLists,
    /// What scripts of PDFs do.
    pub pdf: PdfLists,
    /// What extensions claim.
    pub extensions: Extensions,
}

impl Knowledge {
    /// The knowledge embedded in the binary.
    pub fn embedded() -> Result<Self, BadSignatures> {
        // Used through [`scripts`] and [`passwords`], which have nobody to complain to.
        let faults = [
            ("scripts.toml", scripts::fault()),
            ("passwords.toml", passwords::fault()),
        ];
        for (file, reason) in faults {
            if let Some(reason) = reason {
                return Err(BadSignatures { file, reason });
            }
        }
        Ok(Self {
            catalogue: parse(
                "findings.toml",
                include_str!("../../signatures/findings.toml"),
                Catalogue::parse,
            )?,
            vba: parse(
                "vba.toml",
                include_str!("../../signatures/vba.toml"),
                VbaKnowledge::parse,
            )?,
            xlm: parse(
                "xlm.toml",
                include_str!("../../signatures/xlm.toml"),
                XlmKnowledge::parse,
            )?,
            behaviour: parse(
                "behaviour.toml",
                include_str!("../../signatures/behaviour.toml"),
                Behaviours::parse,
            )?,
            commands: parse(
                "commands.toml",
                include_str!("../../signatures/commands.toml"),
                CommandKnowledge::parse,
            )?,
            campaigns: parse(
                "campaigns.toml",
                CampaignLists::SOURCE,
                CampaignLists::parse,
            )?,
            indicators: parse(
                "indicators.toml",
                include_str!("../../signatures/indicators.toml"),
                IndicatorLists::parse,
            )?,
            objects: parse(
                "objects.toml",
                include_str!("../../signatures/objects.toml"),
                ObjectLists::parse,
            )?,
            links: parse(
                "links.toml",
                include_str!("../../signatures/links.toml"),
                LinkLists::parse,
            )?,
            pdf: parse(
                "pdf.toml",
                include_str!("../../signatures/pdf.toml"),
                PdfLists::parse,
            )?,
            extensions: parse(
                "extensions.toml",
                include_str!("../../signatures/extensions.toml"),
                Extensions::parse,
            )?,
        })
    }
}

fn parse<T>(
    file: &'static str,
    text: &str,
    parser: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, BadSignatures> {
    parser(text).map_err(|reason| BadSignatures { file, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_signatures_hold() {
        Knowledge::embedded().unwrap();
    }
}
