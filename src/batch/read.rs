//! Reading results: part by part, only the columns that are asked for.

use std::fs::File;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::text;

use super::{OutputError, ShardId, Store, keep, part};

/// Rows that are read at a time.
const BATCH: usize = 4096;

/// The results of a batch.
#[derive(Debug)]
pub struct Results {
    folder: PathBuf,
    shards: Vec<ShardId>,
}

impl Results {
    /// Finds the parts in a folder.
    pub fn open(folder: &Path) -> Result<Self, OutputError> {
        let shards = shards(folder)?;
        if shards.is_empty() {
            return Err(OutputError::NoResults {
                path: text::path(folder),
            });
        }
        Ok(Self {
            folder: folder.to_owned(),
            shards,
        })
    }

    /// The given shards of a folder.
    pub(super) fn of(folder: &Path, shards: Vec<ShardId>) -> Self {
        Self {
            folder: folder.to_owned(),
            shards,
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The shards that have rows, in order.
    pub fn shards(&self) -> &[ShardId] {
        &self.shards
    }

    /// What was kept.
    pub fn store(&self) -> Result<Store, OutputError> {
        let store = Store::of(&self.folder);
        if store.exists() {
            return Ok(store);
        }
        Err(OutputError::NothingKept {
            path: text::path(&self.folder),
        })
    }

    /// The rows of one shard in a table, of them the named columns.
    pub(super) fn rows(
        &self,
        table: &str,
        shard: &ShardId,
        columns: &[&str],
    ) -> Result<Batches, OutputError> {
        Batches::open(part::table(&self.folder, table, shard), columns)
    }
}

/// The shards of a folder that have rows, in order; none where there are no results.
pub(super) fn shards(folder: &Path) -> Result<Vec<ShardId>, OutputError> {
    let messages = folder.join("messages");
    if !messages.is_dir() {
        return Ok(Vec::new());
    }
    let files = keep::list(&messages)?;
    let names = files.iter().filter_map(|path| {
        let is_table = path
            .extension()
            .is_some_and(|extension| extension == "parquet");
        is_table.then(|| ShardId::parse(path.file_stem()?.to_str()?))?
    });
    let mut shards: Vec<ShardId> = names.collect();
    shards.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(shards)
}

/// The rows of one file, some at a time.
pub(super) struct Batches {
    path: PathBuf,
    reader: ParquetRecordBatchReader,
}

impl Batches {
    /// Opens a file; columns that it lacks read as null.
    pub(super) fn open(path: PathBuf, columns: &[&str]) -> Result<Self, OutputError> {
        let file = File::open(&path).map_err(OutputError::disk("read", &path))?;
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|error| OutputError::damaged(&path, &error))?;
        let fields = builder.schema().fields().iter().enumerate();
        let wanted = fields.filter(|(_, field)| columns.contains(&field.name().as_str()));
        let mask = ProjectionMask::roots(
            builder.parquet_schema(),
            wanted.map(|(at, _)| at).collect::<Vec<_>>(),
        );
        let reader = builder
            .with_projection(mask)
            .with_batch_size(BATCH)
            .build()
            .map_err(|error| OutputError::damaged(&path, &error))?;
        Ok(Self { path, reader })
    }
}

impl Iterator for Batches {
    type Item = Result<Rows, OutputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(match batch {
            Ok(batch) => Ok(Rows(batch)),
            Err(error) => Err(OutputError::damaged(&self.path, &error)),
        })
    }
}

/// Some rows of a table. What is of another type than the schema says reads as null.
pub(super) struct Rows(RecordBatch);

impl Rows {
    /// How many.
    pub(super) fn len(&self) -> usize {
        self.0.num_rows()
    }

    fn column(&self, name: &str, row: usize) -> Option<&dyn Array> {
        let column = self.0.column_by_name(name)?;
        (row < column.len() && column.is_valid(row)).then_some(&**column)
    }

    /// A text.
    pub(super) fn text(&self, name: &str, row: usize) -> Option<&str> {
        let column = self.column(name, row)?;
        column.as_string_opt::<i32>().map(|texts| texts.value(row))
    }

    /// A text, empty where there is none.
    pub(super) fn word(&self, name: &str, row: usize) -> &str {
        self.text(name, row).unwrap_or_default()
    }

