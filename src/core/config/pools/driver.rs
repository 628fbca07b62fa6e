//! The key `driver` of a pool.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::reading::{Key, Report};

/// Where the workers of a pool run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum PoolDriver {
    /// Processes of this machine.
    #[default]
    Process,
    /// Containers of a compose service on this machine.
    Docker {
        /// Of the compose file that runs the workers.
        service: String,
    },
    /// Pods of a deployment.
    Kubernetes {
        /// That the deployment is in.
        namespace: String,
        /// Whose replicas are the workers.
        deployment: String,
    },
}

impl PoolDriver {
    pub(super) fn check(&self, key: &Key, report: &mut Report) {
        let names = match self {
            Self::Process => vec![],
            Self::Docker { service } => vec![("service", service)],
            Self::Kubernetes { namespace, deployment } => {
                vec![("namespace", namespace), ("deployment", deployment)]
            }
        };
        for (name, _) in names.into_iter().filter(|(_, value)| value.is_empty()) {
            let fix = "name the one that runs the workers";
            report.refuse(&key.name(name), "\"\"", "it has no name", fix);
        }
    }
}
