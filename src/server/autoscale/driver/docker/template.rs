use bollard::{
    errors::Error,
    models::{
        ContainerCreateBody, ContainerInspectResponse, EndpointSettings, NetworkConnectRequest,
        NetworkingConfig,
    },
    query_parameters::CreateContainerOptionsBuilder,
};

use super::{
    engine::{Engine, is_conflict, is_missing},
    service::NUMBER,
};
use crate::autoscale::driver::DriverError;

/// Everything that makes a new container like its sibling.
pub(super) struct ContainerTemplate {
    /// `project-service-`, with compose's own separator.
    pub(super) stem: String,
    pub(super) body: ContainerCreateBody,
    pub(super) networks: Vec<(String, EndpointSettings)>,
}

impl ContainerTemplate {
    pub(super) async fn of(engine: &Engine, id: &str) -> Result<Self, DriverError> {
        let sibling = engine.find(id).await?;
        let mut sibling =
            sibling.ok_or_else(|| engine.refused(format!("container {id} left while it was copied")))?;
        sibling.config = pinned(engine, &sibling).await;
        Self::from(&sibling)
            .ok_or_else(|| engine.refused(format!("the engine describes container {id} incompletely")))
    }

    pub(super) fn from(sibling: &ContainerInspectResponse) -> Option<Self> {
        let id = sibling.id.as_deref()?;
        let name = sibling.name.as_deref()?.trim_start_matches('/');
        let short = id.get(..12).unwrap_or(id);
        // Both structures are the engine's one description of a container.
        let mut body: ContainerCreateBody =
            serde_json::from_value(serde_json::to_value(sibling.config.as_ref()?).ok()?).ok()?;
        // The engine names the host after the container; one that the compose file names stays.
        body.hostname = body.hostname.filter(|hostname| hostname != short);
        body.host_config = sibling.host_config.clone();
        let own = |alias: &String| alias == short || alias == name;
        let networks = sibling.network_settings.as_ref().and_then(|settings| settings.networks.clone());
        let networks = networks.unwrap_or_default().into_iter().map(|(network, endpoint)| {
            let aliases =
                endpoint.aliases.unwrap_or_default().into_iter().filter(|alias| !own(alias)).collect();
            let driver_opts = endpoint.driver_opts;
            let gw_priority = endpoint.gw_priority;
            (
                network,
                EndpointSettings { aliases: Some(aliases), driver_opts, gw_priority, ..Default::default() },
            )
        });
        let labels = body.labels.get_or_insert_default();
        let number = labels.get(NUMBER).cloned().unwrap_or_default();
        // Compose marks with it what it is about to remove.
        labels.remove("com.docker.compose.replace");
        let stem = stem(name, &number);
        Some(Self { stem, networks: networks.collect(), body })
    }

    pub(super) fn name(&self, number: u32) -> String {
        format!("{}{number}", self.stem)
    }

    /// The new container's id; `None` when the name is taken.
    pub(super) async fn create(&self, engine: &Engine, number: u32) -> Result<Option<String>, DriverError> {
        let mut body = self.body.clone();
        body.labels.get_or_insert_default().insert(NUMBER.to_owned(), number.to_string());
        // Older engines take one network at a creation; the others join before the start.
        let mut networks = self.networks.iter().cloned();
        body.networking_config =
            networks.next().map(|first| NetworkingConfig { endpoints_config: Some([first].into()) });
        let options = CreateContainerOptionsBuilder::default().name(&self.name(number)).build();
        let id = match engine.docker().await?.create_container(Some(options), body).await {
            Ok(created) => created.id,
            Err(error) if is_conflict(&error) => return Ok(None),
            Err(error) => return Err(engine.failed("create a container", error)),
        };
        for (network, endpoint) in networks {
            let request = NetworkConnectRequest { container: id.clone(), endpoint_config: Some(endpoint) };
            if let Err(error) = engine.docker().await?.connect_network(&network, request).await {
                engine.remove(&id).await?;
                return Err(engine.failed("join a network", error));
            }
        }
        Ok(Some(id))
    }

    /// What cannot start is removed again.
    pub(super) async fn start(&self, engine: &Engine, id: &str) -> Result<(), DriverError> {
        let Err(error) = engine.docker().await?.start_container(id, None).await else { return Ok(()) };
        engine.remove(id).await?;
        let Error::DockerResponseServerError { message, .. } = error else {
            return Err(engine.failed("start a container", error));
        };
        let image = self.body.image.as_deref().unwrap_or("?");
        let command =
            [self.body.entrypoint.as_deref(), self.body.cmd.as_deref()].into_iter().flatten().flatten();
        let command = command.map(String::as_str).collect::<Vec<_>>().join(" ");
        Err(engine.refused(format!(
            "{command:?} of image {image} does not start: {message}: correct the service in the compose \
             file, or its image, and run `docker compose up -d`"
        )))
    }
}

/// The sibling's configuration with the image that it runs: the tag may have moved to another one since, and
/// that is for compose to roll out.
async fn pinned(
    engine: &Engine,
    sibling: &ContainerInspectResponse,
) -> Option<bollard::models::ContainerConfig> {
    let mut config = sibling.config.clone()?;
    let tag = config.image.clone()?;
    let runs = sibling.image.clone()?;
    let tagged = match engine.docker().await.ok()?.inspect_image(&tag).await {
        Ok(image) => image.id,
        Err(error) if is_missing(&error) => None,
        // What holds here shows at the creation.
        Err(_) => return Some(config),
    };
    if tagged.as_ref() != Some(&runs) {
        config.image = Some(runs);
    }
    Some(config)
}

fn stem(name: &str, number: &str) -> String {
    match name.strip_suffix(number).filter(|stem| !number.is_empty() && stem.ends_with(['-', '_'])) {
        Some(stem) => stem.to_owned(),
        None => match name.split_once(super::draining::MARKER) {
            Some((stem, _)) => format!("{stem}-"),
            None => format!("{name}-"),
        },
    }
}
