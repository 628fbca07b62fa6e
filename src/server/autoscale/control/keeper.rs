use std::time::Duration;

use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Memory, Wishes,
    book::{Book, LEAST_KEPT},
    order::{Order, Wanted},
    outlook::Outlook,
    victims::victims,
};
use crate::autoscale::{
    Plan,
    driver::{Driver, DriverError, MemberId},
    sense::{Crew, Facts, Sensor},
};
use clawpool_backends::{
    broker::Broker,
    store::{Fence, StoreError},
};
use clawpool_core::{
    scaling::{Decision, Planner, Reading},
    task::{Timestamp, WorkerId},
};
use clawpool_engine::client::{Cause, Change, Counts, PoolStatus};

/// How long a change that could not be made is shown when nothing is tried any more.
const FAILURE_SHOWN: Duration = Duration::from_secs(120);

/// Keeps one pool while this process leads, or watches it in a dry run.
pub(super) struct Keeper<'a, S: ?Sized> {
    plan: &'a Plan,
    driver: &'a dyn Driver,
    broker: &'a dyn Broker,
    store: &'a S,
    me: WorkerId,
    book: Book<'a, S>,
    sensor: Sensor,
    planner: Planner,
    outlook: Option<Outlook>,
    /// Weeks of samples take a while to learn from; nothing else waits for it.
    learning: Option<JoinHandle<Option<Outlook>>>,
    /// What operators were last heard to want.
    wishes: Wishes,
    counts: Counts,
    inherited: Option<u32>,
    trouble: Option<String>,
    /// What was last wanted and could not be done, and when.
    failed: Option<(Duration, String)>,
    shown: Option<PoolStatus>,
    /// Durations are counted from here.
    since: Instant,
    looked: Option<Instant>,
}

impl<'a, S: Memory + ?Sized> Keeper<'a, S> {
    /// Without a fence it is a dry run.
    pub(super) fn new(
        plan: &'a Plan,
        driver: &'a dyn Driver,
        broker: &'a dyn Broker,
        store: &'a S,
        me: WorkerId,
        fence: Option<Fence>,
    ) -> Self {
        let keep = plan.settings.every.saturating_mul(4).max(LEAST_KEPT);
        Self {
            book: Book { store, pool: &plan.pool, fence, keep },
            sensor: Sensor::new(plan),
            planner: Planner::new(&plan.settings, plan.slots),
            outlook: None,
            learning: None,
            wishes: Wishes::default(),
            counts: Counts::default(),
            inherited: None,
            trouble: None,
            failed: None,
            shown: None,
            since: Instant::now(),
            looked: None,
            plan,
            driver,
            broker,
            store,
            me,
        }
    }

    /// Until `stop` fires: this process leads no longer, or ends.
    pub(super) async fn keep(mut self, stop: &CancellationToken) {
        self.recall().await;
        while !stop.is_cancelled() {
            self.step(stop).await;
            if stop.run_until_cancelled(sleep(self.plan.settings.every)).await.is_none() {
                return;
            }
        }
    }

    /// Goes on where the leader before ended.
    async fn recall(&mut self) {
        let (before, samples) = tokio::join!(self.book.before(), self.book.samples());
        let unread = |error: StoreError| {
            tracing::warn!(pool = self.plan.pool, %error, "what the leader before knew cannot be read");
        };
        if let Some(before) = before.unwrap_or_else(|error| {
            unread(error);
            None
        }) {
            self.counts = before.counts;
            self.inherited = Some(before.wanted).filter(|_| self.book.fence.is_some());
        }
        let samples = samples.unwrap_or_else(|error| {
            unread(error);
            None
        });
        let settings = self.plan.settings.forecast.clone();
        let learn = move || Outlook::new(&settings, samples.as_deref(), Timestamp::now());
        self.learning = Some(spawn_blocking(learn));
    }

