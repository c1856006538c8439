//! Programs that install: what stands behind them in forms of their own.

use memchr::memmem;

use crate::formats::installshield;
use crate::model::{Artifact, Name, Trouble};

use crate::unpack::{Child, Nest, Payload};

/// The head of the packed script of Inno Setup, or the table of where its parts lie, behind the program or in its
/// resources.
pub(super) fn is_inno(data: &[u8], behind: usize) -> bool {
    const TABLES: [&[u8]; 2] = [b"rDlPtS", b"nS5W7dT\x83\xaa\x1b\x0f\x6a"];
    let tail = data.get(behind..).unwrap_or_default();
    let has_head = memmem::find(tail, b"Inno Setup Setup Data (").is_some();
    has_head || !tail.is_empty() && TABLES.iter().any(|mark| memmem::find(data, mark).is_some())
}

/// Pushes what a program of InstallShield has behind its end; gives the first byte behind it.
pub(super) fn install_shield(
    artifact: &Artifact,
    from: usize,
    nest: &mut Nest<'_>,
) -> Result<usize, Trouble> {
    let listing = installshield::files(&artifact.data, from);
    for file in listing.files {
        nest.tick()?;
        let name = match file.is_wide {
            true => Name::of(file.name),
            false => Name::from_raw(file.name.as_bytes()),
        };
        let child = Child::new("installer-file", artifact.data.slice(file.data.clone()));
        nest.push(child.at(file.data).named(name))?;
    }
    if listing.is_cut {
        nest.unread(listing.end, "a file of an InstallShield installer is cut");
    }
    if listing.end > from {
        return Ok(listing.end);
    }
    scrambled(artifact, from, nest)
}

/// The same of a program that installs a package of the Windows Installer.
fn scrambled(artifact: &Artifact, from: usize, nest: &mut Nest<'_>) -> Result<usize, Trouble> {
    let data = &artifact.data;
    let Some(setup) = installshield::scrambled(data, from) else {
        return Ok(from);
    };
    if setup.is_stream {
        let what = "InstallShield installer in stream form".to_owned();
        nest.note(Trouble::NoReader(what).into_fact(""));
    }
    for file in &setup.files {
        nest.tick()?;
        let name = Name::from_raw(&file.name);
        let shown = crate::text::excerpt(&name.text);
        let clear = file.clear(data);
        // The head of a zlib stream: method 8, and a checksum of the two bytes.
        let is_packed = matches!(clear.first_chunk::<2>(), Some(head @ [0x78, _]) if u16::from_be_bytes(*head) % 31 == 0);
        if !is_packed {
            nest.push(Child::new("installer-file", clear).named(name))?;
            continue;
        }
        let decoded = nest.inflate(&clear, 0, flate2::bufread::ZlibDecoder::new);
        let child = Child::new("installer-file", Payload::Paid(decoded.data.into()));
        nest.push_decoded(child.named(name), decoded.fault, &shown)?;
    }
    if setup.is_cut {
        nest.unread(setup.end, "a file of an InstallShield installer is cut");
    }
    Ok(setup.end)
}
