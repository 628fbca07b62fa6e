use std::{collections::HashMap, time::Duration};

use bollard::{
    models::{ContainerInspectResponse, ContainerSummary, ContainerSummaryStateEnum as State},
    query_parameters::ListContainersOptionsBuilder,
};
use tokio::sync::OnceCell;

use super::{draining, engine::Engine};
use crate::autoscale::driver::DriverError;
use clawpool_core::task::Timestamp;

pub(super) const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const ONE_OFF: &str = "com.docker.compose.oneoff";
pub(super) const NUMBER: &str = "com.docker.compose.container-number";

/// A container that the engine has restarted so often does not recover by it.
const RESTARTS: i64 = 3;

/// Within which compose starts what it has made.
const PATIENCE: Duration = Duration::from_secs(300);

/// One service of one compose project.
pub(super) struct Service {
    name: String,
    project: OnceCell<String>,
}

pub(super) struct Container {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) created: i64,
    /// It runs, or is about to. Stopped ones belong to the user: `docker compose stop` leaves them for
    /// another day.
    pub(super) alive: bool,
    pub(super) draining: bool,
    /// It ended by itself, and the engine is about to start it again.
    pub(super) restarting: bool,
}

impl Container {
    /// The engine names the host after the container, unless the compose file says otherwise.
    pub(super) fn host(&self) -> &str {
        self.id.get(..12).unwrap_or(&self.id)
    }
}

impl Service {
    pub(super) fn new(name: &str, project: Option<String>) -> Self {
        Self { name: name.to_owned(), project: OnceCell::new_with(project) }
    }

    pub(super) fn no_container(&self) -> String {
        let Self { name, project } = self;
        let project = project.get().map_or("?", String::as_str);
        format!(
            "compose project {project:?} has no container of a service {name:?} to copy: start at least \
             one, and as many as the pool's min, with `docker compose up -d --scale {name}=1`"
        )
    }

    /// All that compose or this driver made, the stopped ones too.
    pub(super) async fn containers(&self, engine: &Engine) -> Result<Vec<Container>, DriverError> {
        let project = self.project.get_or_try_init(|| own_project(engine)).await?;
        let labels = vec![format!("{PROJECT}={project}"), format!("{SERVICE}={}", self.name)];
        let filters = HashMap::from([("label", labels)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = engine.docker().await?.list_containers(Some(options)).await;
        let found = found.map_err(|error| engine.failed("list containers", error))?;
        let found = found.into_iter().filter(|summary| !is_one_off(summary));
        let mut containers = Vec::new();
        for summary in found {
            let created = summary.state == Some(State::CREATED);
            let Some(mut container) = container(summary) else { continue };
            container.alive |= created && is_about_to_start(engine, &container).await?;
            containers.push(container);
        }
        Ok(containers)
    }

    /// Of containers that end again and again. With an init process in between, as compose's `init: true` has
    /// it, the engine starts also those whose image lacks the program.
    pub(super) async fn problem(
        &self,
        engine: &Engine,
        containers: &[Container],
    ) -> Result<Option<String>, DriverError> {
        for container in containers.iter().filter(|container| container.restarting && !container.draining) {
            let Some(found) = engine.find(&container.id).await? else { continue };
            let often = found.restart_count.unwrap_or_default();
            if often >= RESTARTS {
                return Ok(Some(ends(&container.name, &self.name, often, &found)));
            }
        }
        Ok(None)
    }
}

fn ends(container: &str, service: &str, often: i64, found: &ContainerInspectResponse) -> String {
    let code = found.state.as_ref().and_then(|state| state.exit_code).unwrap_or_default();
    let config = found.config.as_ref();
    let image = config.and_then(|config| config.image.as_deref()).unwrap_or("?");
    let command = config.and_then(|config| config.cmd.as_deref()).unwrap_or_default().join(" ");
    let why = if code == 127 { " (there is no such program in the image)" } else { "" };
    format!(
        "container {container} ends at once with code {code}{why} and was started again {often} times: \
         {command:?} of image {image}: look at `docker compose logs {service}`, correct the service in the \
         compose file, or its image, and run `docker compose up -d`"
    )
}

/// Compose makes all containers before it starts the first, and waits in between for the health of those that
/// others need. One that could not be started stays as it was made, and the engine keeps the reason.
async fn is_about_to_start(engine: &Engine, container: &Container) -> Result<bool, DriverError> {
    let created = Timestamp::from_millis(container.created.unsigned_abs() * 1000);
    if Timestamp::now().since(created) > PATIENCE {
        return Ok(false);
    }
    let state = engine.find(&container.id).await?.and_then(|found| found.state);
    Ok(state.is_some_and(|state| state.error.is_none_or(|error| error.is_empty())))
}

/// `docker compose run` is a person's doing.
fn is_one_off(summary: &ContainerSummary) -> bool {
    label(summary, ONE_OFF).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

fn label<'a>(summary: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    summary.labels.as_ref()?.get(name).map(String::as_str)
}

fn container(summary: ContainerSummary) -> Option<Container> {
    let number = label(&summary, NUMBER).and_then(|number| number.parse().ok()).unwrap_or(0);
    let name = summary.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    let name = name.trim_start_matches('/').to_owned();
    let alive =
        matches!(summary.state, Some(State::RUNNING | State::RESTARTING | State::PAUSED | State::STOPPING));
    let draining = draining::is_marked(&name);
    let restarting = summary.state == Some(State::RESTARTING);
    Some(Container {
        id: summary.id?,
        name,
        number,
        created: summary.created.unwrap_or(0),
        alive,
        draining,
        restarting,
    })
}

/// The project of the container that this program runs in.
async fn own_project(engine: &Engine) -> Result<String, DriverError> {
    let unknown = || {
        let fix = "set COMPOSE_PROJECT_NAME to its name, as `docker compose ls` shows it";
        engine.refused(format!(
            "this program runs in no container of a compose project, so the project is unknown: {fix}"
        ))
    };
    let host = sysinfo::System::host_name().map_err(|_| unknown())?;
    let own = engine.find(&host).await?.ok_or_else(unknown)?;
    let labels = own.config.and_then(|config| config.labels).unwrap_or_default();
    labels.get(PROJECT).cloned().ok_or_else(unknown)
}
