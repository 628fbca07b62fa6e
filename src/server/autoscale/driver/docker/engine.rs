use std::{sync::Arc, time::Duration};

use bollard::{
    Docker, errors::Error, models::ContainerInspectResponse, query_parameters::RemoveContainerOptionsBuilder,
};
use tokio::sync::OnceCell;

use super::NAME;
use crate::autoscale::driver::{DriverError, causes};

/// The container engine at one address. Cheap to clone.
#[derive(Clone)]
pub(super) struct Engine(Arc<Shared>);

struct Shared {
    pool: String,
    host: String,
    docker: OnceCell<Docker>,
}

/// Longer than any request here takes that does not wait for a container's end.
const TIMEOUT: Duration = Duration::from_secs(30);

const DEFAULT: &str =
    if cfg!(windows) { "npipe:////./pipe/docker_engine" } else { "unix:///var/run/docker.sock" };

impl Engine {
    pub(super) fn new(pool: &str, host: Option<String>) -> Self {
        let host = host.unwrap_or_else(|| DEFAULT.to_owned());
        Self(Arc::new(Shared { pool: pool.to_owned(), host, docker: OnceCell::new() }))
    }

    /// Speaks the newest protocol that both sides know.
    pub(super) async fn docker(&self) -> Result<&Docker, DriverError> {
        let connect = async || {
            let mut docker = Docker::connect_with_host(&self.0.host)?;
            docker.set_timeout(TIMEOUT);
            docker.negotiate_version().await
        };
        self.0.docker.get_or_try_init(connect).await.map_err(|error| self.failed("connect", error))
    }

    pub(super) async fn find(&self, id: &str) -> Result<Option<ContainerInspectResponse>, DriverError> {
        match self.docker().await?.inspect_container(id, None).await {
            Err(error) if is_missing(&error) => Ok(None),
            found => found.map(Some).map_err(|error| self.failed("inspect a container", error)),
        }
    }

    /// Kills it where it still runs.
    pub(super) async fn remove(&self, id: &str) -> Result<(), DriverError> {
        let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
        match self.docker().await?.remove_container(id, Some(options)).await {
            // 409 says that its removal is under way.
            Err(error) if is_missing(&error) || is_conflict(&error) => Ok(()),
            removed => removed.map_err(|error| self.failed("remove a container", error)),
        }
    }

    pub(super) fn refused(&self, reason: String) -> DriverError {
        DriverError::Refused { driver: NAME, pool: self.0.pool.clone(), reason }
    }

    pub(super) fn failed(&self, doing: &str, error: Error) -> DriverError {
        let host = &self.0.host;
        match error {
            Error::DockerResponseServerError { status_code: 403, message } => self.refused(format!(
                "{host} does not allow to {doing}: {message}: allow containers to be listed, inspected, \
                 created, started, killed, renamed and removed there"
            )),
            Error::DockerResponseServerError { status_code, message } if status_code < 500 => {
                self.refused(format!("the engine refuses to {doing}: {message}"))
            }
            Error::UnsupportedURISchemeError { .. } => self.refused(format!(
                "{host} is no address of an engine: write unix:///path, tcp://host:port or npipe://"
            )),
            error => DriverError::Unavailable {
                driver: NAME,
                reason: format!(
                    "cannot {doing} at {host}: {}: start the engine, mount its socket where this program \
                     runs and let its user write to it (group_add in compose), or name another with \
                     DOCKER_HOST",
                    causes(&error)
                ),
            },
        }
    }
}

pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 404, .. })
}

pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::DockerResponseServerError { status_code: 409, .. })
}