    async fn learned(&mut self) {
        if let Some(learning) = self.learning.take_if(|learning| learning.is_finished()) {
            self.outlook = learning.await.unwrap_or_else(|error| {
                tracing::warn!(pool = self.plan.pool, %error, "there is no forecast");
                None
            });
        }
    }

    /// Looks, decides, writes down and acts.
    pub(super) async fn step(&mut self, stop: &CancellationToken) {
        let now = self.since.elapsed();
        self.notice_delay();
        let mut facts = Facts::gather(self.broker, self.store, &self.plan.queues).await;
        // Only now: whoever had come up when the registry was read is a member, and whoever has died since is known to.
        let members = match self.driver.members().await {
            Ok(members) => members,
            Err(error) => return self.hold(format!("{}: {error}", error.code())).await,
        };
        facts.leave_out(|worker| self.driver.has_ended(worker));
        let (mut reading, crew) = self.sensor.read(now, &facts, &members);
        reading.headroom = self.driver.headroom();
        let arrivals = reading.queues.map(|queues| queues.arrivals);
        self.learned().await;
        if let Some(outlook) = &mut self.outlook {
            let ended = outlook.look(now, arrivals);
            reading.ahead = outlook.ahead();
            if ended {
                let kept = self.book.keep_samples(outlook.packed()).await;
                kept.unwrap_or_else(|error| tracing::debug!(pool = self.plan.pool, %error, "samples are not kept"));
            }
        }
        let wished = Wishes::read(self.store).await.map(|wishes| self.wishes = wishes);
        let decision = self.planner.decide(now, &reading);
        let order = Order::new(&self.plan.settings, &decision, self.wanted());
        self.note_trouble(facts.silence.or_else(|| wished.err().map(|error| format!("the store: {error}"))));
        self.carry_out(order, decision, &crew, stop).await;
    }

    /// What held this process up (a suspended machine, one that is too busy) may have held the workers' hearts as well.
    fn notice_delay(&mut self) {
        let usual = self.plan.settings.every + self.plan.lease / 2;
        if self.looked.replace(Instant::now()).is_some_and(|last| last.elapsed() > usual) {
            self.sensor.distrust();
        }
    }

    /// Nobody knows who is there: nothing is decided, and what was last known is shown with the reason.
    async fn hold(&mut self, trouble: String) {
        self.note_trouble(Some(trouble));
        if self.shown.is_none() {
            let decision = self.planner.decide(self.since.elapsed(), &Reading::default());
            let order = Order::new(&self.plan.settings, &decision, self.wanted());
            self.shown = Some(self.status(order, &decision, &Crew::default()));
        }
        self.show_trouble().await;
    }

    async fn show_trouble(&mut self) {
        let trouble = self.visible_trouble();
        let Some(status) = &mut self.shown else { return };
        (status.at, status.trouble) = (Timestamp::now(), trouble);
        if let Err(error) = self.book.show(status).await {
            tracing::debug!(pool = self.plan.pool, %error, "the status is not shown");
        }
    }

    fn visible_trouble(&self) -> Option<String> {
        let failed = || Some(self.failed.as_ref()?.1.clone());
        self.trouble.clone().or_else(failed).or_else(|| self.driver.complaint())
    }

    fn wanted(&self) -> Wanted {
        let pool = &self.plan.pool;
        Wanted { manual: self.wishes.manual(pool), paused: self.wishes.paused(pool), inherited: self.inherited }
    }

