//! Command lines of Windows, cut as the command interpreter cuts them (cmd.exe, "Using multiple commands and
//! conditional processing symbols"): carets, quotes, `&`, `|`, parentheses; `start`, `call`, `if` and `for … do` and
//! interpreters that are given a command are taken off.
//!
//! Nothing is expanded here: variables are [`super::script::batch`]'s. Nothing says what is bad.

/// Commands of one line at the most.
const COMMANDS: usize = 64;

/// Commands within commands, such as `cmd /c start cmd /c …`, at the most.
const DEPTH: u32 = 8;

/// Longest line that is cut, in bytes; what stands behind it is not looked at by anything that runs it.
const LONGEST: usize = 64 << 10;

/// One program with what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Lower-case name without path and `.exe`.
    pub program: String,
    /// The program as it is written, without quotes.
    pub path: String,
    /// Everything behind it, without carets.
    pub arguments: String,
}

impl Command {
    /// The arguments one by one, quotes taken off.
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let mut rest = self.arguments.as_str();
        while !rest.trim_start().is_empty() && words.len() < 256 {
            let (word, behind) = first_word(rest);
            words.push(word);
            rest = behind;
        }
        words
    }
}

/// The commands of a line, in their order; those inside of others behind them.
pub fn commands(line: &str) -> Vec<Command> {
    let mut found = Vec::new();
    let line = line
        .get(..line.floor_char_boundary(LONGEST))
        .unwrap_or(line);
    let mut waiting = vec![(line.to_owned(), 0u32)];
    // Ends because what is put back is shorter than what was taken, and no deeper than DEPTH.
    while let Some((text, depth)) = waiting.pop() {
        for segment in segments(&text) {
            if found.len() >= COMMANDS {
                return found;
            }
            if let Some(inner) = read_by_loop(&segment).filter(|_| depth < DEPTH) {
                waiting.push((inner, depth.saturating_add(1)));
            }
            let Some(command) = command(&segment) else {
                continue;
            };
            if let Some(inner) = inner(&command).filter(|_| depth < DEPTH) {
                waiting.push((inner, depth.saturating_add(1)));
            }
            found.push(command);
        }
    }
    found
}

/// Pieces between `&`, `|` and line ends outside of quotes, carets resolved.
fn segments(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let Some(piece) = pieces.last_mut() else {
            break;
        };
        match c {
            '"' => {
                quoted = !quoted;
                piece.push(c);
            }
            '^' if !quoted => piece.extend(chars.next()),
            '&' | '|' | '\n' | '\r' if !quoted => pieces.push(String::new()),
            _ => piece.push(c),
        }
    }
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}

/// The command whose output `for /f … in ('command') do …` reads.
fn read_by_loop(segment: &str) -> Option<String> {
    let start = segment.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '@' | '('));
    let is_loop = start
        .get(..4)
        .is_some_and(|word| word.eq_ignore_ascii_case("for "));
    if !is_loop {
        return None;
    }
    let lower = start.to_ascii_lowercase();
    let open = lower.find(" in (")?.checked_add(5)?;
    let inside = start.get(open..)?.trim_start();
    let quote = inside.chars().next().filter(|c| matches!(c, '\'' | '`'))?;
    let inside = inside.get(1..)?;
    // A pipe in it cuts the piece: then its end is the piece's.
    let end = inside.rfind(quote).unwrap_or(inside.len());
    inside.get(..end).map(str::to_owned)
}

/// The command of a piece, with what only says when or how it starts taken off.
fn command(segment: &str) -> Option<Command> {
    let mut rest = segment;
    // Ends because each round takes a word off.
    for _ in 0..16 {
        rest = rest.trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, '@' | '(' | ',' | ';' | '=' | ')')
        });
        let (path, behind) = program_word(rest);
        if path.is_empty() {
            return None;
        }
        let program = program(&path);
        match program.as_str() {
            "call" | "else" => rest = behind,
            "start" => rest = behind_start(behind),
            "if" => rest = behind_condition(behind),
            "for" => {
                let body = behind.split_once(" do ");
                rest = body.or_else(|| behind.split_once(" DO "))?.1;
            }
            _ => {
                return Some(Command {
                    program,
                    path,
                    arguments: behind.trim().to_owned(),
                });
            }
        }
    }
    None
}

/// The first word as a program: an option may follow it without a blank, commas and semicolons are blanks.
fn program_word(text: &str) -> (String, &str) {
    let (word, behind) = first_word(text);
    let cut = text
        .find([',', ';'])
        .filter(|at| *at > 0 && *at < word.len());
    if let Some((program, rest)) = cut.and_then(|at| text.split_at_checked(at))
        && !program.contains('"')
    {
        return (program.to_owned(), rest);
    }
    for name in ["cmd", "cmd.exe", "powershell", "powershell.exe"] {
        let cut = word
            .get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name));
        if cut
            && word
                .get(name.len()..)
                .is_some_and(|rest| rest.starts_with('/'))
        {
            return (name.to_owned(), text.get(name.len()..).unwrap_or(behind));
        }
    }
    (word, behind)
}

/// The lower-case name of a program without path and extension; variables that stand for one are resolved.
pub fn program(path: &str) -> String {
    let lower = path.trim_matches(['"', '\'']).trim().to_lowercase();
    let file = lower.rsplit(['\\', '/']).next().unwrap_or_default();
    let file = file.trim_end_matches(['.', ' ']);
    if file.contains("comspec") {
        return "cmd".to_owned();
    }
    file.strip_suffix(".exe")
        .or_else(|| file.strip_suffix(".com"))
        .unwrap_or(file)
        .to_owned()
}

