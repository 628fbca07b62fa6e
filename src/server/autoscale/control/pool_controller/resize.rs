//! Brings a pool to the size that was decided.
//!
//! Guarantees: the status is written under the leader's fence first, so that a process that no longer leads
//! learns it there. Never does: start, drain or replace a worker in a dry run, or while another process
//! leads.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{DesiredSize, PoolController, trouble::said};
use crate::autoscale::{
    control::{AutoscalerStore, scale_down::replicas_to_drain},
    driver::ReplicaId,
    sense::Replicas,
};
use clawpool_backends::store::StoreError;
use clawpool_core::scaling::Decision;
use clawpool_engine::client::PoolStatus;

impl<S: AutoscalerStore + ?Sized> PoolController<'_, S> {
    pub(super) async fn apply(
        &mut self,
        desired: DesiredSize,
        decision: Decision,
        replicas: &Replicas,
        stop: &CancellationToken,
    ) {
        let size = decision.reading.size;
        let status = self.status(desired, &decision, replicas);
        if !self.may_act(status, desired).await {
            return;
        }
        if !desired.changes(size) {
            self.inherited = None;
            return self.forget_old_failure();
        }
        self.record_change(desired, decision).await;
        if self.is_dry() || stop.is_cancelled() {
            return;
        }
        self.inherited = None;
        self.count(desired, size);
        let failed = self.change_size(desired, size, replicas).await.err();
        self.note_failure(failed).await;
    }

    /// Writes the status under the leader's fence. False where another process leads, or where a replacement
    /// must wait.
    async fn may_act(&mut self, status: PoolStatus, desired: DesiredSize) -> bool {
        let began = Instant::now();
        let shown = self.persisted.write_status(&status).await;
        if let Err(StoreError::Fenced { .. }) = shown {
            return false;
        }
        self.shown = Some(status);
        let in_time = shown.is_ok() && began.elapsed() <= self.plan.lease / 2;
        if !in_time {
            // Where this process could not write in time, the workers may have been unable to as well.
            self.sensor.forget_liveness();
        }
        in_time || !desired.replace
    }

    async fn change_size(
        &mut self,
        desired: DesiredSize,
        size: u32,
        replicas: &Replicas,
    ) -> Result<(), String> {
        if desired.replace {
            // The new ones have a lease to show themselves.
            self.sensor.forget_liveness();
            let replicas: Vec<ReplicaId> =
                replicas.staying.iter().filter_map(|replica| replica.replica.clone()).collect();
            return self.driver.replace(&replicas).await.map_err(|error| said(&error));
        }
        if desired.wanted > size {
            return self.driver.start(desired.wanted - size).await.map_err(|error| said(&error));
        }
        self.drain_surplus(size - desired.wanted, replicas).await
    }

    async fn drain_surplus(&self, surplus: u32, replicas: &Replicas) -> Result<(), String> {
        let leaving = replicas_to_drain(replicas, surplus);
        let replicas: Vec<ReplicaId> = leaving.iter().filter_map(|replica| replica.replica.clone()).collect();
        if !replicas.is_empty() {
            self.driver.drain(&replicas).await.map_err(|error| said(&error))?;
        }
        // Workers that no driver started are drained through the store.
        let foreign = leaving.iter().filter(|replica| replica.replica.is_none());
        for worker in foreign.filter_map(|replica| replica.worker) {
            self.store.drain(worker).await.map_err(|error| format!("{}: {error}", error.code()))?;
        }
        Ok(())
    }

    fn count(&mut self, desired: DesiredSize, size: u32) {
        let counts = &mut self.counts;
        if desired.replace {
            counts.replaced += 1;
        } else if desired.wanted > size {
            counts.grown += 1;
            counts.started += u64::from(desired.wanted - size);
        } else {
            counts.shrunk += 1;
            counts.drained += u64::from(size - desired.wanted);
        }
    }
}
