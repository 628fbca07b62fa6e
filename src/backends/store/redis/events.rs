//! News over one subscription: they wake the waiters of this process.
//!
//! Guarantees: a caller that waits hears of what happened, or looks by itself about once a second for as long
//! as no subscription is proved alive, and once more when there is one again. Never does: ask for news before
//! a caller waits for some.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    sync::{oneshot, watch},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::subscription::Subscription;
use crate::backend::redis::{link::Link, pulse::PULSE};
use clawpool_core::task::TaskId;

/// The waiters of this process, and what they wait for.
pub(super) struct Events {
    ends: Mutex<HashMap<TaskId, Vec<oneshot::Sender<()>>>>,
    due: watch::Sender<()>,
}

/// The events of one store, and the task that hears of them.
pub(super) struct Listener {
    pub(super) events: Arc<Events>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    /// Subscribes, and keeps at it until it is dropped.
    pub(super) fn start(link: &Link) -> Self {
        let events = Arc::new(Events { ends: Mutex::default(), due: watch::Sender::new(()) });
        let task = tokio::spawn(follow(events.clone(), link.clone()));
        Self { events, _task: AbortOnDropHandle::new(task) }
    }
}

async fn follow(events: Arc<Events>, link: Link) {
    loop {
        let mut subscription = subscribe(&events, &link).await;
        // Whatever happened without a subscription went unheard: all callers are to look.
        events.wake_all();
        while let Some(news) = subscription.next().await {
            events.hear(&news);
        }
    }
}

/// Until there is one, each caller looks by itself.
async fn subscribe(events: &Events, link: &Link) -> Subscription {
    let since = Instant::now();
    let mut told = false;
    let mut opening = pin!(Subscription::persist(link));
    let subscription = loop {
        if let Ok(subscription) = timeout(PULSE, &mut opening).await {
            break subscription;
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!("no news from Redis: waits for a task's end or a due time look every {PULSE:?}");
        }
        events.wake_all();
    };
    if told {
        tracing::info!(waited = ?since.elapsed(), "there is news from Redis again");
    }
    subscription
}

impl Events {
    /// Hears from now on whether the task may be over.
    pub(super) fn end_of(&self, id: TaskId) -> End<'_> {
        let (over, heard) = oneshot::channel();
        self.lock().entry(id).or_default().push(over);
        End { events: self, id, heard }
    }

    /// Changes when the next due time came nearer.
    pub(super) fn due(&self) -> watch::Receiver<()> {
        self.due.subscribe()
    }

    fn hear(&self, news: &[u8]) {
        match news.split_first() {
            Some((b'f', id)) => {
                if let Ok(id) = id.try_into() {
                    self.lock().remove(&TaskId::from_bytes(id));
                }
            }
            _ => self.due.send_replace(()),
        }
    }

    fn wake_all(&self) {
        self.lock().clear();
        self.due.send_replace(());
    }

    /// The map is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Vec<oneshot::Sender<()>>>> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A waiter for a task's end.
pub(super) struct End<'a> {
    events: &'a Events,
    id: TaskId,
    heard: oneshot::Receiver<()>,
}

impl End<'_> {
    pub(super) async fn over(mut self) {
        // An end is told by dropping the sender: the only word that can come is an error.
        let _ = (&mut self.heard).await;
    }
}

impl Drop for End<'_> {
    /// Leaves no trace of a wait that was given up.
    fn drop(&mut self) {
        self.heard.close();
        let mut ends = self.events.lock();
        if let Some(waiting) = ends.get_mut(&self.id) {
            waiting.retain(|over| !over.is_closed());
            if waiting.is_empty() {
                ends.remove(&self.id);
            }
        }
    }
}
