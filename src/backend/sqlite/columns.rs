//! How the project's types look in a column.

use bytes::Bytes;
use rusqlite::{
    Row, ToSql,
    types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef},
};

use crate::{
    retry::Suspicion,
    task::{DeadReason, Failure, Message, Payload, Priority, Queue, State, TaskId, Timestamp, WorkerId},
};

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
id_column!(WorkerId);

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
ordinal_column!(Queue);
ordinal_column!(State);
ordinal_column!(DeadReason);

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

/// A value as MessagePack, for columns that nobody searches.
pub(crate) fn packed<T: serde::Serialize>(value: &T) -> rusqlite::Result<ToSqlOutput<'static>> {
    rmp_serde::to_vec_named(value)
        .map(ToSqlOutput::from)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(crate) fn unpacked<T: serde::de::DeserializeOwned>(value: ValueRef<'_>) -> FromSqlResult<T> {
    rmp_serde::from_slice(value.as_blob()?).map_err(|error| FromSqlError::Other(Box::new(error)))
}

/// What a query selects first, whatever the table, for `message` to read.
pub(crate) const MESSAGE: &str = "id, generation, priority, enqueued_at, expires_at, body";

pub(crate) fn message(row: &Row<'_>) -> rusqlite::Result<Message> {
    Ok(Message {
        id: row.get(0)?,
        generation: row.get(1)?,
        priority: row.get(2)?,
        enqueued_at: row.get(3)?,
        expires_at: row.get(4)?,
        body: Bytes::copy_from_slice(row.get_ref(5)?.as_blob()?),
    })
}

/// From a count of crashes and the column after it, which older records have empty.
pub(crate) fn suspicion(row: &Row<'_>, index: usize) -> rusqlite::Result<Suspicion> {
    Ok(Suspicion::unpacked(row.get(index)?, row.get(index + 1)?))
}
