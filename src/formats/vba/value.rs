//! What an expression comes to, and how a text came to be.

use std::cell::Cell;
use std::rc::Rc;

/// Longest text kept of a value in bytes; what would be appended beyond is dropped and the text marked partial.
const LONGEST: usize = 1 << 20;

/// Longest trail of an object in bytes.
const LONGEST_TRAIL: usize = 256;

/// The steps left for folding one module: about one for each byte produced.
#[derive(Debug)]
pub struct Steps {
    left: Cell<u64>,
    exhausted: Cell<bool>,
}

impl Steps {
    /// Steps for a module of `len` bytes: a multiple of its length, so that the work is linear.
    pub fn of_source(len: usize) -> Self {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        Self {
            left: Cell::new(len.saturating_mul(16).saturating_add(4 << 20)),
            exhausted: Cell::new(false),
        }
    }

    /// Takes steps; `false` once there are not enough left.
    pub fn take(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        match self.left.get().checked_sub(count) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => {
                self.exhausted.set(true);
                false
            }
        }
    }

    /// Whether more steps were asked for than there were.
    pub fn are_exhausted(&self) -> bool {
        self.exhausted.get()
    }
}

/// By which means a text was built; plain concatenation is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Built {
    /// Printable ASCII letters, digits and signs given by their number.
    pub characters: u32,
    /// Texts reversed, replaced within, cut up and joined, or taken from arrays.
    pub rearranged: u32,
    /// Concatenations.
    pub joined: u32,
}

impl Built {
    fn and(self, other: Self) -> Self {
        Self {
            characters: self.characters.saturating_add(other.characters),
            rearranged: self.rearranged.saturating_add(other.rearranged),
            joined: self.joined.saturating_add(other.joined),
        }
    }

    /// One text rearranged.
    pub(super) fn rearranged(mut self) -> Self {
        self.rearranged = self.rearranged.saturating_add(1);
        self
    }
}

#[derive(Debug, Clone)]
struct Inner {
    text: String,
    plain: u128,
    built: Built,
    partial: bool,
    seen: Cell<bool>,
}

/// A text that an expression comes to. What is not known of it stands in braces, as the source has it.
#[derive(Debug, Clone)]
pub struct Text(Rc<Inner>);

impl Text {
    /// A literal with the marks found in it.
    pub(super) fn literal(text: String, plain: u128) -> Self {
        Self::new(text, plain, Built::default())
    }

    pub(super) fn new(text: String, plain: u128, built: Built) -> Self {
        Self(Rc::new(Inner {
            text,
            plain,
            built,
            partial: false,
            seen: Cell::new(false),
        }))
    }

    /// A text that is not known, shown as its source in braces.
    pub(super) fn placeholder(source: &str) -> Self {
        let mut inner: String = source.chars().take(40).collect();
        inner.insert(0, '{');
        inner.push('}');
        Self(Rc::new(Inner {
            text: inner,
            plain: 0,
            built: Built::default(),
            partial: true,
            seen: Cell::new(true),
        }))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether something in it is not known.
    pub fn is_partial(&self) -> bool {
        self.0.partial
    }

    /// Marks found in the literals that went into it.
    pub fn plain(&self) -> u128 {
        self.0.plain
    }

    /// How it was built.
    pub fn built(&self) -> Built {
        self.0.built
    }

    /// Whether it was not asked for before: a value that is used often is looked at once.
    pub(super) fn is_news(&self) -> bool {
        !self.0.seen.replace(true)
    }

    /// A text made from this one by a function.
    pub(super) fn derive(&self, text: String, built: Built) -> Self {
        let made = Inner {
            text,
            plain: self.0.plain,
            built: self.0.built.and(built),
            partial: self.0.partial,
            seen: Cell::new(false),
        };
        Self(Rc::new(made))
    }

    /// Adds a text at the end; in place where nobody else holds this one.
    pub(super) fn append(&mut self, other: &Self, steps: &Steps) -> bool {
        let unique = Rc::strong_count(&self.0) == 1;
        let cost = if unique {
            other.0.text.len()
        } else {
            self.0.text.len().saturating_add(other.0.text.len())
        };
        if !steps.take(cost.saturating_add(1)) {
            return false;
        }
        let inner = Rc::make_mut(&mut self.0);
        if inner.text.len().saturating_add(other.0.text.len()) <= LONGEST {
            inner.text.push_str(&other.0.text);
        } else {
            inner.partial = true;
        }
        inner.plain |= other.0.plain;
        inner.partial |= other.0.partial;
        inner.built = inner.built.and(other.0.built);
        inner.built.joined = inner.built.joined.saturating_add(1);
        inner.seen.set(false);
        true
    }
}

/// What an expression comes to.
#[derive(Debug, Clone, Default)]
pub enum Value {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// A variable that was never set: an empty text, zero.
    Empty,
    /// A text, known at least in part.
    Text(Text),
    /// A number or truth value (-1 and 0).
    Number(f64),
    /// An object: what it was made from, then `>` and each member by which it was reached, with its first text argument.
    Object(Rc<str>),
    /// An array that starts at 0.
    Array(Rc<Vec<Value>>),
}

impl Value {
    /// A truth value.
    pub(super) fn of_bool(truth: bool) -> Self {
        Self::Number(if truth { -1.0 } else { 0.0 })
    }

