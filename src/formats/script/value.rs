//! Values of constant expressions in scripts, and the account of the work on them.

/// Work for each byte of the source, and at the least: pieces of text are copied a few times on their way.
const WORK_PER_BYTE: usize = 24;
const WORK: usize = 100_000;

/// The work that is left for one script: about one for each byte that is produced.
#[derive(Debug)]
pub(super) struct Work(usize);

impl Work {
    /// The work for a script of `len` bytes.
    pub(super) fn of_source(len: usize) -> Self {
        Self(len.saturating_mul(WORK_PER_BYTE).saturating_add(WORK))
    }

    /// Takes what `size` bytes cost; nothing is left once there is not enough.
    pub(super) fn pay(&mut self, size: usize) -> Option<()> {
        let left = self.0.checked_sub(size.saturating_add(1));
        self.0 = left.unwrap_or(0);
        left.map(|_| ())
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.0 == 0
    }
}

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
    /// Size for the account of work: bytes of texts, one for anything else, lists with all that is in them.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Text(text) | Self::Pattern(text) => text.len(),
            Self::Number(_) => 1,
            Self::List(list) => list.iter().fold(1, |size, value| {
                size.saturating_add(value.size()).saturating_add(1)
            }),
        }
    }

    /// Whether lists lie within lists no deeper than this.
    pub(super) fn is_within(&self, depth: u32) -> bool {
        match self {
            Self::Text(_) | Self::Pattern(_) | Self::Number(_) => true,
            Self::List(list) => depth
                .checked_sub(1)
                .is_some_and(|below| list.iter().all(|value| value.is_within(below))),
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

/// The texts of a list with something between them, paid for.
pub(super) fn joined(list: &[Value], between: &str, work: &mut Work) -> Option<String> {
    for value in list {
        work.pay(value.size().saturating_add(between.len()))?;
    }
    Some(join(list.to_vec(), between))
}

/// The texts of a list with something between them. Lists within lists are joined no deeper than their expression was.
fn join(list: Vec<Value>, between: &str) -> String {
    let mut out = String::new();
    for (at, value) in list.into_iter().enumerate() {
        if at > 0 {
            out.push_str(between);
        }
        out.push_str(&value.into_text());
    }
    out
}
