//! Files of sections and `key=value` lines as the profile functions of Windows read them (GetPrivateProfileString), and
//! lines of `name:type:value` as Remote Desktop writes them.
//!
//! Keys and sections compare without regard to case; blanks and control characters around them and one pair of quotes around a value fall
//! away. What is neither a section nor a setting is passed over, as Windows does.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting<'a> {
    /// The section it stands in; empty in front of the first.
    pub section: &'a str,
    /// Its key as written.
    pub key: &'a str,
    /// Its value, without blanks and quotes around it.
    pub value: &'a str,
    /// Where the line starts, in bytes.
    pub at: usize,
}

impl Setting<'_> {
    /// Whether it has this key, in any case.
    pub fn is(&self, key: &str) -> bool {
        self.key.eq_ignore_ascii_case(key)
    }

    /// Whether it stands in this section, in any case.
    pub fn stands_in(&self, section: &str) -> bool {
        self.section.eq_ignore_ascii_case(section)
    }
}

/// The settings of a file in their order.
pub fn settings(text: &str) -> impl Iterator<Item = Setting<'_>> {
    let mut section = "";
    lines(text).filter_map(move |(at, line)| {
        if let Some(name) = line.strip_prefix('[') {
            section = name.split(']').next().unwrap_or_default().trim();
            return None;
        }
        if line.starts_with([';', '#']) {
            return None;
        }
        let (key, value) = line.split_once('=')?;
        Some(Setting {
            section,
            key: key.trim(),
            value: bare(value),
            at,
        })
    })
}

/// The settings of a remote desktop connection: name and value, section empty.
pub fn connection(text: &str) -> impl Iterator<Item = Setting<'_>> {
    lines(text).filter_map(|(at, line)| {
        let (key, rest) = line.split_once(':')?;
        let (_, value) = rest.split_once(':')?;
        Some(Setting {
            section: "",
            key: key.trim(),
            value: value.trim(),
            at,
        })
    })
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut next = 0usize;
    text.split(['\n', '\r']).map(move |line| {
        let at = next;
        next = next.saturating_add(line.len()).saturating_add(1);
        (
            at,
            line.trim_matches(|c: char| c.is_whitespace() || c.is_control() || c == '\u{feff}'),
        )
    })
}

fn bare(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\''] {
        let inner = value
            .strip_prefix(quote)
            .and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_windows_reads_them() {
        let text = "junk\r\n[InternetShortcut ]\r\n; URL=x\r\n Url = \"file://h/a\" \r\nno setting\r\n[b]\nk=\n";
        let found: Vec<_> = settings(text)
            .map(|one| (one.section, one.key, one.value))
            .collect();
        assert_eq!(
            found,
            [("InternetShortcut", "Url", "file://h/a"), ("b", "k", "")]
        );
        let setting = settings(text).next().unwrap();
        assert!(setting.is("URL") && setting.stands_in("internetshortcut"));
        assert!(text.get(setting.at..).unwrap().starts_with(" Url"));
        let odd = settings("\u{1}[a\r\u{1}\tk\u{2}=v\u{3}").next().unwrap();
        assert!(odd.stands_in("a") && odd.value == "v");
    }

    #[test]
    fn connections_have_a_type_between() {
        let found: Vec<_> = connection("full address:s:192.0.2.1:3389\nnonsense\na:i:1\n")
            .map(|one| (one.key, one.value))
            .collect();
        assert_eq!(found, [("full address", "192.0.2.1:3389"), ("a", "1")]);
    }
}
