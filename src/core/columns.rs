//! How Clawpool's types look in a column of SQLite. Here, and not beside the tables, because Rust lets a
//! crate write such code for its own types alone.

use bytes::Bytes;
use rusqlite::{
    ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use crate::task::{DeadReason, Failure, Payload, Priority, ProcessId, Queue, State, TaskId, Timestamp};

macro_rules! id_column {
    ($type:ident) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(Self::from_bytes)
            }
        }
    };
}

id_column!(TaskId);
id_column!(ProcessId);

/// An enum as its place in `ALL`.
macro_rules! ordinal_column {
    ($type:ident) => {
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::from(*self as i64))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                let ordinal = value.as_i64()?;
                let index = usize::try_from(ordinal).map_err(|_| FromSqlError::OutOfRange(ordinal))?;
                Self::ALL.get(index).copied().ok_or(FromSqlError::OutOfRange(ordinal))
            }
        }
    };
}

ordinal_column!(Priority);
ordinal_column!(State);
ordinal_column!(DeadReason);

/// The own queue of a priority as that; another one as it is written.
impl ToSql for Queue {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(if self.is_class() {
            ToSqlOutput::from(self.priority() as i64)
        } else {
            ToSqlOutput::from(self.written().into_owned())
        })
    }
}

impl FromSql for Queue {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Integer(_) => Priority::column_result(value).map(Priority::queue),
            text => text.as_str()?.parse().map_err(FromSqlError::other),
        }
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(i64::try_from(self.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        u64::column_result(value).map(Self::from_millis)
    }
}

impl ToSql for Payload {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_message_pack())))
    }
}

impl FromSql for Payload {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Ok(Self::from_message_pack(Bytes::copy_from_slice(value.as_blob()?)))
    }
}

/// As MessagePack: no query searches in it.
impl ToSql for Failure {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        packed(self)
    }
}

impl FromSql for Failure {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        unpacked(value)
    }
}

/// A value as MessagePack, for columns that no query searches.
pub fn packed<T: serde::Serialize>(value: &T) -> rusqlite::Result<ToSqlOutput<'static>> {
    rmp_serde::to_vec_named(value)
        .map(ToSqlOutput::from)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// The same, with bytes behind it that nobody reads who reads the value.
pub fn packed_before<T: serde::Serialize>(value: &T, rest: &[u8]) -> rusqlite::Result<Vec<u8>> {
    let mut bytes = rmp_serde::to_vec_named(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
    bytes.extend_from_slice(rest);
    Ok(bytes)
}

/// Reads such a value back. Fails on a column that holds another type, or bytes that are no such value.
pub fn unpacked<T: serde::de::DeserializeOwned>(value: ValueRef<'_>) -> FromSqlResult<T> {
    rmp_serde::from_slice(value.as_blob()?).map_err(|error| FromSqlError::Other(Box::new(error)))
}
