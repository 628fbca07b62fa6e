use std::sync::Arc;

use super::{Store, StoreError, redis::RedisStore, sqlite::SqliteStore};
use crate::install_tls;
use clawpool_core::config::{Config, Profile};

/// The store that the profile names.
pub async fn open(config: &Config) -> Result<Arc<dyn Store>, StoreError> {
    install_tls();
    match config.profile {
        Profile::Cluster => Ok(Arc::new(RedisStore::open(config).await?)),
        Profile::Embedded => Ok(Arc::new(SqliteStore::open(config).await?)),
    }
}
