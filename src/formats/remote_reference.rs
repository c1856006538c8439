//! Remote references of spreadsheet formulas, `service|topic!item` (ECMA-376 part 1, 18.17; the notation of dynamic data
//! exchange since Excel 2): what a formula asks another program for.

/// What a remote reference names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteReference {
    /// The program, without path mostly.
    pub service: String,
    /// What it is asked about: a document, or a command line.
    pub topic: String,
    /// The part of the topic, such as a cell.
    pub item: String,
}

/// The remote references of a formula, outside of its texts. Time is linear in the length of the formula.
pub fn find(formula: &str) -> Vec<RemoteReference> {
    let mut found = Vec::new();
    let mut rest = formula;
    // The text since the last operator, where a service may stand.
    let mut word_at = 0usize;
    let mut at = 0usize;
    // Ends because each turn takes at least one character.
    while let Some(c) = rest.chars().next() {
        let mut taken = c.len_utf8();
        match c {
            '"' => {
                taken = quoted(rest, '"');
                word_at = at.saturating_add(taken);
            }
            '\'' => taken = quoted(rest, '\''),
            '|' => {
                let service = formula.get(word_at..at).unwrap_or_default();
                let behind = rest.get(taken..).unwrap_or_default();
                if let Some((reference, length)) = reference(service, behind) {
                    found.push(reference);
                    taken = taken.saturating_add(length);
                }
                word_at = at.saturating_add(taken);
            }
            '=' | '+' | '-' | '*' | '/' | '^' | '&' | '(' | ')' | ',' | ';' | '<' | '>' | '{'
            | '}' | '@' => {
                word_at = at.saturating_add(taken);
            }
            _ => {}
        }
        at = at.saturating_add(taken);
        rest = formula.get(at..).unwrap_or_default();
    }
    found
}

/// Length of a quoted piece at the start of a text, a doubled quote being one of its characters.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c != quote {
            continue;
        }
        if chars.peek().is_some_and(|(_, next)| *next == quote) {
            chars.next();
            continue;
        }
        return at.saturating_add(1);
    }
    text.len()
}

/// The reference of a service to what stands behind its bar, and how long that is.
fn reference(service: &str, behind: &str) -> Option<(RemoteReference, usize)> {
    let service = service.trim();
    let quoted = service.starts_with(['\'', '"']);
    if !quoted && service.contains(char::is_whitespace) {
        return None;
    }
    let service = bare(service);
    if service.is_empty() || service.chars().any(char::is_control) {
        return None;
    }
    // Excel passes over blanks; prose has no quote behind them.
    let trimmed = behind.trim_start();
    let blanks = match trimmed.starts_with('\'') {
        true => behind.len().saturating_sub(trimmed.len()),
        false => 0,
    };
    let (topic, length) = operand(behind.get(blanks..)?);
    if topic.is_empty() {
        return None;
    }
    let length = blanks.saturating_add(length);
    let rest = behind.get(length..)?;
    let Some(item) = rest.trim_start().strip_prefix('!') else {
        // The item may stand within the quotes of the topic.
        let whole = behind
            .trim_start()
            .starts_with('\'')
            .then(|| topic.rsplit_once('!'))?;
        let (topic, item) = whole?;
        let reference = RemoteReference {
            service,
            topic: topic.to_owned(),
            item: item.to_owned(),
        };
        return Some((reference, length));
    };
    let before = behind.len().saturating_sub(item.len());
    let (item, item_length) = operand(item);
    let reference = RemoteReference {
        service,
        topic,
        item,
    };
    Some((reference, before.saturating_add(item_length)))
}

/// A quoted or plain operand at the start of a text, without its quotes, and its length.
fn operand(text: &str) -> (String, usize) {
    if let Some(quote @ ('\'' | '"')) = text.chars().next() {
        let length = quoted(text, quote);
        return (bare(text.get(..length).unwrap_or_default()), length);
    }
    let is_plain = |c: char| {
        c.is_alphanumeric() || matches!(c, '_' | '.' | '\\' | '$' | ':' | '?' | '[' | ']')
    };
    let length = text.find(|c| !is_plain(c)).unwrap_or(text.len());
    (text.get(..length).unwrap_or_default().to_owned(), length)
}

/// A name without blanks and quotes around it, doubled quotes being one.
fn bare(text: &str) -> String {
    let text = text.trim();
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote) {
            let inner = inner.strip_suffix(quote).unwrap_or(inner);
            return inner.replace(
                [quote, quote].iter().collect::<String>().as_str(),
                quote.to_string().as_str(),
            );
        }
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(formula: &str) -> Vec<String> {
        let found = find(formula).into_iter();
        found
            .map(|one| format!("{} # {} # {}", one.service, one.topic, one.item))
            .collect()
    }

    #[test]
    fn references_are_found_wherever_they_stand_in_a_formula() {
        assert_eq!(shown("=cmd|'/c calc.exe'!A1"), ["cmd # /c calc.exe # A1"]);
        assert_eq!(shown("2+5+cmd|' /C calc'!A0"), ["cmd #  /C calc # A0"]);
        assert_eq!(
            shown("=MSEXCEL|'\\..\\..\\cmd.exe /c x'!''"),
            ["MSEXCEL # \\..\\..\\cmd.exe /c x # "]
        );
        assert_eq!(
            shown("=IF(A1>0,Excel|[Book1]Sheet1!R1C1,'a b'|t!i)"),
            ["Excel # [Book1]Sheet1 # R1C1", "a b # t # i"]
        );
        assert_eq!(shown("=cmd|'/c it''s'!A0"), ["cmd # /c it's # A0"]);
        assert_eq!(shown("\n cmd |\n '/c x' !A0"), ["cmd # /c x # A0"]);
    }

    #[test]
    fn bars_in_texts_and_between_words_are_none() {
        assert_eq!(shown("=\"cmd|'/c calc'!A0\"").len(), 0);
        assert_eq!(shown("a | b").len(), 0);
        assert_eq!(shown("- price | great!").len(), 0);
        assert_eq!(shown("- a note|hello!").len(), 0);
        assert_eq!(shown("=A1|B1").len(), 0);
        assert_eq!(shown("|'x'!y").len(), 0);
    }
}
