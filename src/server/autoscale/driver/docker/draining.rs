use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bollard::query_parameters::{
    KillContainerOptionsBuilder, RenameContainerOptionsBuilder, WaitContainerOptionsBuilder,
};
use futures::StreamExt;
use tokio::time::timeout;

use super::{
    engine::{Engine, is_conflict, is_missing},
    service::Container,
};
use crate::autoscale::driver::DriverError;

/// In the name of a container that was told to leave. The name is all that can be changed on a container; it
/// outlives this process and shows in every listing.
pub(super) const MARKER: &str = "-draining-";

/// What a worker needs after its grace, to give back what it could not finish.
const STOP_MARGIN: Duration = Duration::from_secs(15);

/// Containers that were told to leave: each is waited for, then removed.
pub(super) struct Draining {
    engine: Engine,
    grace: Duration,
    awaited: Awaited,
}

#[derive(Clone, Default)]
struct Awaited(Arc<Mutex<HashSet<String>>>);

impl Awaited {
    fn with<T>(&self, act: impl FnOnce(&mut HashSet<String>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

pub(super) fn is_marked(name: &str) -> bool {
    name.contains(MARKER)
}

impl Draining {
    pub(super) fn new(engine: Engine, grace: Duration) -> Self {
        Self { engine, grace, awaited: Awaited::default() }
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.awaited.with(|ids| ids.contains(id))
    }

    /// Signals the container, once: a worker takes a second signal for impatience.
    pub(super) async fn drain(&self, container: &Container) -> Result<(), DriverError> {
        if self.has(&container.id) {
            return Ok(());
        }
        let Some(found) = self.engine.find(&container.id).await? else { return Ok(()) };
        // Only with its own stop signal does the engine know that it is not to be restarted.
        let signal =
            found.config.and_then(|config| config.stop_signal).unwrap_or_else(|| "SIGTERM".to_owned());
        let options = KillContainerOptionsBuilder::default().signal(&signal).build();
        match self.engine.docker().await?.kill_container(&container.id, Some(options)).await {
            // It has ended meanwhile.
            Err(error) if is_missing(&error) || is_conflict(&error) => {}
            signalled => signalled.map_err(|error| self.engine.failed("stop a container", error))?,
        }
        self.follow(&container.id);
        self.mark(container).await;
        Ok(())
    }

    async fn mark(&self, container: &Container) {
        let stem = container.name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_']);
        let name = format!("{stem}{MARKER}{}", container.host());
        let options = RenameContainerOptionsBuilder::default().name(&name).build();
        let Ok(docker) = self.engine.docker().await else { return };
        if let Err(error) = docker.rename_container(&container.id, options).await
            && !is_missing(&error)
        {
            tracing::warn!(container = container.name, %error, "a draining container could not be renamed");
        }
    }

    /// Waits for its end in the background and removes it; what has not ended by its grace is killed.
    pub(super) fn follow(&self, id: &str) {
        if !self.awaited.with(|ids| ids.insert(id.to_owned())) {
            return;
        }
        let engine = self.engine.clone();
        let awaited = self.awaited.clone();
        let id = id.to_owned();
        let patience = self.grace + STOP_MARGIN;
        tokio::spawn(async move {
            let removed = match timeout(patience, ended(&engine, &id)).await {
                // The engine went away, perhaps to come back: the next listing of the replicas begins anew.
                Ok(Err(error)) => Err(error),
                Ok(Ok(())) => engine.remove(&id).await,
                Err(_) => {
                    tracing::warn!(
                        container = id,
                        ?patience,
                        "a draining container did not end, and is killed"
                    );
                    engine.remove(&id).await
                }
            };
            if let Err(error) = removed {
                tracing::warn!(container = id, %error, "a draining container is not removed yet");
            }
            awaited.with(|ids| ids.remove(&id));
        });
    }
}

async fn ended(engine: &Engine, id: &str) -> Result<(), DriverError> {
    let mut docker = engine.docker().await?.clone();
    docker.set_timeout(Duration::MAX);
    let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
    match docker.wait_container(id, Some(options)).next().await {
        // The stream reports an exit code other than 0 as an error of its own.
        None | Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => Ok(()),
        Some(Err(error)) if is_missing(&error) => Ok(()),
        Some(Err(error)) => Err(engine.failed("wait for a container", error)),
    }
}
