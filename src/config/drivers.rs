use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the pools with `driver = "docker"` live.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Docker {
    /// The engine: `unix:///path`, `tcp://host:port` or `npipe://…`. Else DOCKER_HOST, else this system's usual socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The compose project; the one that the autoscaler's own container belongs to by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

/// Where the pools with `driver = "kubernetes"` live. The cluster is the one that the autoscaler runs in, or that
/// KUBECONFIG names.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Kubernetes {
    /// The autoscaler's own by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}
