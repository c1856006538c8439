//! Everything in angle brackets: HTML, SVG, and the kinds of XML that Windows and Office act on.
//!
//! The first element decides. A browser also renders what stands behind junk: see [`behind_junk`].

use memchr::memmem;

use crate::model::Kind;

use super::words::Words;
use super::{office_xml, prolog};

/// The first element of a document, in lower case.
pub(super) struct Root<'a> {
    /// Its namespace prefix, or an empty text.
    pub(super) prefix: &'a str,
    /// Its name without the prefix.
    pub(super) local: &'a str,
    /// Everything up to the end of its tag.
    pub(super) attributes: &'a str,
    /// What follows the tag.
    rest: &'a str,
}

/// Elements that a browser takes as the start of a page.
const HTML: &[&str] = &[
    "html",
    "head",
    "body",
    "title",
    "meta",
    "link",
    "base",
    "style",
    "script",
    "noscript",
    "iframe",
    "frameset",
    "frame",
    "table",
    "tbody",
    "div",
    "span",
    "p",
    "a",
    "b",
    "i",
    "u",
    "br",
    "hr",
    "img",
    "font",
    "center",
    "form",
    "input",
    "button",
    "h1",
    "h2",
    "h3",
    "h4",
    "ul",
    "ol",
    "li",
    "pre",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "nav",
    "object",
    "embed",
    "applet",
    "marquee",
    "video",
    "audio",
    "canvas",
    "template",
    "blockquote",
    "strong",
    "em",
    "small",
    "textarea",
    "select",
    "area",
    "map",
    "bgsound",
    "dialog",
    "details",
];

/// Tells what a text is whose first character that counts is an angle bracket.
pub(super) fn by_root(words: &Words<'_>) -> Option<Kind> {
    let start = words.start();
    if !start.starts_with('<') {
        return None;
    }
    let begins = |word: &str| {
        let first = start.get(..word.len());
        first.is_some_and(|first| first.eq_ignore_ascii_case(word))
    };
    if ["<?php", "<?=", "<?\n", "<?\r"].into_iter().any(begins) {
        return Some(Kind::Php);
    }
    let declared = begins("<?xml");
    let otherwise = || {
        let html = begins("<!doctype html").then_some(Kind::Html);
        declared.then_some(Kind::Xml).or(html)
    };
    let Some((text, html)) = words.markup() else {
        return otherwise();
    };
    let lower = text.to_ascii_lowercase();
    let Some(root) = root(&lower) else {
        return otherwise();
    };
    if let Some(kind) = office_xml::identify(&root).or_else(|| windows(&root, &lower, &text, words))
    {
        return Some(kind);
    }
    let tail = words.tail.to_ascii_lowercase();
    if html || root.prefix.is_empty() && HTML.contains(&root.local) || root.prefix == "hta" {
        return Some(page(words, &lower, &tail));
    }
    if root.prefix == "xhtml" || root.prefix == "html" && root.local == "html" {
        return Some(Kind::Html);
    }
    let well_formed =
        declared || root.attributes.contains("xmlns") || tail.contains("</") || closes(&root);
    // A page may start with an element of no meaning to a browser.
    if !declared && looks_like_page(&lower) {
        return Some(page(words, &lower, &tail));
    }
    well_formed.then_some(Kind::Xml)
}

/// The page that a text starts with; `None` where it starts with none.
pub(super) fn page_at_start(start: &str) -> Option<Kind> {
    by_root(&Words::of(start)).filter(|kind| matches!(kind, Kind::Html | Kind::Hta | Kind::Odc))
}

fn closes(root: &Root<'_>) -> bool {
    let end = if root.prefix.is_empty() {
        format!("</{}", root.local)
    } else {
        format!("</{}:{}", root.prefix, root.local)
    };
    root.attributes.ends_with('/') || root.rest.contains(&end)
}

/// HTML, or an HTML application where it says so.
fn page(words: &Words<'_>, lower: &str, tail: &str) -> Kind {
    let has = |text: &str, word: &str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    let application = has(lower, "<hta:application") || has(tail, "<hta:application");
    let data_source =
        words.mentions("urn:schemas-microsoft-com:office:odc") && words.holds(lower, "<odc:");
    match (application, data_source) {
        (true, _) => Kind::Hta,
        (_, true) => Kind::Odc,
        _ => Kind::Html,
    }
}

/// The first element of a text that starts with it.
fn root(lower: &str) -> Option<Root<'_>> {
    let end = prolog::end_of_tag(lower.as_bytes()).unwrap_or(lower.len());
    let attributes = lower.get(1..end)?;
    let attributes = attributes.strip_suffix('>').unwrap_or(attributes);
    let after = lower.get(end..)?;
    let name = attributes
        .split(|c: char| c.is_whitespace() || matches!(c, '/' | '<'))
        .next()?;
    let (prefix, local) = name.split_once(':').unwrap_or(("", name));
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let named =
        local.starts_with(|c: char| c.is_alphabetic() || c == '_') && local.chars().all(plain);
    named.then_some(Root {
        prefix,
        local,
        attributes,
        rest: after,
    })
}

