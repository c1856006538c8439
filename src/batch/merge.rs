//! The whole of the parts: one file of reports and one of errors, campaigns, summary. And one folder of several.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crate::knowledge::{Knowledge, Language};
use crate::text;

use super::checkpoint::plan_of;
use super::keep::{link_or_copy, list};
use super::part::{PartSummary, errors, mark, reports, table};
use super::read::shards;
use super::schema::TABLES;
use super::{OutputError, PARTS, Results, ShardId, Staged, Store, campaigns, make_folder, summary};

/// Makes `report.ndjson.zst`, `errors.ndjson`, `campaigns.parquet` and `summary.html` of the parts that are done, and
/// tells what they come to. May be done again whenever parts came to it.
pub fn finish(
    output: &Path,
    knowledge: &Knowledge,
    language: Language,
) -> Result<PartSummary, OutputError> {
    let mut done = Vec::new();
    let mut total = PartSummary::default();
    for shard in shards(output)? {
        if let Some(part) = PartSummary::read(output, &shard)? {
            if done.is_empty() {
                total = part;
            } else {
                total.add(&part);
            }
            done.push(shard);
        }
    }
    // Frames of Zstandard behind each other are one stream (RFC 8878 3).
    let parts = done.iter().map(|shard| reports(output, shard));
    unite(parts, output.join("report.ndjson.zst"))?;
    let parts = done.iter().map(|shard| errors(output, shard));
    unite(parts, output.join("errors.ndjson"))?;
    let results = Results::of(output, done);
    campaigns::write(output, &campaigns::find(&results, &knowledge.campaigns)?)?;
    summary::write(&results, knowledge, language)?;
    Ok(total)
}

/// Writes files behind each other into one.
fn unite(parts: impl Iterator<Item = PathBuf>, path: PathBuf) -> Result<(), OutputError> {
    let (staged, file) = Staged::create(path)?;
    let mut whole = BufWriter::new(file);
    for part in parts {
        let mut file = File::open(&part).map_err(OutputError::disk("read", &part))?;
        std::io::copy(&mut file, &mut whole).map_err(OutputError::disk("write", &staged.path))?;
    }
    let file = whole
        .into_inner()
        .map_err(std::io::IntoInnerError::into_error)
        .map_err(OutputError::disk("write", &staged.path))?;
    staged.settle(&file)
}

/// One part of what is to be united.
struct Piece {
    folder: usize,
    shard: ShardId,
}

/// Unites the results of several machines in a folder that has none yet: files are linked where the file system allows
/// it, else copied. Shards of one plan keep their numbers, so that the order is that of a single run; others are
/// numbered anew, in the order of the folders. [`finish`] makes the whole of them.
pub fn merge(folders: &[PathBuf], output: &Path) -> Result<u64, OutputError> {
    if !shards(output)?.is_empty() {
        return Err(OutputError::Occupied {
            path: text::path(output),
        });
    }
    let pieces = pieces(folders)?;
    let mut numbers: Vec<&ShardId> = pieces.iter().map(|piece| &piece.shard).collect();
    numbers.sort_by(|a, b| a.order().cmp(&b.order()));
    let one_plan = numbers
        .windows(2)
        .all(|two| matches!(two, [a, b] if a != b));
    make_folder(&output.join(PARTS))?;
    for (name, _) in TABLES {
        make_folder(&output.join(name))?;
    }
    for folder in folders {
        take_over_what_is_kept(folder, output)?;
    }
    for (piece, number) in pieces.iter().zip(0..) {
        let Some(folder) = folders.get(piece.folder) else {
            continue;
        };
        let new = if one_plan {
            piece.shard.clone()
        } else {
            ShardId::new(number)
        };
        for place in [reports, errors] {
            link_or_copy(&place(folder, &piece.shard), &place(output, &new))?;
        }
        for (name, _) in TABLES.iter().rev() {
            link_or_copy(
                &table(folder, name, &piece.shard),
                &table(output, name, &new),
            )?;
        }
        link_or_copy(&mark(folder, &piece.shard), &mark(output, &new))?;
    }
    Ok(u64::try_from(pieces.len()).unwrap_or(u64::MAX))
}

/// Every part of the folders, in order; no message may stand in two of them.
fn pieces(folders: &[PathBuf]) -> Result<Vec<Piece>, OutputError> {
    let mut pieces = Vec::new();
    let mut first: BTreeMap<String, usize> = BTreeMap::new();
    for (folder, path) in folders.iter().enumerate() {
        // Of more shares than there are shards some have none.
        let own = match plan_of(path)? {
            Some(_) => shards(path)?,
            None => Results::open(path)?.shards().to_vec(),
        };
        for shard in &own {
            let Some(part) = PartSummary::read(path, shard)? else {
                return Err(OutputError::Unfinished {
                    path: text::path(path),
                    shard: shard.clone(),
                });
            };
            if part.messages > 0
                && let Some(other) = first.insert(part.first.clone(), folder)
            {
                let shown = |at: usize| folders.get(at).map(|path| text::path(path));
                return Err(OutputError::Twice {
                    first: shown(other).unwrap_or_default(),
                    second: text::path(path),
                    message: text::excerpt(&part.first),
                });
            }
            pieces.push(Piece {
                folder,
                shard: shard.clone(),
            });
        }
    }
    Ok(pieces)
}

fn take_over_what_is_kept(folder: &Path, output: &Path) -> Result<(), OutputError> {
    let kept = Store::of(folder);
    if kept.exists() {
        Store::of(output).take_over(&kept)?;
    }
    let extracted = folder.join("extracted");
    if !extracted.is_dir() {
        return Ok(());
    }
    let into = output.join("extracted");
    make_folder(&into)?;
    for path in list(&extracted)? {
        let target = into.join(path.file_name().unwrap_or_default());
        if !target.exists() {
            link_or_copy(&path, &target)?;
        }
    }
    Ok(())
}
