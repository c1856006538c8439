//! Query files of Excel (`.iqy`, `.oqy`, `.dqy`, `.rqy`) and data connections (`.odc`, `.udl`): what is fetched when they are opened.

use memchr::memmem;

use super::place::{Place, Reach, plain};
use super::{Analyzer, Findings, Found, Look, Sees};
use crate::formats::mashup;
use crate::formats::xml::{self, Element};
use crate::model::{Artifact, IocType, Kind, children};
use crate::text;

/// Its row in the table.
pub(super) const ROW: Analyzer = Analyzer {
    name: "web_query",
    kinds: &[Kind::Iqy, Kind::Udl, Kind::Odc, Kind::Xml],
    sees: Sees::Content,
    findings: &["web-query"],
    run,
};

fn run(look: &Look<'_>, findings: &mut Findings<'_>) {
    let artifact = look.artifact;
    let data = &artifact.data;
    // A text that starts with a mark of its charset or a zero may have its letters in more bytes than one.
    let wide = matches!(
        data.as_ref(),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, ..] | [_, 0, ..]
    );
    let asked = wide || memmem::find(data, b"connections").is_some();
    if artifact.kind == Kind::Xml && !asked {
        return;
    }
    let source = text::to_utf8(data);
    if artifact.kind == Kind::Xml {
        of_workbook(look, findings, &source);
        return;
    }
    if matches!(artifact.kind, Kind::Iqy | Kind::Udl) {
        let lines = source.split(['\r', '\n']).map(str::trim);
        for line in lines.filter(|line| !line.is_empty()).take(32) {
            // A data link always names a provider.
            if artifact.kind == Kind::Iqy {
                judge(look, findings, line, line);
            }
            let pairs = line.split(';').filter_map(|pair| pair.rsplit_once('='));
            for (key, value) in pairs {
                if is_server(key, value) {
                    report(look, findings, line);
                    judge(look, findings, value, line);
                }
            }
        }
        return;
    }
    for address in asked_by_queries(look, artifact) {
        findings.ioc(IocType::Url, &address);
        report(look, findings, &address);
    }
    for element in xml::elements(&source) {
        match element.name.as_str() {
            "connectionstring" => {
                for pair in element.text.split(';') {
                    let (key, value) = pair.split_once('=').unwrap_or(("", pair));
                    let shown = element.text.trim();
                    if is_server(key, value) {
                        report(look, findings, shown);
                    }
                    judge(look, findings, value, shown);
                }
            }
            "url" | "source" | "commandtext" => {
                judge(look, findings, &element.text, element.text.trim());
            }
            _ => {}
        }
        if let Some(address) = element.attribute("href") {
            judge(look, findings, address, address);
        }
    }
}

/// Pages and texts that a workbook fetches as soon as it is opened, and databases on foreign shares (ECMA-376 part 1,
/// 18.13.1 "connection", 18.13.14 "webPr", 18.13.12 "textPr", 18.13.3 "dbPr").
fn of_workbook(look: &Look<'_>, findings: &mut Findings<'_>, source: &str) {
    let root = xml::elements(source).next();
    if root.is_none_or(|root| root.name != "connections") {
        return;
    }
    let by_table = look
        .parent()
        .is_some_and(|package| look.index.refreshes_a_table(package.id));
    let mut refreshed = by_table;
    let mut queried = false;
    for element in xml::elements(source) {
        let (addresses, from_web) = match element.name.as_str() {
            "connection" => {
                let interval = element.attribute("interval");
                let timed = interval.is_some_and(|value| !matches!(value.trim(), "" | "0"));
                refreshed = by_table || timed || refreshes(&element);
                (element.attribute("odcfile").into_iter().collect(), false)
            }
            "webpr" => (element.attribute("url").into_iter().collect(), true),
            "textpr" => (element.attribute("sourcefile").into_iter().collect(), true),
            "dbpr" => {
                let settings = element.attribute("connection").unwrap_or_default();
                if refreshed && !queried && settings.to_ascii_lowercase().contains(MASHUP) {
                    queried = true;
                    of_queries(look, findings);
                }
                let pairs = settings.split(';').filter_map(|pair| pair.split_once('='));
                (pairs.map(|(_, value)| value).collect(), false)
            }
            _ => continue,
        };
        let addresses: Vec<&str> = addresses;
        for address in addresses.into_iter().filter(|_| refreshed).map(plain) {
            let told = match Place::of(&address, &look.knowledge.links) {
                Place::Web => from_web,
                Place::Share(Reach::Outside) => true,
                // A page is none of a server of files; texts and databases well may be.
                Place::Share(_) => element.name == "webpr",
                Place::Local | Place::Harmless | Place::Moniker => false,
            };
            if told {
                findings.ioc(IocType::Url, &address);
                findings.report(Found::new("web-query", &address).variant("workbook"));
            }
        }
    }
}

