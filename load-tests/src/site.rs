//! Where a run happens: its folder, its servers, its size, and a fresh configuration for each measurement.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Result, anyhow};
use clawpool_core::config::Config;
use tempfile::TempDir;

use crate::{Wish, lane::Lane, servers::Servers};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Full,
    Quick,
    Smoke,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Site {
    pub size: Size,
    tasks: Option<NonZeroUsize>,
    pub slots: u16,
    pub mix: PathBuf,
    /// The folder of the peers.
    pub peers: Option<PathBuf>,
    pub servers: Arc<Servers>,
    folder: Arc<TempDir>,
}

/// One pool, apart from all others: its configuration, and the file that tells it to other processes.
pub struct Pool {
    pub config: Config,
    pub file: PathBuf,
    pub prefix: String,
    pub lane: Lane,
    site: Site,
}

impl Site {
    pub async fn prepare(wish: &Wish) -> Result<Self> {
        let folder = TempDir::with_prefix("clawpool-load-")?;
        let servers = Servers::start(folder.path(), wish.redis.clone(), wish.rabbitmq.clone()).await?;
        let size = match (wish.quick, wish.smoke) {
            (_, true) => Size::Smoke,
            (true, _) => Size::Quick,
            _ => Size::Full,
        };
        let servers = Arc::new(servers);
        let folder = Arc::new(folder);
        Ok(Self {
            size,
            tasks: wish.tasks,
            slots: wish.slots,
            mix: wish.mix.clone(),
            peers: wish.peers(),
            servers,
            folder,
        })
    }

    pub async fn close(&self) -> Result<()> {
        self.servers.stop().await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same place, for workers of another size.
    pub fn with_slots(self, slots: u16) -> Self {
        Self { slots, ..self }
    }

    /// A number of tasks for this size of run.
    pub const fn count(&self, full: usize) -> usize {
        let count = match self.size {
            Size::Full => full,
            Size::Quick => full / 5,
            Size::Smoke => full / 500,
        };
        if count < 20 { 20 } else { count }
    }

    /// A number of tasks as the command line has it, or else for this size of run.
    pub fn tasks(&self, full: usize) -> usize {
        self.tasks.map_or_else(|| self.count(full), NonZeroUsize::get)
    }

    /// A pool whose tasks are on `lane`, with these settings beside.
    pub fn pool(&self, lane: Lane, settings: &str) -> Result<Pool> {
        let prefix = format!("load-{}", uuid::Uuid::new_v4().simple());
        let redis = &self.servers.redis;
        let rabbitmq = &self.servers.rabbitmq;
        let data = self.folder().join(&prefix);
        let profile = lane.profile();
        let toml = format!(
            "profile = {profile:?}\nembedded.data = {data:?}\nredis = {{ url = {redis:?}, prefix = \
            {prefix:?} }}\n\
             rabbitmq = {{ url = {rabbitmq:?}, prefix = {prefix:?} }}\n\
             pacing = {{ per_second = 1000000.0, burst = 1000000 }}\n\
             api = {{ listen = \"127.0.0.1:0\" }}\nlog = {{ format = \"json\" }}\n\
             worker.slots = {}\n{settings}",
            self.slots
        );
        let file = self.folder().join(format!("{prefix}.toml"));
        std::fs::write(&file, toml)?;
        let config = Config::load(Some(&file), &[]).map_err(|error| anyhow!("{error}"))?;
        Ok(Pool { config, file, prefix, lane, site: self.clone() })
    }
}

impl Pool {
    /// Removes what it left on the servers.
    pub async fn clear(self) -> Result<()> {
        if self.lane == Lane::Embedded {
            std::fs::remove_dir_all(&self.config.embedded.data)?;
            return Ok(());
        }
        self.site.servers.clear(&self.prefix).await
    }

    pub const fn site(&self) -> &Site {
        &self.site
    }
}
