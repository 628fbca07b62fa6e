//! Setting aside what cannot be read, and telling of it.

use bytes::Bytes;
use redis::ErrorKind;

use super::{RedisStore, scripts};
use crate::{
    backend::{StoredItem, Unreadable},
    store::StoreError,
};

/// Told of at a time.
const NAMES: usize = 100;

impl RedisStore {
    /// `seen`: the bytes that could not be read, unless they are of a kind that the script judges by itself.
    pub async fn set_aside(&self, what: StoredItem, name: &[u8], seen: &[u8]) -> Result<(), StoreError> {
        let unreadable = Unreadable::new(what, name);
        tracing::error!(name = %unreadable, bytes = seen.len(), "what is among the {what} cannot be read: \
            it is set aside");
        let mut call = self.call(&scripts::SET_ASIDE);
        call.arg(what.code().to_string()).arg(name).arg(seen);
        self.run(&call).await
    }

    pub(super) async fn untold_unreadable(&self, told: &[Unreadable]) -> Result<Vec<Unreadable>, StoreError> {
        let mut call = self.call(&scripts::UNREADABLE);
        call.arg(NAMES);
        for Unreadable { what, name } in told {
            call.arg([&[what.code() as u8], &name[..]].concat());
        }
        let untold: Vec<Bytes> = self.run(&call).await?;
        Ok(untold.iter().filter_map(|name| unreadable(name)).collect())
    }
}

fn unreadable(name: &[u8]) -> Option<Unreadable> {
    let (code, name) = name.split_first()?;
    Some(Unreadable::new(StoredItem::of(char::from(*code))?, name))
}

pub(super) fn is_of_another_type(error: &redis::RedisError) -> bool {
    error.code() == Some("WRONGTYPE") || error.kind() == ErrorKind::UnexpectedReturnType
}
