//! What a module hides: texts built from numbers, pieces, reversed or encoded texts that come to a command, an
//! address, the name of an object or of a function, while nothing in the source shows it.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::encoded::{self, Meaning};
use crate::formats::vba::{Call, Event, Module, Receiver, Text, TokenKind, fold};
use crate::knowledge::VbaKnowledge;
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "vba_obfuscation",
    kinds: &[Kind::VbaSource, Kind::VbaPcode],
    sees: Sees::Content,
    findings: &["vba-obfuscated"],
    run,
};

/// Letters, digits and signs given one by one by their numbers from which a text counts as hidden whatever it says.
const CHARACTERS: u32 = 8;

/// Bytes in one array from which it counts as data, and different ones among them.
const ARRAY: usize = 100;
const DIFFERENT: usize = 40;

/// Different encoded texts given to functions of the module itself that count as obfuscation.
const ENCODED: usize = 4;

/// Reports `vba-obfuscated`.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let module = Module::read(&look.artifact.data);
    let vba = &look.knowledge.vba;
    let mut judge = Judge {
        module: &module,
        vba,
        findings,
        encoded: BTreeSet::new(),
        last: None,
    };
    judge.literals();
    fold(&module, &|text| vba.mark(text), &mut |event| {
        judge.see(&event);
    });
}

struct Judge<'j, 'f> {
    module: &'j Module<'j>,
    vba: &'j VbaKnowledge,
    findings: &'j mut Findings<'f>,
    encoded: BTreeSet<usize>,
    last: Option<Range<usize>>,
}

impl Judge<'_, '_> {
    /// Literals that are encoded as a whole.
    fn literals(&mut self) {
        let module = self.module;
        for statement in module
            .statements()
            .iter()
            .filter(|one| !one.is_declarative(module))
        {
            let tokens = module
                .tokens()
                .get(statement.tokens.clone())
                .unwrap_or_default();
            for token in tokens
                .iter()
                .filter(|token| token.kind == TokenKind::Text && token.span().len() > 16)
            {
                self.decode(&module.literal(token), &statement.span(module));
            }
        }
    }

    fn see(&mut self, event: &Event<'_>) {
        match event {
            Event::Text { text, statement } => self.text(text, statement),
            Event::Call(call) if call.name == "array" => self.array(call),
            Event::Call(call) if call.receiver == Receiver::Module => self.decoder(call),
            Event::Exhausted => {
                let found = Found::new(
                    "vba-obfuscated",
                    "building its texts takes more steps than any ordinary macro",
                );
                self.findings.report(found);
            }
            Event::Call(_) | Event::Assign { .. } | Event::Declare(_) => {}
        }
    }

    fn text(&mut self, text: &Text, statement: &Range<usize>) {
        let news = self.vba.mark(text.as_str()) & !text.plain();
        let built = text.built();
        let encoded = built.characters > 0 || built.rearranged > 0;
        let hidden = if encoded {
            news
        } else {
            self.vba.telling(news)
        };
        // Line ends, tabs and quotes are given by their numbers everywhere; whole words are not.
        let spelled = built.characters >= CHARACTERS && text.as_str().is_ascii();
        if hidden != 0 || spelled {
            self.report(statement, text.as_str());
        } else {
            self.decode(text.as_str(), statement);
        }
    }

    /// Reports a text that is encoded as a whole and means something.
    fn decode(&mut self, text: &str, statement: &Range<usize>) {
        match encoded::whole(text) {
            Some(Meaning::Text(meaning)) if self.vba.mark(&meaning) != 0 => {
                self.report(statement, &meaning);
            }
            Some(Meaning::Program(len)) => {
                self.report(statement, &format!("program of {len} bytes"));
            }
            Some(Meaning::Text(_)) | None => {}
        }
    }

