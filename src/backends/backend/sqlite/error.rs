use std::path::Path;

use rusqlite::ErrorCode;

use super::connection::PATIENCE;

/// What went wrong with the file; each seam turns it into its own error. Cloned to every caller whose work
/// shared a transaction.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct DatabaseError {
    pub(crate) kind: DatabaseErrorKind,
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseErrorKind {
    /// It may work later.
    Unavailable,
    /// It can be read, and takes no writes: the disk is full, failing or read-only.
    Blocked,
    /// What is in the file is not what was written.
    Corrupt,
    /// It does not work until the file or its settings are changed.
    Refused,
}

impl DatabaseError {
    pub(crate) fn new(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.display();
        let (kind, reason) = match (error.sqlite_error_code(), error) {
            (Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked), _) => (
                DatabaseErrorKind::Unavailable,
                format!("{path} stayed locked for {PATIENCE:?}: another process writes for too long"),
            ),
            (Some(ErrorCode::DiskFull), _) => {
                (DatabaseErrorKind::Blocked, format!("no space is left for {path}: free some"))
            }
            (Some(ErrorCode::SystemIoFailure), _) => (
                DatabaseErrorKind::Blocked,
                format!("the disk fails {path} ({error}): see the system's log, and whether it is full"),
            ),
            (Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase), _) => (
                DatabaseErrorKind::Corrupt,
                format!(
                    "{path} is damaged or no database ({error}): move it away, or put a backup in its place"
                ),
            ),
            (Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied), _) => (
                DatabaseErrorKind::Blocked,
                format!(
                    "{path} cannot be written ({error}): check that the folder exists and belongs to this \
                     user"
                ),
            ),
            (None, error) if is_unreadable(error) => {
                (DatabaseErrorKind::Corrupt, format!("{path} holds a value that is none of ours: {error}"))
            }
            _ => (DatabaseErrorKind::Unavailable, format!("{path}: {error}")),
        };
        Self { kind, reason }
    }

    /// The same for the first use of a file: a place where none can be made is a wrong setting, and nothing
    /// to wait for.
    pub(crate) fn at_start(path: &Path, error: &rusqlite::Error) -> Self {
        let this = Self::new(path, error);
        if this.kind == DatabaseErrorKind::Blocked && !path.exists() {
            Self::refused(this.reason)
        } else {
            this
        }
    }

    pub(crate) fn refused(reason: String) -> Self {
        Self { kind: DatabaseErrorKind::Refused, reason }
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.kind == DatabaseErrorKind::Blocked
    }

    /// For callers that have waited for the file as long as they may.
    pub(crate) fn late(path: &Path) -> Self {
        let path = path.display();
        let reason = format!(
            "{path} gave no answer within {PATIENCE:?}: another process writes for too long, or its disk"
        );
        Self { kind: DatabaseErrorKind::Unavailable, reason }
    }

    pub(crate) fn stopped(path: &Path) -> Self {
        Self { kind: DatabaseErrorKind::Unavailable, reason: format!("{} is being closed", path.display()) }
    }
}

/// A value that this crate would not have written.
pub const fn is_unreadable(error: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
    matches!(
        error,
        FromSqlConversionFailure(..) | InvalidColumnType(..) | IntegralValueOutOfRange(..) | Utf8Error(..)
    )
}
