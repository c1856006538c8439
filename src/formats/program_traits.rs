//! What the headers of a program say about it, in a few words: for whoever has to decide what to do with it.
//!
//! Windows programs (Microsoft PE and COFF specification), ELF (System V ABI, chapter 4), Mach-O (loader.h). That there
//! is a signature says nothing about who signed: nobody checks it here.

use super::{pe, pe_version};
use crate::bytes::{index, u16_at, u32_at};

/// Load commands of a Mach-O file that are read.
const COMMANDS: usize = 1024;

/// Bytes in which the mark of a packer is looked for.
const NEAR: usize = 4096;

/// Traits of a Windows program: processor, library, .NET, signature, packer, what stands behind its end, its maker.
pub fn windows(data: &[u8]) -> Vec<String> {
    let Some(program) = pe::read(data) else {
        return Vec::new();
    };
    let mut traits = vec![processor_of_windows(program.machine)];
    if program.library {
        traits.push("library".to_owned());
    }
    if program.dotnet {
        traits.push(".NET".to_owned());
    }
    traits.push(signature(program.signed));
    if let Some(packer) = &program.packer {
        traits.push(format!("packed ({packer})"));
    }
    if program.overlay > 0 {
        traits.push(format!("{} bytes behind its end", program.overlay));
    }
    if let Some(version) = pe_version::read(data) {
        let said = [version.company, version.product, version.original];
        let said: Vec<String> = said
            .into_iter()
            .flatten()
            .filter(|text| !text.is_empty())
            .map(|text| text.chars().take(60).collect())
            .collect();
        if !said.is_empty() {
            traits.push(format!("calls itself {}", said.join(", ")));
        }
    }
    traits
}

fn signature(there: bool) -> String {
    match there {
        true => "with a signature",
        false => "not signed",
    }
    .to_owned()
}

/// IMAGE_FILE_HEADER.Machine.
fn processor_of_windows(machine: u16) -> String {
    match machine {
        0x14c => "x86".to_owned(),
        0x8664 => "x86-64".to_owned(),
        0xaa64 => "ARM64".to_owned(),
        0x1c0 | 0x1c2 | 0x1c4 => "ARM".to_owned(),
        0x200 => "Itanium".to_owned(),
        0xebc => "EFI byte code".to_owned(),
        other => format!("processor {other:#x}"),
    }
}

/// Traits of a Linux program: width, processor, library, interpreter, packer.
pub fn linux(data: &[u8]) -> Vec<String> {
    let (Some(class), Some(order)) = (data.get(4), data.get(5)) else {
        return Vec::new();
    };
    let half = |at: usize| {
        let value = u16_at(data, at)?;
        Some(if *order == 2 {
            value.swap_bytes()
        } else {
            value
        })
    };
    let width = if *class == 2 { "64-bit" } else { "32-bit" };
    let processor = match half(18) {
        Some(3) => "x86".to_owned(),
        Some(8) => "MIPS".to_owned(),
        Some(20 | 21) => "PowerPC".to_owned(),
        Some(40) => "ARM".to_owned(),
        Some(62) => "x86-64".to_owned(),
        Some(183) => "ARM64".to_owned(),
        Some(243) => "RISC-V".to_owned(),
        Some(other) => format!("processor {other}"),
        None => return Vec::new(),
    };
    let mut traits = vec![width.to_owned(), processor];
    match half(16) {
        Some(1) => traits.push("object file".to_owned()),
        Some(3) => traits.push("shared or position-independent".to_owned()),
        _ => {}
    }
    let near = data.get(..NEAR).unwrap_or(data);
    if memchr::memmem::find(near, b"UPX!").is_some() {
        traits.push("packed (UPX)".to_owned());
    }
    traits
}

/// Traits of a macOS program: processors, library, signature.
pub fn macos(data: &[u8]) -> Vec<String> {
    let big = |at: usize| u32_at(data, at).map(u32::swap_bytes);
    if matches!(data.first_chunk(), Some([0xca, 0xfe, 0xba, 0xbe | 0xbf])) {
        let wide = data.get(3) == Some(&0xbf);
        let entry = if wide { 32usize } else { 20 };
        let count = index(big(4).unwrap_or(0)).min(16);
        let processors: Vec<String> = (0..count)
            .filter_map(|number| big(number.checked_mul(entry)?.checked_add(8)?))
            .map(processor_of_macos)
            .collect();
        return vec![
            "for several processors".to_owned(),
            processors.join(" and "),
        ];
    }
    let little = matches!(data.first(), Some(0xce | 0xcf));
    let word = |at: usize| if little { u32_at(data, at) } else { big(at) };
    let Some(processor) = word(4) else {
        return Vec::new();
    };
    let mut traits = vec![processor_of_macos(processor)];
    if word(12) == Some(6) {
        traits.push("library".to_owned());
    }
    let wide = matches!(data.first(), Some(0xcf)) || data.get(3) == Some(&0xcf);
    let mut at = if wide { 32usize } else { 28 };
    let mut signed = false;
    for _ in 0..index(word(16).unwrap_or(0)).min(COMMANDS) {
        let (Some(command), Some(size)) = (word(at), word(at.saturating_add(4))) else {
            break;
        };
        // LC_CODE_SIGNATURE.
        signed |= command == 0x1d;
        at = at.saturating_add(index(size).max(8));
    }
    traits.push(signature(signed));
    traits
}

/// cpu_type_t.
fn processor_of_macos(number: u32) -> String {
    match number {
        7 => "x86".to_owned(),
        0x0100_0007 => "x86-64".to_owned(),
        12 => "ARM".to_owned(),
        0x0100_000c => "ARM64".to_owned(),
        18 | 0x0100_0012 => "PowerPC".to_owned(),
        other => format!("processor {other:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_a_program_is() {
        let mut elf = b"\x7fELF\x02\x01\x01".to_vec();
        elf.resize(64, 0);
        elf[16] = 2;
        elf[18] = 62;
        assert_eq!(linux(&elf), ["64-bit", "x86-64"]);
        let mut macho = vec![0; 64];
        macho[..8].copy_from_slice(&[0xcf, 0xfa, 0xed, 0xfe, 12, 0, 0, 1]);
        macho[12] = 6;
        macho[16] = 1;
        macho[32] = 0x1d;
        macho[36] = 16;
        assert_eq!(macos(&macho), ["ARM64", "library", "with a signature"]);
        let fat = [0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 1, 1, 0, 0, 7, 0, 0, 0, 3];
        assert_eq!(macos(&fat), ["for several processors", "x86-64"]);
        let program = windows(&crate::unpack::tests::pe());
        assert_eq!(program, ["x86", "not signed"]);
    }

    #[test]
    fn what_is_cut_says_less() {
        for len in 0..40 {
            let _ = linux(&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0"[..len.min(20)]);
            let _ = macos(&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1, 0, 0][..len.min(10)]);
        }
        assert!(windows(b"MZ").is_empty());
    }
}