    /// An array of many different bytes is data or code, not a list.
    fn array(&mut self, call: &Call<'_>) {
        if call.arguments.len() < ARRAY {
            return;
        }
        let numbers: Option<Vec<i64>> = call
            .arguments
            .iter()
            .map(|one| one.value.as_whole())
            .collect();
        let Some(numbers) = numbers.filter(|all| all.iter().all(|one| (-128..=255).contains(one)))
        else {
            return;
        };
        let different: BTreeSet<i64> = numbers.iter().copied().collect();
        if different.len() >= DIFFERENT {
            self.report(
                &call.statement,
                &format!("{} bytes in an array", numbers.len()),
            );
        }
    }

    /// Encoded texts given to functions of the module itself.
    fn decoder(&mut self, call: &Call<'_>) {
        let texts = call.arguments.iter().filter_map(|one| one.value.as_text());
        if texts.map(Text::as_str).any(encoded::looks_encoded) {
            self.encoded.insert(call.at);
            if self.encoded.len() == ENCODED {
                let what = format!("{ENCODED} or more encoded texts are given to {}", call.name);
                self.report(&call.statement, &what);
            }
        }
    }

    fn report(&mut self, statement: &Range<usize>, decoded: &str) {
        if self.last.as_ref() == Some(statement) {
            return;
        }
        self.last = Some(statement.clone());
        let bytes = self
            .module
            .data()
            .get(statement.clone())
            .unwrap_or_default();
        let source = self.module.decode(bytes);
        self.findings.report(
            Found::new("vba-obfuscated", &source)
                .at(statement.start)
                .decoded(decoded),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    fn found(source: &str) -> Vec<(String, Option<String>)> {
        testing::in_module(run, &format!("Sub a()\r\n{source}\r\nEnd Sub\r\n"))
    }

    #[test]
    fn what_was_hidden_is_shown() {
        let url = "http://example.invalid/";
        let spelled: Vec<String> = url.bytes().map(|byte| format!("Chr({byte})")).collect();
        let list: Vec<String> = url.bytes().map(|byte| (byte ^ 7).to_string()).collect();
        let reversed: String = url.chars().rev().collect();
        let cases = [
            format!("x = {}", spelled.join(" & ")),
            format!("x = StrReverse(\"{reversed}\")"),
            "x = Replace(\"h#t#t#p#:#/#/#example.invalid/\", \"#\", \"\")".to_owned(),
            "x = Join(Array(\"ht\", \"tp\", \":/\", \"/exa\", \"mple.invalid/\"), \"\")".to_owned(),
            "x = f(\"687474703a2f2f6578616d706c652e696e76616c69642f\")".to_owned(),
            "x = f(\"aHR0cDovL2V4YW1wbGUuaW52YWxpZC8=\")".to_owned(),
            format!(
                "b = Array({})\r\nFor i = 0 To UBound(b)\r\nx = x & Chr(b(i) Xor 7)\r\nNext i\r\ng x",
                list.join(",")
            ),
            "Dim p(2) As String\r\np(0) = \"ht\"\r\np(1) = \"tp:/\"\r\np(2) = \"/example.invalid/\"\r\nx = Join(p, \"\")".to_owned(),
            "x = h(\"687474703A2F2F6578616D706C652E696E76616C69642F\")\r\nEnd Sub\r\nFunction h(ByVal s As String) As String\r\nDim i As Long, r As String\r\nFor i = 1 To Len(s) Step 2\r\nIf Mid(s, i, 2) = \"00\" Then Exit For\r\nr = r & Chr(CLng(\"&H\" & Mid(s, i, 2)))\r\nNext i\r\nh = r\r\nEnd Function\r\nSub b()".to_owned(),
            format!(
                "x = d(\"{}\")\r\nEnd Sub\r\nFunction d(s)\r\nDim i\r\nFor i = 1 To Len(s) Step 1\r\nd = d & Chr(Asc(Mid(s, i, 1)) - 1)\r\nNext\r\nEnd Function\r\nSub b()",
                url.bytes()
                    .map(|byte| char::from(byte + 1))
                    .collect::<String>()
            ),
        ];
        for source in cases {
            let all = found(&source);
            assert!(
                all.iter().any(|one| one.1.as_deref() == Some(url)),
                "{source}: {all:?}"
            );
        }
        assert_eq!(
            found("Set o = CreateObject(\"WScr\" & \"ipt.Sh\" & \"ell\")"),
            [(
                "Set o = CreateObject(\"WScr\" & \"ipt.Sh\" & \"ell\")".to_owned(),
                Some("WScript.Shell".to_owned())
            )]
        );
        let pieces = "s = \"power\"\r\ns = s & \"shell -w hid\"\r\ns = s & \"den\"\r\nShell s";
        assert_eq!(
            found(pieces).first().unwrap().1.as_deref(),
            Some("powershell -w hidden")
        );
    }

    #[test]
    fn ordinary_texts_are_not_hidden() {
        for source in [
            "q = \"SELECT * FROM t WHERE a = '\" & v & \"' AND \" & \"b = 1\"",
            "m = \"Line one\" & Chr(13) & Chr(10) & Chr(34) & n & Chr(34) & vbCrLf & Chr(9)",
            "c = Chr(64 + n) & \"1\"\r\nr = Range(Chr(65) & \"1:\" & Chr(90) & \"9\")",
            "p = \"C:\\data\\\" & Format(Now, \"yyyymmdd\") & \".xls\"",
            "u = \"http://intranet.example/\" & Replace(n, \" \", \"%20\")",
            "u = PROTO & \"://\" & \"host\"\r\nConst A = \"http\"\r\nu = A & \"://\" & h",
            "f = Replace(ThisWorkbook.Name, \".xls\", \".bat\")",
            "a = Split(\"Mon,Tue,Wed\", \",\")\r\nb = Join(a, \";\")\r\nd = Array(31, 28, 31, 30, 31, 30)",
            "t = ChrW(&H58F2) & ChrW(&H4E0A) & ChrW(&H8868) & ChrW(&H3092) & ChrW(&H96C6) & ChrW(&H8A08) & ChrW(&H3059) & ChrW(&H308B)",
            "d = Environ(\"TEMP\") & \"\\report.csv\"\r\ne = Replace(Environ(\"APPDATA\"), \"a\", \"b\")",
            "Application.OnKey \"{F5}\", \"Recalc\"\r\nn = Left(\"ABCDEFG\", 3) & Mid(\"12345\", 2, 2)",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }

    #[test]
    fn loops_of_ordinary_macros_are_not_run_and_exhaust_nothing() {
        let one = "For i = 1 To 60000\r\nCells(i, 1) = i * 2\r\nx = x + 1\r\nNext i\r\n";
        assert_eq!(found(&one.repeat(200)), []);
    }

    #[test]
    fn a_large_module_is_folded_in_linear_time() {
        let mut source = String::from("Sub a()\r\n");
        while source.len() < 5 << 20 {
            source.push_str(
                "s = s & \"xyz\" & Chr(65) & Mid(\"abcdef\", 2, 3): t = \"y\" & t: f s, t\r\n",
            );
        }
        source.push_str("End Sub\r\n");
        let started = cpu_time::ThreadTime::now();
        testing::in_module(run, &source);
        assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
        for hostile in [
            "(",
            "f(",
            "a.b(",
            "x = x & x: ",
            "\"\" & ",
            "If a Then ",
            "For i = 1 To 9: ",
            "- ",
            "Not ",
        ] {
            let source = format!(
                "Sub a()\r\nx = \"ab\"\r\n{}\r\nEnd Sub",
                hostile.repeat((1 << 20) / hostile.len())
            );
            let started = cpu_time::ThreadTime::now();
            testing::in_module(run, &source);
            assert!(
                started.elapsed().as_secs() < 4,
                "{hostile:?}: {:?}",
                started.elapsed()
            );
        }
    }
}
