//! Files that commands write, readable by their owner only; hostile ones in an archive that a virus scanner
//! of the computer leaves alone.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

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

/// Writes a file, readable by its owner only, in the place of one that may be there: whole or not at all. Where
/// something stands that is no ordinary file, such as a device, that is written to.
pub(super) fn replace(path: &Path, data: &[u8]) -> Result<(), Failure> {
    let failure =
        |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", text::path(path)));
    match std::fs::metadata(path) {
        Ok(there) if !there.is_file() => {
            let mut file = OpenOptions::new().write(true).open(path).map_err(failure)?;
            file.write_all(data).map_err(failure)
        }
        Ok(_) => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}.part", std::process::id()));
            let beside = PathBuf::from(beside);
            write(&beside, |file| file.write_all(data))?;
            std::fs::rename(&beside, path).map_err(|error| {
                // What is left of it is of no use; that it cannot be renamed is told.
                let _ = std::fs::remove_file(&beside);
                failure(error)
            })
        }
        Err(_) => write(path, |file| file.write_all(data)),
    }
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
