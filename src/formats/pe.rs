//! Windows programs (PE format): what the loader would see of one, as far as an attachment's judge needs it.
//!
//! Headers, sections, the names of exports and of imported libraries, the directory of .NET and that of signatures.
//! Written by hand for the same reasons as the reader of version information.

use crate::bytes::{index, slice, u16_at, u32_at};

/// Sections at the most (PE format, "COFF File Header": the Windows loader takes 96).
const SECTIONS: usize = 96;

/// Names of exports, and imported libraries, that are read at the most.
const NAMES: usize = 4096;

/// Longest name that is read, in bytes.
const LONGEST: usize = 256;

/// What a program's headers say.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Program {
    /// The processor that it is for (IMAGE_FILE_HEADER.Machine).
    pub machine: u16,
    /// Whether it is a library (IMAGE_FILE_DLL).
    pub library: bool,
    /// Whether it holds code for .NET (the CLR runtime header is there).
    pub dotnet: bool,
    /// Whether it carries a signature (the certificate table is there); nobody checked it.
    pub signed: bool,
    /// Names of its exported functions.
    pub exports: Vec<String>,
    /// Libraries it imports from, at its start or when it first needs them, as written.
    pub imports: Vec<String>,
    /// The packer whose names its sections bear.
    pub packer: Option<&'static str>,
    /// Bytes behind all that its headers account for, the table of certificates too.
    pub overlay: usize,
    /// Offset behind the last section in the file.
    pub end: usize,
}

/// One section: where it lies in memory and in the file.
#[derive(Debug, Clone, Copy)]
struct Section {
    address: usize,
    size: usize,
    offset: usize,
}

/// Reads the headers of a program; `None` where there is no PE header. Work is bounded by the counts above.
pub fn read(data: &[u8]) -> Option<Program> {
    let header = index(u32_at(data, 0x3c)?);
    if slice(data, header, 4)? != b"PE\0\0" {
        return None;
    }
    let count = usize::from(u16_at(data, header.checked_add(6)?)?);
    let optional_len = usize::from(u16_at(data, header.checked_add(20)?)?);
    let characteristics = u16_at(data, header.checked_add(22)?)?;
    let optional = header.checked_add(24)?;
    // Data directories: behind 96 bytes of a 32-bit header, 112 of a 64-bit one.
    let directories = match u16_at(data, optional) {
        Some(0x20b) => 112usize,
        _ => 96,
    };
    let directory = |number: usize| -> Option<(usize, usize)> {
        let at = optional
            .checked_add(directories)?
            .checked_add(number.checked_mul(8)?)?;
        let within = at < optional.checked_add(optional_len)?;
        let found = (
            index(u32_at(data, at)?),
            index(u32_at(data, at.checked_add(4)?)?),
        );
        (within && found.0 != 0 && found.1 != 0).then_some(found)
    };
    let table = optional.checked_add(optional_len)?;
    let mut end = table;
    let mut packer = None;
    let sections: Vec<Section> = (0..count.min(SECTIONS))
        .map_while(|number| {
            let at = table.checked_add(number.checked_mul(40)?)?;
            packer = packer.or_else(|| packer_of(slice(data, at, 8)?));
            let raw = u32_at(data, at.checked_add(16)?)?;
            let offset = index(u32_at(data, at.checked_add(20)?)?);
            if raw != 0 {
                end = end.max(offset.saturating_add(index(raw)));
            }
            Some(Section {
                address: index(u32_at(data, at.checked_add(12)?)?),
                size: index(u32_at(data, at.checked_add(8)?)?.max(raw)),
                offset,
            })
        })
        .collect();
    let image = Image {
        data,
        sections: &sections,
    };
    // The one directory that counts in file offsets.
    let certificates = directory(4).map_or(0, |(at, len)| at.saturating_add(len));
    let mut imports = directory(1)
        .map(|(at, _)| image.imports(at, 20, 12))
        .unwrap_or_default();
    if let Some((at, _)) = directory(13) {
        imports.extend(image.imports(at, 32, 4));
    }
    Some(Program {
        machine: u16_at(data, header.checked_add(4)?)?,
        packer,
        overlay: data.len().saturating_sub(end.max(certificates)),
        library: characteristics & 0x2000 != 0,
        dotnet: directory(14).is_some(),
        signed: directory(4).is_some(),
        exports: directory(0)
            .and_then(|(at, _)| image.exports(at))
            .unwrap_or_default(),
        imports,
        end: end.min(data.len()),
    })
}

