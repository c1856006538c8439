//! LibreOffice as a judge: two files show the same text on the same number of pages.
//!
//! Its exit status lies, and without a forced filter it opens rubbish as text: what counts is that a file comes out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sekisho::model::Kind;

use crate::support::Folder;

/// What may differ in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Same,
    /// The picture of an object shows up where the object was drawn.
    Gains,
    /// What macro sheets print is gone.
    Loses,
}

/// A file before and after.
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) before: Vec<u8>,
    pub(crate) after: Vec<u8>,
    pub(crate) text: Text,
    /// Whether functions of its own went, which sheets call.
    pub(crate) functions: bool,
}

/// The filter and extension of a file.
fn filter(pair: &Pair) -> Option<(&'static str, &'static str)> {
    let names = |name: &str| memchr::memmem::find(&pair.before, name.as_bytes()).is_some();
    Some(match pair.kind {
        Kind::Doc => ("MS Word 97", "doc"),
        Kind::Xls => ("MS Excel 97", "xls"),
        Kind::Ppt => ("MS PowerPoint 97", "ppt"),
        Kind::Rtf => ("Rich Text Format", "rtf"),
        Kind::Docx | Kind::Docm | Kind::Dotx | Kind::Dotm => ("MS Word 2007 XML", "docx"),
        Kind::Xlsx | Kind::Xlsm | Kind::Xltx | Kind::Xltm | Kind::Xlam => {
            ("Calc MS Excel 2007 XML", "xlsx")
        }
        Kind::Xlsb => ("Calc MS Excel 2007 Binary", "xlsb"),
        Kind::Pptx | Kind::Pptm | Kind::Potx | Kind::Potm | Kind::Ppsx | Kind::Ppsm => {
            ("Impress MS PowerPoint 2007 XML", "pptx")
        }
        Kind::Odt => ("writer8", "odt"),
        Kind::Ods => ("calc8", "ods"),
        Kind::Odp => ("impress8", "odp"),
        Kind::FlatOdf if names("office:spreadsheet") => {
            ("OpenDocument Spreadsheet Flat XML", "fods")
        }
        Kind::FlatOdf => ("OpenDocument Text Flat XML", "fodt"),
        // LibreOffice does not open it as it is: see `opened`.
        Kind::FlatOpc if names("/xl/workbook.xml") => ("Calc MS Excel 2007 XML", "xlsx"),
        Kind::FlatOpc => ("MS Word 2007 XML", "docx"),
        Kind::Word2003Xml => ("MS Word 2003 XML", "xml"),
        Kind::Excel2003Xml => ("MS Excel 2003 XML Orcus", "xml"),
        Kind::Sylk => ("SYLK", "slk"),
        Kind::Csv => ("Text - txt - csv (StarCalc)", "csv"),
        Kind::Html => ("HTML (StarWriter)", "html"),
        _ => return None,
    })
}

/// What LibreOffice opens of a file: of a Flat OPC, the package that it stands for.
fn opened(kind: Kind, data: &[u8]) -> Vec<u8> {
    if kind != Kind::FlatOpc {
        return data.to_vec();
    }
    let text = String::from_utf8_lossy(data);
    let mut types =
        "<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">".to_owned();
    let mut members: Vec<(String, Vec<u8>)> = Vec::new();
    for part in text.split("<pkg:part ").skip(1) {
        let value = |name: &str| {
            let found = part.split_once(&format!("pkg:{name}=\"")).unwrap().1;
            found.split('"').next().unwrap().to_owned()
        };
        let inside = |name: &str| {
            let found = part.split_once(&format!("<pkg:{name}>"))?.1;
            found.split(&format!("</pkg:{name}>")).next()
        };
        let content = match (inside("xmlData"), inside("binaryData")) {
            (Some(xml), _) => xml.as_bytes().to_vec(),
            (None, base64) => sekisho::formats::base64::decode(base64.unwrap().as_bytes()).data,
        };
        let (name, media_type) = (value("name"), value("contentType"));
        types += &format!("<Override PartName=\"{name}\" ContentType=\"{media_type}\"/>");
        members.push((name.trim_start_matches('/').to_owned(), content));
    }
    types += "<Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/></Types>";
    members.push(("[Content_Types].xml".to_owned(), types.into_bytes()));
    let members: Vec<(&str, &[u8])> = members
        .iter()
        .map(|(name, data)| (name.as_str(), data.as_slice()))
        .collect();
    crate::build::zip(&members)
}

