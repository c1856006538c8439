//! Texts in UTF-32 with its mark (Unicode Standard, 3.10, D101): programs of .NET read their projects and scripts in it.
//! Readers of XML need no mark (XML 1.0, appendix F).

use super::{Child, Nest};
use crate::model::{Artifact, Kind, Trouble};

/// What bytes in it are told to be; by their names also scripts.
pub(super) const KINDS: &[Kind] = &[Kind::Text, Kind::Data, Kind::Ps1];

/// Pushes the text in UTF-8 under the same name.
pub(super) fn run(artifact: &Artifact, nest: &mut Nest<'_>) -> Result<(), Trouble> {
    let (body, number): (_, fn([u8; 4]) -> u32) = match artifact.data.as_ref() {
        [0xff, 0xfe, 0, 0, body @ ..] => (body, u32::from_le_bytes),
        [0, 0, 0xfe, 0xff, body @ ..] => (body, u32::from_be_bytes),
        body @ [b'<', 0, 0, 0, ..] => (body, u32::from_le_bytes),
        body @ [0, 0, 0, b'<', ..] => (body, u32::from_be_bytes),
        _ => return Ok(()),
    };
    nest.budget().spend(body.len())?;
    let (units, _) = body.as_chunks::<4>();
    let letters = units.iter().map(|unit| char::from_u32(number(*unit)));
    // In UTF-16 the same bytes are a mark and a text that starts with a zero, whose letters are no characters here.
    let Some(text) = letters.collect::<Option<String>>() else {
        return Ok(());
    };
    if text.is_empty() {
        return Ok(());
    }
    let child = Child::new("decoded-text", text.into_bytes());
    let child = match &artifact.name {
        Some(name) => child.named(name.clone()),
        None => child,
    };
    nest.push(child).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::tests::opened;

    #[test]
    fn texts_in_either_order_are_read_and_others_not() {
        let project = "<Project xmlns=\"http://schemas.microsoft.com/developer/msbuild/2003\"/>";
        let letters = || project.chars().map(u32::from);
        let little: Vec<u8> = letters().flat_map(u32::to_le_bytes).collect();
        let big: Vec<u8> = letters().flat_map(u32::to_be_bytes).collect();
        for data in [
            [&[0xff, 0xfe, 0, 0][..], &little].concat(),
            [&[0, 0, 0xfe, 0xff][..], &big].concat(),
            little.clone(),
            big.clone(),
        ] {
            let (children, facts) = opened("utf32", &data);
            assert_eq!(facts, []);
            assert_eq!(children[0].data.as_ref(), project.as_bytes());
            assert_eq!(children[0].kind.as_str(), "msbuild");
        }
        let wide = "some words".encode_utf16().flat_map(u16::to_le_bytes);
        let wide: Vec<u8> = wide.collect();
        for data in [
            [&[0xff, 0xfe, 0, 0][..], &wide].concat(),
            [&[0xff, 0xfe][..], &wide].concat(),
            vec![0xff, 0xfe, 0, 0],
            little.iter().skip(4).copied().collect(),
        ] {
            assert!(opened("utf32", &data).0.is_empty());
        }
    }
}