/// The next word, quotes taken off, and what stands behind it.
fn first_word(text: &str) -> (String, &str) {
    let text = text.trim_start();
    let mut word = String::new();
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => {
                return (word, text.get(at..).unwrap_or_default());
            }
            c => word.push(c),
        }
    }
    (word, "")
}

/// Behind `start ["title"] [/options]`.
fn behind_start(text: &str) -> &str {
    let mut rest = text.trim_start();
    if let Some(title) = rest.strip_prefix('"')
        && let Some((inside, behind)) = title.split_once('"')
        && !behind.trim().is_empty()
        && !inside.to_lowercase().ends_with(".exe")
    {
        rest = behind.trim_start();
    }
    for _ in 0..8 {
        if !rest.starts_with('/') {
            break;
        }
        let (option, behind) = first_word(rest);
        rest = behind.trim_start();
        if option.eq_ignore_ascii_case("/d") {
            rest = first_word(rest).1.trim_start();
        }
    }
    rest
}

/// Behind the condition of `if`.
fn behind_condition(text: &str) -> &str {
    let mut rest = text;
    for _ in 0..4 {
        let start = rest.trim_start();
        let (_, behind) = first_word(start);
        // With its quotes: `"%1"==""` ends in them.
        let word = start.get(..start.len().saturating_sub(behind.len()));
        let word = word.unwrap_or_default().to_ascii_lowercase();
        rest = behind;
        match word.as_str() {
            "/i" | "not" => {}
            "exist" | "defined" | "errorlevel" | "cmdextversion" => return first_word(rest).1,
            word if word.contains("==") && !word.ends_with("==") => return rest,
            word if word.ends_with("==") => return first_word(rest).1,
            _ => {
                // `a == b command`, `a equ b command`
                let (_, behind) = first_word(rest);
                return first_word(behind).1;
            }
        }
    }
    rest
}

/// The command that a program is given to run, where it is one of those that do nothing else.
fn inner(command: &Command) -> Option<String> {
    let arguments = command.arguments.as_str();
    let lower = arguments.to_ascii_lowercase();
    let behind = |option: &str| {
        let at = lower.find(option)?;
        let whole = at == 0
            || lower
                .as_bytes()
                .get(at.checked_sub(1)?)
                .is_some_and(|byte| b" \t,/\"".contains(byte));
        let rest = arguments.get(at.checked_add(option.len())?..)?;
        (whole && !rest.is_empty()).then(|| rest.trim())
    };
    let given = match command.program.as_str() {
        "cmd" => ["/c", "/k", "/r"]
            .into_iter()
            .filter_map(behind)
            .max_by_key(|rest| rest.len())?,
        "forfiles" => behind("/c")?,
        // A variable that holds the interpreter.
        program if program.starts_with('%') && lower.starts_with("/c") => behind("/c")?,
        "pcalua" => behind("-a")?,
        "conhost" => arguments,
        "wmic" => behind("create")?,
        "schtasks" => behind("/tr")?,
        _ => return None,
    };
    let given = given.trim_start_matches("--headless").trim();
    // The outer quotes of `cmd /c "…"` go, those inside stay.
    let bare = given
        .strip_prefix('"')
        .map(|rest| rest.strip_suffix('"').unwrap_or(rest));
    let bare = bare.or_else(|| {
        given
            .strip_prefix('\'')
            .map(|rest| rest.strip_suffix('\'').unwrap_or(rest))
    });
    let bare = bare.unwrap_or(given);
    let quoted_program = given.starts_with('"') && bare.matches('"').count() % 2 == 1;
    let kept = if quoted_program { given } else { bare };
    (kept.len() < arguments.len().saturating_add(1) && !kept.is_empty()).then(|| kept.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(line: &str) -> Vec<String> {
        commands(line)
            .into_iter()
            .map(|command| command.program)
            .collect()
    }

    #[test]
    fn what_a_loop_reads_is_a_command() {
        let line = "for /f \"tokens=*\" %%a in ('powershell -c x') do start %%a";
        assert_eq!(programs(line), ["%%a", "powershell"]);
        assert_eq!(programs("for %%i in (a b) do echo %%i"), ["echo"]);
    }

    #[test]
    fn commands_are_cut_and_taken_out_of_each_other() {
        assert_eq!(
            programs("@echo off & cmd /c \"powershell -c x\" | more"),
            ["echo", "cmd", "more", "powershell"]
        );
        assert_eq!(
            programs("if not exist a.txt start \"\" /min \"C:\\x y\\a.EXE\" 1"),
            ["a"]
        );
        assert_eq!(programs("c^e^r^t^util -decode a b"), ["certutil"]);
        assert_eq!(programs("for %%a in (1 2) do call mshta.exe x"), ["mshta"]);
        assert_eq!(programs("%COMSPEC% /c calc"), ["cmd", "calc"]);
        assert_eq!(programs("cmd/c calc"), ["cmd", "calc"]);
        assert_eq!(
            programs("forfiles /p c:\\ /m x /c \"cmd /c calc\""),
            ["forfiles", "cmd", "calc"]
        );
        assert_eq!(programs("if \"%1\"==\"\" goto end"), ["goto"]);
    }

    #[test]
    fn words_lose_their_quotes() {
        let found = commands("copy \"C:\\a b\\c.exe\" d.exe");
        assert_eq!(found[0].words(), ["C:\\a b\\c.exe", "d.exe"]);
    }
}
