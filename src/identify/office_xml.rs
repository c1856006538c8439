//! Office documents that are one XML file, told by their root element and its namespace.

use crate::model::Kind;

use super::markup::Root;

/// Tells which Office document a root element opens.
pub(super) fn identify(root: &Root<'_>) -> Option<Kind> {
    let names = |namespace: &str| root.attributes.contains(namespace);
    match root.local {
        "package"
            if names("schemas.microsoft.com/office/2006/xmlpackage")
                || names("purl.oclc.org/ooxml") =>
        {
            Some(Kind::FlatOpc)
        }
        "worddocument" if names("schemas.microsoft.com/office/word/2003/wordml") => {
            Some(Kind::Word2003Xml)
        }
        "workbook" if names("urn:schemas-microsoft-com:office:spreadsheet") => {
            Some(Kind::Excel2003Xml)
        }
        "hwpml" => Some(Kind::Hwpml),
        "document" | "document-content" | "document-styles"
            if names("urn:oasis:names:tc:opendocument:xmlns:office") =>
        {
            (root.local == "document").then_some(Kind::FlatOdf)
        }
        _ => match (root.prefix, root.local) {
            ("pkg", "package") => Some(Kind::FlatOpc),
            ("w", "worddocument") => Some(Kind::Word2003Xml),
            ("office", "document") => Some(Kind::FlatOdf),
            _ => None,
        },
    }
}
