//! What joins messages into a campaign: `signatures/campaigns.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::model::{Family, Kind};

/// What payloads are, and when two of them are alike.
#[derive(Debug, Clone)]
pub struct CampaignLists {
    groups: BTreeSet<String>,
    families: BTreeSet<Family>,
    /// Shorter payloads, in bytes, are compared as wholes only.
    pub least_bytes: usize,
    /// Largest TLSH distance of what is nearly the same.
    pub distance: u32,
    /// Least score of the worst payload of a campaign.
    pub least_score: u8,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    groups: BTreeSet<String>,
    families: BTreeSet<String>,
    least_bytes: usize,
    distance: u32,
    least_score: u8,
}

impl CampaignLists {
    pub(super) const SOURCE: &str = include_str!("../../signatures/campaigns.toml");

    /// Reads the text of the file; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let families = file.families.iter().map(|name| {
            let mut families = Kind::ALL.iter().map(|kind| kind.family());
            families
                .find(|family| format!("{family:?}") == *name)
                .ok_or_else(|| format!("no family {name:?}"))
        });
        Ok(Self {
            families: families.collect::<Result<_, _>>()?,
            groups: file.groups,
            least_bytes: file.least_bytes,
            distance: file.distance,
            least_score: file.least_score,
        })
    }

    /// Whether a finding of this group makes an artifact a payload.
    pub fn acts(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    /// Whether payloads of this kind are compared by TLSH.
    pub fn likens(&self, kind: Kind) -> bool {
        self.families.contains(&kind.family())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_not_compared_and_scripts_are() {
        let lists = CampaignLists::parse(CampaignLists::SOURCE).unwrap();
        assert!(
            lists.likens(Kind::VbaSource) && !lists.likens(Kind::Png) && !lists.likens(Kind::Docx)
        );
        assert!(lists.acts("macros") && !lists.acts("containers"));
    }

    #[test]
    fn an_unknown_family_is_a_mistake() {
        let text = CampaignLists::SOURCE.replace("\"Vba\"", "\"Vbx\"");
        assert!(CampaignLists::parse(&text).unwrap_err().contains("Vbx"));
    }
}
