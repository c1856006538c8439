//! `signatures/extensions.toml`: what file name extensions claim, which of them run, which are shown as decoys.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::model::{Family, Kind};

/// How a content stands to what its name claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Match {
    /// It is what the name says.
    Honest,
    /// It is something that often bears such a name, by custom or by a slip, or nothing that could do harm.
    Near,
    /// It is of an altogether different kind.
    Across,
}

/// What one extension claims.
#[derive(Debug, Clone, Default)]
pub struct Extension {
    is: Claims,
    near: Claims,
    /// The one kind that it names, where others of its family are near only.
    own: Option<Kind>,
    /// Whether opening such a file runs what is in it.
    pub runs: bool,
    /// Whether a user takes it as harmless, so that deceptive names show it in front of the true one.
    pub decoy: bool,
    /// Whether such a file wraps another and keeps its name.
    pub wraps: bool,
    /// Number of the group: extensions of one group say the same.
    pub group: usize,
}

#[derive(Debug, Clone, Default)]
struct Claims {
    kinds: Vec<Kind>,
    families: Vec<Family>,
}

impl Claims {
    fn parse(names: &[String]) -> Result<Self, String> {
        let mut claims = Self::default();
        for name in names {
            let (bare, whole_family) = name
                .strip_suffix('*')
                .map_or((name.as_str(), false), |bare| (bare, true));
            let kind = Kind::from_name(bare).ok_or_else(|| format!("no kind {bare:?}"))?;
            if whole_family {
                claims.families.push(kind.family());
            } else {
                claims.kinds.push(kind);
            }
        }
        Ok(claims)
    }

    fn hold(&self, kind: Kind) -> bool {
        self.kinds.contains(&kind) || self.families.contains(&kind.family())
    }
}

impl Extension {
    /// How a content of `kind` stands to the claim.
    pub fn against(&self, kind: Kind) -> Match {
        // A text may well be empty; a document without a byte is none.
        let empty_text = kind == Kind::Empty && self.is.hold(Kind::Text);
        if self.own.is_some_and(|own| own != kind) && !self.is.kinds.contains(&kind) {
            let near = self.is.hold(kind) || self.near.hold(kind);
            return if near || matches!(kind, Kind::Data | Kind::Empty) {
                Match::Near
            } else {
                Match::Across
            };
        }
        if self.is.hold(kind) || empty_text {
            Match::Honest
        } else if self.near.hold(kind) || matches!(kind, Kind::Data | Kind::Empty) {
            Match::Near
        } else {
            Match::Across
        }
    }

    /// Whether it claims something else than a program.
    pub fn is_harmless(&self) -> bool {
        !self.runs && !self.is.hold(Kind::Pe)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    group: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    extensions: Vec<String>,
    is: Vec<String>,
    #[serde(default)]
    near: Vec<String>,
    #[serde(default)]
    own: BTreeMap<String, String>,
    #[serde(default)]
    runs: bool,
    #[serde(default)]
    decoy: bool,
    #[serde(default)]
    wraps: bool,
}

/// The known extensions.
#[derive(Debug)]
pub struct Extensions {
    known: BTreeMap<String, Extension>,
}

impl Extensions {
    /// Reads the text of the file; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut known = BTreeMap::new();
        for (number, group) in file.group.into_iter().enumerate() {
            let own = |extension: &String| {
                let name = group.own.get(extension)?;
                Some(Kind::from_name(name).ok_or_else(|| format!("no kind {name:?}")))
            };
            let extension = Extension {
                is: Claims::parse(&group.is)?,
                near: Claims::parse(&group.near)?,
                own: None,
                runs: group.runs,
                decoy: group.decoy,
                wraps: group.wraps,
                group: number,
            };
            for name in &group.extensions {
                let extension = Extension {
                    own: own(name).transpose()?,
                    ..extension.clone()
                };
                if name.to_lowercase() != *name {
                    return Err(format!("{name:?} is not in lower case"));
                }
                if known.insert(name.clone(), extension).is_some() {
                    return Err(format!("{name:?} stands twice"));
                }
            }
        }
        Ok(Self { known })
    }

    /// What an extension in lower case, without its dot, claims; `None` where it claims nothing.
    pub fn of(&self, extension: &str) -> Option<&Extension> {
        self.known.get(extension)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    #[test]
    fn claims_are_held_against_kinds() {
        let extensions = Knowledge::embedded().unwrap().extensions;
        let against = |extension: &str, kind: Kind| {
            extensions
                .of(extension)
                .map(|extension| extension.against(kind))
        };
        assert_eq!(against("doc", Kind::Doc), Some(Match::Honest));
        assert_eq!(against("doc", Kind::Rtf), Some(Match::Near));
        assert_eq!(against("docx", Kind::Xlsx), Some(Match::Near));
        assert_eq!(against("xls", Kind::Html), Some(Match::Near));
        assert_eq!(against("txt", Kind::Csv), Some(Match::Honest));
        assert_eq!(against("jpg", Kind::Png), Some(Match::Near));
        assert_eq!(against("jpeg", Kind::Jpg), Some(Match::Honest));
        assert_eq!(against("pdf", Kind::Zip), Some(Match::Across));
        assert_eq!(against("pdf", Kind::Data), Some(Match::Near));
        assert_eq!(against("bin", Kind::Pe), None);
    }

    #[test]
    fn a_file_that_does_not_hold_is_refused() {
        let group = "[[group]]\nextensions = [\"a\"]\nis = [\"png\"]\n";
        assert!(Extensions::parse(group).is_ok());
        assert!(Extensions::parse(&group.repeat(2)).is_err());
        assert!(Extensions::parse(&group.replace("png", "nothing")).is_err());
        assert!(Extensions::parse(&group.replace("\"a\"", "\"A\"")).is_err());
    }
}
