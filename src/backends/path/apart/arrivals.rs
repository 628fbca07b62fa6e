//! Messages that were fetched and not claimed yet, and what kept others from being fetched.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use crate::{
    broker::{BrokerError, Delivery, Receipt},
    path::Wants,
};
use clawpool_core::task::Queue;

/// What fetchers leave for the source.
#[derive(Default)]
pub(super) struct Arrivals {
    state: Mutex<State>,
    /// Something came.
    news: Notify,
}

#[derive(Default)]
struct State {
    waiting: Vec<(Queue, VecDeque<(Delivery, Instant)>)>,
    troubles: Vec<(Queue, BrokerError)>,
}

impl Arrivals {
    pub fn arrived(&self, queue: Queue, batch: Vec<Delivery>) {
        let now = Instant::now();
        let arrived = batch.into_iter().map(|delivery| (delivery, now));
        let mut state = self.lock();
        match state.of(queue) {
            Some(waiting) => waiting.extend(arrived),
            None => {
                let waiting = arrived.collect();
                state.waiting.push((queue, waiting));
            }
        }
        drop(state);
        self.news.notify_one();
    }

    pub fn failed(&self, queue: Queue, error: BrokerError) {
        self.lock().troubles.push((queue, error));
        self.news.notify_one();
    }

    pub fn troubles(&self) -> Vec<(Queue, BrokerError)> {
        std::mem::take(&mut self.lock().troubles)
    }

    /// How many of a queue wait.
    pub fn count(&self, queue: Queue) -> usize {
        self.lock().of(queue).map_or(0, |waiting| waiting.len())
    }

    /// What is wanted, most wanted first.
    pub fn pick(&self, wants: &Wants) -> Vec<Delivery> {
        let mut state = self.lock();
        let mut picked = Vec::new();
        for want in &wants.queues {
            let Some(waiting) = state.of(want.queue) else { continue };
            let count = want.most.min(wants.total - picked.len()).min(waiting.len());
            picked.extend(waiting.drain(..count).map(|(delivery, _)| delivery));
        }
        picked
    }

    /// What has waited for `hold`, and all of paused queues.
    pub fn stale(&self, wants: &Wants, hold: Duration) -> Vec<Receipt> {
        let now = Instant::now();
        let mut stale = Vec::new();
        for (queue, waiting) in &mut self.lock().waiting {
            let late = waiting.iter().take_while(|(_, since)| *since + hold <= now).count();
            let count = if wants.names(*queue) { late } else { waiting.len() };
            stale.extend(waiting.drain(..count).map(|(delivery, _)| delivery.receipt));
        }
        stale
    }

    pub fn all(&self) -> Vec<Receipt> {
        let mut state = self.lock();
        let all = state.waiting.iter_mut().flat_map(|(_, waiting)| waiting.drain(..));
        all.map(|(delivery, _)| delivery.receipt).collect()
    }

    /// Since when the oldest waits.
    pub fn oldest(&self) -> Option<Instant> {
        let state = self.lock();
        state.waiting.iter().filter_map(|(_, waiting)| waiting.front()).map(|(_, since)| *since).min()
    }

    /// Waits until something wanted is here, or something is wrong.
    pub async fn news(&self, wants: &Wants) {
        loop {
            let news = self.news.notified();
            if self.has(wants) {
                return;
            }
            news.await;
        }
    }

    fn has(&self, wants: &Wants) -> bool {
        let state = self.lock();
        let is_wanted = |queue: Queue| wants.of(queue) > 0 || !wants.names(queue);
        let any = |(queue, waiting): &(Queue, VecDeque<_>)| !waiting.is_empty() && is_wanted(*queue);
        !state.troubles.is_empty() || state.waiting.iter().any(any)
    }

    /// Whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&mut self, queue: Queue) -> Option<&mut VecDeque<(Delivery, Instant)>> {
        self.waiting.iter_mut().find(|(of, _)| *of == queue).map(|(_, waiting)| waiting)
    }
}
