//! Finds tasks whose messages are gone: a queue was purged, a list or a record was damaged by hand, a server
//! lost its last writes. For the leader, slowly: some hundred records a second, and no question while nothing
//! is doubtful.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{
    claims::Claims,
    suspects::{Doubt, QueueSnapshot, Suspects},
};
use crate::health::{Lost, PendingAlerts};
use clawpool_backends::{
    backend::{StoredItem, Unreadable},
    broker::{Broker, Found, Missing},
    path::live_workers,
    store::Store,
};
use clawpool_core::task::{ProcessId, Queue, State, TaskId};
use clawpool_engine::alert::{Alert, Event};

pub(super) struct Pace {
    /// Between two pages of the walk, and between the beginnings of two walks.
    pub(super) page: Duration,
    pub(super) walk: Duration,
    /// A task may be without a message that can be found for so long, because it is on its way; or run
    /// without a doubt.
    pub(super) plausible: Duration,
}

impl Pace {
    /// A walk in a third of what is plausible.
    pub(super) fn of(plausible: Duration) -> Self {
        Self { page: Duration::from_millis(250), walk: plausible / 3, plausible }
    }
}

/// Records in a page.
const PAGE: usize = 500;

/// Questions to a broker after one walk.
const QUESTIONS: usize = 500;

/// Messages on all queues together through which a broker can be asked to look for each suspect.
const SHORT: u64 = 1_000;

/// Names in one alert.
const NAMED: usize = 5;

/// Walks over all unfinished tasks again and again, until `stop`. What the broker still has is put back; of
/// what is gone an alert tells.
pub(super) async fn search(
    store: &dyn Store,
    broker: &dyn Broker,
    alerts: &PendingAlerts,
    pace: Pace,
    stop: &CancellationToken,
) {
    let suspects = Suspects::default();
    let claims = Claims::default();
    let lost = HashMap::new();
    let inherited = Some(Instant::now());
    let mut search = Search { store, broker, alerts, pace, suspects, claims, lost, inherited };
    while !stop.is_cancelled() {
        let began = Instant::now();
        if let Err(error) = search.round(stop).await {
            tracing::debug!(%error, "the search for lost tasks begins again");
        }
        stop.run_until_cancelled(sleep(
            search.pace.walk.saturating_sub(began.elapsed()).max(search.pace.page),
        ))
        .await;
    }
}

struct Search<'a> {
    store: &'a dyn Store,
    broker: &'a dyn Broker,
    alerts: &'a PendingAlerts,
    pace: Pace,
    suspects: Suspects,
    claims: Claims,
    /// Tasks that were already reported as lost.
    lost: HashMap<TaskId, Queue>,
    /// Since when the former leader's findings are shown, until this leader has its own.
    inherited: Option<Instant>,
}

type Trouble = Box<dyn std::error::Error + Send + Sync>;

