//! The file as it is on its disk.
//!
//! Guarantees: nothing is made, migrated or changed; a file that is not there stays so. Never does: wait
//! longer than a moment for another process's lock.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::Connection;

use super::{
    connection::{VERSION, reader, version},
    database::file,
    error::DatabaseError,
};
use clawpool_core::config::Config;

/// For another process's write.
const PATIENCE: Duration = Duration::from_secs(2);

/// A file of ours.
#[derive(Clone, Debug)]
pub struct Inspection {
    pub path: PathBuf,
    /// Of its tables, and the one that this program writes.
    pub schema: i64,
    pub known_schema: i64,
    /// `wal`, in a file that is used by us.
    pub journal: String,
    /// Bytes of the file and of its write-ahead log.
    pub size: u64,
    pub log_size: u64,
    /// Why it cannot be written now.
    pub unwilling: Option<String>,
}

/// Where this configuration has its file.
pub fn path(config: &Config) -> PathBuf {
    file(config)
}

/// `None` where there is no file yet. Blocks its thread for as long as the disk does.
pub fn inspect(path: &Path) -> Result<Option<Inspection>, DatabaseError> {
    let size = match fs::metadata(path) {
        Ok(file) => file.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(DatabaseError::refused(format!("{}: {error}", path.display()))),
    };
    read(path, size).map(Some).map_err(|error| DatabaseError::new(path, &error))
}

fn read(path: &Path, size: u64) -> rusqlite::Result<Inspection> {
    let sql = reader(path)?;
    sql.busy_timeout(PATIENCE)?;
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    Ok(Inspection {
        path: path.to_owned(),
        schema: version(&sql)?,
        known_schema: VERSION,
        journal: sql.pragma_query_value(None, "journal_mode", |row| row.get(0))?,
        size,
        log_size: fs::metadata(log).map(|log| log.len()).unwrap_or_default(),
        unwilling: unwilling(&sql, path),
    })
}

/// Takes the lock that a write needs, and gives it back.
fn unwilling(sql: &Connection, path: &Path) -> Option<String> {
    if sql.is_readonly("main").unwrap_or_default() {
        return Some(format!("{} is read-only for this user", path.display()));
    }
    let tried = sql.execute_batch("PRAGMA query_only = false; BEGIN IMMEDIATE; ROLLBACK");
    tried.err().map(|error| match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::DatabaseBusy) => {
            format!("{} was locked for {PATIENCE:?}: another process writes for too long", path.display())
        }
        _ => DatabaseError::new(path, &error).to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::sqlite::Database;

    fn config(folder: &Path) -> Config {
        let mut config = Config::default();
        config.embedded.data = folder.to_owned();
        config
    }

    #[tokio::test]
    async fn a_file_is_read_and_one_that_is_not_there_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(&folder.path().join("data"));
        assert!(inspect(&path(&config)).unwrap().is_none());
        assert!(!config.embedded.data.exists());
        let database = Database::open(&config).await.unwrap();
        let seen = inspect(&path(&config)).unwrap().unwrap();
        assert_eq!((seen.schema, seen.journal.as_str(), seen.unwilling), (VERSION, "wal", None));
        drop(database);
    }

    #[tokio::test]
    async fn a_locked_file_and_no_database_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let _database = Database::open(&config).await.unwrap();
        let other = Connection::open(path(&config)).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let seen = inspect(&path(&config)).unwrap().unwrap();
        assert!(seen.unwilling.is_some_and(|why| why.contains("another process")));
        let folder = tempfile::tempdir().unwrap();
        let config = self::config(folder.path());
        fs::write(path(&config), "this is no database, and long enough to be one by its size alone").unwrap();
        assert!(inspect(&path(&config)).unwrap_err().to_string().contains("no database"));
    }
}
