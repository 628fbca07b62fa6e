use super::*;
use crate::store::conformance::beat_of;

/// A worker process: handles of its own, a lease of an hour, and a source of every queue.
pub struct Worker {
    pub servers: Servers,
    pub id: ProcessId,
    pub source: Box<dyn Source>,
}

impl Worker {
    pub async fn start(fixture: &dyn Fixture) -> Self {
        let servers = fixture.servers().await;
        let id = ProcessId::new();
        servers.store.beat(&beat_of(id, HOUR)).await.unwrap();
        let taker = Taker {
            worker: id,
            hold: Duration::from_millis(300),
            sees_silence: Arc::new(|| false),
            stop: Default::default(),
        };
        let source = servers.path.source(taker).await;
        Self { servers, id, source }
    }

    /// Takes from all queues until it has so many.
    pub async fn take(&mut self, count: usize) -> Vec<TakenTask> {
        let mut all = Vec::with_capacity(count);
        while all.len() < count {
            let wants = any(count - all.len());
            let taken = self.source.take(&wants).await.unwrap().tasks;
            if taken.is_empty() {
                self.source.ready(&wants).await.unwrap();
            }
            all.extend(taken);
        }
        assert_eq!(all.len(), count, "no more than was wanted");
        all
    }

    pub async fn take_one(&mut self) -> TakenTask {
        self.take(1).await.remove(0)
    }

    /// The same for what may lie in the schedule set meanwhile, because a living worker had it, or a dead
    /// one.
    pub async fn take_promoted(&mut self, fence: Fence) -> TakenTask {
        let mut taken = Vec::new();
        eventually(async || {
            promote(&self.servers, fence).await;
            taken = self.source.take(&any(1)).await.unwrap().tasks;
            !taken.is_empty()
        })
        .await;
        taken.remove(0)
    }

    pub async fn finish(&self, taken: &TakenTask, end: End) -> bool {
        let attempt = Attempt::uncounted(taken.claimed, taken.receipt.clone(), end);
        self.servers.path.finish(self.id, &[attempt]).await.unwrap()[0]
    }

    /// Its process is gone. Answers whom the leader misses.
    pub fn die(self) -> ProcessId {
        self.id
    }

    /// It stops as it should, and holds nothing any more; nothing waits either.
    pub async fn leave_nothing(mut self) {
        self.source.close().await;
        assert_eq!(self.servers.path.reclaim(self.id).await.unwrap(), 0, "something was still held");
        for queue in queues() {
            // A server that fails in itself is asked again, as everywhere.
            eventually(async || self.servers.broker.depth(queue).await.is_ok_and(|depth| depth.ready == 0))
                .await;
        }
    }
}

/// So many, of whichever queues.
pub fn any(total: usize) -> Wants {
    let queues = queues().map(|queue| Want { queue, most: total });
    Wants { queues: queues.to_vec(), total, ahead: 0 }
}

/// So many of each, asked in this order.
pub fn wants<const N: usize>(queues: [(Queue, usize); N], total: usize) -> Wants {
    Wants { queues: queues.map(|(queue, most)| Want { queue, most }).to_vec(), total, ahead: 10 }
}
