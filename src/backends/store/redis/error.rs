use redis::RedisError;

use crate::{
    backend::redis::error::{LinkError, REDIS},
    store::StoreError,
};

impl From<LinkError> for StoreError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Silent(reason) => Self::Unavailable { store: REDIS, reason },
            LinkError::Blocked(reason) => Self::Blocked { store: REDIS, reason },
            LinkError::Refused(reason) => Self::Refused { store: REDIS, reason },
            LinkError::Unreadable(reason) => Self::Corrupt { store: REDIS, reason },
        }
    }
}

pub(super) fn failure(error: &RedisError) -> StoreError {
    LinkError::of(error).into()
}