/// XML that Windows acts on when it is opened.
fn windows(root: &Root<'_>, lower: &str, text: &str, words: &Words<'_>) -> Option<Kind> {
    let names = |text: &str| root.attributes.contains(text);
    let holds = |text: &str| words.holds(lower, text);
    let kind = match root.local {
        "svg" => Kind::Svg,
        // MSBuild takes no other case; in lower case it is the file of another build tool.
        "project"
            if names("schemas.microsoft.com/developer/msbuild")
                || text.contains("Project") && is_build(root, &holds) =>
        {
            Kind::MsBuild
        }
        "mmc_consolefile" => Kind::Msc,
        "job" | "package" if holds("<script") => Kind::Wsf,
        "scriptlet" | "component"
            if holds("<script") || holds("<registration") || holds("<implements") =>
        {
            Kind::Sct
        }
        // A style sheet with code of its own, which command line tools of Windows run.
        "stylesheet" | "transform"
            if holds("urn:schemas-microsoft-com:xslt") && holds(":script") =>
        {
            Kind::Sct
        }
        "pcsettings" => Kind::SettingContentMs,
        "searchconnectordescription" => Kind::SearchConnectorMs,
        "librarydescription" => Kind::LibraryMs,
        "persistedquery" => Kind::SearchMs,
        "assembly"
            if holds("<deployment")
                || holds("<entrypoint")
                || holds("deploymentprovider")
                || holds("codebase=\"") =>
        {
            Kind::ClickOnce
        }
        "appinstaller" => Kind::AppInstaller,
        // Apple, Configuration Profile Reference: a property list of payloads.
        "plist" if holds("<key>payloadtype</key>") && holds("<key>payloadversion</key>") => {
            Kind::MobileConfig
        }
        "jnlp" => Kind::Jnlp,
        "officedatabaseconnection" | "odc" => Kind::Odc,
        "application" if root.prefix == "hta" => Kind::Hta,
        _ => return None,
    };
    Some(kind)
}

fn is_build(root: &Root<'_>, holds: &dyn Fn(&str) -> bool) -> bool {
    let attribute = [
        "sdk=",
        "toolsversion=",
        "defaulttargets=",
        "initialtargets=",
    ];
    let inner = [
        "<propertygroup",
        "<itemgroup",
        "<target ",
        "<usingtask",
        "<import project",
    ];
    attribute.iter().any(|name| root.attributes.contains(name))
        || inner.iter().any(|name| holds(name))
}

/// At least three different elements of a page, one of them its frame.
fn looks_like_page(lower: &str) -> bool {
    const FRAME: &[&str] = &["<html", "<body", "<head>", "<script", "<hta:application"];
    let has = |tag: &&&str| memmem::find(lower.as_bytes(), tag.as_bytes()).is_some();
    const PIECES: &[&str] = &[
        "</html>",
        "</body>",
        "</head>",
        "</script>",
        "<title",
        "<meta ",
        "<div",
        "<p>",
        "<a href",
        "<img ",
        "<table",
        "<form",
        "<iframe",
        "<br",
    ];
    let frame = FRAME.iter().filter(has).count();
    let pieces = PIECES.iter().filter(has).count();
    frame >= 1 && frame.saturating_add(pieces) >= 3
}

