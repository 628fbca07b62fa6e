use std::sync::Arc;

use async_trait::async_trait;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{self, Instant},
};

use super::{Apart, arrivals::Arrivals, fetcher::Fetcher, finish::give_back};
use crate::path::{PathError, Source, Taken, Taker, Wants};
use clawpool_core::task::Queue;

/// Fetches messages of several queues ahead, and claims those that are wanted.
pub(super) struct ApartSource {
    pub(super) path: Apart,
    pub(super) taker: Taker,
    arrivals: Arc<Arrivals>,
    demand: Vec<(Queue, watch::Sender<usize>)>,
    /// End with the source, once they have given back what they fetched.
    fetchers: JoinSet<()>,
}

impl ApartSource {
    pub(super) fn new(path: Apart, taker: Taker) -> Self {
        Self { path, taker, arrivals: Arc::default(), demand: Vec::new(), fetchers: JoinSet::new() }
    }

    /// A queue gets its fetcher when it is first wanted.
    fn start_fetching(&mut self, queue: Queue) {
        let (sender, receiver) = watch::channel(0);
        self.demand.push((queue, sender));
        let fetcher = Fetcher {
            worker: self.taker.worker,
            queue,
            broker: Arc::clone(&self.path.broker),
            demand: receiver,
            arrivals: Arc::clone(&self.arrivals),
            hold: self.taker.hold,
            pauses: Default::default(),
        };
        self.fetchers.spawn(fetcher.run());
    }

    /// Tells the fetchers how much may wait here.
    fn set_demand(&mut self, wants: &Wants) {
        for want in wants.queues.iter().filter(|want| want.most > 0) {
            if !self.demand.iter().any(|(queue, _)| *queue == want.queue) {
                self.start_fetching(want.queue);
            }
        }
        for (queue, demand) in &self.demand {
            let wanted = wants.of(*queue);
            let most = if wanted > 0 { wanted + wants.ahead } else { 0 };
            demand.send_modify(|demand| *demand = most);
        }
    }

    async fn give_stale_back(&self, wants: &Wants) {
        give_back(&*self.path.broker, self.arrivals.stale(wants, self.taker.hold)).await;
    }
}

#[async_trait]
impl Source for ApartSource {
    async fn take(&mut self, wants: &Wants) -> Result<Taken, PathError> {
        self.give_stale_back(wants).await;
        let picked = self.arrivals.pick(wants);
        self.set_demand(wants);
        let troubles = self.arrivals.troubles();
        let troubles = troubles.into_iter().map(|(queue, error)| (queue, error.into())).collect();
        Ok(Taken { tasks: self.claim_all(picked).await, troubles })
    }

    async fn ready(&mut self, wants: &Wants) -> Result<(), PathError> {
        let stale = self.arrivals.oldest().map(|since| since + self.taker.hold);
        tokio::select! {
            () = self.arrivals.news(wants) => {}
            () = at(stale) => {}
            // None ends by itself while the source lives, so it has panicked: the source does too.
            Some(Err(lost)) = self.fetchers.join_next() => std::panic::resume_unwind(lost.into_panic()),
        }
        Ok(())
    }

    async fn rest(&mut self) {
        self.set_demand(&Wants::default());
        give_back(&*self.path.broker, self.arrivals.all()).await;
    }

    async fn close(&mut self) {
        self.demand.clear();
        while self.fetchers.join_next().await.is_some() {}
        give_back(&*self.path.broker, self.arrivals.all()).await;
    }
}

/// Sleeps until then, or for ever.
async fn at(alarm: Option<Instant>) {
    match alarm {
        Some(at) => time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
