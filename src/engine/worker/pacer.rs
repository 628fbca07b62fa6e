use std::sync::Arc;

use tokio::time::{Duration, Instant};

use clawpool_backends::{
    path::{TakenTask, Wants},
    store::Store,
};
use clawpool_core::{
    config::{Config, Pacing},
    task::Queue,
};

/// Keeps the tasks of queues to their pace.
pub(super) struct Pacers(Vec<Pacer>);

impl Pacers {
    /// For those of the queues that have a pace.
    pub fn new(config: &Config, queues: &[Queue], store: &Arc<dyn Store>) -> Self {
        let pacer = |queue: &Queue| {
            let pacing = config.pacing_of(*queue)?.clone();
            Some(Pacer { store: Arc::clone(store), queue: *queue, pacing, until: None })
        };
        Self(queues.iter().filter_map(pacer).collect())
    }

    /// Takes queues out of the wants while there is no token for them, and answers when the next one comes.
    pub fn limit(&mut self, wants: &mut Wants) -> Option<Instant> {
        self.0.iter_mut().filter_map(|pacer| pacer.limit(wants)).min()
    }

    /// Keeps those that there are tokens for, and answers the others.
    pub async fn pace(&mut self, tasks: &mut Vec<TakenTask>) -> Vec<TakenTask> {
        let mut surplus = Vec::new();
        for pacer in &mut self.0 {
            surplus.extend(pacer.pace(tasks).await);
        }
        surplus
    }
}

/// Keeps the tasks of one queue to their pace, which all workers share: a bucket of tokens at the store.
struct Pacer {
    store: Arc<dyn Store>,
    queue: Queue,
    pacing: Pacing,
    /// The next token comes then.
    until: Option<Instant>,
}

impl Pacer {
    /// Takes the queue out of the wants while there is no token, and answers when the next one comes.
    fn limit(&mut self, wants: &mut Wants) -> Option<Instant> {
        self.until = self.until.filter(|until| *until > Instant::now());
        let most = if self.until.is_some() { 0 } else { self.pacing.burst.max(1) as usize };
        for want in wants.queues.iter_mut().filter(|want| want.queue == self.queue) {
            want.most = want.most.min(most);
        }
        self.until
    }

    /// Keeps those that there are tokens for, and answers the others.
    async fn pace(&mut self, tasks: &mut Vec<TakenTask>) -> Vec<TakenTask> {
        let queue = self.queue;
        let is_paced = |task: &TakenTask| task.claimed.queue == queue;
        let count = tasks.iter().filter(|task| is_paced(task)).count();
        if count == 0 {
            return Vec::new();
        }
        let mut granted = self.tokens(count).await;
        let (kept, surplus) = tasks.drain(..).partition(|task| {
            if !is_paced(task) {
                return true;
            }
            let is_granted = granted > 0;
            granted = granted.saturating_sub(1);
            is_granted
        });
        *tasks = kept;
        surplus
    }

    async fn tokens(&mut self, count: usize) -> u32 {
        let want = u32::try_from(count).unwrap_or(u32::MAX);
        let Pacing { per_second, burst } = self.pacing;
        let taken = self.store.take_tokens(self.queue.name(), want, per_second, burst).await;
        let (granted, pause) = taken.unwrap_or_else(|error| {
            let queue = self.queue;
            tracing::warn!(code = error.code(), %error, %queue, "pacing is unknown; its tasks wait");
            (0, Duration::from_secs(1))
        });
        self.until = (granted < want).then(|| Instant::now() + pause);
        granted
    }
}