/// The provider of queries in M, in lower case.
const MASHUP: &str = "microsoft.mashup.";

/// Queries of a part that are looked into.
const QUERIES: usize = 16;

/// Parts of a package that are looked through at most for queries.
const PARTS: usize = 4096;

/// Reports what the queries of a workbook fetch, which stand in a part beside its connections.
fn of_queries(look: &Look<'_>, findings: &mut Findings<'_>) {
    let Some(package) = look.parent() else {
        return;
    };
    let parts = children(look.tree, package.id).iter();
    for part in parts.filter(|part| part.kind == Kind::Xml).take(PARTS) {
        for address in asked_by_queries(look, part) {
            findings.ioc(IocType::Url, &address);
            findings.report(Found::new("web-query", &address).variant("workbook"));
        }
    }
}

/// Pages and files on shares that the queries of a part ask for.
fn asked_by_queries(look: &Look<'_>, part: &Artifact) -> Vec<String> {
    let lists = &look.knowledge.links;
    let mut found = Vec::new();
    let packages = children(look.tree, part.id).iter();
    let packages = packages.filter(|one| one.via == Some("mashup"));
    let queries = packages.flat_map(|package| children(look.tree, package.id));
    let queries = queries.filter(|query| query.label().to_ascii_lowercase().ends_with(".m"));
    for query in queries.take(QUERIES) {
        let source = text::to_utf8(&query.data);
        let from_web = lists
            .query_functions
            .iter()
            .any(|name| source.contains(name.as_str()));
        let texts = mashup::texts(&source).into_iter();
        found.extend(texts.map(|text| plain(&text)).filter(|address| {
            match Place::of(address, lists) {
                Place::Web => from_web,
                Place::Share(reach) => reach != Reach::Inside,
                Place::Local | Place::Harmless | Place::Moniker => false,
            }
        }));
    }
    found
}

fn refreshes(element: &Element) -> bool {
    let value = element.attribute("refreshonload");
    value.is_some_and(|value| matches!(value.trim(), "1" | "true"))
}

/// Whether a part is a table that is filled when the workbook is opened (18.12 "queryTable").
pub(super) fn fills_a_table(part: &Artifact) -> bool {
    if part.kind != Kind::Xml || memmem::find(&part.data, b"queryTable").is_none() {
        return false;
    }
    let root = xml::elements(&text::to_utf8(&part.data)).next();
    root.is_some_and(|root| root.name == "querytable" && refreshes(&root))
}

/// Whether a setting of a connection names a server, and no file.
fn is_server(key: &str, value: &str) -> bool {
    let keys = [
        "data source",
        "server",
        "address",
        "addr",
        "network address",
    ];
    let named = keys
        .iter()
        .any(|known| key.trim().eq_ignore_ascii_case(known));
    let value = value.trim();
    named && !value.is_empty() && !value.contains(":\\") && !value.starts_with(['$', '.', '('])
}

fn report(look: &Look<'_>, findings: &mut Findings<'_>, shown: &str) {
    if !findings.has(look.artifact.id, "web-query") {
        findings.report(Found::new("web-query", shown));
    }
}