/// Opens all pairs and tells what differs; `None`, with a word, where LibreOffice is not there. A file that LibreOffice
/// does not open before is not compared.
pub(crate) fn differences(pairs: &[Pair]) -> Option<Vec<String>> {
    for program in ["soffice", "pdftotext", "pdfinfo"] {
        let there = Command::new(program).arg("--version").output();
        if there.is_err() {
            println!("skipped: {program} is not there");
            return None;
        }
    }
    let folder = Folder::new();
    let mut filters: Vec<(&str, &str)> = pairs.iter().filter_map(filter).collect();
    filters.sort_unstable();
    filters.dedup();
    for (name, extension) in filters {
        let mut files = Vec::new();
        for (number, pair) in pairs.iter().enumerate() {
            if filter(pair).is_some_and(|(own, _)| own == name) {
                files.push(folder.file(
                    format!("{number}-before.{extension}"),
                    opened(pair.kind, &pair.before),
                ));
                files.push(folder.file(
                    format!("{number}-after.{extension}"),
                    opened(pair.kind, &pair.after),
                ));
            }
        }
        convert(&folder, name, &files);
    }
    // These are what the others become.
    for (number, pair) in pairs.iter().enumerate() {
        if pair.kind == Kind::Pdf {
            folder.file(format!("{number}-before.pdf"), &pair.before);
            folder.file(format!("{number}-after.pdf"), &pair.after);
        }
    }
    let mut told = Vec::new();
    let mut compared: BTreeMap<Kind, usize> = BTreeMap::new();
    for (number, pair) in pairs.iter().enumerate() {
        let shown = |when: &str| {
            let (lines, pages) = shown(&folder.path(format!("{number}-{when}.pdf")))?;
            Some((lines.iter().map(|line| pair.steady(line)).collect(), pages))
        };
        let before: Option<(Vec<String>, String)> = shown("before");
        let Some(before) = before else {
            continue;
        };
        *compared.entry(pair.kind).or_default() += 1;
        match shown("after") {
            None => told.push(format!("{}: no longer opens", pair.name)),
            // Macro sheets have pages of their own, which go with them.
            Some(after) if after.1 != before.1 && pair.text != Text::Loses => told.push(format!(
                "{}: {} pages, then {}",
                pair.name, before.1, after.1
            )),
            Some(after) if !alike(&before.0, &after.0, pair.text) => {
                let lines = before.0.iter().zip(&after.0);
                let first = lines.clone().find(|(before, after)| before != after);
                told.push(format!("{}: other text: {first:?}", pair.name));
            }
            Some(_) => {}
        }
    }
    println!("compared: {compared:?}");
    Some(told)
}

impl Pair {
    /// A line without what LibreOffice computes anew. A call of a function of the document, whose macros it does not
    /// start, is `#VALUE!` while the project is there and `#MACRO?` or `#NAME?` without it; each of them is `###` in a
    /// column too narrow for it. Excel keeps the last value.
    fn steady(&self, line: &str) -> String {
        const FAILED: &[&str] = &["#VALUE!", "#MACRO?", "#NAME?", "Err:508", "###"];
        let words = line.split(' ');
        let words = words.map(|word| match self.functions && FAILED.contains(&word) {
            true => "#MACRO?",
            false => word,
        });
        words.collect::<Vec<_>>().join(" ")
    }
}

fn alike(before: &[String], after: &[String], text: Text) -> bool {
    let within = |few: &[String], many: &[String]| {
        let mut many = many.iter();
        few.iter().all(|line| many.any(|other| other == line))
    };
    match text {
        Text::Same => before == after,
        Text::Gains => within(before, after),
        Text::Loses => within(after, before),
    }
}

/// Writes files in another format with LibreOffice, beside each other in a folder.
pub(crate) fn written_as(folder: &Folder, format: &str, files: &[PathBuf]) {
    let _ = Command::new("timeout")
        .args(["300", "soffice"])
        .arg(format!(
            "-env:UserInstallation=file://{}",
            folder.path("profile").display()
        ))
        .args([
            "--headless",
            "--norestore",
            "--convert-to",
            format,
            "--outdir",
        ])
        .arg(folder.path(""))
        .args(files)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

fn convert(folder: &Folder, filter: &str, files: &[PathBuf]) {
    // A profile of its own: two at a time do not share one.
    let profile = folder.path("profile");
    for files in files.chunks(40) {
        let _ = Command::new("timeout")
            .arg("300")
            .arg("soffice")
            .arg(format!(
                "-env:UserInstallation=file://{}",
                profile.display()
            ))
            .args(["--headless", "--norestore"])
            .arg(format!("--infilter={filter}"))
            .args(["--convert-to", "pdf", "--outdir"])
            .arg(folder.path(""))
            .args(files)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Lines of text and number of pages of a PDF.
fn shown(pdf: &Path) -> Option<(Vec<String>, String)> {
    let run = |program: &str, arguments: &[&str]| {
        let run = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&run.stdout).into_owned())
    };
    let path = pdf.to_str()?;
    let info = pdf.exists().then(|| run("pdfinfo", &[path]))??;
    let pages = info.lines().find_map(|line| line.strip_prefix("Pages:"))?;
    let text = run("pdftotext", &["-layout", path, "-"])?;
    let lines = text.lines().map(|line| {
        // What counts time.
        let words = line.split_whitespace();
        let words = words.filter(|word| word.starts_with('#') || !word.contains([':', '/']));
        words.collect::<Vec<_>>().join(" ")
    });
    let lines = lines.filter(|line| !line.is_empty());
    Some((lines.collect(), pages.trim().to_owned()))
}
