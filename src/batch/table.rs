//! Writing one Parquet file: rows of cells, batch by batch.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Int64Builder, ListBuilder, StringBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::schema::{Column, Holds, UTC, schema};
use super::{OutputError, Staged, make_folder};

/// Rows that are collected before they are encoded.
const BATCH: usize = 1024;

/// Bytes of text that are collected at most before they are encoded.
const BATCH_BYTES: usize = 4 << 20;

/// Bytes of one row group, encoded and not yet compressed: what a writer holds in memory.
const ROW_GROUP: usize = 16 << 20;

/// One value of a row; must be what its column holds.
#[derive(Debug, Clone)]
pub(super) enum Cell<'a> {
    Text(Option<&'a str>),
    OwnedText(Option<String>),
    Texts(Vec<&'a str>),
    OwnedTexts(Vec<String>),
    Number(Option<i64>),
    Truth(bool),
    Time(Option<i64>),
    Times(Vec<Option<i64>>),
    Numbers(Vec<i64>),
}

impl<'a> Cell<'a> {
    /// A text that is always there.
    pub(super) fn text(text: &'a str) -> Self {
        Self::Text(Some(text))
    }

    /// A number that is always there; beyond the largest of 64 bits it is that.
    pub(super) fn number(number: impl TryInto<i64>) -> Self {
        Self::Number(Some(number.try_into().unwrap_or(i64::MAX)))
    }

    /// A number that may not be there.
    pub(super) fn maybe<N: TryInto<i64>>(number: Option<N>) -> Self {
        Self::Number(number.map(|number| number.try_into().unwrap_or(i64::MAX)))
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.map_or(0, str::len),
            Self::OwnedText(text) => text.as_ref().map_or(0, String::len),
            Self::Texts(texts) => texts.iter().map(|text| text.len()).sum(),
            Self::OwnedTexts(texts) => texts.iter().map(String::len).sum(),
            Self::Number(_) | Self::Truth(_) | Self::Time(_) => 8,
            Self::Times(times) => times.len().saturating_mul(8),
            Self::Numbers(numbers) => numbers.len().saturating_mul(8),
        }
    }
}

#[derive(Debug)]
enum Builder {
    Text(StringBuilder),
    Texts(ListBuilder<StringBuilder>),
    Number(Int64Builder),
    Truth(BooleanBuilder),
    Time(TimestampMicrosecondBuilder),
    Times(ListBuilder<TimestampMicrosecondBuilder>),
    Numbers(ListBuilder<Int64Builder>),
}

impl Builder {
    fn new(holds: Holds) -> Self {
        let time = || TimestampMicrosecondBuilder::new().with_timezone(UTC);
        match holds {
            Holds::Text => Self::Text(StringBuilder::new()),
            Holds::Texts => Self::Texts(ListBuilder::new(StringBuilder::new())),
            Holds::Number => Self::Number(Int64Builder::new()),
            Holds::Truth => Self::Truth(BooleanBuilder::new()),
            Holds::Time => Self::Time(time()),
            Holds::Times => Self::Times(ListBuilder::new(time())),
            Holds::Numbers => Self::Numbers(ListBuilder::new(Int64Builder::new())),
        }
    }

    fn push(&mut self, cell: Cell<'_>) {
        match (self, cell) {
            (Self::Text(builder), Cell::Text(text)) => builder.append_option(text),
            (Self::Text(builder), Cell::OwnedText(text)) => builder.append_option(text),
            (Self::Texts(builder), Cell::OwnedTexts(texts)) => {
                texts
                    .iter()
                    .for_each(|text| builder.values().append_value(text));
                builder.append(true);
            }
            (Self::Texts(builder), Cell::Texts(texts)) => {
                texts
                    .iter()
                    .for_each(|text| builder.values().append_value(text));
                builder.append(true);
            }
            (Self::Number(builder), Cell::Number(number)) => builder.append_option(number),
            (Self::Truth(builder), Cell::Truth(truth)) => builder.append_value(truth),
            (Self::Time(builder), Cell::Time(time)) => builder.append_option(time),
            (Self::Times(builder), Cell::Times(times)) => {
                times
                    .iter()
                    .for_each(|time| builder.values().append_option(*time));
                builder.append(true);
            }
            (Self::Numbers(builder), Cell::Numbers(numbers)) => {
                builder.values().append_slice(&numbers);
                builder.append(true);
            }
            (builder, cell) => {
                debug_assert!(false, "{cell:?} in a column of another type");
                builder.push_nothing();
            }
        }
    }

