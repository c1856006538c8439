//! A few words that are searched in one pass by vectors of the processor. An automaton, as for long lists, goes byte by
//! byte; a search for each word goes over the text as often as there are words.

use aho_corasick::packed::Searcher;
use memchr::memmem;

/// Words of which any is looked for, as they are written.
#[derive(Debug)]
pub struct AnyOf {
    words: Vec<String>,
    /// None where the processor has no such instructions.
    searcher: Option<Searcher>,
}

impl AnyOf {
    /// Of a few words of two characters or more: the first ones tell whether anything is looked at closer.
    pub fn new(words: &[&str]) -> Self {
        Self {
            words: words.iter().map(|word| (*word).to_owned()).collect(),
            searcher: Searcher::new(words),
        }
    }

    /// Whether one of them stands in a text.
    pub fn is_in(&self, text: &[u8]) -> bool {
        match &self.searcher {
            Some(searcher) => searcher.find(text).is_some(),
            None => {
                let mut words = self.words.iter();
                words.any(|word| memmem::find(text, word.as_bytes()).is_some())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_word_is_found_anywhere() {
        let mut words = AnyOf::new(&["form", "<i", "password"]);
        for _ in 0..2 {
            for text in ["form", "a <i", "the password is"] {
                let long = format!("{}{text}{}", "x".repeat(100), "y".repeat(100));
                assert!(words.is_in(text.as_bytes()) && words.is_in(long.as_bytes()));
            }
            for text in ["", "f", "fort", "Form < i passwor"] {
                let long = format!("{}{text}{}", "x".repeat(100), "y".repeat(100));
                assert!(!words.is_in(text.as_bytes()) && !words.is_in(long.as_bytes()));
            }
            words.searcher = None;
        }
    }
}
