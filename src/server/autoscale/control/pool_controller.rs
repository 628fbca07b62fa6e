//! The controller of one pool: looks, decides and acts, one pass at an interval.
//!
//! Guarantees: the workers are read after the registry, so that none is counted twice or taken for missing; a
//! pass without the driver's answer decides nothing. Never does: decide a size itself, which is for
//! `scaling`, or act before the decision is written.

mod resize;
mod status;
mod takeover;
mod trouble;

use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    AutoscalerStore, Overrides,
    desired::{DesiredSize, SizeRequests},
    forecast_state::ForecastState,
    persisted::{MIN_KEPT, PersistedState},
};
use crate::autoscale::{
    Plan,
    driver::Driver,
    sense::{Facts, Sensor},
};
use clawpool_backends::{broker::Broker, store::Fence};
use clawpool_core::{
    scaling::{Planner, Reading},
    task::ProcessId,
};
use clawpool_engine::client::{Counts, PoolStatus};

/// Keeps one pool at its size while this process leads, or watches it in a dry run.
pub(super) struct PoolController<'a, S: ?Sized> {
    plan: &'a Plan,
    driver: &'a dyn Driver,
    broker: &'a dyn Broker,
    store: &'a S,
    me: ProcessId,
    persisted: PersistedState<'a, S>,
    sensor: Sensor,
    planner: Planner,
    forecast: Option<ForecastState>,
    /// Learning from weeks of samples takes a while; nothing else waits for it.
    learning: Option<JoinHandle<Option<ForecastState>>>,
    /// The operators' overrides, as last read.
    overrides: Overrides,
    counts: Counts,
    inherited: Option<u32>,
    trouble: Option<String>,
    /// The last change that failed: when, and why.
    failed: Option<(Duration, String)>,
    shown: Option<PoolStatus>,
    /// Durations are counted from here.
    since: Instant,
    last_pass: Option<Instant>,
}

impl<'a, S: AutoscalerStore + ?Sized> PoolController<'a, S> {
    /// Without a fence it is a dry run.
    pub(super) fn new(
        plan: &'a Plan,
        driver: &'a dyn Driver,
        broker: &'a dyn Broker,
        store: &'a S,
        me: ProcessId,
        fence: Option<Fence>,
    ) -> Self {
        let keep = plan.settings.every.saturating_mul(4).max(MIN_KEPT);
        Self {
            persisted: PersistedState { store, pool: &plan.pool, fence, keep },
            sensor: Sensor::new(plan),
            planner: Planner::new(&plan.settings, plan.slots),
            forecast: None,
            learning: None,
            overrides: Overrides::default(),
            counts: Counts::default(),
            inherited: None,
            trouble: None,
            failed: None,
            shown: None,
            since: Instant::now(),
            last_pass: None,
            plan,
            driver,
            broker,
            store,
            me,
        }
    }

    /// Until `stop` fires: this process leads no longer, or ends.
    pub(super) async fn run(mut self, stop: &CancellationToken) {
        self.restore().await;
        while !stop.is_cancelled() {
            self.reconcile(stop).await;
            if stop.run_until_cancelled(sleep(self.plan.settings.every)).await.is_none() {
                return;
            }
        }
    }

    /// One pass: reads the pool, decides, records the decision and acts.
    pub(super) async fn reconcile(&mut self, stop: &CancellationToken) {
        let now = self.since.elapsed();
        self.notice_delay();
        let mut facts = Facts::gather(self.broker, self.store, self.plan).await;
        // Only now: a worker that was up when the registry was read is among them, and one that died since is
        // known.
        let replicas = match self.driver.replicas().await {
            Ok(replicas) => replicas,
            Err(error) => return self.hold_size(trouble::said(&error)).await,
        };
        facts.remove_ended(|worker| self.driver.has_ended(worker));
        let (mut reading, replicas) = self.sensor.read(now, &facts, &replicas);
        reading.headroom = self.driver.headroom();
        self.look_ahead(now, &mut reading).await;
        let overrides = Overrides::read(self.store).await.map(|overrides| self.overrides = overrides);
        let decision = self.planner.decide(now, &reading);
        let desired = DesiredSize::new(&self.plan.settings, &decision, self.size_requests());
        let unread = || overrides.err().map(|error| format!("the store: {error}"));
        self.note_trouble(facts.unanswered.or_else(unread));
        self.apply(desired, decision, &replicas, stop).await;
    }

    /// Adds the forecast to the reading, and keeps the sample that has just ended.
    async fn look_ahead(&mut self, now: Duration, reading: &mut Reading) {
        self.adopt_forecast().await;
        let Some(forecast) = &mut self.forecast else { return };
        let ended = forecast.observe_rate(now, reading.queues.map(|queues| queues.arrivals));
        reading.ahead = forecast.ahead();
        if ended && let Err(error) = self.persisted.write_samples(forecast.packed()).await {
            tracing::debug!(pool = self.plan.pool, %error, "samples are not kept");
        }
    }

    /// What delayed this process (a suspended or too busy machine) may have delayed the workers' heartbeats
    /// too.
    fn notice_delay(&mut self) {
        let usual = self.plan.settings.every + self.plan.lease / 2;
        if self.last_pass.replace(Instant::now()).is_some_and(|last| last.elapsed() > usual) {
            self.sensor.forget_liveness();
        }
    }

    fn size_requests(&self) -> SizeRequests {
        let pool = &self.plan.pool;
        SizeRequests {
            manual: self.overrides.manual(pool),
            paused: self.overrides.paused(pool),
            inherited: self.inherited,
        }
    }

    const fn is_dry(&self) -> bool {
        self.persisted.fence.is_none()
    }
}
