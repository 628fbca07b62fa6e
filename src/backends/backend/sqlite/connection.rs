//! One connection to the file, set up as every one of ours must be, and the schema's version.

use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior, config::DbConfig};

use super::error::DatabaseError;
use clawpool_core::{config::Synchronous, private};

/// What leads from each version to the next one, from an empty file on.
const STEPS: [&str; 12] = [
    include_str!("schema.sql"),
    include_str!("schema_2.sql"),
    include_str!("schema_3.sql"),
    include_str!("schema_4.sql"),
    include_str!("schema_5.sql"),
    include_str!("schema_6.sql"),
    include_str!("schema_7.sql"),
    include_str!("schema_8.sql"),
    include_str!("schema_9.sql"),
    include_str!("schema_10.sql"),
    include_str!("schema_11.sql"),
    include_str!("schema_12.sql"),
];
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// How long a connection waits for another process's lock.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Opens the file, making it and its folder, for their owner alone, when missing.
pub(crate) fn create(path: &Path, synchronous: Synchronous) -> Result<Connection, DatabaseError> {
    if let Some(folder) = path.parent() {
        private::folder(folder).map_err(|error| {
            DatabaseError::refused(format!("the folder {} cannot be made: {error}", folder.display()))
        })?;
    }
    // SQLite gives its other files the rights of this one. What is wrong with it SQLite says better.
    drop(private::append(path));
    let mut sql = writer(path, synchronous).map_err(|error| DatabaseError::at_start(path, &error))?;
    migrate(&mut sql, path)?;
    Ok(sql)
}

fn writer(path: &Path, synchronous: Synchronous) -> rusqlite::Result<Connection> {
    let sql = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    let level = match synchronous {
        Synchronous::Full => "FULL",
        Synchronous::Normal => "NORMAL",
    };
    into_wal(&sql)?;
    sql.pragma_update(None, "synchronous", level)?;
    // The log is folded into the file every 16 MB, and cut back when a burst has made it longer.
    sql.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    sql.pragma_update(None, "journal_size_limit", 64 << 20)?;
    sql.pragma_update(None, "cache_size", -8_192)?;
    Ok(sql)
}

/// Several processes may open a new file at once. SQLite then answers some of them "busy" without asking the
/// handler.
fn into_wal(sql: &Connection) -> rusqlite::Result<()> {
    let start = Instant::now();
    loop {
        match sql.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => {
                thread::sleep(Duration::from_millis(5))
            }
            outcome => return outcome,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy)
}

/// A connection for queries.
pub(crate) fn reader(path: &Path) -> rusqlite::Result<Connection> {
    let sql = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    sql.pragma_update(None, "query_only", true)?;
    sql.pragma_update(None, "cache_size", -2_048)?;
    Ok(sql)
}

fn open(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let mut sql = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    // Every process's writers meet at one lock that is held for a millisecond or less: SQLite's own handler,
    // which soon sleeps for 100 ms, would leave it free most of the time.
    let mut since = Instant::now();
    sql.busy_handler(Some(move |round: i32| {
        if round == 0 {
            since = Instant::now();
        }
        thread::sleep(Duration::from_micros(if round < 20 { 100 } else { 1_000 }));
        since.elapsed() < PATIENCE
    }))?;
    sql.set_prepared_statement_cache_capacity(128);
    // Plans that do not depend on values: a statement would be prepared anew for each other LIMIT.
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    sql.pragma_update(None, "foreign_keys", false)?;
    sql.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(sql)
}

/// Makes the tables of a new file, or brings an older version's file up to this one; refuses a file that a
/// later version or another program has made.
fn migrate(sql: &mut Connection, path: &Path) -> Result<(), DatabaseError> {
    let failed = |error| DatabaseError::new(path, &error);
    if version(sql).map_err(failed)? == VERSION {
        return Ok(());
    }
    let change = sql.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    // Another process may just have done it: then no step is left.
    let found = version(&change).map_err(failed)?;
    let Some(steps) = usize::try_from(found).ok().and_then(|found| STEPS.get(found..)) else {
        let reason = format!(
            "{} was written by a later version (schema {found}, this one knows {VERSION}): update this \
             program, or set embedded.data to another folder",
            path.display()
        );
        return Err(DatabaseError::refused(reason));
    };
    let tables: i64 =
        change.query_row("SELECT count(*) FROM sqlite_schema", (), |row| row.get(0)).map_err(failed)?;
    if found == 0 && tables > 0 {
        let reason =
            format!("{} is another program's database: set embedded.data to another folder", path.display());
        return Err(DatabaseError::refused(reason));
    }
    for step in steps {
        change.execute_batch(step).map_err(failed)?;
    }
    change.pragma_update(None, "user_version", VERSION).map_err(failed)?;
    change.commit().map_err(failed)
}

pub(super) fn version(sql: &Connection) -> rusqlite::Result<i64> {
    sql.pragma_query_value(None, "user_version", |row| row.get(0))
}
