use crate::{
    backend::sqlite::{DatabaseError, DatabaseErrorKind},
    broker::BrokerError,
};

impl From<DatabaseError> for BrokerError {
    fn from(DatabaseError { kind, reason }: DatabaseError) -> Self {
        let broker = "SQLite";
        match kind {
            DatabaseErrorKind::Unavailable => Self::Unavailable { broker, reason },
            DatabaseErrorKind::Blocked => Self::Blocked { broker, reason },
            DatabaseErrorKind::Corrupt | DatabaseErrorKind::Refused => Self::Refused { broker, reason },
        }
    }
}
