//! Field codes of Word (ECMA-376 part 1, 17.16; [MS-DOC] 2.8.25): from marks and pieces of text to keyword and arguments.
//!
//! A nested field stands for its value: the characters of `QUOTE`, what `SET` gave a bookmark, the side of an `IF`,
//! else the result that the document keeps. A field without end goes to the end of the text. There is no bound on the
//! length of a code; what nested values may grow to has one.

use std::collections::BTreeMap;

/// Bytes that values of nested fields may come to in all: real ones are words, the rest multiplies itself.
const VALUES: usize = 4 << 20;

/// Fields that name something outside of the document (17.16.5): the others are read for their value only.
const OUTSIDE: &[&str] = &[
    "dde",
    "ddeauto",
    "import",
    "include",
    "includepicture",
    "includetext",
    "link",
    "rd",
];

/// One field that names something outside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Field {
    /// Where it begins, in the unit that [`Fields::begin`] was told.
    pub at: usize,
    /// Its keyword in lower case.
    pub keyword: String,
    /// Its arguments without quotes, escapes resolved, switches left out.
    pub arguments: Vec<String>,
}

/// Fields in the making: fed with marks and text in the order of the document.
#[derive(Debug, Default)]
pub struct Fields {
    open: Vec<Open>,
    done: Vec<Field>,
    bookmarks: BTreeMap<String, String>,
    values: usize,
    cut: bool,
}

#[derive(Debug, Default)]
struct Open {
    at: usize,
    code: String,
    result: String,
    separated: bool,
    /// Whether a field around it may need its result.
    wanted: bool,
    /// Whether it is code outside of any field, which is taken for a field of its own.
    loose: bool,
}

impl Fields {
    /// A field begins (mark 0x13).
    pub fn begin(&mut self, at: usize) {
        self.close_loose();
        let wanted = self
            .open
            .last()
            .is_some_and(|around| around.wanted || !around.separated);
        self.open.push(Open {
            at,
            wanted,
            ..Open::default()
        });
    }

    /// Its code ends and its result begins (mark 0x14).
    pub fn separate(&mut self) {
        if let Some(field) = self.open.last_mut() {
            field.separated = true;
        }
    }

    /// It ends (mark 0x15).
    pub fn end(&mut self) {
        let Some(field) = self.open.pop() else {
            return;
        };
        let value = self.evaluate(&field);
        if !field.wanted || value.is_empty() {
            return;
        }
        self.values = self.values.saturating_add(value.len());
        if self.values > VALUES {
            self.cut = true;
            return;
        }
        if let Some(around) = self.open.last_mut() {
            if around.separated {
                around.result.push_str(&value);
            } else {
                around.code.push_str(&value);
            }
        }
    }

    /// Text that is code by its markup, also where no field is open.
    pub fn code(&mut self, text: &str, at: usize) {
        if self.open.is_empty() {
            self.open.push(Open {
                at,
                loose: true,
                ..Open::default()
            });
        }
        if let Some(field) = self.open.last_mut() {
            field.code.push_str(text);
        }
    }

    /// Text that is code before the separator and result behind it.
    pub fn text(&mut self, text: &str) {
        if let Some(field) = self.open.last_mut().filter(|field| !field.loose) {
            if !field.separated {
                field.code.push_str(text);
            } else if field.wanted || field.code.trim().is_empty() {
                field.result.push_str(text);
            }
        }
    }

    /// Whether any field is open.
    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// The fields that name something outside, in the order of their ends, and whether values had to be left out.
    pub fn finish(mut self) -> (Vec<Field>, bool) {
        // Ends because each turn takes one.
        while !self.open.is_empty() {
            self.end();
        }
        (self.done, self.cut)
    }

    fn close_loose(&mut self) {
        if self.open.last().is_some_and(|field| field.loose) {
            self.end();
        }
    }

