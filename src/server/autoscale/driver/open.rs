use std::{sync::Arc, time::Duration};

use super::{Driver, DriverError};
use clawpool_core::config::{Pool, PoolDriver};

/// What runs a pool's workers. `local`: the driver of this machine's processes, which only the caller can
/// make. `grace`: what a running task has to finish in.
pub fn open(
    pool: &Pool,
    grace: Duration,
    local: impl FnOnce() -> Arc<dyn Driver>,
) -> Result<Arc<dyn Driver>, DriverError> {
    match &pool.driver {
        PoolDriver::Process => Ok(local()),
        PoolDriver::Docker { service } => docker(pool, service, grace),
        PoolDriver::Kubernetes { namespace, deployment } => kubernetes(pool, namespace, deployment),
    }
}

#[cfg(feature = "docker")]
fn docker(pool: &Pool, service: &str, grace: Duration) -> Result<Arc<dyn Driver>, DriverError> {
    Ok(Arc::new(super::docker::Docker::new(&pool.name, service, grace)))
}

#[cfg(not(feature = "docker"))]
fn docker(pool: &Pool, _: &str, _: Duration) -> Result<Arc<dyn Driver>, DriverError> {
    Err(left_out("docker", pool))
}

#[cfg(feature = "kubernetes")]
fn kubernetes(pool: &Pool, namespace: &str, deployment: &str) -> Result<Arc<dyn Driver>, DriverError> {
    Ok(Arc::new(super::kubernetes::Kubernetes::new(&pool.name, namespace, deployment)))
}

#[cfg(not(feature = "kubernetes"))]
fn kubernetes(pool: &Pool, _: &str, _: &str) -> Result<Arc<dyn Driver>, DriverError> {
    Err(left_out("kubernetes", pool))
}

#[cfg(not(all(feature = "docker", feature = "kubernetes")))]
fn left_out(feature: &'static str, pool: &Pool) -> DriverError {
    let reason =
        format!("this program was built without it; build it with `cargo build --features {feature}`");
    DriverError::Refused { driver: feature, pool: pool.name.clone(), reason }
}
