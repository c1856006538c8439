//! Queries of Power Query (the language M): the package that a workbook keeps in a custom part ([MS-QDEFF] 2.2), or a data
//! connection in its settings.

use memchr::memmem;

use crate::bytes::{index, u32_at};
use crate::formats::base64;
use crate::formats::xml;
use crate::model::{Artifact, Kind, Trouble};
use crate::text;

use super::{Child, Nest};

/// What such parts are told to be.
pub(super) const KINDS: &[Kind] = &[Kind::Xml, Kind::Odc];

/// How the package of a connection begins in its settings: the mark of a zip in base64.
const PACKAGE: &str = "UEsDB";

/// Pushes the package.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let data = artifact.data.as_ref();
    let package = match artifact.kind {
        Kind::Odc => {
            memmem::find(data, b"Mashup").and_then(|_| of_connection(&text::to_utf8(data)))
        }
        _ if xml::root(data).is_none_or(|root| root != "datamashup") => None,
        _ => of_part(&text::to_utf8(data)),
    };
    let Some(package) = package.filter(|package| !package.is_empty()) else {
        return Ok(());
    };
    nest.push(Child::new("mashup", package)).map(|_| ())
}

/// Behind a version and a length stands the package; a length that goes too far is cut.
fn of_part(source: &str) -> Option<Vec<u8>> {
    let (_, behind) = source.split_once("DataMashup")?;
    let (_, behind) = behind.split_once('>')?;
    let (inside, _) = behind.split_once('<')?;
    let binary = base64::decode(inside.as_bytes()).data;
    let length = index(u32_at(&binary, 4)?);
    let rest = binary.get(8..)?;
    Some(rest.get(..length).unwrap_or(rest).to_vec())
}

fn of_connection(source: &str) -> Option<Vec<u8>> {
    let start = source.find(PACKAGE)?;
    let rest = source.get(start..)?;
    let end = rest.find(|c: char| {
        !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') || c.is_ascii_whitespace())
    });
    Some(base64::decode(rest.get(..end.unwrap_or(rest.len()))?.as_bytes()).data)
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;

    #[test]
    fn packages_of_parts_and_connections_are_children() {
        let part = |element: &str| {
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-16\"?><{element} xmlns=\"http://schemas.microsoft.com/DataMashup\">AAAAAAQAAABQSwMEAAAAAA==</{element}>"
            )
        };
        let wide = |text: &str| -> Vec<u8> {
            let units = format!("\u{feff}{text}");
            units.encode_utf16().flat_map(u16::to_le_bytes).collect()
        };
        for data in [
            part("DataMashup").into_bytes(),
            wide(&part("DataMashup")),
            wide(&part("q:DataMashup")),
        ] {
            let (children, _) = opened("mashup", &data);
            assert_eq!(children[0].data.as_ref(), b"PK\x03\x04");
        }
        assert!(opened("mashup", b"<order>DataMashup</order>").0.is_empty());
        let connection = "<html xmlns:o=\"urn:schemas-microsoft-com:office:odc\"><xml><odc:Connection><odc:ConnectionString>Provider=Microsoft.Mashup.OleDb.1;\
            Extended Properties=\"UEsDBAAA\"</odc:ConnectionString></odc:Connection></xml></html>";
        let (children, _) = opened("mashup", connection.as_bytes());
        assert_eq!(children[0].data.as_ref(), b"PK\x03\x04\0\0");
    }
}
