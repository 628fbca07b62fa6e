use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;

use super::{Broker, BrokerError, Consumer, DeadLettered, Depth, Found, Missing, Probed, Receipt};
use clawpool_core::{
    config::{self, Backend},
    task::{Lane, Message, ProcessId, Queue, Timestamp},
};

/// Several brokers as one: each queue lives on the one that the configuration chose for its lane. An error of
/// one broker is answered for its own queues only.
pub struct Lanes {
    members: Vec<Arc<dyn Broker>>,
    /// The backend of each member, and that of each lane.
    backends: Vec<Backend>,
    lanes: config::Lanes,
}

impl Lanes {
    /// The backends that carry a lane.
    pub fn backends(lanes: &config::Lanes) -> Vec<Backend> {
        let mut backends = Vec::new();
        for backend in Lane::ALL.map(|lane| lanes.backend(lane)) {
            if !backends.contains(&backend) {
                backends.push(backend);
            }
        }
        backends
    }

    /// `members` stand for [`Lanes::backends`], in that order.
    pub fn new(lanes: &config::Lanes, members: Vec<Arc<dyn Broker>>) -> Self {
        Self { members, backends: Self::backends(lanes), lanes: lanes.clone() }
    }

    /// Which member a queue lives on.
    fn position(&self, queue: Queue) -> usize {
        let backend = self.lanes.backend(queue.lane());
        self.backends.iter().position(|known| *known == backend).unwrap_or_default()
    }

    fn of(&self, queue: Queue) -> &Arc<dyn Broker> {
        &self.members[self.position(queue)]
    }

    /// One share for each member, with the positions of its items in the batch.
    fn split<T>(&self, items: Vec<T>, queue: impl Fn(&T) -> Queue) -> Vec<(Vec<usize>, Vec<T>)> {
        let mut shares: Vec<_> = self.members.iter().map(|_| (Vec::new(), Vec::new())).collect();
        for (position, item) in items.into_iter().enumerate() {
            let share = &mut shares[self.position(queue(&item))];
            share.0.push(position);
            share.1.push(item);
        }
        shares
    }
}

#[async_trait]
impl Broker for Lanes {
    async fn publish(&self, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
        let mut answers = vec![Ok(()); messages.len()];
        let shares = self.split(messages, |message| message.queue);
        let sent = self.members.iter().zip(shares).filter(|(_, (positions, _))| !positions.is_empty());
        let sent =
            sent.map(|(member, (positions, share))| async { (positions, member.publish(share).await) });
        for (positions, results) in join_all(sent).await {
            for (position, result) in positions.into_iter().zip(results) {
                answers[position] = result;
            }
        }
        answers
    }

    async fn consume(&self, worker: ProcessId, queue: Queue) -> Result<Box<dyn Consumer>, BrokerError> {
        self.of(queue).consume(worker, queue).await
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let shares = self.split(receipts, |receipt| receipt.queue);
        let acks = self.members.iter().zip(shares).filter(|(_, (positions, _))| !positions.is_empty());
        join_all(acks.map(|(member, (_, share))| member.ack(share))).await.into_iter().collect()
    }

    async fn release(&self, receipts: Vec<Receipt>) -> Result<(), BrokerError> {
        let shares = self.split(receipts, |receipt| receipt.queue);
        let releases = self.members.iter().zip(shares).filter(|(_, (positions, _))| !positions.is_empty());
        join_all(releases.map(|(member, (_, share))| member.release(share))).await.into_iter().collect()
    }

    async fn reclaim(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let counts = join_all(self.members.iter().map(|member| member.reclaim(worker))).await;
        counts.into_iter().sum()
    }

    /// All members are asked, also when one of them does not answer.
    async fn reconcile(&self, worker: ProcessId) -> Result<u64, BrokerError> {
        let counts = join_all(self.members.iter().map(|member| member.reconcile(worker))).await;
        counts.into_iter().sum()
    }

    /// The messages of one member are returned also when another does not answer; its error only when there
    /// is no message.
    async fn take_dead_lettered(
        &self,
        worker: ProcessId,
        limit: usize,
    ) -> Result<Vec<DeadLettered>, BrokerError> {
        let mut taken = Vec::new();
        let mut failure = None;
        for member in &self.members {
            match member.take_dead_lettered(worker, limit - taken.len()).await {
                Ok(more) => taken.extend(more),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if taken.is_empty() => Err(error),
            _ => Ok(taken),
        }
    }

    async fn depth(&self, queue: Queue) -> Result<Depth, BrokerError> {
        self.of(queue).depth(queue).await
    }

    async fn restore(&self, missing: &[Missing], living: &[ProcessId]) -> Result<Vec<Found>, BrokerError> {
        let mut found = vec![Found::Unknown; missing.len()];
        let shares = self.split(missing.to_vec(), |missing| missing.queue);
        for (member, (positions, share)) in
            self.members.iter().zip(shares).filter(|(_, (positions, _))| !positions.is_empty())
        {
            for (position, answer) in positions.into_iter().zip(member.restore(&share, living).await?) {
                found[position] = answer;
            }
        }
        Ok(found)
    }

    async fn peek(&self, wanted: Missing, enqueued_at: Timestamp) -> Result<Option<Message>, BrokerError> {
        self.of(wanted.queue).peek(wanted, enqueued_at).await
    }

    fn can_peek(&self, queue: Queue) -> bool {
        self.of(queue).can_peek(queue)
    }

    async fn probe(&self, patience: Duration) -> Vec<Probed> {
        join_all(self.members.iter().map(|member| member.probe(patience))).await.concat()
    }
}
