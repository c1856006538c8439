//! MSBuild projects (Microsoft Learn, "MSBuild project file schema reference"): code in the project and commands of a
//! build, in any encoding of XML, whatever the file is called.
//!
//! Names of elements compare without regard to case and prefix. Properties of the project are put in where they are
//! used; conditions are not evaluated: what may run is told.

use std::collections::BTreeMap;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::limits::{Budget, Halt};
use crate::text;

/// Elements read at the most.
const CEILING: usize = 500_000;

/// Steps kept at the most.
const STEPS: usize = 64;

/// Property functions kept at the most.
const FUNCTIONS: usize = 1024;

/// Properties kept at the most, and bytes of what one comes to.
const PROPERTIES: usize = 2048;
const PROPERTY: usize = 1024;

/// Longest piece of text kept, in bytes.
const LONGEST: usize = 1 << 20;

/// Something that a build does besides calling compilers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A task whose program text stands in the project (UsingTask with a task factory).
    InlineTask {
        /// Name of the task.
        name: String,
        /// The factory that compiles it.
        factory: String,
        /// The program text, or what else the factory is given; empty where it lies in another file.
        code: String,
    },
    /// A command line: an event of the build, an Exec task, a custom build rule.
    Command {
        /// The element that holds it, as written.
        element: String,
        /// The command, entities resolved.
        line: String,
    },
    /// A piece of the build that is taken from another machine: its program runs like one of the project.
    Import {
        /// The element, as written.
        element: String,
        /// The address or path.
        target: String,
    },
}

/// What a project does, and whether its XML broke off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Project {
    /// In the order of the file.
    pub steps: Vec<Step>,
    /// Static property functions as written, such as `$([System.IO.Path]::Combine(…))`.
    pub functions: Vec<String>,
    /// What the XML breaks, where it cannot be read on.
    pub broken: Option<String>,
}

/// Elements whose text is a command line (lower case).
const EVENTS: &[&str] = &[
    "prebuildevent",
    "postbuildevent",
    "prelinkevent",
    "prebuildcommand",
    "postbuildcommand",
    "custombuildstep",
    "nmakebuildcommandline",
    "nmakerebuildcommandline",
    "nmakecleancommandline",
];

/// Elements around a `<Command>` of Visual C++ projects.
const HOLDERS: &[&str] = &[
    "prebuildevent",
    "postbuildevent",
    "prelinkevent",
    "custombuildstep",
    "custombuild",
];