    /// An object made from a lower-case ProgID, class id or moniker.
    pub(super) fn object(from: &str) -> Self {
        let kept: String = from
            .trim()
            .to_lowercase()
            .chars()
            .take(LONGEST_TRAIL)
            .collect();
        Self::Object(kept.into())
    }

    /// The text, where it is one.
    pub fn as_text(&self) -> Option<&Text> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object's trail, where it is one.
    pub fn as_object(&self) -> Option<&str> {
        match self {
            Self::Object(trail) => Some(trail),
            _ => None,
        }
    }

    /// The number, where it is one or a text that reads as one.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Empty => Some(0.0),
            Self::Text(text) if !text.is_partial() => number(text.as_str()),
            _ => None,
        }
    }

    /// The whole number, rounded half to even as VBA does.
    pub fn as_whole(&self) -> Option<i64> {
        self.as_number().and_then(whole)
    }

    /// Whether everything about it is known.
    pub fn is_known(&self) -> bool {
        match self {
            Self::Unknown | Self::Object(_) => false,
            Self::Text(text) => !text.is_partial(),
            Self::Number(_) | Self::Array(_) | Self::Empty => true,
        }
    }

    /// The object reached by a member of this one.
    pub(super) fn member(&self, name: &str, argument: Option<&str>) -> Self {
        let Self::Object(trail) = self else {
            return Self::Unknown;
        };
        let argument = argument.unwrap_or_default();
        let len = trail
            .len()
            .saturating_add(name.len())
            .saturating_add(argument.len());
        if len > LONGEST_TRAIL {
            return self.clone();
        }
        let lower = argument.to_lowercase();
        Self::Object(format!("{trail}>{name}:{lower}").into())
    }
}

/// Rounds half to even; nothing where it does not fit.
pub(super) fn whole(number: f64) -> Option<i64> {
    /// Whole numbers are exact up to here.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !(number.is_finite() && number.abs() <= EXACT) {
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the range was checked the line above"
    )]
    let whole = number.round_ties_even() as i64;
    Some(whole)
}

/// Reads a number as `Val` and the coercions do: decimal, `&H`, `&O`.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let based = |prefix: [&str; 2], radix: u32| {
        let digits = prefix.iter().find_map(|one| text.strip_prefix(one))?;
        let digits = digits.trim_end_matches(['&', '%', '^']);
        let value = i64::from_str_radix(digits, radix).ok()?;
        // Four hexadecimal digits are an Integer: &HFFFF is -1, unless a suffix makes it a Long.
        let short = !text.ends_with('&') && (0x8000..=0xffff).contains(&value);
        whole_to_number(if short {
            value.saturating_sub(0x10000)
        } else {
            value
        })
    };
    if let Some(value) = based(["&H", "&h"], 16).or_else(|| based(["&O", "&o"], 8)) {
        return Some(value);
    }
    if text.is_empty()
        || !text.bytes().all(|byte| {
            matches!(
                byte,
                b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E' | b'd' | b'D'
            )
        })
    {
        return None;
    }
    text.replace(['d', 'D'], "e").parse().ok()
}

/// A whole number as VBA's Double.
pub(super) fn whole_to_number(value: i64) -> Option<f64> {
    i32::try_from(value).ok().map(f64::from)
}