/// A page behind junk: browsers and the HTML application host render what follows all the same. Prose that quotes
/// tags is none: there the junk is most of the text, or the page has no frame of its own.
pub(super) fn behind_junk(words: &Words<'_>) -> Option<Kind> {
    if !words.head.contains('<') && !words.tail.contains('<') {
        return None;
    }
    let lower = words.head.to_ascii_lowercase();
    let tail = words.tail.to_ascii_lowercase();
    let has = |text: &str, tag: &str| memmem::find(text.as_bytes(), tag.as_bytes()).is_some();
    let application = has(&lower, "<hta:application") || has(&tail, "<hta:application");
    let script = has(&lower, "<script") || has(&tail, "<script");
    if application && script {
        return Some(Kind::Hta);
    }
    let opening = ["<!doctype html", "<html", "<script"]
        .iter()
        .filter_map(|tag| memmem::find(lower.as_bytes(), tag.as_bytes()))
        .min()?;
    let line_start = lower
        .get(..opening)?
        .trim_end_matches([' ', '\t'])
        .ends_with('\n');
    let near = opening <= lower.len() / 2;
    let closed = has(&lower, "</html") || has(&lower, "</script") || has(&tail, "</html");
    let fenced = has(&lower, "```");
    ((line_start || opening < 256) && near && closed && !fenced && looks_like_page(&lower))
        .then(|| page(words, &lower, &tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<Kind> {
        let words = Words::new(text.as_bytes()).unwrap();
        by_root(&words).or_else(|| behind_junk(&words))
    }

    #[test]
    fn the_first_element_tells_the_kind() {
        for (text, expected) in [
            ("<!DOCTYPE html><p>hi", Kind::Html),
            (
                "\u{feff}  <!-- saved -->\n<HTML><body>x</body></HTML>",
                Kind::Html,
            ),
            ("<script>alert(1)</script>", Kind::Html),
            (
                "<html><head><HTA:APPLICATION id=x></head><script>1</script></html>",
                Kind::Hta,
            ),
            (
                "<?xml version=\"1.0\"?><svg xmlns=\"http://www.w3.org/2000/svg\"/>",
                Kind::Svg,
            ),
            (
                "<!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"x\" [<!ENTITY a \"b\">]><svg:svg/>",
                Kind::Svg,
            ),
            (
                "<Project ToolsVersion=\"4.0\"><Target Name=\"a\"/></Project>",
                Kind::MsBuild,
            ),
            (
                "<project name=\"a\" default=\"b\"><target name=\"b\"><exec executable=\"cmd\"/></target></project>",
                Kind::Xml,
            ),
            (
                "<?xml version='1.0'?>\n<MMC_ConsoleFile ConsoleVersion=\"3.0\">",
                Kind::Msc,
            ),
            (
                "<job id=\"a\"><script language=\"VBScript\">x</script></job>",
                Kind::Wsf,
            ),
            (
                "<?XML version=\"1.0\"?><scriptlet><registration progid=\"a\"/></scriptlet>",
                Kind::Sct,
            ),
            (
                "<PCSettings><SearchableContent/></PCSettings>",
                Kind::SettingContentMs,
            ),
            (
                "<searchConnectorDescription xmlns=\"x\"/>",
                Kind::SearchConnectorMs,
            ),
            ("<libraryDescription xmlns=\"x\"/>", Kind::LibraryMs),
            ("<persistedQuery version=\"1.0\"/>", Kind::SearchMs),
            (
                "<asmv1:assembly xmlns=\"urn:schemas-microsoft-com:asm.v2\"><deployment install=\"true\"/></asmv1:assembly>",
                Kind::ClickOnce,
            ),
            (
                "<asmv1:assembly xmlns=\"urn:schemas-microsoft-com:asm.v2\"><dependency><dependentAssembly codebase=\"\\\\h\\a.manifest\"/></dependency></asmv1:assembly>",
                Kind::ClickOnce,
            ),
            ("<AppInstaller Uri=\"x\"/>", Kind::AppInstaller),
            ("<jnlp spec=\"1.0+\"/>", Kind::Jnlp),
            (
                "<html xmlns:odc=\"urn:schemas-microsoft-com:office:odc\"><xml><odc:OfficeDataConnection/></xml></html>",
                Kind::Odc,
            ),
            (
                "<?xml version=\"1.0\"?><?mso-application progid=\"Word.Document\"?><pkg:package xmlns:pkg=\"http://schemas.microsoft.com/office/2006/xmlPackage\"/>",
                Kind::FlatOpc,
            ),
            (
                "<w:wordDocument xmlns:w=\"http://schemas.microsoft.com/office/word/2003/wordml\"/>",
                Kind::Word2003Xml,
            ),
            (
                "<?xml version=\"1.0\"?><Workbook xmlns=\"urn:schemas-microsoft-com:office:spreadsheet\"/>",
                Kind::Excel2003Xml,
            ),
            (
                "<office:document xmlns:office=\"urn:oasis:names:tc:opendocument:xmlns:office:1.0\"/>",
                Kind::FlatOdf,
            ),
            ("<?xml version=\"1.0\"?><order/>", Kind::Xml),
            ("<order><item/></order>", Kind::Xml),
            ("<?php echo 1;", Kind::Php),
            (
                "some junk in front\n<html><body><script>x</script></body></html>",
                Kind::Html,
            ),
            (
                "junk <hta:application id=a> more <script>x</script>",
                Kind::Hta,
            ),
        ] {
            assert_eq!(kind(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn prose_and_programs_that_mention_tags_are_no_pages() {
        for text in [
            "< 5 is smaller than six",
            "<alice@example.com> wrote:\n> hello",
            "To make text bold, put <b> in front of it and </b> behind. A page starts with <html>.",
            "# How to\n\nA page:\n```html\n<html><body><script>1</script></body></html>\n```\nThat is all, and now some more prose follows.",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn a_plain_package_of_xml_is_no_script() {
        assert_eq!(
            kind("<?xml version=\"1.0\"?><package><name>a</name></package>"),
            Some(Kind::Xml)
        );
        assert_eq!(
            kind("<?xml version=\"1.0\"?><assembly><trustInfo/></assembly>"),
            Some(Kind::Xml)
        );
        assert_eq!(
            kind("<?xml version=\"1.0\"?><project><modelVersion>4</modelVersion></project>"),
            Some(Kind::Xml)
        );
    }
}