/// Reads a project. Fails only where the time is over.
pub fn read(data: &[u8], budget: &Budget) -> Result<Project, Halt> {
    let text = text::to_utf8(data);
    let mut reader = Reader::from_str(&text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    let mut walk = Walk::default();
    for _ in 0..CEILING {
        budget.tick()?;
        match reader.read_event() {
            Ok(Event::Start(element)) => walk.open(&element, false),
            Ok(Event::Empty(element)) => walk.open(&element, true),
            Ok(Event::End(_)) => walk.close(),
            Ok(Event::Text(words)) => walk.say(&words),
            Ok(Event::CData(words)) => walk.say(&words),
            Ok(Event::GeneralRef(name)) => walk.refer(&name),
            Ok(Event::Eof) => break,
            Ok(_) => {}
            Err(error) => {
                walk.project.broken = Some(error.to_string());
                break;
            }
        }
    }
    // What an element without an end held.
    while !walk.open.is_empty() {
        walk.close();
    }
    walk.finish_task();
    Ok(walk.project)
}

#[derive(Default)]
struct Walk {
    project: Project,
    /// Lower-case local names of the open elements, as written beside.
    open: Vec<(String, String)>,
    text: String,
    /// Properties by their lower-case names.
    properties: BTreeMap<String, String>,
    task: Option<(String, String, String)>,
}

/// Elements nested at the most; deeper ones are counted as text of the last.
const DEPTH: usize = 200;

impl Walk {
    fn open(&mut self, element: &BytesStart<'_>, empty: bool) {
        let written = element.local_name().as_ref().to_owned();
        let local = written.to_ascii_lowercase();
        let mut attributes = element.attributes();
        let attributes = attributes.with_checks(false).flatten();
        let given: Vec<(String, String)> = attributes
            .map(|attribute| {
                let name = attribute.key.local_name().as_ref().to_ascii_lowercase();
                (name, self.expanded(&resolve(&attribute.value)))
            })
            .collect();
        let attribute = |name: &str| {
            let found = given.iter().find(|(known, _)| known == name);
            found.map(|(_, value)| value.clone())
        };
        match local.as_str() {
            "usingtask" => {
                self.finish_task();
                if let Some(factory) = attribute("taskfactory") {
                    let name = attribute("taskname").unwrap_or_default();
                    self.task = Some((name, factory, String::new()));
                }
            }
            "exec" => {
                if let Some(line) = attribute("command") {
                    self.push_command(&written, &line);
                }
            }
            _ => {}
        }
        let remote = match local.as_str() {
            "import" => attribute("project").or_else(|| attribute("sdk")),
            "usingtask" => attribute("assemblyfile"),
            _ => None,
        };
        if let Some(target) = remote.filter(|target| is_remote(target)) {
            self.push(Step::Import {
                element: written.clone(),
                target,
            });
        }
        for (_, value) in &given {
            self.functions(value);
        }
        if !empty && self.open.len() < DEPTH {
            self.open.push((local, written));
            self.text.clear();
        } else if empty && local == "usingtask" {
            self.finish_task();
        }
    }

    fn say(&mut self, words: &str) {
        let room = LONGEST.saturating_sub(self.text.len());
        self.text.push_str(
            words
                .get(..words.floor_char_boundary(room))
                .unwrap_or_default(),
        );
    }

    fn refer(&mut self, name: &str) {
        let resolved = resolve(&format!("&{name};"));
        self.say(&resolved);
    }

    fn close(&mut self) {
        let Some((local, written)) = self.open.pop() else {
            return;
        };
        let text = std::mem::take(&mut self.text);
        let text = self.expanded(&text);
        let around = self
            .open
            .last()
            .map(|(around, _)| around.as_str())
            .unwrap_or_default();
        if local == "code" && self.task.is_some() {
            if let Some((_, _, code)) = &mut self.task {
                code.push_str(text.trim());
            }
        } else if local == "task"
            && let Some((_, _, code)) = &mut self.task
        {
            // What a factory that compiles no code of its own is given: a description, or the path of one.
            if code.is_empty() {
                code.push_str(text.trim());
            }
        } else if local == "usingtask" {
            self.finish_task();
        } else if EVENTS.contains(&local.as_str()) {
            self.push_command(&written, &text);
        } else if local == "command" && HOLDERS.contains(&around) {
            let element = self
                .open
                .last()
                .map(|(_, written)| written.clone())
                .unwrap_or_default();
            self.push_command(&element, &text);
        } else if around == "propertygroup"
            && text.len() <= PROPERTY
            && self.properties.len() < PROPERTIES
        {
            self.properties.insert(local, text.trim().to_owned());
        }
        self.functions(&text);
    }

    /// A text with the project's properties put in; others, and functions, stand as they are.
    fn expanded(&self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("$(") {
            out.push_str(before);
            let name = behind.split_once(')').map(|(name, _)| name);
            let value = name.and_then(|name| self.properties.get(&name.trim().to_lowercase()));
            match (value, name) {
                (Some(value), Some(name)) if out.len() < LONGEST => {
                    out.push_str(value);
                    let end = name.len().saturating_add(1);
                    rest = behind.get(end..).unwrap_or_default();
                }
                _ => {
                    out.push_str("$(");
                    rest = behind;
                }
            }
        }
        out.push_str(rest);
        out
    }

    fn finish_task(&mut self) {
        if let Some((name, factory, code)) = self.task.take() {
            self.push(Step::InlineTask {
                name,
                factory,
                code,
            });
        }
    }

    fn push_command(&mut self, element: &str, line: &str) {
        let line = line.trim();
        if !line.is_empty() {
            self.push(Step::Command {
                element: element.to_owned(),
                line: line.to_owned(),
            });
        }
    }

    fn functions(&mut self, text: &str) {
        if !text.contains("$([") {
            return;
        }
        for (at, _) in text.match_indices("$([") {
            if self.project.functions.len() >= FUNCTIONS {
                return;
            }
            let rest = text.get(at..).unwrap_or_default();
            let rest = rest.lines().next().unwrap_or_default();
            let function = rest.get(..rest.floor_char_boundary(512)).unwrap_or(rest);
            self.project.functions.push(function.to_owned());
        }
    }

    fn push(&mut self, step: Step) {
        if self.project.steps.len() < STEPS {
            self.project.steps.push(step);
        }
    }
}

/// Whether a path leads to another machine, by its share or by an address.
fn is_remote(target: &str) -> bool {
    let target = target.trim().to_ascii_lowercase();
    let share = target.starts_with("\\\\") || target.starts_with("//");
    let scheme = ["http:", "https:", "ftp:", "file://"]
        .iter()
        .any(|scheme| target.starts_with(scheme));
    let local = target.starts_with("\\\\?\\") || target.starts_with("file:///");
    (share || scheme) && !local
}

/// Entities of XML 1.0 4.6 and numbers resolved; others stand as they are.
fn resolve(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after
            .split(';')
            .next()
            .filter(|name| name.len() <= 10 && name.len() < after.len());
        let resolved = entity.and_then(|name| match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)
            }
        });
        match (resolved, entity) {
            (Some(c), Some(name)) => {
                out.push(c);
                rest = after
                    .get(name.len().saturating_add(1)..)
                    .unwrap_or_default();
            }
            _ => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    fn steps(xml: &[u8]) -> Vec<Step> {
        read(xml, &Budget::new(Limits::default(), None))
            .unwrap()
            .steps
    }

    const INLINE: &str = "<?xml version=\"1.0\"?><Project><UsingTask TaskName=\"A\" TaskFactory=\"CodeTaskFactory\"><Task><Code Type=\"Fragment\"><![CDATA[ int x; ]]></Code></Task></UsingTask></Project>";

    #[test]
    fn inline_tasks_are_read_in_any_encoding() {
        let expected = [Step::InlineTask {
            name: "A".to_owned(),
            factory: "CodeTaskFactory".to_owned(),
            code: "int x;".to_owned(),
        }];
        assert_eq!(steps(INLINE.as_bytes()), expected);
        let mut wide = vec![0xff, 0xfe];
        wide.extend(INLINE.encode_utf16().flat_map(u16::to_le_bytes));
        assert_eq!(steps(&wide), expected);
    }

    #[test]
    fn what_is_taken_from_another_machine_is_told_and_what_lies_beside_is_not() {
        let xml = "<Project><Import Project=\"\\\\192.0.2.1\\a\\b.targets\"/><Import Project='$(MSBuildToolsPath)\\x.targets'/>\
                   <UsingTask TaskName='T' AssemblyFile='file://192.0.2.1/a/b.dll'/><UsingTask TaskName='U' AssemblyFile='..\\b.dll'/>\
                   <Import Project='\\\\?\\C:\\b.targets'/><PropertyGroup><A>\\\\192.0.2.2</A><B>$(a)\\s</B></PropertyGroup>\
                   <Import Project='$(B)\\c.targets'/></Project>";
        let steps = steps(xml.as_bytes());
        let targets: Vec<&str> = steps
            .iter()
            .filter_map(|step| match step {
                Step::Import { target, .. } => Some(target.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(
            targets,
            [
                "\\\\192.0.2.1\\a\\b.targets",
                "file://192.0.2.1/a/b.dll",
                "\\\\192.0.2.2\\s\\c.targets"
            ]
        );
    }

    #[test]
    fn events_and_exec_tasks_give_their_commands() {
        let xml = "<Project><PropertyGroup><PostBuildEvent>copy &quot;a&quot; b &amp;&amp; c</PostBuildEvent></PropertyGroup>\
                   <ItemDefinitionGroup><PreBuildEvent><Command>echo x</Command><Message>words</Message></PreBuildEvent></ItemDefinitionGroup>\
                   <Target Name=\"T\"><Exec Command=\"cmd /c y\"/></Target></Project>";
        let lines: Vec<String> = steps(xml.as_bytes())
            .into_iter()
            .map(|step| match step {
                Step::Command { element, line } => format!("{element}: {line}"),
                other => format!("{other:?}"),
            })
            .collect();
        assert_eq!(
            lines,
            [
                "PostBuildEvent: copy \"a\" b && c",
                "PreBuildEvent: echo x",
                "Exec: cmd /c y"
            ]
        );
    }

    #[test]
    fn an_ordinary_project_does_nothing_besides() {
        let xml = "<Project Sdk=\"Microsoft.NET.Sdk\"><PropertyGroup><TargetFramework>net8.0</TargetFramework>\
                   <X>$([System.IO.Path]::Combine('a','b'))</X></PropertyGroup>\
                   <UsingTask TaskName=\"A\" AssemblyFile=\"a.dll\"/><ItemGroup><Compile Include=\"a.cs\"/></ItemGroup></Project>";
        assert_eq!(steps(xml.as_bytes()), []);
        let reaching = "<Project><PropertyGroup><X>$([System.Diagnostics.Process]::Start('a'))</X></PropertyGroup></Project>";
        let budget = Budget::new(Limits::default(), None);
        let functions = read(reaching.as_bytes(), &budget).unwrap().functions;
        assert_eq!(functions, ["$([System.Diagnostics.Process]::Start('a'))"]);
    }
}
