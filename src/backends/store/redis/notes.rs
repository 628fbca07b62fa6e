//! Notes: a key each, and a sorted set of their names.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use redis::cmd;

use super::{
    RedisStore, error::failure, journal::fence_args, millis, scripts, unreadable::is_of_another_type,
};
use crate::{
    backend::StoredItem,
    store::{Fence, NoteStore, StoreError},
};

#[async_trait]
impl NoteStore for RedisStore {
    async fn put_note(
        &self,
        fence: Option<Fence>,
        name: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), StoreError> {
        let mut call = self.call(&scripts::NOTE);
        // Redis refuses a life of no length.
        let keep = keep.map_or_else(String::new, |keep| millis(keep).max(1).to_string());
        fence_args(&mut call, fence).arg(name).arg(&value[..]).arg(keep);
        self.run_if_led(fence, &call).await
    }

    async fn note(&self, name: &str) -> Result<Option<Bytes>, StoreError> {
        match self.link.send(cmd("GET").arg(self.note_key(name))).await {
            Err(error) if is_of_another_type(&error) => {
                self.set_aside(StoredItem::Note, name.as_bytes(), &[]).await.map(|()| None)
            }
            note => note.map_err(|error| failure(&error)),
        }
    }

    async fn notes(&self, prefix: &str) -> Result<Vec<(String, Bytes)>, StoreError> {
        let mut call = self.call(&scripts::NOTES);
        call.arg(prefix);
        let notes: Vec<(Vec<u8>, Bytes)> = self.run(&call).await?;
        // This program gives no name that is not text, and asks for none.
        Ok(notes.into_iter().filter_map(|(name, note)| Some((String::from_utf8(name).ok()?, note))).collect())
    }

    async fn erase_note(&self, name: &str) -> Result<bool, StoreError> {
        self.link.send(cmd("DEL").arg(self.note_key(name))).await.map_err(|error| failure(&error))
    }
}

impl RedisStore {
    fn note_key(&self, name: &str) -> String {
        format!("{}:note:{name}", self.link.base())
    }
}
