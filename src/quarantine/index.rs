//! The index: one SQLite file in write-ahead mode, every commit synced, shared between processes.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, TransactionBehavior};

use crate::text;

use super::StoreError;

const SCHEMA: &str = include_str!("schema.sql");

/// What each later version adds to the one before it.
const ADDED: &[&str] = &[include_str!("schema_2.sql")];

/// Version of the schema.
const VERSION: i64 = 2;

/// How long a writer waits for the others.
const PATIENCE: Duration = Duration::from_secs(20);

/// The open index.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    connection: Mutex<Connection>,
}

/// What went wrong inside a query: with the database, or by what is written in it.
#[derive(Debug)]
pub(super) enum Fault {
    Sql(rusqlite::Error),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Index {
    /// Opens the index; an empty or missing file becomes a new one.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)
            .and_then(|connection| {
                connection.busy_timeout(PATIENCE)?;
                connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
                connection.pragma_update(None, "synchronous", "FULL")?;
                connection.pragma_update(None, "foreign_keys", true)?;
                connection.pragma_update(None, "cell_size_check", true)?;
                connection.pragma_update(None, "trusted_schema", false)?;
                Ok(connection)
            })
            .map_err(|error| explain(path, error))?;
        let index = Self {
            path: path.to_owned(),
            connection: Mutex::new(connection),
        };
        index.write(|transaction| {
            let version: i64 =
                transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
            if !(0..=VERSION).contains(&version) {
                return Err(StoreError::refused(format!(
                    "{}: made by another version of sekisho (schema {version}, this one reads {VERSION})",
                    text::path(path)
                ))
                .into());
            }
            if version == 0 {
                transaction.execute_batch(SCHEMA)?;
            }
            let has = usize::try_from(version.max(1)).unwrap_or_default();
            for addition in ADDED.iter().skip(has.saturating_sub(1)) {
                transaction.execute_batch(addition)?;
            }
            Ok(())
        })?;
        Ok(index)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A transaction that a panic left open is rolled back when its guard goes.
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn explain(&self, fault: Fault) -> StoreError {
        match fault {
            Fault::Sql(error) => explain(&self.path, error),
            Fault::Store(error) => error,
        }
    }

    /// Asks something.
    pub(super) fn read<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        ask(&self.connection()).map_err(|fault| self.explain(fault))
    }

    /// Changes something: all of it, or nothing. Returns after it is on the disk.
    pub(super) fn write<T>(
        &self,
        change: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection();
        let changed = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(Fault::from)
            .and_then(|transaction| {
                let done = change(&transaction)?;
                transaction.commit()?;
                Ok(done)
            });
        changed.map_err(|fault| self.explain(fault))
    }

    /// Bytes of the index itself.
    pub(super) fn size(&self) -> Result<u64, StoreError> {
        self.read(|connection| {
            let pages: u64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let page: u64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            Ok(pages.saturating_mul(page))
        })
    }

    /// Reads every page and row.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let said: String = self.read(|connection| {
            Ok(connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?)
        })?;
        if said == "ok" {
            return Ok(());
        }
        Err(StoreError::Corrupt {
            file: text::path(&self.path),
            what: text::excerpt(&said),
        })
    }

    /// What a row says that cannot be.
    pub(super) fn nonsense(&self, what: &str) -> StoreError {
        StoreError::Corrupt {
            file: text::path(&self.path),
            what: what.to_owned(),
        }
    }
}

/// All rows of a query.
pub(super) fn all<T>(
    rows: rusqlite::MappedRows<'_, impl FnMut(&Row<'_>) -> rusqlite::Result<T>>,
) -> Result<Vec<T>, Fault> {
    Ok(rows.collect::<Result<_, _>>()?)
}

fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    use rusqlite::Error;
    let file = || text::path(path);
    let unreachable = |error: Error| StoreError::Unreachable {
        what: format!("the index {}", text::path(path)),
        source: Box::new(error),
    };
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full {
            what: format!("no room on the disk for {}", file()),
        },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Corrupt {
            file: file(),
            what: error.to_string(),
        },
        Some(_) => unreachable(error),
        None => match error {
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => StoreError::Corrupt {
                file: file(),
                what: error.to_string(),
            },
            error => unreachable(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of one test.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let name = format!("target/tmp/index-{name}-{}", std::process::id());
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            std::fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn version(index: &Index) -> i64 {
        let asked = index.read(|connection| {
            Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
        });
        asked.unwrap()
    }

    #[test]
    fn an_index_of_the_first_version_gets_what_later_ones_have_and_keeps_its_rows() {
        let folder = Folder::new("old");
        let path = folder.0.join("index.sqlite3");
        let old = Connection::open(&path).unwrap();
        old.execute_batch(SCHEMA).unwrap();
        old.execute_batch(
            "INSERT INTO message (ticket, key, digest, size, state, action, route, received, level, score, envelope, mail) \
             VALUES ('0000-0000-0001', x'01', x'02', 3, 'held', 'hold', 'default', 4, 'suspicious', 30, '{}', '{}')",
        )
        .unwrap();
        drop(old);
        // As often as it is opened, by several at a time too.
        for _ in 0..2 {
            std::thread::scope(|scope| {
                let open = || assert_eq!(version(&Index::open(&path).unwrap()), VERSION);
                (0..4).for_each(|_| drop(scope.spawn(open)));
            });
        }
        let index = Index::open(&path).unwrap();
        let rows = index.read(|connection| {
            let sql = "SELECT (SELECT count(*) FROM message WHERE state = 'held'), (SELECT count(*) FROM notice), \
                       (SELECT count(*) FROM announced)";
            let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            Ok(connection.query_row(sql, [], row)?)
        });
        assert_eq!(rows.unwrap(), (1, 0, 0));
        // The same tables as in a new one.
        let new = Index::open(&folder.0.join("new.sqlite3")).unwrap();
        let tables = |index: &Index| {
            let names = index.read(|connection| {
                let sql = "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema ORDER BY 1";
                let mut statement = connection.prepare(sql)?;
                all(statement.query_map([], |row| row.get::<_, String>(0))?)
            });
            names.unwrap()
        };
        assert_eq!(tables(&index), tables(&new));
    }

    #[test]
    fn an_index_of_a_later_version_is_left_alone() {
        let folder = Folder::new("newer");
        let path = folder.0.join("index.sqlite3");
        drop(Index::open(&path).unwrap());
        let newer = Connection::open(&path).unwrap();
        newer
            .pragma_update(None, "user_version", VERSION + 1)
            .unwrap();
        drop(newer);
        let error = Index::open(&path).unwrap_err().to_string();
        assert!(error.contains("made by another version"), "{error}");
        let index = Connection::open(&path).unwrap();
        let version: i64 = index
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(version, VERSION + 1);
    }
}
