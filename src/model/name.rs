//! Names of artifacts: raw bytes, a text that is safe to show, and the other plausible decodings.

use crate::text;

/// A foreign name. Rules about names run over every reading, since the victim's software may choose another one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Name {
    /// The bytes as they stand in the container; never shown.
    pub raw: Vec<u8>,
    /// The likeliest reading, with everything escaped that could fool a terminal or a log.
    pub text: String,
    /// Every plausible reading, the likeliest first, not escaped: to be judged, never to be shown.
    pub readings: Vec<String>,
}

impl Name {
    /// A name of known text.
    pub fn of(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            raw: text.clone().into_bytes(),
            text: text::safe(&text),
            readings: vec![text],
        }
    }

    /// A name in bytes of no declared charset.
    pub fn from_raw(raw: &[u8]) -> Self {
        Self::from_readings(raw.to_vec(), text::name_readings(raw))
    }

    /// A name with its readings, the likeliest first; doubles are dropped.
    pub fn from_readings(raw: Vec<u8>, readings: Vec<String>) -> Self {
        let mut kept: Vec<String> = Vec::new();
        for reading in readings {
            if !kept.contains(&reading) {
                kept.push(reading);
            }
        }
        let text = kept
            .first()
            .map(|reading| text::safe(reading))
            .unwrap_or_default();
        Self {
            raw,
            text,
            readings: kept,
        }
    }

    /// The last component of each reading's path: what a user is shown. Both slashes separate.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.readings
            .iter()
            .map(|reading| reading.rsplit(['/', '\\']).next().unwrap_or_default())
    }

    /// The lower-case extension of each reading as Windows takes it: behind the last dot of the last component,
    /// blanks and dots at the end dropped, an NTFS stream behind a colon too. Empty where there is none. Behind it the
    /// one of the name that a program saves which drops what is not shown, where that is another.
    pub fn extensions(&self) -> impl Iterator<Item = String> {
        self.files().flat_map(|file| {
            let extension = extension(file);
            let saved = as_saved(file).filter(|saved| *saved != extension);
            std::iter::once(extension).chain(saved)
        })
    }
}

/// The extension without characters that are not shown, and without quotation marks at the end.
fn as_saved(file: &str) -> Option<String> {
    let hidden = |c: char| text::is_deceptive(c) || matches!(c, '\u{fe00}'..='\u{fe0f}');
    let marks = ['"', '\''];
    if !file.contains(hidden) && !file.ends_with(marks) {
        return None;
    }
    let kept: String = file.chars().filter(|c| !hidden(*c)).collect();
    Some(extension(kept.trim_end_matches(marks)))
}

fn extension(file: &str) -> String {
    let file = file.split(':').next().unwrap_or_default();
    let file =
        file.trim_end_matches(|c: char| c == '.' || c.is_whitespace() || text::is_deceptive(c));
    match file.rsplit_once('.') {
        Some((_, extension)) => extension.trim().to_lowercase(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_read_as_windows_does() {
        let extensions = |name: &str| Name::of(name).extensions().collect::<Vec<_>>();
        assert_eq!(extensions("invoice.pdf.EXE . "), ["exe"]);
        assert_eq!(extensions("dir.d\\name"), [""]);
        assert_eq!(extensions("a.txt:b.exe"), ["txt"]);
        for name in [
            "a.b\u{200b}at",
            "a.\u{e0041}bat",
            "a.b\0at",
            "a.bat\"",
            "a.bat\u{fe0f}",
        ] {
            assert!(extensions(name).contains(&"bat".to_owned()), "{name:?}");
        }
        assert_eq!(extensions("a.ba t"), ["ba t"]);
    }

    #[test]
    fn a_name_shows_escaped_and_is_judged_as_it_is() {
        let name = Name::of("a\u{202e}cod.exe");
        assert_eq!(name.text, "a\\u{202e}cod.exe");
        assert_eq!(name.readings, ["a\u{202e}cod.exe"]);
    }
}
