//! Files that commands write: new ones, readable by their owner only; hostile ones in an archive that a virus scanner
//! of the computer leaves alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{AesMode, CompressionMethod};

use crate::text;

use super::exit::Failure;

/// What everybody who exchanges samples expects.
const PASSWORD: &str = "infected";

/// Makes a file that was not there before, readable by its owner only.
pub(super) fn write(
    path: &Path,
    fill: impl FnOnce(&mut File) -> std::io::Result<()>,
) -> Result<(), Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
        .open(path)
        .and_then(|mut file| fill(&mut file))
        .map_err(|error| Failure::new(format!("cannot write {}: {error}", text::path(path))))
}

/// Fills a zip whose members are locked with the password `infected` (AES-256).
pub(super) fn archive(file: &mut File, members: &[(String, &[u8])]) -> std::io::Result<()> {
    let mut archive = ZipWriter::new(file);
    for (name, data) in members {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .unix_permissions(0o600)
            .large_file(u32::try_from(data.len()).is_err())
            .with_aes_encryption(AesMode::Aes256, PASSWORD);
        archive.start_file(name.as_str(), options)?;
        archive.write_all(data)?;
    }
    archive.finish()?;
    Ok(())
}
