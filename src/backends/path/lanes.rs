use std::sync::Arc;

use async_trait::async_trait;
use futures::future::{join_all, select_all};

use super::{Attempt, Offered, Path, PathError, Promoted, Reclaim, Source, Taken, Taker, Wants};
use crate::{
    broker,
    store::{Admission, Claimed, Fence},
};
use clawpool_core::{
    config::{self, Backend},
    task::{ProcessId, Queue},
};

/// Several paths as one: each queue has the one of the backend that the configuration chose for its lane.
pub struct Lanes {
    members: Vec<Arc<dyn Path>>,
    places: Places,
    /// Moves the due tasks of all queues: these are in one set.
    promoter: Arc<dyn Path>,
}

impl Lanes {
    /// `members` stand for [`broker::Lanes::backends`], in that order.
    pub fn new(lanes: &config::Lanes, members: Vec<Arc<dyn Path>>, promoter: Arc<dyn Path>) -> Self {
        let places = Places { lanes: lanes.clone(), backends: broker::Lanes::backends(lanes) };
        Self { members, places, promoter }
    }

    /// One share for each member, with the positions of its items in the batch.
    fn split<T: Clone>(&self, items: &[T], queue: impl Fn(&T) -> Queue) -> Vec<(usize, Vec<usize>, Vec<T>)> {
        let mut shares: Vec<_> =
            (0..self.members.len()).map(|member| (member, Vec::new(), Vec::new())).collect();
        for (position, item) in items.iter().enumerate() {
            let (_, positions, share) = &mut shares[self.places.of(queue(item))];
            positions.push(position);
            share.push(item.clone());
        }
        shares.retain(|(_, positions, _)| !positions.is_empty());
        shares
    }
}

#[async_trait]
impl Reclaim for Lanes {
    async fn reclaim(&self, worker: ProcessId) -> Result<u64, PathError> {
        let counts = join_all(self.members.iter().map(|member| member.reclaim(worker))).await;
        counts.into_iter().sum()
    }
}

#[async_trait]
impl Path for Lanes {
    async fn offer(&self, tasks: &[Admission]) -> Vec<Offered> {
        let shares = self.split(tasks, |task| task.message.queue);
        if let [(member, ..)] = shares[..] {
            return self.members[member].offer(tasks).await;
        }
        let offers = shares.into_iter().map(|(member, positions, share)| async move {
            positions.into_iter().zip(self.members[member].offer(&share).await)
        });
        let mut answers: Vec<_> = join_all(offers).await.into_iter().flatten().collect();
        answers.sort_by_key(|(position, _)| *position);
        answers.into_iter().map(|(_, answer)| answer).collect()
    }

    async fn source(&self, taker: Taker) -> Box<dyn Source> {
        let mut parts: Vec<Box<dyn Source>> = Vec::with_capacity(self.members.len());
        for member in &self.members {
            parts.push(member.source(taker.clone()).await);
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => Box::new(Joined { parts, places: self.places.clone() }),
        }
    }

    async fn finish(&self, worker: ProcessId, attempts: &[Attempt]) -> Result<Vec<bool>, PathError> {
        let shares = self.split(attempts, |attempt| attempt.claimed.queue);
        if let [(member, ..)] = shares[..] {
            return self.members[member].finish(worker, attempts).await;
        }
        let mut answers = vec![false; attempts.len()];
        for (member, positions, share) in shares {
            for (position, answer) in
                positions.into_iter().zip(self.members[member].finish(worker, &share).await?)
            {
                answers[position] = answer;
            }
        }
        Ok(answers)
    }

    async fn disown(&self, worker: ProcessId, claims: &[Claimed]) -> Result<Vec<bool>, PathError> {
        let mut answers = vec![false; claims.len()];
        for (member, positions, share) in self.split(claims, |claimed| claimed.queue) {
            for (position, answer) in
                positions.into_iter().zip(self.members[member].disown(worker, &share).await?)
            {
                answers[position] = answer;
            }
        }
        Ok(answers)
    }

    /// All members are asked, also when one of them does not answer.
    async fn reconcile(&self, worker: ProcessId) -> Result<u64, PathError> {
        let counts = join_all(self.members.iter().map(|member| member.reconcile(worker))).await;
        counts.into_iter().sum()
    }

    async fn promote(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        self.promoter.promote(fence, limit).await
    }
}

/// Which member each queue has: that of its lane's backend.
#[derive(Clone)]
struct Places {
    lanes: config::Lanes,
    backends: Vec<Backend>,
}

impl Places {
    fn of(&self, queue: Queue) -> usize {
        let backend = self.lanes.backend(queue.lane());
        self.backends.iter().position(|known| *known == backend).unwrap_or_default()
    }

    /// What is wanted of the queues of one member.
    fn share(&self, wants: &Wants, member: usize) -> Wants {
        let own = wants.queues.iter().filter(|want| self.of(want.queue) == member);
        Wants { queues: own.copied().collect(), ..wants.clone() }
    }
}

/// The sources of several paths as one.
struct Joined {
    parts: Vec<Box<dyn Source>>,
    places: Places,
}

#[async_trait]
impl Source for Joined {
    /// In the order of the parts: what one has in plenty leaves nothing to the next in this take.
    async fn take(&mut self, wants: &Wants) -> Result<Taken, PathError> {
        let mut taken = Taken::default();
        let mut failure = None;
        for (member, part) in self.parts.iter_mut().enumerate() {
            let total = wants.total - taken.tasks.len();
            let left = Wants { total, ..self.places.share(wants, member) };
            match part.take(&left).await {
                Ok(more) => {
                    taken.tasks.extend(more.tasks);
                    taken.troubles.extend(more.troubles);
                }
                Err(error) => failure = Some((left, error)),
            }
        }
        match failure {
            Some((_, error)) if taken.tasks.is_empty() => Err(error),
            Some((asked, error)) => {
                taken.troubles.extend(asked.queues.first().map(|want| (want.queue, error)));
                Ok(taken)
            }
            None => Ok(taken),
        }
    }

    async fn ready(&mut self, wants: &Wants) -> Result<(), PathError> {
        let shares: Vec<Wants> =
            (0..self.parts.len()).map(|member| self.places.share(wants, member)).collect();
        let ready = self.parts.iter_mut().zip(&shares).map(|(part, share)| part.ready(share));
        select_all(ready).await.0
    }

    async fn unwanted(&mut self) {
        join_all(self.parts.iter_mut().map(|part| part.unwanted())).await;
    }

    async fn rest(&mut self) {
        join_all(self.parts.iter_mut().map(|part| part.rest())).await;
    }

    async fn close(&mut self) {
        join_all(self.parts.iter_mut().map(|part| part.close())).await;
    }
}
