//! Batch files of the command interpreter (cmd.exe, "set" and "Command shell overview"): variables, slices and carets
//! resolved in the order of the lines.

use std::collections::BTreeMap;

/// Longest result, as a multiple of the source, and at the least.
const GROWTH: usize = 8;
const LEAST: usize = 64 << 10;

/// Bytes of values that are looked at, for each byte of the source: a slice goes over all of its value.
const WORK: usize = 64;

/// Variables kept at the most.
const VARIABLES: usize = 4096;

/// What variables that every Windows has are made of; slices of them spell words.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("comspec", "C:\\WINDOWS\\system32\\cmd.exe"),
    ("windir", "C:\\WINDOWS"),
    ("systemroot", "C:\\WINDOWS"),
    ("systemdrive", "C:"),
    ("programfiles", "C:\\Program Files"),
    ("commonprogramfiles", "C:\\Program Files\\Common Files"),
    ("programdata", "C:\\ProgramData"),
    ("allusersprofile", "C:\\ProgramData"),
    ("public", "C:\\Users\\Public"),
    ("os", "Windows_NT"),
    (
        "pathext",
        ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
    ),
    (
        "psmodulepath",
        "C:\\Program Files\\WindowsPowerShell\\Modules;C:\\WINDOWS\\system32\\WindowsPowerShell\\v1.0\\Modules",
    ),
];

/// A batch file with its variables resolved.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The lines; `None` where nothing was to be resolved.
    pub text: Option<String>,
    /// Slices and replacements in variables.
    pub slices: u32,
    /// Carets within words.
    pub carets: u32,
    /// Variables without value within words, and pieces of words that come out of variables.
    pub pieces: u32,
    /// Folders in front of a name that come out of variables: they hide nothing.
    pub folders: u32,
    /// Programs that are called or named by a variable.
    pub programs: u32,
    /// Whether the work ran out: what came after is as it was, or missing.
    pub exhausted: bool,
}

/// Resolves a batch file.
pub fn expand(source: &str) -> Batch {
    let mut walk = Walk {
        batch: Batch::default(),
        variables: BTreeMap::new(),
        room: source.len().saturating_mul(GROWTH).saturating_add(LEAST),
        work: source.len().saturating_mul(WORK).saturating_add(LEAST),
    };
    let mut out = String::new();
    for line in source.lines() {
        let bare = without_carets(line, &mut walk.batch.carets);
        let expanded = walk.line(&bare);
        walk.remember(&expanded);
        walk.room = walk.room.saturating_sub(expanded.len());
        if walk.room == 0 {
            walk.batch.exhausted = true;
            break;
        }
        out.push_str(&expanded);
        out.push('\n');
    }
    let mut batch = walk.batch;
    if batch.slices > 0
        || batch.carets > 0
        || batch.pieces > 0
        || batch.folders > 0
        || batch.programs > 0
    {
        batch.text = Some(out);
    }
    batch
}

/// A line without the carets in its words; counts them.
fn without_carets(line: &str, count: &mut u32) -> String {
    let mut out = String::with_capacity(line.len());
    let mut quoted = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '"' {
            quoted = !quoted;
        }
        let next = chars.peek().copied().unwrap_or(' ');
        // A caret in front of a sign escapes it for a reason.
        if c == '^' && !quoted && next.is_alphanumeric() {
            *count = count.saturating_add(1);
            continue;
        }
        out.push(c);
    }
    out
}

struct Walk {
    batch: Batch,
    variables: BTreeMap<String, String>,
    room: usize,
    /// Bytes of values that may still be looked at.
    work: usize,
}

