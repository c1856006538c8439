//! The text of a page with its tags and scripts, made once for all who ask for it: unpackers and analyzers look at the
//! same page one after the other, and each would take it apart anew.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use super::{Place, Tag, tags, without_prefix};
use crate::formats::script::{self, Dialect};
use crate::text;

/// Bytes of a page that is kept; a longer one is made anew for everybody.
const KEPT: usize = 512 << 10;

/// Pages that are kept: one, and one within it.
const PAGES: usize = 2;

thread_local! {
    static LAST: RefCell<Vec<([u8; 32], Rc<Page>)>> = const { RefCell::new(Vec::new()) };
}

/// A page as text, and what it is made of as far as somebody asked for it.
#[derive(Debug)]
pub struct Page {
    text: String,
    as_written: bool,
    lower: OnceCell<String>,
    places: OnceCell<Vec<Place>>,
    scripts: OnceCell<Vec<(Range<usize>, Dialect)>>,
}

impl Page {
    /// Bytes of a page that are read; what unpacks a longer one tells that.
    pub const LONGEST: usize = 64 << 20;

    /// The first [`Self::LONGEST`] bytes of a page, `digest` being that of all of them.
    pub fn of(page: &[u8], digest: [u8; 32]) -> Rc<Self> {
        let data = page.get(..Self::LONGEST).unwrap_or(page);
        // What has no digest yet is looked at by nobody else.
        let fits = data.len() == page.len() && data.len() <= KEPT;
        if !fits || digest == [0; 32] {
            return Rc::new(Self::read(data));
        }
        let known = |pages: &[([u8; 32], Rc<Self>)]| {
            let mut pages = pages.iter();
            pages
                .find(|(known, _)| *known == digest)
                .map(|(_, page)| Rc::clone(page))
        };
        if let Some(page) = LAST.with_borrow(|pages| known(pages)) {
            return page;
        }
        let page = Rc::new(Self::read(data));
        LAST.with_borrow_mut(|pages| {
            pages.truncate(PAGES.saturating_sub(1));
            pages.insert(0, (digest, Rc::clone(&page)));
        });
        page
    }

    fn read(data: &[u8]) -> Self {
        let text = text::to_utf8(data);
        Self {
            as_written: matches!(text, Cow::Borrowed(_)),
            text: text.into_owned(),
            lower: OnceCell::new(),
            places: OnceCell::new(),
            scripts: OnceCell::new(),
        }
    }

    /// All of it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether places in the text are those in the bytes, behind a byte order mark if there is one.
    pub fn is_as_written(&self) -> bool {
        self.as_written
    }

    /// The text with letters of ASCII in lower case.
    pub fn lower(&self) -> &str {
        self.lower.get_or_init(|| self.text.to_ascii_lowercase())
    }

    /// As [`script::blocks`].
    pub fn scripts(&self) -> &[(Range<usize>, Dialect)] {
        self.scripts
            .get_or_init(|| script::blocks_of(&self.text, self.lower()))
    }

    /// The start tags in their order.
    pub fn tags(&self) -> impl Iterator<Item = Tag<'_>> {
        self.places()
            .iter()
            .map(|place| place.tag(&self.text))
            .chain(tags(self.long()))
    }

    /// The start tags of some names in lower case.
    pub fn tags_named(&self, names: &[&str]) -> impl Iterator<Item = Tag<'_>> {
        let named = move |name: &str| {
            let name = without_prefix(name);
            names.iter().any(|one| one.eq_ignore_ascii_case(name))
        };
        self.places()
            .iter()
            .filter(move |place| named(place.name(&self.text)))
            .map(|place| place.tag(&self.text))
            .chain(tags(self.long()).filter(move |tag| named(&tag.name)))
    }

    /// Where its tags stand; none of a text that is too long to keep that.
    fn places(&self) -> &[Place] {
        self.places.get_or_init(|| {
            let short = if self.long().is_empty() {
                self.text.as_str()
            } else {
                ""
            };
            Place::all(short).collect()
        })
    }

    /// The text where it is too long to keep the places of its tags.
    fn long(&self) -> &str {
        if self.text.len() > KEPT {
            &self.text
        } else {
            ""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(page: &str) -> Rc<Page> {
        let first = u8::try_from(page.len() % 251).unwrap();
        Page::of(page.as_bytes(), [first.saturating_add(1); 32])
    }

    fn names<'t>(tags: impl Iterator<Item = Tag<'t>>) -> Vec<String> {
        tags.map(|tag| tag.name.into_owned()).collect()
    }

    #[test]
    fn a_page_is_taken_apart_once_and_as_by_itself() {
        let source = "<!-- <b> --><P Class=a><x:Form action=\"c>d\">\u{3042}<input\u{3000}type=e><script>f(1)</script>";
        let page = of(source);
        assert!(Rc::ptr_eq(&page, &of(source)));
        assert!(page.is_as_written());
        let kept: Vec<Tag<'_>> = page.tags().collect();
        let own: Vec<Tag<'_>> = tags(source).collect();
        assert_eq!(kept, own);
        assert_eq!(
            names(page.tags_named(&["form", "script"])),
            ["form", "script"]
        );
        assert_eq!(page.scripts(), script::blocks(source));
        assert_eq!(page.scripts().len(), 1);
    }

    #[test]
    fn what_is_cut_or_long_or_has_no_digest_is_not_kept() {
        let one = "<p><b><i>";
        assert_eq!(names(of(one).tags()), ["p", "b", "i"]);
        let none = [0; 32];
        let anew = || Page::of(one.as_bytes(), none);
        assert!(!Rc::ptr_eq(&anew(), &anew()));
        let long = "<p><b>".repeat(KEPT / 5);
        let page = of(&long);
        assert!(!Rc::ptr_eq(&page, &of(&long)));
        assert_eq!(page.tags().count(), KEPT / 5 * 2);
        assert_eq!(page.tags_named(&["b"]).count(), KEPT / 5);
        let cut = "x".repeat(Page::LONGEST + 1);
        assert_eq!(of(&cut).text().len(), Page::LONGEST);
    }
}
