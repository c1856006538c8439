//! What a page shows nothing of, by its style sheet and by the styles of its tags: words that stand there are no part of
//! the words around them.

use std::collections::BTreeSet;

/// Names of classes and elements' own whose rule shows nothing.
pub(super) fn unseen_names(html: &str) -> BTreeSet<String> {
    /// Rules that are looked at, and characters of one.
    const RULES: usize = 256;
    const RULE: usize = 400;
    let mut names = BTreeSet::new();
    let Some((_, sheet)) = html.split_once("<style") else {
        return names;
    };
    let sheet = sheet
        .split_once("</style")
        .map_or(sheet, |(sheet, _)| sheet);
    for rule in sheet.split('}').take(RULES) {
        let Some((selector, style)) = rule.split_once('{') else {
            continue;
        };
        if style.len() > RULE || selector.len() > RULE || !is_unseen(style) {
            continue;
        }
        for one in selector.split([',', '>', '\n', ' ', ';']) {
            // What is put in front of or behind an element is no element.
            let name = one
                .rsplit(['.', '#'])
                .next()
                .filter(|_| one.contains(['.', '#']));
            names.extend(name.filter(|name| !name.contains(':')).map(str::to_owned));
        }
    }
    names
}

/// Whether a style shows nothing of what it is for.
fn is_unseen(style: &str) -> bool {
    const UNSEEN: [&str; 8] = [
        "display:none",
        "visibility:hidden",
        "font-size:0",
        "opacity:0;",
        "mso-hide:all",
        "max-height:0",
        "color:transparent",
        "opacity:0}",
    ];
    let style: String = style
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_ascii_lowercase())
        .chain(['}'])
        .collect();
    UNSEEN.iter().any(|unseen| {
        let Some((_, behind)) = style.split_once(unseen) else {
            return false;
        };
        // `0.9em` shows something.
        !unseen.ends_with('0') || !behind.starts_with('.')
    })
}

/// Whether a tag shows nothing of its element: by its own style, or by a class or name of a rule that shows nothing.
pub(super) fn shows_nothing(tag: &str, names: &BTreeSet<String>) -> bool {
    // Most tags have no room for it.
    if names.is_empty() && tag.len() < "a style=opacity:0".len() {
        return false;
    }
    let value = |name: &str| {
        let at = tag.find(name)?;
        let behind = tag.get(at.checked_add(name.len())?..)?.trim_start();
        let behind = behind.strip_prefix('=')?.trim_start();
        match behind.chars().next()? {
            quote @ ('"' | '\'') => behind.get(1..)?.split(quote).next(),
            _ => behind.split_whitespace().next(),
        }
    };
    let styled = memchr::memmem::find(tag.as_bytes(), b"style").is_some();
    if styled && value("style").is_some_and(is_unseen) {
        return true;
    }
    let named = |name| {
        let mut words = value(name).unwrap_or_default().split_whitespace();
        words.any(|word| names.contains(word))
    };
    !names.is_empty() && (named("class") || named(" id"))
}

/// Whether a tag turns the letters of its element round.
pub(super) fn turns(tag: &str) -> bool {
    let lower = tag.to_ascii_lowercase();
    let has = |word: &str| lower.contains(word);
    has("rtl") && (lower.starts_with("bdo") || has("bidi-override"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_is_known_by_its_style() {
        let names = unseen_names(
            "<style>p, .h { display: none } #x{visibility:hidden}\n.y{font-size:0.9em} .z::after{display:none}</style>",
        );
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["h", "x"]);
        let names = ["h".to_owned()].into();
        for tag in [
            "span style=\"display:none\"",
            "span class='a h'",
            "i style='font-size: 0px'",
            "i style='opacity:0'",
        ] {
            assert!(shows_nothing(tag, &names), "{tag}");
        }
        for tag in [
            "span class=ha",
            "b style='font-size:0.9em'",
            "b style='opacity:0.8'",
            "b",
        ] {
            assert!(!shows_nothing(tag, &names), "{tag}");
        }
        assert!(
            turns("bdo dir=\"rtl\"")
                && turns("span style='unicode-bidi:bidi-override;direction:rtl'")
        );
        assert!(!turns("p dir=rtl"));
    }
}
