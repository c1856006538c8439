//! Passwords to try, and how mails name them: `signatures/passwords.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// The text of the file.
const SOURCE: &str = include_str!("../../signatures/passwords.toml");

/// With what does not hold, for there is nobody to complain to where they are used.
static LISTS: LazyLock<(PasswordLists, Option<String>)> =
    LazyLock::new(|| match PasswordLists::parse(SOURCE) {
        Ok(lists) => (lists, None),
        Err(reason) => (PasswordLists::default(), Some(reason)),
    });

/// The embedded lists; a test holds that they parse.
pub fn passwords() -> &'static PasswordLists {
    &LISTS.0
}

/// What does not hold in the embedded lists.
pub(super) fn fault() -> Option<String> {
    LISTS.1.clone()
}

/// Lists for locked containers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordLists {
    /// Passwords that programs and analysts use.
    pub well_known: Vec<String>,
    /// Passwords that people choose without thinking, tried after all that a mail says.
    pub weak: Vec<String>,
    /// Words behind which a password stands, in lower case and half-width letters.
    pub phrases: Vec<String>,
    /// Words that lead from such a phrase to the password, in lower case.
    pub leading: Vec<String>,
    /// Words with which a mail describes a password instead of writing it, likewise.
    pub recipes: Recipes,
}

/// What a password is made of, by the words that say so.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipes {
    /// A telephone number, or its last digits.
    pub phone: Vec<String>,
    /// A date.
    pub date: Vec<String>,
    /// The name of a company.
    pub company: Vec<String>,
    /// What stands in front of or behind a company's name in Japanese.
    pub company_marks: Vec<String>,
    /// What ends a company's name in Western letters.
    pub company_endings: Vec<String>,
    /// Ways to write a day, the commonest first.
    pub forms: Vec<String>,
    /// Names of the months.
    pub months: Vec<String>,
    /// How many letters of it the words ask for.
    pub asked: Vec<(usize, Vec<String>)>,
    /// A postal code.
    pub postal: Vec<String>,
    /// A person.
    pub person: Vec<String>,
    /// A domain.
    pub domain: Vec<String>,
    /// The day before.
    pub day_before: Vec<String>,
    /// The day behind.
    pub day_after: Vec<String>,
    /// The word, turned around.
    pub reversed: Vec<String>,
    /// Labels of host names that name nobody.
    pub common_labels: Vec<String>,
}

impl PasswordLists {
    /// Reads the text of `passwords.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}
