//! What the reader of TOML says of a value that does not fit → what an administrator can work with: the setting is named,
//! and what stands there is said without the words of a programming language.

/// What the reader says, and what is said instead.
const WORDS: &[(&str, &str)] = &[
    ("expected u8", "expected a whole number from 0 to 255"),
    ("expected u16", "expected a whole number from 0 to 65535"),
    ("expected u32", "expected a whole number from 0 up"),
    ("expected u64", "expected a whole number from 0 up"),
    ("expected usize", "expected a whole number from 0 up"),
    ("expected a sequence", "expected a list, such as [\"…\"]"),
    (
        "expected a TOML datetime",
        "expected a date without quotes, such as 2027-01-31",
    ),
    (
        "expected a boolean",
        "expected true or false, without quotes",
    ),
    ("expected a string", "expected a text in quotes"),
    ("invalid type: ", "wrong type: "),
    ("unknown variant ", "unknown word "),
    ("unknown field ", "unknown setting "),
    ("missing field ", "this is missing: "),
];

/// Characters of a line that is shown.
const WIDTH: usize = 80;

/// Says it so that it can be mended. `line`: where it stands.
pub(super) fn plain(message: &str, line: &str) -> String {
    let mut said = message.to_owned();
    for (reader, instead) in WORDS {
        said = said.replace(reader, instead);
    }
    if let Some((before, _)) = said.split_once("expected struct ") {
        said = format!("{before}expected a table, such as [milter]");
    }
    let line = line.trim();
    let shown: String = line.chars().take(WIDTH).collect();
    let names_itself = ["unknown setting", "this is missing"];
    match names_itself.iter().any(|words| said.starts_with(words)) || !line.contains('=') {
        true => said,
        false => format!("{shown}: {said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_told_with_its_setting_and_without_types_of_rust() {
        for (message, line, expected) in [
            (
                "invalid type: string \"60s\", expected u64",
                "timeout = \"60s\"",
                "timeout = \"60s\": wrong type: string \"60s\", expected a whole number from 0 up",
            ),
            (
                "invalid type: boolean `true`, expected struct ListenTable",
                " milter = true",
                "milter = true: wrong type: boolean `true`, expected a table, such as [milter]",
            ),
            (
                "missing field `reason`",
                "[[allow]]",
                "this is missing: `reason`",
            ),
            (
                "unknown field `port`, expected `listen`",
                "port = 3",
                "unknown setting `port`, expected `listen`",
            ),
            (
                "unclosed table, expected `]`",
                "[milter",
                "unclosed table, expected `]`",
            ),
        ] {
            assert_eq!(plain(message, line), expected);
        }
    }
}