impl Search<'_> {
    async fn round(&mut self, stop: &CancellationToken) -> Result<(), Trouble> {
        let live = live_workers(self.store).await?;
        let mut cursor = None;
        loop {
            let page = self.store.unfinished(cursor.as_deref(), PAGE).await?;
            for outline in &page.items {
                self.suspects.observe(outline, &live);
                self.claims.observe(outline, &live);
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
            if stop.run_until_cancelled(sleep(self.pace.page)).await.is_none() {
                return Ok(());
            }
        }
        self.suspects.finish_walk();
        self.claims.finish_walk();
        self.ask_workers().await?;
        self.check_suspects(&live).await?;
        self.report_unreadable().await
    }

    /// Asks live workers whether they run what the records say.
    async fn ask_workers(&mut self) -> Result<(), Trouble> {
        let questions = self.claims.questions(self.pace.plausible);
        if !questions.is_empty() {
            self.store.ask(&questions).await?;
        }
        Ok(())
    }

    async fn check_suspects(&mut self, live: &[ProcessId]) -> Result<(), Trouble> {
        let snapshots = self.queue_snapshots().await?;
        let short = snapshots.iter().map(|(_, snapshot)| snapshot.depth.ready).sum::<u64>() <= SHORT;
        let mut doubted = Vec::new();
        for (queue, snapshot) in snapshots {
            self.suspects.observe_queue(queue, snapshot);
            doubted.extend(self.suspects.doubted(queue, snapshot, short, self.pace.plausible));
        }
        doubted.truncate(QUESTIONS);
        let mut restored = Vec::new();
        let mut lost = HashMap::new();
        let asked: Vec<Missing> = doubted.iter().map(|(missing, ..)| *missing).collect();
        let found = self.broker.restore(&asked, live).await?;
        for ((missing, state, doubt), found) in doubted.into_iter().zip(found) {
            let queue = missing.queue;
            match (found, state) {
                (Found::Gone, _) | (_, State::Scheduled) => _ = lost.insert(missing.id, queue),
                (Found::Unknown, _) if doubt == Doubt::Sure => _ = lost.insert(missing.id, queue),
                (Found::Unknown, _) => {}
                (found, _) => {
                    self.suspects.forget(missing.id);
                    restored.extend((found == Found::Restored).then_some((missing.id, queue)));
                }
            }
        }
        self.report(&restored, lost).await
    }

    /// Of the queues of all suspects.
    async fn queue_snapshots(&self) -> Result<Vec<(Queue, QueueSnapshot)>, Trouble> {
        let queues = self.suspects.queues();
        if queues.is_empty() {
            return Ok(Vec::new());
        }
        let totals = self.store.totals().await?;
        let mut snapshots = Vec::new();
        for queue in queues {
            // One server's trouble does not hold up the other queues.
            let Ok(depth) = self.broker.depth(queue).await else { continue };
            snapshots
                .push((queue, QueueSnapshot::new(depth, &totals.get(&queue).copied().unwrap_or_default())));
        }
        Ok(snapshots)
    }

    async fn report(
        &mut self,
        restored: &[(TaskId, Queue)],
        lost: HashMap<TaskId, Queue>,
    ) -> Result<(), Trouble> {
        for (queue, names) in by_queue(restored.iter().copied()) {
            let text =
                format!("{} had fallen out of queue {queue}: their messages were put back", named(&names));
            self.alerts.add(&Alert::new(Event::TasksRestored, text), queue.name());
        }
        let news = lost.iter().filter(|(id, _)| !self.lost.contains_key(id)).map(|(id, queue)| (*id, *queue));
        for (queue, names) in by_queue(news) {
            let text = format!(
                "{} of queue {queue} cannot start: their messages are gone. Enqueue them again with the \
                same ids, or cancel them",
                named(&names)
            );
            self.alerts.add(&Alert::new(Event::TasksLost, text), queue.name());
        }
        let outdated = self.inherited.take_if(|since| since.elapsed() >= self.pace.plausible * 2).is_some();
        if outdated || !(lost.is_empty() && self.lost.is_empty()) {
            let counts = by_queue(lost.iter().map(|(id, queue)| (*id, *queue))).into_iter();
            let counts: Vec<Lost> =
                counts.map(|(queue, names)| Lost { queue, tasks: names.len() as u64 }).collect();
            Lost::write(self.store, &counts).await?;
        }
        self.lost = lost;
        self.alerts.save().await;
        Ok(())
    }

    async fn report_unreadable(&self) -> Result<(), Trouble> {
        let found = self.store.unreadable(&[]).await?;
        if found.is_empty() {
            return Ok(());
        }
        let mut things: BTreeMap<StoredItem, Vec<&Unreadable>> = BTreeMap::new();
        found.iter().for_each(|found| things.entry(found.what).or_default().push(found));
        for (thing, names) in things {
            let text = format!(
                "{} {thing} could not be read and were set aside ({}); everything beside them goes on. \
                 `clawpool explain {}` says where they are kept and what to do",
                names.len(),
                listed(&names),
                Event::Unreadable.code()
            );
            self.alerts.add(&Alert::new(Event::Unreadable, text), "store");
        }
        self.alerts.save().await;
        self.store.unreadable(&found).await?;
        Ok(())
    }
}

fn by_queue(tasks: impl Iterator<Item = (TaskId, Queue)>) -> BTreeMap<Queue, Vec<TaskId>> {
    let mut queues: BTreeMap<Queue, Vec<TaskId>> = BTreeMap::new();
    for (id, queue) in tasks {
        queues.entry(queue).or_default().push(id);
    }
    queues
}

fn named(ids: &[TaskId]) -> String {
    format!("{} tasks ({})", ids.len(), listed(ids))
}

/// The first of them by name.
fn listed(names: &[impl ToString]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(ToString::to_string).collect();
    let more = if names.len() > NAMED { ", ..." } else { "" };
    format!("{}{more}", shown.join(", "))
}
