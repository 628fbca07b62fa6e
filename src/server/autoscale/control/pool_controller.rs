use std::time::Duration;

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    AutoscalerStore, Overrides,
    desired::{DesiredSize, SizeRequests},
    forecast_state::ForecastState,
    persisted::{MIN_KEPT, PersistedState},
    scale_down::replicas_to_drain,
};
use crate::autoscale::{
    Plan,
    driver::{Driver, DriverError, ReplicaId},
    sense::{Facts, Replicas, Sensor},
};
use clawpool_backends::{
    broker::Broker,
    store::{Fence, StoreError},
};
use clawpool_core::{
    scaling::{Decision, Planner, Reading},
    task::{ProcessId, Timestamp},
};
use clawpool_engine::client::{Cause, Change, Counts, PoolStatus};

/// How long a failed change is shown when it is not tried again.
const FAILURE_SHOWN: Duration = Duration::from_secs(120);

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

    /// Takes over what the former leader has stored.
    async fn restore(&mut self) {
        let (before, samples) = tokio::join!(self.persisted.last_status(), self.persisted.read_samples());
        let unread = |error: StoreError| {
            tracing::warn!(pool = self.plan.pool, %error, "the former leader's state cannot be read");
        };
        if let Some(before) = before.unwrap_or_else(|error| {
            unread(error);
            None
        }) {
            self.counts = before.counts;
            self.inherited = Some(before.wanted).filter(|_| self.persisted.fence.is_some());
        }
        let samples = samples.unwrap_or_else(|error| {
            unread(error);
            None
        });
        let settings = self.plan.settings.forecast.clone();
        let learn = move || ForecastState::new(&settings, samples.as_deref(), Timestamp::now());
        self.learning = Some(spawn_blocking(learn));
    }

    async fn adopt_forecast(&mut self) {
        if let Some(learning) = self.learning.take_if(|learning| learning.is_finished()) {
            self.forecast = learning.await.unwrap_or_else(|error| {
                tracing::warn!(pool = self.plan.pool, %error, "there is no forecast");
                None
            });
        }
    }

    /// One pass: reads the pool, decides, records the decision and acts.
    pub(super) async fn reconcile(&mut self, stop: &CancellationToken) {
        let now = self.since.elapsed();
        self.notice_delay();
        let mut facts = Facts::gather(self.broker, self.store, &self.plan.queues).await;
        // Only now: a worker that was up when the registry was read is among them, and one that died since is
        // known.
        let replicas = match self.driver.replicas().await {
            Ok(replicas) => replicas,
            Err(error) => return self.hold_size(format!("{}: {error}", error.code())).await,
        };
        facts.remove_ended(|worker| self.driver.has_ended(worker));
        let (mut reading, replicas) = self.sensor.read(now, &facts, &replicas);
        reading.headroom = self.driver.headroom();
        let arrivals = reading.queues.map(|queues| queues.arrivals);
        self.adopt_forecast().await;
        if let Some(forecast) = &mut self.forecast {
            let ended = forecast.observe_rate(now, arrivals);
            reading.ahead = forecast.ahead();
            if ended {
                let kept = self.persisted.write_samples(forecast.packed()).await;
                kept.unwrap_or_else(
                    |error| tracing::debug!(pool = self.plan.pool, %error, "samples are not kept"),
                );
            }
        }
        let overrides = Overrides::read(self.store).await.map(|overrides| self.overrides = overrides);
        let decision = self.planner.decide(now, &reading);
        let desired = DesiredSize::new(&self.plan.settings, &decision, self.size_requests());
        self.note_trouble(
            facts.unanswered.or_else(|| overrides.err().map(|error| format!("the store: {error}"))),
        );
        self.apply(desired, decision, &replicas, stop).await;
    }

    /// What delayed this process (a suspended or too busy machine) may have delayed the workers' heartbeats
    /// too.
    fn notice_delay(&mut self) {
        let usual = self.plan.settings.every + self.plan.lease / 2;
        if self.last_pass.replace(Instant::now()).is_some_and(|last| last.elapsed() > usual) {
            self.sensor.forget_liveness();
        }
    }

    /// The driver does not answer: nothing is decided, and the last known status is shown with the reason.
    async fn hold_size(&mut self, trouble: String) {
        self.note_trouble(Some(trouble));
        if self.shown.is_none() {
            let decision = self.planner.decide(self.since.elapsed(), &Reading::default());
            let desired = DesiredSize::new(&self.plan.settings, &decision, self.size_requests());
            self.shown = Some(self.status(desired, &decision, &Replicas::default()));
        }
        self.show_trouble().await;
    }

    async fn show_trouble(&mut self) {
        let trouble = self.visible_trouble();
        let Some(status) = &mut self.shown else { return };
        (status.at, status.trouble) = (Timestamp::now(), trouble);
        if let Err(error) = self.persisted.write_status(status).await {
            tracing::debug!(pool = self.plan.pool, %error, "the status is not shown");
        }
    }

    fn visible_trouble(&self) -> Option<String> {
        let failed = || Some(self.failed.as_ref()?.1.clone());
        self.trouble.clone().or_else(failed).or_else(|| self.driver.problem())
    }

    fn size_requests(&self) -> SizeRequests {
        let pool = &self.plan.pool;
        SizeRequests {
            manual: self.overrides.manual(pool),
            paused: self.overrides.paused(pool),
            inherited: self.inherited,
        }
    }

    /// Writes first: a process that no longer leads learns it there, and starts nothing that the next leader
    /// also starts.
    async fn apply(
        &mut self,
        desired: DesiredSize,
        decision: Decision,
        replicas: &Replicas,
        stop: &CancellationToken,
    ) {
        let size = decision.reading.size;
        let changes = desired.changes(size);
        let status = self.status(desired, &decision, replicas);
        let began = Instant::now();
        let shown = self.persisted.write_status(&status).await;
        if let Err(StoreError::Fenced { .. }) = shown {
            return;
        }
        self.shown = Some(status);
        if shown.is_err() || began.elapsed() > self.plan.lease / 2 {
            // Where this process could not write in time, the workers may have been unable to as well.
            self.sensor.forget_liveness();
            if desired.replace {
                return;
            }
        }
        if changes {
            self.record_change(desired, decision).await;
        }
        if changes && !self.is_dry() && !stop.is_cancelled() {
            self.inherited = None;
            self.count(desired, size);
            let failed = self.change_size(desired, size, replicas).await.err();
            self.note_failure(failed).await;
        } else if !changes {
            self.inherited = None;
            let now = self.since.elapsed();
            // Between two tries lies a cooldown.
            self.failed.take_if(|(at, _)| now.saturating_sub(*at) > FAILURE_SHOWN);
        }
    }

    async fn note_failure(&mut self, failed: Option<String>) {
        let Some(reason) = failed else { return self.failed = None };
        if self.failed.as_ref().is_none_or(|(_, before)| *before != reason) {
            tracing::warn!(pool = self.plan.pool, "the pool does not get its size: {reason}");
        }
        self.failed = Some((self.since.elapsed(), reason));
        self.show_trouble().await;
    }

    const fn is_dry(&self) -> bool {
        self.persisted.fence.is_none()
    }

    async fn change_size(
        &mut self,
        desired: DesiredSize,
        size: u32,
        replicas: &Replicas,
    ) -> Result<(), String> {
        let said = |error: DriverError| format!("{}: {error}", error.code());
        if desired.replace {
            // The new ones have a lease to show themselves.
            self.sensor.forget_liveness();
            let replicas: Vec<ReplicaId> =
                replicas.staying.iter().filter_map(|replica| replica.replica.clone()).collect();
            return self.driver.replace(&replicas).await.map_err(said);
        }
        if desired.wanted > size {
            return self.driver.start(desired.wanted - size).await.map_err(said);
        }
        let leaving = replicas_to_drain(replicas, size - desired.wanted);
        let replicas: Vec<ReplicaId> = leaving.iter().filter_map(|replica| replica.replica.clone()).collect();
        if !replicas.is_empty() {
            self.driver.drain(&replicas).await.map_err(said)?;
        }
        // Workers that no driver started are drained through the store.
        for worker in
            leaving.iter().filter(|replica| replica.replica.is_none()).filter_map(|replica| replica.worker)
        {
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

    fn status(&self, desired: DesiredSize, decision: &Decision, replicas: &Replicas) -> PoolStatus {
        let Plan { pool, settings, .. } = self.plan;
        PoolStatus {
            pool: pool.clone(),
            at: Timestamp::now(),
            by: self.me,
            dry_run: self.is_dry(),
            current: decision.reading.size.saturating_sub(self.driver.waiting()),
            draining: replicas.draining,
            wanted: desired.wanted,
            cause: desired.cause,
            min: settings.min,
            max: settings.max,
            paused: self.overrides.paused(pool),
            manual: self.overrides.manual(pool),
            trouble: self.visible_trouble(),
            forecast: self.forecast.as_ref().map(ForecastState::status),
            counts: self.counts,
            decision: decision.clone(),
        }
    }

    async fn record_change(&self, desired: DesiredSize, decision: Decision) {
        let (from, to) = (decision.reading.size, desired.wanted);
        let cause: Cause = desired.cause;
        // A dry run replaces no worker.
        let alert = decision.alert.clone().filter(|_| desired.replace && !self.is_dry());
        if let Some(alert) = &alert {
            tracing::error!(pool = self.plan.pool, "{alert}");
        }
        tracing::info!(pool = self.plan.pool, from, to, ?cause, dry_run = self.is_dry(), limits = ?decision.limits, "scaling");
        let change = Change { by: self.me, dry_run: self.is_dry(), from, to, cause, decision };
        if let Err(error) = self.persisted.append_change(&change, alert.as_deref()).await {
            tracing::warn!(pool = self.plan.pool, %error, "the decision is not in the journal");
        }
    }

    /// Once for each outage, and once at its end.
    fn note_trouble(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(reason)) => {
                tracing::warn!(pool = self.plan.pool, "the pool is not made smaller meanwhile: {reason}");
            }
            (Some(_), None) => tracing::info!(pool = self.plan.pool, "broker, store and driver answer again"),
            _ => {}
        }
        self.trouble = trouble;
    }
}