    /// What a field stands for; one that names something outside is kept.
    fn evaluate(&mut self, field: &Open) -> String {
        let mut tokens = tokens(&field.code).into_iter();
        let keyword = match tokens.next() {
            Some(token) => token.text.to_lowercase(),
            None => return self.without_code(field),
        };
        let arguments: Vec<Token> = tokens.collect();
        let texts = || arguments.iter().map(|token| token.text.as_str());
        match keyword.as_str() {
            "quote" => arguments.iter().map(Token::characters).collect(),
            "set" => {
                let mut texts = texts();
                let name = texts.next().unwrap_or_default().to_lowercase();
                let value = texts.collect::<Vec<_>>().join(" ");
                self.bookmarks.insert(name, value);
                String::new()
            }
            "if" => chosen(&arguments).unwrap_or_else(|| field.result.clone()),
            "ref" => {
                let name = texts().next().unwrap_or_default().to_lowercase();
                self.bookmark(&name, field)
            }
            keyword if OUTSIDE.contains(&keyword) || is_odd_link(keyword, texts().next()) => {
                self.done.push(Field {
                    at: field.at,
                    keyword: keyword.to_owned(),
                    arguments: texts().map(str::to_owned).collect(),
                });
                field.result.clone()
            }
            // A field may be the name of a bookmark alone.
            name => self.bookmark(name, field),
        }
    }

    /// A field whose code is empty: a mark in front of the code may be a character like others ([MS-DOC] 2.8.25).
    fn without_code(&mut self, field: &Open) -> String {
        let mut tokens = tokens(&field.result).into_iter();
        let keyword = tokens.next().map(|token| token.text.to_lowercase());
        if let Some(keyword) = keyword.filter(|one| matches!(one.as_str(), "dde" | "ddeauto")) {
            self.done.push(Field {
                at: field.at,
                keyword,
                arguments: tokens.map(|token| token.text).collect(),
            });
        }
        String::new()
    }

    fn bookmark(&self, name: &str, field: &Open) -> String {
        match self.bookmarks.get(name) {
            Some(value) if !value.is_empty() => value.clone(),
            _ => field.result.clone(),
        }
    }
}

/// Whether it is a link to something else than a page, a file or a letter (17.16.5.25).
fn is_odd_link(keyword: &str, target: Option<&str>) -> bool {
    const ORDINARY: &[&str] = &["http", "https", "mailto", "file"];
    if keyword != "hyperlink" {
        return false;
    }
    let scheme = target.and_then(|target| target.trim_start().split_once(':'));
    scheme.is_some_and(|(scheme, _)| {
        scheme.len() > 1 && !ORDINARY.iter().any(|one| one.eq_ignore_ascii_case(scheme))
    })
}

/// The side of an `IF` that its comparison takes (17.16.5.22).
fn chosen(arguments: &[Token]) -> Option<String> {
    let text = |at: usize| arguments.get(at).map(|token| token.text.as_str());
    let (left, operator, right) = (text(0)?, text(1)?, text(2)?);
    let holds = match operator {
        "=" => left == right,
        "<>" => left != right,
        "<" => left < right,
        ">" => left > right,
        "<=" => left <= right,
        ">=" => left >= right,
        _ => return None,
    };
    let side = if holds { text(3) } else { text(4) };
    side.map(str::to_owned)
}

/// One word or quoted text of a field code.
#[derive(Debug, PartialEq, Eq)]
struct Token {
    text: String,
    quoted: bool,
}

impl Token {
    /// What `QUOTE` makes of it: a number without quotes is a character (17.16.5.49).
    fn characters(&self) -> String {
        let code = match self.text.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None => self.text.parse().ok(),
        };
        match code.and_then(char::from_u32).filter(|_| !self.quoted) {
            Some(c) => c.to_string(),
            None => self.text.clone(),
        }
    }
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}')
}

