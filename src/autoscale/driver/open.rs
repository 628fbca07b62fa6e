use std::sync::Arc;

use super::{Driver, DriverError};
use crate::config::{Pool, PoolDriver};

/// What runs a pool's workers. `local`: the driver of this machine's processes, which only the caller can make.
pub fn open(pool: &Pool, local: impl FnOnce() -> Arc<dyn Driver>) -> Result<Arc<dyn Driver>, DriverError> {
    match &pool.driver {
        PoolDriver::Process => Ok(local()),
        PoolDriver::Docker { .. } => Err(left_out("docker", pool)),
        PoolDriver::Kubernetes { .. } => Err(left_out("kubernetes", pool)),
    }
}

fn left_out(feature: &'static str, pool: &Pool) -> DriverError {
    let reason = format!("this program was built without it; build it with `cargo build --features {feature}`");
    DriverError::Refused { driver: feature, pool: pool.name.clone(), reason }
}
