use crate::{
    backend::sqlite::{DatabaseError, DatabaseErrorKind},
    store::StoreError,
};

impl From<DatabaseError> for StoreError {
    fn from(DatabaseError { kind, reason }: DatabaseError) -> Self {
        let store = "SQLite";
        match kind {
            DatabaseErrorKind::Unavailable => Self::Unavailable { store, reason },
            DatabaseErrorKind::Blocked => Self::Blocked { store, reason },
            DatabaseErrorKind::Corrupt => Self::Corrupt { store, reason },
            DatabaseErrorKind::Refused => Self::Refused { store, reason },
        }
    }
}
