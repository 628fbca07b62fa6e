use redis::RedisError;

use crate::{
    backend::redis::trouble::{REDIS, Trouble},
    store::StoreError,
};

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Silent(reason) => Self::Unavailable { store: REDIS, reason },
            Trouble::Blocked(reason) => Self::Blocked { store: REDIS, reason },
            Trouble::Refused(reason) => Self::Refused { store: REDIS, reason },
            Trouble::Unreadable(reason) => Self::Corrupt { store: REDIS, reason },
        }
    }
}

pub(super) fn failure(error: &RedisError) -> StoreError {
    Trouble::of(error).into()
}