/// The packer that gives sections such a name.
fn packer_of(name: &[u8]) -> Option<&'static str> {
    const NAMES: &[(&[u8], &str)] = &[
        (b"UPX", "UPX"),
        (b".aspack", "ASPack"),
        (b".MPRESS", "MPRESS"),
        (b".petite", "Petite"),
        (b".nsp", "NsPack"),
        (b".vmp", "VMProtect"),
        (b".themida", "Themida"),
        (b".enigma", "Enigma"),
        (b"PEC2", "PECompact"),
        (b".packed", "a packer"),
    ];
    let found = NAMES.iter().find(|(start, _)| name.starts_with(start));
    found.map(|(_, packer)| *packer)
}

struct Image<'a> {
    data: &'a [u8],
    sections: &'a [Section],
}

impl Image<'_> {
    /// Where an address of memory lies in the file.
    fn offset(&self, address: usize) -> Option<usize> {
        let holds = |section: &&Section| {
            address >= section.address && address.saturating_sub(section.address) < section.size
        };
        match self.sections.iter().find(holds) {
            Some(section) => section
                .offset
                .checked_add(address.checked_sub(section.address)?),
            // The headers lie at the same place in both.
            None => (address < self.data.len()).then_some(address),
        }
    }

    fn name(&self, address: usize) -> Option<String> {
        let rest = self.data.get(self.offset(address)?..)?;
        let near = rest.get(..LONGEST).unwrap_or(rest);
        let len = memchr::memchr(0, near)?;
        let name = near.get(..len).filter(|name| !name.is_empty())?;
        Some(name.iter().copied().map(char::from).collect())
    }

    /// Names of the export directory table (PE format, "Export Directory Table").
    fn exports(&self, address: usize) -> Option<Vec<String>> {
        let at = self.offset(address)?;
        let count = index(u32_at(self.data, at.checked_add(24)?)?).min(NAMES);
        let names = self.offset(index(u32_at(self.data, at.checked_add(32)?)?))?;
        Some(
            (0..count)
                .map_while(|number| {
                    let at = names.checked_add(number.checked_mul(4)?)?;
                    u32_at(self.data, at).map(index)
                })
                .filter_map(|address| self.name(address))
                .collect(),
        )
    }

    /// Libraries of an import directory table (PE format, "Import Directory Table" and "Delay-Load Directory Table"),
    /// whose entries have a length and the address of a name at a place in them.
    fn imports(&self, address: usize, entry: usize, place: usize) -> Vec<String> {
        let Some(start) = self.offset(address) else {
            return Vec::new();
        };
        (0..NAMES)
            .map_while(|number| {
                let at = start
                    .checked_add(number.checked_mul(entry)?)?
                    .checked_add(place)?;
                u32_at(self.data, at).map(index).filter(|name| *name != 0)
            })
            .filter_map(|address| self.name(address))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library without code with one section, which holds an export and an import.
    fn library() -> Vec<u8> {
        let mut out = vec![0; 0x400];
        let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, b"MZ");
        put(0x3c, &0x80u32.to_le_bytes());
        put(0x80, b"PE\0\0\x4c\x01\x01\0");
        put(0x94, &0xe0u16.to_le_bytes());
        put(0x96, &0x2102u16.to_le_bytes());
        put(0x98, &0x10bu16.to_le_bytes());
        for (number, address) in [(0usize, 0x1000u32), (1, 0x1080), (4, 0x300), (14, 0x10c0)] {
            put(0xf8 + number * 8, &address.to_le_bytes());
            put(0xfc + number * 8, &0x28u32.to_le_bytes());
        }
        // One section: 0x1000 in memory, 0x200 in the file.
        put(0x178 + 8, &0x200u32.to_le_bytes());
        put(0x178 + 12, &0x1000u32.to_le_bytes());
        put(0x178 + 16, &0x200u32.to_le_bytes());
        put(0x178 + 20, &0x200u32.to_le_bytes());
        put(0x200 + 24, &1u32.to_le_bytes());
        put(0x200 + 32, &0x1040u32.to_le_bytes());
        put(0x240, &0x1050u32.to_le_bytes());
        put(0x250, b"xlAutoOpen\0");
        put(0x280 + 12, &0x10b0u32.to_le_bytes());
        put(0x2b0, b"KERNEL32.dll\0");
        out
    }

    #[test]
    fn a_library_tells_what_it_is() {
        let program = read(&library()).unwrap();
        assert_eq!(program.exports, ["xlAutoOpen"]);
        assert_eq!(program.imports, ["KERNEL32.dll"]);
        assert!(program.library && program.signed && program.dotnet);
        assert_eq!(program.end, 0x400);
    }

    #[test]
    fn what_is_cut_is_read_as_far_as_it_goes() {
        let whole = library();
        for len in 0..whole.len() {
            let _ = read(&whole[..len]);
        }
        assert_eq!(read(b"MZ"), None);
    }
}