/// Reports what an address fetches. A database server by its bare name is told by the connection's provider.
fn judge(look: &Look<'_>, findings: &mut Findings<'_>, value: &str, shown: &str) {
    let target = plain(value);
    let lower = target.to_ascii_lowercase();
    let database = ["driver=", "dsn=", "provider=", "server="]
        .iter()
        .any(|mark| lower.starts_with(mark));
    match Place::of(&target, &look.knowledge.links) {
        Place::Web => findings.ioc(IocType::Url, &target),
        Place::Share(_) => findings.ioc(IocType::Unc, &target),
        Place::Moniker => {}
        Place::Local | Place::Harmless if database => {}
        Place::Local | Place::Harmless => return,
    }
    let namespaces = &look.knowledge.indicators.namespaces;
    if !namespaces
        .iter()
        .any(|space| target.contains(space.as_str()))
    {
        report(look, findings, shown);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{findings_of, holding, run_on};
    use super::*;

    fn found(kind: Kind, text: &str) -> usize {
        findings_of("web_query", &[holding(kind, text.as_bytes())]).len()
    }

    #[test]
    fn queries_to_somewhere_are_found() {
        assert_eq!(
            found(
                Kind::Iqy,
                "WEB\r\n1\r\nhttp://example.invalid/a.dat\r\n\r\nSelection=AllTables\r\n"
            ),
            1
        );
        assert_eq!(
            found(Kind::Iqy, "WEB\r\n1\r\n\\\\192.0.2.1\\s\\a.htm\r\n"),
            1
        );
        assert_eq!(found(Kind::Iqy, "WEB\r1\rhttp://192.0.2.1/a\r"), 1);
        let cube = |server: &str| {
            let text = format!(
                "QueryType=OLEDB\r\nVersion=1\r\nConnection=Provider=MSOLAP;Data Source={server};\r\n"
            );
            found(Kind::Iqy, &text)
        };
        assert_eq!(
            (cube("http://example.invalid/olap"), cube("C:\\a.cub")),
            (1, 0)
        );
        assert_eq!(found(Kind::Iqy, "WEB\r\n1\r\nfile:///C:/a.htm\r\n"), 0);
        assert_eq!(
            found(
                Kind::Iqy,
                "XLODBC\r\n1\r\nDRIVER=SQL Server;SERVER=192.0.2.1;UID=a\r\nSELECT * FROM a\r\n"
            ),
            1
        );
        let odc = |connection: &str| {
            let html = format!(
                "<html xmlns:o=\"urn:schemas-microsoft-com:office:office\"><head><xml id=msodc><odc:OfficeDataConnection>\
                 <odc:Connection odc:Type=\"OLEDB\"><odc:ConnectionString>{connection}</odc:ConnectionString></odc:Connection>\
                 </odc:OfficeDataConnection></xml></head></html>"
            );
            found(Kind::Odc, &html)
        };
        assert_eq!(
            odc("Provider=Microsoft.Mashup.OleDb.1;Data Source=http://example.invalid/"),
            1
        );
        assert_eq!(odc("Data Source=C:\\Users\\a\\b.xlsx"), 0);
    }

    #[test]
    fn texts_and_databases_that_a_workbook_fetches_by_itself_are_found() {
        let part = |connection: &str, source: &str| {
            let xml = format!(
                "<connections><connection {connection}>{source}</connection></connections>"
            );
            found(Kind::Xml, &xml)
        };
        let on_open = "refreshOnLoad='1'";
        let text = |place: &str| format!("<textPr sourceFile='{place}'/>");
        let web = text("http://example.invalid/a.csv");
        assert_eq!((part(on_open, &web), part("", &web)), (1, 0));
        assert_eq!(part("interval='5'", &web), 1);
        assert_eq!(part("interval='0'", &web), 0);
        assert_eq!(part("z:refreshOnLoad='0' refreshOnLoad='1'", &web), 1);
        assert_eq!(part(on_open, &text("\\\\192.0.2.1\\s\\a.csv")), 1);
        assert_eq!(part(on_open, &text("\\\\fs01\\s\\a.csv")), 0);
        assert_eq!(part(on_open, &text("C:\\a.csv")), 0);
        let database =
            |source: &str| format!("<dbPr connection='Provider=x;Data Source={source};b=c'/>");
        assert_eq!(part(on_open, &database("\\\\192.0.2.1\\s\\a.accdb")), 1);
        assert_eq!(part(on_open, &database("sql01")), 0);
        assert_eq!(part(on_open, &database("https://example.invalid/olap")), 0);
        assert_eq!(
            part(&format!("odcFile='\\\\192.0.2.1\\s\\a.odc' {on_open}"), ""),
            1
        );
    }

    #[test]
    fn what_queries_fetch_on_opening_is_found() {
        let workbook = |connection: &str, query: &str| {
            let part = |id: u32, parent: u32, text: &str| Artifact {
                id,
                parent: Some(parent),
                ..holding(Kind::Xml, text.as_bytes())
            };
            let connections = format!(
                "<connections><connection {connection}><dbPr connection='Provider=Microsoft.Mashup.OleDb.1;'/></connection></connections>"
            );
            let package = Artifact {
                via: Some("mashup"),
                ..part(3, 1, "")
            };
            let query = Artifact {
                name: Some(crate::model::Name::of("Formulas/Section1.m")),
                ..part(4, 3, query)
            };
            let tree = [
                holding(Kind::Xlsx, b""),
                part(1, 0, "<DataMashup/>"),
                part(2, 0, &connections),
                package,
                query,
            ];
            run_on(run, &tree, tree.get(2)).0.len()
        };
        let page = "Web.Contents(\"http://example.invalid/\")";
        assert_eq!(workbook("refreshOnLoad='1'", page), 1);
        assert_eq!(workbook("", page), 0);
        let share = "File.Contents(\"\\\\files.example.invalid\\s\\a.csv\")";
        assert_eq!(workbook("interval='5'", share), 1);
        assert_eq!(
            workbook("refreshOnLoad='1'", "File.Contents(\"C:\\a.csv\")"),
            0
        );
        assert_eq!(
            workbook(
                "refreshOnLoad='1'",
                "OData.Feed(\"https://example.invalid/\")"
            ),
            0
        );
    }

    #[test]
    fn a_table_beside_its_connection_may_fetch_it_on_opening() {
        let beside = |table: &str| {
            let part = |id: u32, text: &str| Artifact {
                id,
                parent: Some(0),
                ..holding(Kind::Xml, text.as_bytes())
            };
            let connections = "<connections><connection><webPr url='http://example.invalid/'/></connection></connections>";
            let tree = [
                holding(Kind::Xlsx, b""),
                part(1, table),
                part(2, connections),
            ];
            findings_of("web_query", &tree).len()
        };
        assert_eq!(beside("<queryTable refreshOnLoad='1'/>"), 1);
        assert_eq!(beside("<queryTable refreshOnLoad='0'/>"), 0);
        assert_eq!(beside("<other name='queryTable' refreshOnLoad='1'/>"), 0);
    }

    #[test]
    fn a_page_that_a_workbook_fetches_on_opening_is_found() {
        let part = |connection: &str, page: &str| {
            let xml = format!(
                "<connections xmlns=\"http://schemas.openxmlformats.org/spreadsheetml/2006/main\">\
                 <connection id=\"1\" type=\"4\" {connection}><webPr xml=\"1\" url=\"{page}\"/></connection></connections>"
            );
            found(Kind::Xml, &xml)
        };
        let page = "http://example.invalid/a.htm";
        assert_eq!(part("refreshOnLoad=\"1\"", page), 1);
        assert_eq!(part("refreshOnLoad=\"0\"", page), 0);
        assert_eq!(part("name=\"refreshOnLoad\"", page), 0);
        assert_eq!(part("refreshOnLoad=\"1\"", "C:\\a.htm"), 0);
        let wide = "\u{feff}<connections><connection refreshOnLoad=\"1\"><webPr url=\"http://example.invalid/\"/></connection></connections>";
        let wide: Vec<u8> = wide.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let wide = findings_of("web_query", &[holding(Kind::Xml, &wide)]);
        assert_eq!(wide.len(), 1);
        assert_eq!(
            found(
                Kind::Xml,
                "<pivotCacheDefinition refreshOnLoad=\"1\"><webPr url=\"http://example.invalid/\"/></pivotCacheDefinition>"
            ),
            0
        );
    }
}
