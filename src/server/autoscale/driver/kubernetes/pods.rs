use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use super::cluster::{Cluster, is_missing};
use crate::autoscale::driver::DriverError;

/// Kubernetes removes pods with a lower cost first; those without the annotation cost 0.
pub(super) const COST: &str = "controller.kubernetes.io/pod-deletion-cost";
pub(super) const LEAVES_FIRST: &str = "-1000";

pub(super) fn name(pod: &Pod) -> &str {
    pod.metadata.name.as_deref().unwrap_or_default()
}

/// Evicted and finished pods stay listed for a while.
pub(super) fn is_alive(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    !matches!(phase, Some("Succeeded" | "Failed"))
}

/// It has been told to leave and has its grace.
pub(super) const fn is_ending(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

pub(super) fn is_marked(pod: &Pod) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|annotations| annotations.get(COST)).is_some_and(|cost| cost == LEAVES_FIRST)
}

/// The deletion costs that say which pods leave first.
pub(super) struct Costs<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) pods: Api<Pod>,
}

impl Costs<'_> {
    /// Takes back what an earlier choice left behind, or it would compete with this one.
    pub(super) async fn set(&self, pod: &Pod, leaves: bool) -> Result<(), DriverError> {
        if leaves == is_marked(pod) {
            return Ok(());
        }
        let cost = leaves.then_some(LEAVES_FIRST);
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { COST: cost } } }));
        match self.pods.patch(name(pod), &PatchParams::default(), &patch).await {
            Err(error) if !is_missing(&error) => Err(self.cluster.failed("annotate pod", name(pod), error)),
            _ => Ok(()),
        }
    }
}