impl Walk {
    /// Keeps `set name=value` of each command of a line.
    fn remember(&mut self, line: &str) {
        for command in line.split('&') {
            let command =
                command.trim_start_matches(|c: char| c.is_whitespace() || matches!(c, '@' | '('));
            let Some(rest) = command
                .get(..4)
                .filter(|word| word.eq_ignore_ascii_case("set "))
                .and_then(|_| command.get(4..))
            else {
                continue;
            };
            let rest = rest.trim_start();
            let rest = match rest.strip_prefix('"') {
                Some(inner) => inner.rsplit_once('"').map_or(inner, |(inner, _)| inner),
                None => rest,
            };
            if rest.starts_with('/') {
                continue;
            }
            if let Some((name, value)) = rest.split_once('=')
                && self.variables.len() < VARIABLES
                && value.len() < 8192
            {
                self.variables
                    .insert(name.trim().to_lowercase(), value.to_owned());
            }
        }
    }

    fn line(&mut self, line: &str) -> String {
        let mut out = String::with_capacity(line.len());
        let mut rest = line;
        // What stands last but blanks, which may be many.
        let mut last = None;
        while let Some(at) = rest.find(['%', '!']) {
            let (before, from) = rest.split_at_checked(at).unwrap_or((rest, ""));
            out.push_str(before);
            last = last_sign(before).or(last);
            let mark = if from.starts_with('%') { '%' } else { '!' };
            let inner = from.get(1..).unwrap_or_default();
            let found = inner.split_once(mark).and_then(|(name, behind)| {
                let within = out.chars().next_back().is_some_and(char::is_alphanumeric)
                    || behind.chars().next().is_some_and(char::is_alphanumeric);
                self.variable(name, mark, within)
                    .map(|value| (value, behind))
            });
            let leads = last.is_none_or(|sign| matches!(sign, '&' | '|' | '(' | '@'));
            match found {
                Some((value, behind)) if out.len().saturating_add(value.len()) < self.room => {
                    let program = value.trim_end_matches('"').to_lowercase().ends_with(".exe");
                    if leads && !value.is_empty() || program {
                        self.batch.programs = self.batch.programs.saturating_add(1);
                    }
                    out.push_str(&value);
                    last = last_sign(&value).or(last);
                    rest = behind;
                }
                _ => {
                    out.push(mark);
                    last = Some(mark);
                    rest = inner;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn pay(&mut self, size: usize) -> Option<()> {
        let left = self.work.checked_sub(size);
        self.batch.exhausted |= left.is_none();
        self.work = left.unwrap_or(0);
        left.map(|_| ())
    }

    /// What a variable comes to; `None` where it stays as it is written.
    fn variable(&mut self, expression: &str, mark: char, within: bool) -> Option<String> {
        if expression.is_empty()
            || expression.len() > 256
            || expression.contains(['"', ' ', '\\']) && !expression.contains(':')
        {
            return None;
        }
        let (name, modifier) = match expression.split_once(':') {
            Some((name, modifier)) => (name, Some(modifier)),
            None => (expression, None),
        };
        let name = name.to_lowercase();
        let own = self.variables.get(&name);
        let size = own.map_or(0, String::len);
        let own = own.filter(|_| size <= self.work).cloned();
        self.pay(size)?;
        let shared = || {
            ENVIRONMENT
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| (*value).to_owned())
        };
        match modifier {
            Some(modifier) => {
                let value = own.or_else(shared)?;
                let result = modified(&value, modifier)?;
                self.pay(result.len())?;
                self.batch.slices = self.batch.slices.saturating_add(1);
                Some(result)
            }
            None => match own {
                Some(value) => {
                    if within && value.ends_with(['\\', '/']) {
                        self.batch.folders = self.batch.folders.saturating_add(1);
                    } else if within {
                        self.batch.pieces = self.batch.pieces.saturating_add(1);
                    }
                    Some(value)
                }
                // A variable that nothing sets, in the middle of a word: nothing in a batch file.
                None if within && mark == '%' && shared().is_none() && is_junk(&name) => {
                    self.batch.pieces = self.batch.pieces.saturating_add(1);
                    Some(String::new())
                }
                None => None,
            },
        }
    }
}

/// The last character that is no blank.
fn last_sign(text: &str) -> Option<char> {
    text.chars().rev().find(|c| !c.is_whitespace())
}

/// Names that no system sets: parameters and usual words of environments are none of them.
fn is_junk(name: &str) -> bool {
    let usual = [
        "path", "temp", "tmp", "user", "data", "home", "date", "time", "computer", "random",
        "error", "cd", "program", "profile", "logon", "session", "process", "number",
    ];
    name.len() >= 3
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.bytes().all(|byte| byte.is_ascii_digit())
        && !usual.iter().any(|word| name.contains(word))
}

/// `~n,m` and `a=b` behind a variable's name.
fn modified(value: &str, modifier: &str) -> Option<String> {
    let Some(slice) = modifier.strip_prefix('~') else {
        let (what, with) = modifier.split_once('=')?;
        return (!what.is_empty() && with.len() <= what.len().saturating_mul(4).max(16))
            .then(|| value.replace(what, with));
    };
    let (from, len) = match slice.split_once(',') {
        Some((from, len)) => (from, Some(len)),
        None => (slice, None),
    };
    let chars: Vec<char> = value.chars().collect();
    let count = i64::try_from(chars.len()).ok()?;
    let from: i64 = from.trim().parse().ok()?;
    let from = if from < 0 {
        count.saturating_add(from).max(0)
    } else {
        from.min(count)
    };
    let end = match len {
        None => count,
        Some(len) => {
            let len: i64 = len.trim().parse().ok()?;
            if len < 0 {
                count.saturating_add(len)
            } else {
                from.saturating_add(len)
            }
        }
    };
    let from = usize::try_from(from).ok()?;
    let end = usize::try_from(end.clamp(0, count)).ok()?;
    Some(chars.get(from..end.max(from))?.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        expand(source).text.unwrap_or_default()
    }

    #[test]
    fn variables_slices_and_carets_are_resolved() {
        assert_eq!(
            text("set a=power\n%a%shell -c x\n"),
            "set a=power\npowershell -c x\n"
        );
        assert_eq!(text("p^o^w^ershell\n"), "powershell\n");
        assert_eq!(
            text("set \"x=abcdef\"\n%x:~1,2%%x:~-1%\n"),
            "set \"x=abcdef\"\nbcf\n"
        );
        assert_eq!(text("%comspec:~-7,3% /c calc\n"), "cmd /c calc\n");
        assert_eq!(text("pow%zqxj%ersh%kk_1%ell\n"), "powershell\n");
        let folder = expand("set d=C:\\tools\\\n%d%mshta x\n");
        assert_eq!((folder.pieces, folder.folders), (0, 1));
        assert!(folder.text.unwrap().contains("C:\\tools\\mshta x"));
    }

    #[test]
    fn long_values_do_not_make_the_work_grow_faster_than_the_file() {
        let took = |times: usize| {
            let slices = "%a:~1,1%%a:x=yyyyyyyyyyyyyyyy%".repeat(times);
            let source = format!("set a={}\n{slices}\n", "x".repeat(8000));
            let blanks = format!(
                "set e=\n{}{}x%e%y\n",
                " ".repeat(times * 4),
                "%e%".repeat(times)
            );
            let start = std::time::Instant::now();
            let (slices, blanks) = (expand(&source), expand(&blanks));
            assert!(slices.exhausted && !blanks.exhausted);
            assert!(slices.slices > 0 && blanks.text.is_some_and(|text| text.len() > times * 4));
            start.elapsed().as_secs_f64()
        };
        let small = took(4_000);
        assert!(took(40_000) < small * 30.0 + 0.5);
    }

    #[test]
    fn ordinary_batch_files_stay_as_they_are() {
        for source in [
            "@echo off\ncopy %1 \"%TEMP%\\a\"\nif %errorlevel% neq 0 goto :end\n",
            "for %%a in (*.txt) do type %%a\nset x=1\necho %x%\n",
            "echo 50% of 100%\n",
        ] {
            assert_eq!(expand(source).text, None, "{source}");
        }
    }
}
