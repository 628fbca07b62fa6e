//! The pool as containers of one compose service, through the engine's socket.
//!
//! Guarantees: a new container has the configuration of its siblings (image, command, environment, limits,
//! mounts, networks, labels), so compose counts it as its own; those of compose and of this driver are alike.
//! A drained container gets its stop signal at once, its grace, and is removed when it has ended; the mark of
//! that is its name, so the next autoscaler sees it too. Never does: pull or build images, touch another
//! service, signal a container twice.

mod draining;
mod engine;
mod service;
mod template;

#[cfg(test)]
mod tests;

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;

use self::{draining::Draining, engine::Engine, service::Service, template::ContainerTemplate};
use super::{Driver, DriverError, Replica, ReplicaId};

const NAME: &str = "docker";

/// Names that compose may have taken in the meantime.
const TRIES: u32 = 5;

pub struct Docker {
    engine: Engine,
    service: Service,
    draining: Draining,
    problem: Mutex<Option<String>>,
}

impl Docker {
    /// The engine of DOCKER_HOST, or this system's usual one; the project of COMPOSE_PROJECT_NAME, or of the
    /// container that this program runs in. `grace` is what a running task has to finish in. Nothing is asked
    /// before it is needed.
    pub fn new(pool: &str, service: &str, grace: Duration) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::at(pool, service, variable("DOCKER_HOST"), variable("COMPOSE_PROJECT_NAME"), grace)
    }

    fn at(pool: &str, service: &str, host: Option<String>, project: Option<String>, grace: Duration) -> Self {
        let engine = Engine::new(pool, host);
        let service = Service::new(service, project);
        Self { draining: Draining::new(engine.clone(), grace), engine, service, problem: Mutex::default() }
    }

    async fn template(&self, siblings: &[service::Container]) -> Result<ContainerTemplate, DriverError> {
        // The newest: compose has changed the service since the others were made, or will replace them all
        // alike.
        let sibling = siblings.iter().max_by_key(|container| (!container.draining, container.created));
        let sibling = sibling.ok_or_else(|| self.engine.refused(self.service.no_container()))?;
        ContainerTemplate::of(&self.engine, &sibling.id).await
    }

    async fn start_one(&self, template: &ContainerTemplate, number: u32) -> Result<(), DriverError> {
        for attempt in 0..TRIES {
            match template.create(&self.engine, number.saturating_add(attempt)).await? {
                Some(id) => return template.start(&self.engine, &id).await,
                None => continue,
            }
        }
        Err(self.engine.refused(format!(
            "the names from {} on are taken: remove those containers",
            template.name(number)
        )))
    }

    async fn start_containers(&self, template: &ContainerTemplate, count: u32) -> Result<(), DriverError> {
        for _ in 0..count {
            let number =
                self.service.containers(&self.engine).await?.iter().map(|container| container.number).max();
            self.start_one(template, number.unwrap_or(0).saturating_add(1)).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for Docker {
    async fn replicas(&self) -> Result<Vec<Replica>, DriverError> {
        let containers = self.service.containers(&self.engine).await?;
        for container in containers.iter().filter(|container| container.draining) {
            self.draining.follow(&container.id);
        }
        let problem = self.service.problem(&self.engine, &containers).await?;
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) = problem;
        let alive = containers.into_iter().filter(|container| container.alive);
        Ok(alive
            .map(|container| Replica {
                draining: container.draining || self.draining.has(&container.id),
                host: Some(container.host().to_owned()),
                worker: None,
                id: ReplicaId(container.id),
            })
            .collect())
    }

    fn problem(&self) -> Option<String> {
        self.problem.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        let siblings = self.service.containers(&self.engine).await?;
        let template = self.template(&siblings).await?;
        self.start_containers(&template, count).await
    }

    async fn drain(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        let containers = self.service.containers(&self.engine).await?;
        let told =
            containers.iter().filter(|container| replicas.iter().any(|replica| replica.0 == container.id));
        for container in told.filter(|container| container.alive && !container.draining) {
            self.draining.drain(container).await?;
        }
        Ok(())
    }

    async fn replace(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        let containers = self.service.containers(&self.engine).await?;
        let ended: Vec<_> = containers
            .iter()
            .filter(|container| replicas.iter().any(|replica| replica.0 == container.id))
            .collect();
        let Some(first) = ended.first() else { return Ok(()) };
        let template = ContainerTemplate::of(&self.engine, &first.id).await?;
        let mut anew = 0;
        for container in &ended {
            self.engine.remove(&container.id).await?;
            anew += u32::from(!container.draining);
        }
        self.start_containers(&template, anew).await
    }
}
