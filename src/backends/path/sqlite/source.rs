use std::sync::Arc;

use async_trait::async_trait;
use futures::future::select_all;
use tokio::sync::watch;

use super::{
    SqlitePath,
    take::{self, Claimed},
};
use crate::{
    backend::sqlite::{DatabaseError, Topic},
    broker::sqlite::queue,
    path::{Attempt, Path, PathError, Source, Taken, TakenTask, Taker, Wants, apart::claims::unreadable},
    store::{self, End, sqlite::claim::Claimant},
};
use clawpool_core::task::Queue;

/// Takes tasks as they are wanted; nothing is fetched ahead.
pub(super) struct SqliteSource {
    path: SqlitePath,
    taker: Taker,
    /// Change when their queues have work; subscribed at the first wait.
    bells: Vec<(Queue, watch::Receiver<()>)>,
    /// There is probably something: the last take brought all that was wanted, or a look has found it.
    has_more: bool,
}

impl SqliteSource {
    pub(super) const fn new(path: SqlitePath, taker: Taker) -> Self {
        Self { path, taker, bells: Vec::new(), has_more: false }
    }

    /// Takes no lock: many sources wake for one task.
    async fn look(&self, wants: &Wants) -> Result<bool, DatabaseError> {
        let queues = wanted(wants);
        let any = move |sql: &rusqlite::Connection| {
            for queue in queues {
                if queue::ready(sql, queue)? > 0 {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        self.path.database.read(any).await
    }

    async fn claim(&self, wants: &Wants) -> Result<Vec<Claimed>, PathError> {
        let rules = self.path.store.rules;
        let held = self.path.broker.held.clone();
        let wants = wants.clone();
        let by = Claimant { worker: self.taker.worker, takeover: (self.taker.sees_silence)() };
        self.path.write(move |write| take::take(write, &rules, &held, &by, &wants)).await
    }

    /// A body that is no task, of a task that is known: no worker can run it.
    async fn dead_letter(&self, claimed: store::Claimed, taken: Claimed, why: &str) -> Result<(), PathError> {
        let end = End::Dead(unreadable(taken.delivery.message, why));
        let attempt = Attempt::uncounted(claimed, taken.delivery.receipt, end);
        self.path.finish(self.taker.worker, &[attempt]).await.map(drop)
    }

    async fn subscribe(&mut self, queue: Queue) -> Result<(), DatabaseError> {
        if !self.bells.iter().any(|(of, _)| *of == queue) {
            self.bells.push((queue, self.path.database.listen(Topic::Ready(queue)).await?));
        }
        Ok(())
    }
}

#[async_trait]
impl Source for SqliteSource {
    async fn take(&mut self, wants: &Wants) -> Result<Taken, PathError> {
        if !wants.any() || self.taker.stop.is_cancelled() || !self.has_more && !self.look(wants).await? {
            return Ok(Taken::default());
        }
        let claimed = self.claim(wants).await?;
        self.has_more = claimed.len() == wants.total;
        let mut taken = Taken::default();
        for claim in claimed {
            let receipt = &claim.delivery.receipt;
            let claimed = store::Claimed { id: receipt.id, queue: receipt.queue, token: claim.token };
            match claim.delivery.message.task() {
                Ok(task) => taken.tasks.push(TakenTask {
                    task: Arc::new(task),
                    claimed,
                    crashes: claim.crashes,
                    is_poison: claim.is_poison,
                    receipt: claim.delivery.receipt,
                }),
                Err(error) => self.dead_letter(claimed, claim, &error.to_string()).await?,
            }
        }
        Ok(taken)
    }

    async fn ready(&mut self, wants: &Wants) -> Result<(), PathError> {
        let queues = wanted(wants);
        for queue in &queues {
            self.subscribe(*queue).await?;
        }
        loop {
            for (_, bell) in &mut self.bells {
                // Before the look, so that no change is missed between look and wait.
                bell.mark_unchanged();
            }
            self.has_more = self.look(wants).await?;
            if self.has_more {
                return Ok(());
            }
            let bells = self.bells.iter_mut().filter(|(queue, _)| queues.contains(queue));
            let rings: Vec<_> = bells.map(|(_, bell)| Box::pin(bell.changed())).collect();
            if rings.is_empty() {
                return std::future::pending().await;
            }
            // Fails only when the database is gone, which this source holds.
            drop(select_all(rings).await);
        }
    }

    async fn rest(&mut self) {}

    async fn close(&mut self) {}
}

fn wanted(wants: &Wants) -> Vec<Queue> {
    let mut queues: Vec<Queue> = wants.queues.iter().map(|want| want.queue).collect();
    queues.sort_unstable();
    queues.dedup();
    queues.retain(|queue| wants.of(*queue) > 0);
    queues
}
