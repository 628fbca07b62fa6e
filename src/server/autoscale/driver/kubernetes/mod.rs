//! The pool as the pods of one Deployment.
//!
//! Guarantees: sizes change through the scale subresource alone, so the Deployment stays in charge of how its
//! pods look and of replacing those that die; pods that are to go are marked with the lowest deletion cost
//! before the size falls; a size that changed meanwhile is read again, not overwritten. Never does: force the
//! choice. Kubernetes removes pods that are not ready before it looks at the cost, and calls the cost itself
//! best effort.

mod cluster;
mod pods;

#[cfg(test)]
mod tests;

use async_trait::async_trait;
use k8s_openapi::api::{apps::v1::Deployment, autoscaling::v1::Scale, core::v1::Pod};
use kube::api::{DeleteParams, ListParams, PostParams};

use self::{
    cluster::{Cluster, is_conflict, is_missing},
    pods::{Costs, name},
};
use super::{Driver, DriverError, Replica, ReplicaId};

const NAME: &str = "kubernetes";

/// Writers that may come between reading a size and writing it.
const TRIES: u32 = 5;

pub struct Kubernetes {
    cluster: Cluster,
    deployment: String,
}

/// The Deployment's pods that are not finished, and how many it wants.
struct DeploymentPods {
    wanted: usize,
    pods: Vec<Pod>,
}

impl DeploymentPods {
    /// It has been told to leave, or is the next to be. A mark without a size that fell is a choice that
    /// Kubernetes did not follow: it took another pod.
    fn is_leaving(&self, pod: &Pod) -> bool {
        let staying = self.pods.iter().filter(|pod| !pods::is_ending(pod)).count();
        pods::is_ending(pod) || (pods::is_marked(pod) && staying > self.wanted)
    }
}

impl Kubernetes {
    /// The cluster is asked for the first time when it is needed.
    pub fn new(pool: &str, namespace: &str, deployment: &str) -> Self {
        Self { cluster: Cluster::new(pool, namespace), deployment: deployment.to_owned() }
    }

    async fn deployment_pods(&self) -> Result<DeploymentPods, DriverError> {
        let found = self.cluster.api::<Deployment>().await?.get(&self.deployment).await;
        let spec =
            found.map_err(|error| self.cluster.failed("get deployment", &self.deployment, error))?.spec;
        let spec = spec.unwrap_or_default();
        let selector = kube::core::Selector::try_from(spec.selector).map_err(|error| {
            self.cluster
                .refused(format!("the selector of deployment {} cannot be read: {error}", self.deployment))
        })?;
        let listed =
            self.cluster.api::<Pod>().await?.list(&ListParams::default().labels_from(&selector)).await;
        let listed = listed.map_err(|error| self.cluster.failed("list pods of", &self.deployment, error))?;
        let wanted = usize::try_from(spec.replicas.unwrap_or(1)).unwrap_or(0);
        Ok(DeploymentPods { wanted, pods: listed.items.into_iter().filter(pods::is_alive).collect() })
    }

    /// Changes the size by what it is at this moment.
    async fn resize(&self, change: impl Fn(i32) -> i32 + Send) -> Result<(), DriverError> {
        let deployments = self.cluster.api::<Deployment>().await?;
        let failed = |error| self.cluster.failed("scale deployment", &self.deployment, error);
        for attempt in 1..=TRIES {
            let mut scale: Scale = deployments.get_scale(&self.deployment).await.map_err(failed)?;
            let spec = scale.spec.get_or_insert_default();
            let replicas = spec.replicas.unwrap_or(0);
            spec.replicas = Some(change(replicas).max(0));
            match deployments.replace_scale(&self.deployment, &PostParams::default(), &scale).await {
                Err(error) if is_conflict(&error) && attempt < TRIES => continue,
                replaced => return replaced.map(drop).map_err(failed),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Driver for Kubernetes {
    async fn replicas(&self) -> Result<Vec<Replica>, DriverError> {
        let deployment = self.deployment_pods().await?;
        let replica = |pod: &Pod| Replica {
            id: ReplicaId(name(pod).to_owned()),
            worker: None,
            host: Some(name(pod).to_owned()),
            draining: deployment.is_leaving(pod),
        };
        Ok(deployment.pods.iter().map(replica).collect())
    }

    async fn start(&self, count: u32) -> Result<(), DriverError> {
        let count = i32::try_from(count).unwrap_or(i32::MAX);
        self.resize(|replicas| replicas.saturating_add(count)).await
    }

    async fn drain(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        let deployment = self.deployment_pods().await?;
        let is_told =
            |pod: &&Pod| !deployment.is_leaving(pod) && replicas.iter().any(|replica| replica.0 == name(pod));
        let told = deployment.pods.iter().filter(is_told).count();
        if told == 0 {
            return Ok(());
        }
        let costs = Costs { cluster: &self.cluster, pods: self.cluster.api().await? };
        for pod in deployment.pods.iter().filter(|pod| !pods::is_ending(pod)) {
            costs.set(pod, deployment.is_leaving(pod) || is_told(&pod)).await?;
        }
        self.resize(|replicas| replicas.saturating_sub(i32::try_from(told).unwrap_or(i32::MAX))).await
    }

    /// The Deployment itself starts as many anew.
    async fn replace(&self, replicas: &[ReplicaId]) -> Result<(), DriverError> {
        let pods = self.cluster.api::<Pod>().await?;
        for replica in replicas {
            match pods.delete(&replica.0, &DeleteParams::default().grace_period(0)).await {
                Err(error) if is_missing(&error) => {}
                Err(error) => return Err(self.cluster.failed("delete pod", &replica.0, error)),
                Ok(_) => {}
            }
        }
        Ok(())
    }
}
