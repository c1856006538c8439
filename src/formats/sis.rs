//! Symbian install packages up to version 8 (SIS, as described by Alexander Thoukydides' "SIS file format"): header and
//! file records. Left out: the signed format of version 9, certificates, the conditions under which a file is installed.

use std::ops::Range;

use crate::bytes::{Reader, Short, index, slice};

/// Options of the package.
const UNICODE: u16 = 1;
const NOT_COMPRESSED: u16 = 8;
/// The release from which on files are compressed.
const COMPRESSING: u32 = 200;

/// A package.
#[derive(Debug, Clone, Default)]
pub struct Package {
    /// Its files in order.
    pub files: Vec<File>,
    /// What ended the reading of the records early.
    pub cut: Option<String>,
}

/// One file, in one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is installed.
    pub name: String,
    /// Its bytes in the package, which may lie beyond the end.
    pub data: Range<usize>,
    /// Bytes once decoded.
    pub size: u64,
    /// Whether it is a zlib stream.
    pub packed: bool,
}

/// Reads header and records.
///
/// # Errors
/// The header does not fit into the data.
pub fn read(data: &[u8]) -> Result<Package, Short> {
    let mut reader = Reader::new(data);
    reader.skip("identifiers, checksum", 18)?;
    let languages = usize::from(reader.u16("number of languages")?).max(1);
    let records = reader.u16("number of files")?;
    reader.skip("requisites, language, files, drive, capabilities", 10)?;
    let release = reader.u32("version of the installer")?;
    let options = reader.u16("options")?;
    reader.skip("type, version, variant, languages", 14)?;
    let at = reader.u32("offset of the files")?;
    let layout = Layout {
        data,
        languages,
        options,
        has_sizes: release >= COMPRESSING,
    };
    let mut package = Package::default();
    let mut reader = Reader::at(data, index(at));
    for _ in 0..records {
        if let Err(short) = layout.record(&mut reader, &mut package.files) {
            package.cut = Some(short.to_string());
            break;
        }
    }
    Ok(package)
}

/// What the header says about the records.
struct Layout<'a> {
    data: &'a [u8],
    languages: usize,
    options: u16,
    has_sizes: bool,
}

impl Layout<'_> {
    fn record(&self, reader: &mut Reader<'_>, files: &mut Vec<File>) -> Result<(), Short> {
        match reader.u32("type of a record")? {
            kind @ (0 | 1) => self.file(reader, kind == 1, files),
            // Choices of the user: a text in each language, then what was chosen.
            2 => {
                let choices = index(reader.u32("number of choices")?);
                let texts = choices.saturating_mul(self.languages).saturating_mul(8);
                reader.skip("choices", texts.saturating_add(16))
            }
            3 | 4 => {
                let len = reader.u32("length of a condition")?;
                reader.skip("condition", index(len))
            }
            _ => Ok(()),
        }
    }

    fn file(
        &self,
        reader: &mut Reader<'_>,
        in_languages: bool,
        files: &mut Vec<File>,
    ) -> Result<(), Short> {
        reader.skip("type and details of a file", 8)?;
        reader.skip("name at its source", 8)?;
        let name_len = index(reader.u32("length of a name")?);
        let name_at = index(reader.u32("offset of a name")?);
        let count = if in_languages { self.languages } else { 1 };
        let mut words = |field| {
            let words = (0..count).map(|_| reader.u32(field));
            words.collect::<Result<Vec<_>, _>>()
        };
        let lengths = words("length of a file")?;
        let places = words("offset of a file")?;
        let sizes = match self.has_sizes {
            true => words("size of a file")?,
            false => lengths.clone(),
        };
        if self.has_sizes {
            reader.skip("media type", 8)?;
        }
        let name = self.name(slice(self.data, name_at, name_len).unwrap_or_default());
        for ((len, place), size) in lengths.into_iter().zip(places).zip(sizes) {
            let start = index(place);
            files.push(File {
                name: name.clone(),
                data: start..start.saturating_add(index(len)),
                size: u64::from(size),
                packed: self.has_sizes && self.options & NOT_COMPRESSED == 0,
            });
        }
        Ok(())
    }

    fn name(&self, raw: &[u8]) -> String {
        if self.options & UNICODE == 0 {
            return String::from_utf8_lossy(raw).into_owned();
        }
        let units = raw.chunks_exact(2).filter_map(|unit| unit.try_into().ok());
        let units: Vec<u16> = units.map(u16::from_le_bytes).collect();
        String::from_utf16_lossy(&units)
    }
}
