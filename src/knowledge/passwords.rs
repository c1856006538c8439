//! Passwords to try, and how mails name them: `signatures/passwords.toml`.

use std::sync::LazyLock;

use serde::Deserialize;

/// The text of the file.
pub(super) const SOURCE: &str = include_str!("../../signatures/passwords.toml");

static LISTS: LazyLock<PasswordLists> =
    LazyLock::new(|| PasswordLists::parse(SOURCE).unwrap_or_default());

/// The embedded lists; a test holds that they parse.
pub fn passwords() -> &'static PasswordLists {
    &LISTS
}

/// Lists for locked containers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordLists {
    /// Passwords that programs and analysts use.
    pub well_known: Vec<String>,
    /// Words behind which a password stands, in lower case and half-width letters.
    pub phrases: Vec<String>,
}

impl PasswordLists {
    /// Reads the text of `passwords.toml`; the error says what does not hold.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}
