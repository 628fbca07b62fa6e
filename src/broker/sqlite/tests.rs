use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{broker::conformance::Fixture, config::Synchronous};

/// A file of its own, in a folder that goes with the case.
struct File {
    config: Config,
    _folder: TempDir,
}

async fn open(mut config: Config) -> File {
    let folder = TempDir::new().unwrap();
    config.embedded.data = folder.path().into();
    config.embedded.synchronous = Synchronous::Normal;
    File { config, _folder: folder }
}

#[async_trait]
impl Fixture for File {
    async fn broker(&self) -> Arc<dyn Broker> {
        Arc::new(SqliteBroker::on(Database::open(&self.config).await.unwrap(), &self.config))
    }
}

crate::broker::conformance::suite!(open);
