//! News over one subscription: who waits in this process is woken, and woken to look again after every outage.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::StreamExt;
use redis::{RedisError, aio::PubSubStream, cmd};
use tokio::{
    sync::{oneshot, watch},
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

use super::link::{Link, failure};
use crate::{store::StoreError, task::TaskId};

/// Who waits in this process, and for what.
pub(super) struct Events {
    ends: Mutex<HashMap<TaskId, Vec<oneshot::Sender<()>>>>,
    due: watch::Sender<()>,
}

/// Subscribes, and keeps at it until the handle is dropped.
pub(super) async fn listen(link: &Link) -> Result<(Arc<Events>, AbortOnDropHandle<()>), StoreError> {
    let events = Arc::new(Events { ends: Mutex::default(), due: watch::Sender::new(()) });
    let stream = subscribe(link).await.map_err(|error| failure(&error))?;
    let listener = tokio::spawn(follow(events.clone(), link.clone(), stream));
    Ok((events, AbortOnDropHandle::new(listener)))
}

async fn follow(events: Arc<Events>, link: Link, mut stream: PubSubStream) {
    loop {
        // Whatever happened without a subscription went unheard: everybody is to look.
        events.wake_all();
        while let Some(message) = stream.next().await {
            events.hear(message.get_payload_bytes());
        }
        stream = subscribe_again(&link).await;
    }
}

async fn subscribe(link: &Link) -> Result<PubSubStream, RedisError> {
    let mut subscriber = link.subscriber().await?;
    subscriber.subscribe(format!("{}:ev", link.base())).await?;
    // Those who are woken next will ask the server, and a server that still loads its file would refuse them.
    link.send::<i64>(cmd("EXISTS").arg(link.base())).await?;
    Ok(subscriber.into_on_message())
}

async fn subscribe_again(link: &Link) -> PubSubStream {
    let mut pause = Duration::from_millis(50);
    loop {
        match subscribe(link).await {
            Ok(stream) => return stream,
            Err(error) => tracing::debug!(%error, "no news from Redis"),
        }
        sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
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

/// One who waits for a task's end.
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
