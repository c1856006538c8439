//! Values of constant expressions in scripts.

/// What a constant expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A list.
    List(Vec<Value>),
    /// A regular expression.
    Pattern(String),
}

impl Value {
    /// Size for the account of work.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Pattern(text) => text.len(),
            Self::Number(_) => 1,
            // Texts in lists were counted when they were read.
            Self::List(list) => list.len(),
        }
    }

    /// As a text, as the languages put it together with others.
    pub(super) fn into_text(self) -> String {
        match self {
            Self::Text(text) | Self::Pattern(text) => text,
            Self::Number(number) => number.to_string(),
            Self::List(list) => join(list, ","),
        }
    }

    /// As a character code.
    pub(super) fn as_char(&self) -> Option<char> {
        match self {
            Self::Number(code) => char::from_u32(u32::try_from(*code).ok()?),
            Self::Text(text) => char::from_u32(text.trim().parse().ok()?),
            Self::List(_) | Self::Pattern(_) => None,
        }
    }
}

/// The texts of a list with something between them. Lists within lists are joined no deeper than their expression was.
pub(super) fn join(list: Vec<Value>, between: &str) -> String {
    let mut out = String::new();
    for (at, value) in list.into_iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&value.into_text());
    }
    out
}
