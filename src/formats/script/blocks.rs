//! Script elements of applications and components in markup: HTML 4.01 18.2.1, "Windows Script Host" files.

use std::ops::Range;

use memchr::memmem;

/// Elements of one file at the most.
const CEILING: usize = 256;

/// Characters of the longest prefix of a name.
const PREFIX: usize = 32;

/// The language that an element says its script is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// VBScript.
    Basic,
    /// JScript, also where nothing is said.
    Js,
    /// Another one.
    Other,
}

/// Where the next element for script starts, and its prefix with the colon (`<ms:script …>` of style sheets).
fn next_element(lower: &str, from: usize) -> Option<(usize, &str)> {
    let rest = lower.get(from..)?;
    memmem::find_iter(rest.as_bytes(), "script").find_map(|at| {
        let before = rest.get(..at)?;
        // The bracket stands no further in front than the longest prefix with its colon goes.
        let near = before.len().saturating_sub(PREFIX.saturating_add(2));
        let open = memchr::memrchr(b'<', before.as_bytes().get(near..)?)?.checked_add(near)?;
        let prefix = before.get(open.checked_add(1)?..)?;
        let named = prefix.strip_suffix(':').is_some_and(|name| {
            !name.is_empty()
                && name.len() <= PREFIX
                && name.bytes().all(|b| b.is_ascii_alphanumeric())
        });
        (prefix.is_empty() || named).then(|| (from.saturating_add(open), prefix))
    })
}

/// The scripts between `<script …>` and `</script>`, without the marks of comments and CDATA sections around them.
pub fn blocks(text: &str) -> Vec<(Range<usize>, Dialect)> {
    blocks_of(text, &text.to_ascii_lowercase())
}

/// The same of a text that is known in lower case, too.
pub fn blocks_of(text: &str, lower: &str) -> Vec<(Range<usize>, Dialect)> {
    let mut found = Vec::new();
    let mut at = 0usize;
    // Ends because each round goes on behind the tag that it found.
    while let Some((tag, prefix)) = next_element(lower, at) {
        let Some(len) = lower.get(tag..).and_then(|rest| rest.find('>')) else {
            break;
        };
        let start = tag.saturating_add(len).saturating_add(1);
        let name = lower.get(tag..start).unwrap_or_default();
        at = start;
        if name.ends_with("/>") || found.len() >= CEILING {
            continue;
        }
        let body = lower.get(start..).unwrap_or_default();
        let close = format!("</{prefix}script");
        let len = memmem::find(body.as_bytes(), close.as_bytes()).unwrap_or(body.len());
        let end = start.saturating_add(len);
        at = end;
        let dialect = if name.contains("vbs") {
            Dialect::Basic
        } else if name.contains("perl")
            || name.contains("python")
            || name.contains("application/")
                && !name.contains("javascript")
                && !name.contains("ecmascript")
        {
            Dialect::Other
        } else {
            Dialect::Js
        };
        let range = bare(text, start..end);
        if !range.is_empty() {
            found.push((range, dialect));
        }
    }
    found
}

/// The range without blanks and marks at its ends.
fn bare(text: &str, range: Range<usize>) -> Range<usize> {
    let mut start = range.start;
    let mut end = range.end.max(start);
    // Ends because each round takes something off.
    loop {
        let inner = text.get(start..end).unwrap_or_default();
        let front = inner.trim_start();
        let front = ["<![CDATA[", "<!--", "//<![CDATA["]
            .iter()
            .find_map(|mark| front.strip_prefix(mark))
            .unwrap_or(front);
        let back = front.trim_end();
        let back = ["]]>", "//-->", "-->", "'-->"]
            .iter()
            .find_map(|mark| back.strip_suffix(mark))
            .unwrap_or(back);
        if back.len() == inner.len() {
            return start..end;
        }
        start = end.saturating_sub(front.len());
        end = start.saturating_add(back.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_have_an_end() {
        let element = |prefix: &str| format!("<{prefix}:script>a()</{prefix}:script>");
        assert_eq!(blocks(&element("ms")).len(), 1);
        assert_eq!(blocks(&element(&"a".repeat(PREFIX))).len(), 1);
        assert!(blocks(&element(&"a".repeat(PREFIX + 1))).is_empty());
        assert!(blocks("<p>a script</p>").is_empty());
    }

    #[test]
    fn scripts_are_cut_out_of_markup_with_their_language() {
        let text = "<job><SCRIPT language=\"VBScript\"><![CDATA[\nx = 1\n]]></script><script src=\"a\"/><script>//<![CDATA[\ny()//-->\n</script><script language=vbs>";
        let found: Vec<(&str, Dialect)> = blocks(text)
            .into_iter()
            .map(|(range, dialect)| (text.get(range).unwrap(), dialect))
            .collect();
        assert_eq!(found, [("x = 1", Dialect::Basic), ("y()", Dialect::Js)]);
    }
}