    /// Writes first: whoever no longer leads learns it there, and starts nothing that the next leader also starts.
    async fn carry_out(&mut self, order: Order, decision: Decision, crew: &Crew, stop: &CancellationToken) {
        let size = decision.reading.size;
        let changes = order.changes(size);
        let status = self.status(order, &decision, crew);
        let began = Instant::now();
        let shown = self.book.show(&status).await;
        if let Err(StoreError::Fenced { .. }) = shown {
            return;
        }
        self.shown = Some(status);
        if shown.is_err() || began.elapsed() > self.plan.lease / 2 {
            // Who could not write in time does not know whether the workers could.
            self.sensor.distrust();
            if order.replace {
                return;
            }
        }
        if changes {
            self.write_down(order, decision).await;
        }
        if changes && !self.is_dry() && !stop.is_cancelled() {
            self.inherited = None;
            self.count(order, size);
            let failed = self.act(order, size, crew).await.err();
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
        self.book.fence.is_none()
    }

    async fn act(&mut self, order: Order, size: u32, crew: &Crew) -> Result<(), String> {
        let said = |error: DriverError| format!("{}: {error}", error.code());
        if order.replace {
            // The new ones have a lease to show themselves.
            self.sensor.distrust();
            let members: Vec<MemberId> = crew.hands.iter().filter_map(|hand| hand.member.clone()).collect();
            return self.driver.replace(&members).await.map_err(said);
        }
        if order.wanted > size {
            return self.driver.start(order.wanted - size).await.map_err(said);
        }
        let leaving = victims(crew, size - order.wanted);
        let members: Vec<MemberId> = leaving.iter().filter_map(|hand| hand.member.clone()).collect();
        if !members.is_empty() {
            self.driver.drain(&members).await.map_err(said)?;
        }
        // Those that no driver started are asked through the store.
        for worker in leaving.iter().filter(|hand| hand.member.is_none()).filter_map(|hand| hand.worker) {
            self.store.drain(worker).await.map_err(|error| format!("{}: {error}", error.code()))?;
        }
        Ok(())
    }

    fn count(&mut self, order: Order, size: u32) {
        let counts = &mut self.counts;
        if order.replace {
            counts.replaced += 1;
        } else if order.wanted > size {
            counts.grown += 1;
            counts.started += u64::from(order.wanted - size);
        } else {
            counts.shrunk += 1;
            counts.drained += u64::from(size - order.wanted);
        }
    }

    fn status(&self, order: Order, decision: &Decision, crew: &Crew) -> PoolStatus {
        let Plan { pool, settings, .. } = self.plan;
        PoolStatus {
            pool: pool.clone(),
            at: Timestamp::now(),
            by: self.me,
            dry_run: self.is_dry(),
            current: decision.reading.size.saturating_sub(self.driver.waiting()),
            draining: crew.draining,
            wanted: order.wanted,
            cause: order.cause,
            min: settings.min,
            max: settings.max,
            paused: self.wishes.paused(pool),
            manual: self.wishes.manual(pool),
            trouble: self.visible_trouble(),
            forecast: self.outlook.as_ref().map(Outlook::status),
            counts: self.counts,
            decision: decision.clone(),
        }
    }

    async fn write_down(&self, order: Order, decision: Decision) {
        let (from, to) = (decision.reading.size, order.wanted);
        let cause: Cause = order.cause;
        // A dry run replaces nobody.
        let alert = decision.alert.clone().filter(|_| order.replace && !self.is_dry());
        if let Some(alert) = &alert {
            tracing::error!(pool = self.plan.pool, "{alert}");
        }
        tracing::info!(pool = self.plan.pool, from, to, ?cause, dry_run = self.is_dry(), limits = ?decision.limits, "scaling");
        let change = Change { by: self.me, dry_run: self.is_dry(), from, to, cause, decision };
        if let Err(error) = self.book.record(&change, alert.as_deref()).await {
            tracing::warn!(pool = self.plan.pool, %error, "the decision is not in the journal");
        }
    }

    /// Once for each outage, and once at its end.
    fn note_trouble(&mut self, trouble: Option<String>) {
        match (&self.trouble, &trouble) {
            (None, Some(reason)) => {
                tracing::warn!(pool = self.plan.pool, "the pool is not made smaller meanwhile: {reason}");
            }
            (Some(_), None) => tracing::info!(pool = self.plan.pool, "everybody answers again"),
            _ => {}
        }
        self.trouble = trouble;
    }
}