    /// A number.
    pub(super) fn number(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name, row)?;
        column
            .as_primitive_opt::<Int64Type>()
            .map(|numbers| numbers.value(row))
    }

    /// A point in time, microseconds since 1970.
    pub(super) fn time(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name, row)?;
        column
            .as_primitive_opt::<TimestampMicrosecondType>()
            .map(|times| times.value(row))
    }

    /// Whether something is true.
    pub(super) fn truth(&self, name: &str, row: usize) -> bool {
        let column = self.column(name, row);
        let truths = column.and_then(|column| column.as_boolean_opt());
        truths.is_some_and(|truths| truths.value(row))
    }

    /// A list of texts.
    pub(super) fn texts(&self, name: &str, row: usize) -> Vec<String> {
        let column = self.column(name, row);
        let Some(lists) = column.and_then(|column| column.as_list_opt::<i32>()) else {
            return Vec::new();
        };
        let list = lists.value(row);
        let texts = list.as_string_opt::<i32>();
        texts.map_or_else(Vec::new, |texts| {
            texts.iter().flatten().map(str::to_owned).collect()
        })
    }

    /// A list of numbers.
    pub(super) fn numbers(&self, name: &str, row: usize) -> Vec<i64> {
        let column = self.column(name, row);
        let Some(lists) = column.and_then(|column| column.as_list_opt::<i32>()) else {
            return Vec::new();
        };
        let list = lists.value(row);
        let numbers = list.as_primitive_opt::<Int64Type>();
        numbers.map_or_else(Vec::new, |numbers| numbers.iter().flatten().collect())
    }

    /// A list of points in time.
    pub(super) fn times(&self, name: &str, row: usize) -> Vec<Option<i64>> {
        let column = self.column(name, row);
        let Some(lists) = column.and_then(|column| column.as_list_opt::<i32>()) else {
            return Vec::new();
        };
        let list = lists.value(row);
        let times = list.as_primitive_opt::<TimestampMicrosecondType>();
        times.map_or_else(Vec::new, |times| times.iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::{Column, MESSAGES};
    use super::super::table::{Cell, TableWriter};
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_a_missing_column_is_null() {
        let folder = std::env::temp_dir().join(format!("sekisho-read-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let path = folder.join("messages").join("000003.parquet");
        let columns: Vec<&Column> = MESSAGES.iter().collect();
        let mut table = TableWriter::create(path.clone(), MESSAGES).unwrap();
        assert!(!path.exists());
        for number in 0..5000_i64 {
            let row = columns.iter().map(|column| match column.name {
                "reference" => Cell::OwnedText(Some(format!("m#{number}"))),
                "date" => Cell::Time(Some(number)),
                "to" => Cell::Texts(vec!["a@example", "b@example"]),
                "sites" => Cell::Texts(vec![]),
                "findings" | "raised" => Cell::Texts(vec![]),
                "size" | "score" | "artifacts" => Cell::number(number),
                "complete" => Cell::Truth(number % 2 == 0),
                _ => Cell::Text(None),
            });
            table.push(row.collect::<Vec<_>>()).unwrap();
        }
        table.finish().unwrap();
        let results = Results::open(&folder).unwrap();
        assert_eq!(results.shards(), [ShardId::new(3)]);
        let names = [
            "reference",
            "date",
            "to",
            "complete",
            "size",
            "not-yet-known",
        ];
        let mut seen = 0;
        for rows in results.rows("messages", &ShardId::new(3), &names).unwrap() {
            let rows = rows.unwrap();
            for row in 0..rows.len() {
                assert_eq!(rows.word("reference", row), format!("m#{seen}"));
                assert_eq!(rows.time("date", row), Some(seen));
                assert_eq!(rows.number("size", row), Some(seen));
                assert_eq!(rows.truth("complete", row), seen % 2 == 0);
                assert_eq!(rows.texts("to", row), ["a@example", "b@example"]);
                assert_eq!(rows.text("not-yet-known", row), None);
                assert_eq!(rows.text("subject", row), None);
                seen += 1;
            }
        }
        assert_eq!(seen, 5000);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_folder_without_results_is_told() {
        let error = Results::open(Path::new("/nonexistent")).unwrap_err();
        assert!(matches!(error, OutputError::NoResults { .. }), "{error}");
    }
}