    fn push_nothing(&mut self) {
        match self {
            Self::Text(builder) => builder.append_null(),
            Self::Texts(builder) => builder.append(false),
            Self::Number(builder) => builder.append_null(),
            Self::Truth(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Times(builder) => builder.append(false),
            Self::Numbers(builder) => builder.append(false),
        }
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Texts(builder) => Arc::new(builder.finish()),
            Self::Number(builder) => Arc::new(builder.finish()),
            Self::Truth(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Times(builder) => Arc::new(builder.finish()),
            Self::Numbers(builder) => Arc::new(builder.finish()),
        }
    }
}

/// A Parquet file in the making.
#[derive(Debug)]
pub(super) struct TableWriter {
    staged: Staged,
    schema: SchemaRef,
    builders: Vec<Builder>,
    writer: ArrowWriter<File>,
    /// Rows that are collected.
    waiting: usize,
    /// Their bytes.
    bytes: usize,
    rows: u64,
}

impl TableWriter {
    /// Starts a file, and makes its folder where it is not there.
    pub(super) fn create(path: PathBuf, columns: &[Column]) -> Result<Self, OutputError> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        let (staged, file) = Staged::create(path)?;
        let schema = Arc::new(schema(columns));
        let level = ZstdLevel::try_new(3).unwrap_or_default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(level))
            .set_max_row_group_bytes(Some(ROW_GROUP))
            .set_created_by(concat!("sekisho ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties))
            .map_err(|error| failure(&staged, &error))?;
        Ok(Self {
            staged,
            schema,
            builders: columns
                .iter()
                .map(|column| Builder::new(column.holds))
                .collect(),
            writer,
            waiting: 0,
            bytes: 0,
            rows: 0,
        })
    }

    /// Adds a row: a cell for each column, in their order.
    pub(super) fn push<'a>(
        &mut self,
        row: impl IntoIterator<Item = Cell<'a>>,
    ) -> Result<(), OutputError> {
        let mut cells = row.into_iter();
        for builder in &mut self.builders {
            match cells.next() {
                Some(cell) => {
                    self.bytes = self.bytes.saturating_add(cell.bytes());
                    builder.push(cell);
                }
                None => builder.push_nothing(),
            }
        }
        debug_assert!(cells.next().is_none(), "a row has a cell for each column");
        self.rows = self.rows.saturating_add(1);
        self.waiting = self.waiting.saturating_add(1);
        if self.waiting >= BATCH || self.bytes >= BATCH_BYTES {
            self.encode()?;
        }
        Ok(())
    }

    fn encode(&mut self) -> Result<(), OutputError> {
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        self.waiting = 0;
        self.bytes = 0;
        RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| OutputError::damaged(&self.staged.path, &error))
            .and_then(|batch| {
                let written = self.writer.write(&batch);
                written.map_err(|error| failure(&self.staged, &error))
            })
    }

    /// Rows so far.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the file: it is whole, and has its name.
    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        if self.waiting > 0 {
            self.encode()?;
        }
        self.writer
            .finish()
            .map_err(|error| failure(&self.staged, &error))?;
        self.staged.settle(self.writer.inner())
    }
}

/// What the writer of Parquet says, as trouble of a file.
fn failure(staged: &Staged, error: &ParquetError) -> OutputError {
    match error {
        ParquetError::External(source) => match source.downcast_ref::<std::io::Error>() {
            Some(source) => {
                let source = std::io::Error::new(source.kind(), source.to_string());
                OutputError::disk("write", &staged.path)(source)
            }
            None => OutputError::damaged(&staged.path, error),
        },
        _ => OutputError::damaged(&staged.path, error),
    }
}
