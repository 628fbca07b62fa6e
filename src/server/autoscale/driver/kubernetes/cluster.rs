use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Error, Resource};
use tokio::sync::OnceCell;

use super::NAME;
use crate::autoscale::driver::{DriverError, causes};

/// What is needed in the namespace; shown when it is refused.
const RIGHTS: &str = "deployments: get; deployments/scale: get, update; pods: list, patch, delete";

/// One namespace of the cluster that this program runs in, or that KUBECONFIG names.
pub(super) struct Cluster {
    pool: String,
    namespace: String,
    client: OnceCell<Client>,
}

impl Cluster {
    pub(super) fn new(pool: &str, namespace: &str) -> Self {
        Self { pool: pool.to_owned(), namespace: namespace.to_owned(), client: OnceCell::new() }
    }

    #[cfg(test)]
    pub(super) fn of(pool: &str, namespace: &str, client: Client) -> Self {
        Self { client: OnceCell::new_with(Some(client)), ..Self::new(pool, namespace) }
    }

    pub(super) async fn api<K>(&self) -> Result<Api<K>, DriverError>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        let client = self.client.get_or_try_init(Client::try_default).await.map_err(|error| {
            let fix = "run this program in the cluster with a service account, or let KUBECONFIG name one";
            DriverError::Unavailable {
                driver: NAME,
                reason: format!("no cluster is known: {}: {fix}", causes(&error)),
            }
        })?;
        Ok(Api::namespaced(client.clone(), &self.namespace))
    }

    pub(super) fn refused(&self, reason: String) -> DriverError {
        DriverError::Refused { driver: NAME, pool: self.pool.clone(), reason }
    }

    /// `doing` ends where the name of the thing goes.
    pub(super) fn failed(&self, doing: &str, name: &str, error: Error) -> DriverError {
        let namespace = &self.namespace;
        match error {
            Error::Api(status) if matches!(status.code, 401 | 403) => self.refused(format!(
                "the cluster does not allow to {doing} {name:?}: {}: give the service account a role in \
                 namespace {namespace} with {RIGHTS}",
                status.message
            )),
            Error::Api(status) if status.code == 404 => self.refused(format!(
                "cannot {doing} {name:?}: {}: create it in namespace {namespace}, or correct the pool's \
                 driver",
                status.message
            )),
            Error::Api(status) if !matches!(status.code, 409 | 429) && status.code < 500 => {
                self.refused(format!("cannot {doing} {name:?}: {}", status.message))
            }
            error => {
                let reason =
                    format!("cannot {doing} {name:?}: {}: check that the API server answers", causes(&error));
                DriverError::Unavailable { driver: NAME, reason }
            }
        }
    }
}

pub(super) fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 404)
}

pub(super) fn is_conflict(error: &Error) -> bool {
    matches!(error, Error::Api(status) if status.code == 409)
}
