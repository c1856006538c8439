//! Classes of objects that documents load: `signatures/objects.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Classes by what is known of them.
#[derive(Debug)]
pub struct ObjectLists {
    classes: BTreeMap<String, (String, Standing)>,
}

/// What is known of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A control as Office itself brings it.
    Forms,
    /// A component that has been used in attacks, or that shows and runs foreign content.
    Abused,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    forms: Vec<Class>,
    abused: Vec<Class>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    /// Class id without braces.
    id: String,
    /// Class name without its version.
    name: String,
}

impl ObjectLists {
    /// Reads the text of `objects.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut classes = BTreeMap::new();
        let known = [
            (file.forms, Standing::Forms),
            (file.abused, Standing::Abused),
        ];
        for (list, standing) in known {
            for Class { id, name } in list {
                let shape: Vec<usize> = id.split('-').map(str::len).collect();
                let digits = |c: char| matches!(c, '0'..='9' | 'a'..='f' | '-');
                if shape != [8, 4, 4, 4, 12] || !id.chars().all(digits) {
                    return Err(format!("{id}: no class id in lower case"));
                }
                let entry = (name.clone(), standing);
                classes.insert(name.to_lowercase(), entry.clone());
                if classes.insert(id.clone(), entry).is_some() {
                    return Err(format!("{id}: listed twice"));
                }
            }
        }
        Ok(Self { classes })
    }

    /// Name and standing of a class: an id, in braces or not, or a class name with or without its version.
    pub fn class(&self, class: &str) -> Option<(&str, Standing)> {
        let key = class
            .trim()
            .trim_start_matches("clsid:")
            .trim_matches(['{', '}'])
            .to_lowercase();
        let found = self.classes.get(&key).or_else(|| {
            let (name, version) = key.rsplit_once('.')?;
            let numeric = version.bytes().all(|byte| byte.is_ascii_digit());
            self.classes.get(name).filter(|_| numeric)
        });
        found.map(|(name, standing)| (name.as_str(), *standing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::knowledge::Knowledge;

    #[test]
    fn classes_are_found_by_id_and_by_name() {
        let objects = Knowledge::embedded().unwrap().objects;
        for class in [
            "{8BD21D10-EC42-11CE-9E0D-00AA006002F3}",
            "8bd21d10-ec42-11ce-9e0d-00aa006002f3",
            "Forms.TextBox.1",
            "forms.textbox",
        ] {
            assert_eq!(
                objects.class(class),
                Some(("Forms.TextBox", Standing::Forms)),
                "{class}"
            );
        }
        assert_eq!(objects.class("Forms.TextBox.x"), None);
        assert_eq!(objects.class(""), None);
    }

    #[test]
    fn a_class_id_that_is_none_is_refused() {
        for text in [
            "forms = [{ id = \"8BD21D10-EC42-11CE-9E0D-00AA006002F3\", name = \"a\" }]\nabused = []",
            "forms = [{ id = \"8bd21d10\", name = \"a\" }]\nabused = []",
        ] {
            assert!(ObjectLists::parse(text).is_err());
        }
    }
}