fn is_blank(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

/// The words of a field code (17.16.1). A switch, and the name of a format behind `\*`, is left out.
fn tokens(code: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = code.chars().peekable();
    let mut format = false;
    // Ends because each turn takes at least one character.
    while let Some(c) = chars.next() {
        if is_blank(c) {
            continue;
        }
        let mut text = String::new();
        let quoted = is_quote(c);
        if quoted {
            while let Some(c) = chars.next() {
                match c {
                    '\\' if chars
                        .peek()
                        .is_some_and(|next| *next == '\\' || is_quote(*next)) =>
                    {
                        text.extend(chars.next());
                    }
                    c if is_quote(c) => break,
                    c => text.push(c),
                }
            }
        } else if c == '\\' && chars.peek() != Some(&'\\') {
            format = chars.next() == Some('*');
            continue;
        } else {
            let mut c = c;
            loop {
                if c == '\\' && chars.peek() == Some(&'\\') {
                    chars.next();
                }
                text.push(c);
                match chars.next_if(|next| !is_blank(*next) && !is_quote(*next)) {
                    Some(next) => c = next,
                    None => break,
                }
            }
        }
        let named = text.to_ascii_lowercase();
        let is_format = matches!(
            named.as_str(),
            "mergeformat" | "mergeformatinet" | "charformat"
        );
        if !(format && is_format) {
            tokens.push(Token { text, quoted });
        }
        format = false;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields of a text in which `{`, `|` and `}` are the marks.
    fn read(text: &str) -> Vec<String> {
        let mut fields = Fields::default();
        for (at, c) in text.char_indices() {
            match c {
                '{' => fields.begin(at),
                '|' => fields.separate(),
                '}' => fields.end(),
                c => fields.text(c.encode_utf8(&mut [0; 4])),
            }
        }
        let (done, cut) = fields.finish();
        assert!(!cut);
        done.into_iter()
            .map(|field| format!("{} {}", field.keyword, field.arguments.join(" # ")))
            .collect()
    }

    #[test]
    fn codes_are_put_together_with_quotes_and_escapes_resolved() {
        assert_eq!(
            read(r#"{ DDEAUTO c:\\windows\\system32\\cmd.exe "/k calc.exe" \* MERGEFORMAT |x}"#),
            [r"ddeauto c:\windows\system32\cmd.exe # /k calc.exe"]
        );
        assert_eq!(
            read("{\u{a0}dde \u{201c}a b\u{201d}c \\a \"d\\\"e\"}"),
            ["dde a b # c # d\"e"]
        );
        assert_eq!(
            read("{ PAGE }{ HYPERLINK \"http://a.example\" }{ TOC \\o }").len(),
            0
        );
    }

    #[test]
    fn nested_fields_stand_for_their_values_and_a_missing_end_hides_nothing() {
        assert_eq!(
            read("{ {QUOTE 68 68 0x45} {QUOTE 99 \"md\"} \"/c calc\""),
            ["dde cmd # /c calc"]
        );
        assert_eq!(
            read(
                "{SET a \"{QUOTE 99 109 100}\"}{ DDEAUTO {REF a} {a} {IF 1 = 1 \"x\" \"y\"} {PAGE|7}}"
            ),
            ["ddeauto cmd # cmd # x # 7"]
        );
        assert_eq!(
            read("{ IF a = b \"{DDE x}\" \"\" | {DDEAUTO y} }"),
            ["dde x", "ddeauto y"]
        );
    }

    #[test]
    fn values_that_multiply_are_cut_and_told() {
        let mut fields = Fields::default();
        fields.begin(0);
        fields.code("SET a ", 0);
        fields.code(&"x".repeat(100_000), 0);
        fields.end();
        fields.begin(0);
        fields.code("DDE ", 0);
        for _ in 0..100 {
            fields.begin(0);
            fields.code("a", 0);
            fields.end();
        }
        let (done, cut) = fields.finish();
        assert!(cut);
        assert_eq!(done.len(), 1);
    }
}
