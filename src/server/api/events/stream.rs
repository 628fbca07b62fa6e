//! One stream of topics.
//!
//! Guarantees: each entry of the journal after its beginning is told once, in the order of its topic, or a
//! gap is told where it is forgotten; a reader that is slow costs what it has been handed, and is told the
//! rest from the store when it goes on. Never does: tell more than its caller may see.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{sleep, sleep_until};

use super::{
    frame::{self, Frame, HEARTBEAT, What},
    keep::frames,
    part::Part,
    places::Places,
    topics::{Topics, told_as},
};
use crate::api::{Api, caller::Caller};
use clawpool_backends::store::{StoreError, Topic};
use clawpool_core::task::Queue;
use clawpool_engine::client::event::OpenView;

/// A store that did not answer is asked again.
pub(super) const PAUSE: Duration = Duration::from_secs(1);
/// Entries that a stream which is behind reads at a time, of each topic.
const PAGE: usize = 50;

pub(super) struct TopicStream {
    api: Arc<Api>,
    part: Part,
    topics: Topics,
    /// Where it sees some queues only.
    limited: Option<Caller>,
    /// Up to where the journal was told.
    places: Places,
    /// In the hub's log; None while the store is to be asked.
    next: Option<u64>,
    /// Versions of the pictures that were told.
    heard: [u64; 4],
}

impl TopicStream {
    /// Begins after `after`, or now.
    pub(super) async fn open(
        api: Arc<Api>,
        mut part: Part,
        topics: Topics,
        caller: &Caller,
        after: Option<Places>,
    ) -> Result<Self, StoreError> {
        let has_journal = topics.journals().next().is_some();
        let mut next = (!has_journal).then_some(0);
        let mut places = after.unwrap_or_default();
        if after.is_none() && has_journal {
            let mark = api.events.mark();
            for end in api.store.follow(&Topic::ALL.map(|topic| (topic, None)), 1).await? {
                places.set(end.topic, end.next);
            }
            next = api.events.settle(mark, places);
        }
        let (name, at_ms) = ("open".to_owned(), frame::now());
        let view = OpenView { name, at_ms, topics: topics.iter().collect(), task: None };
        part.say(frame::open(&view, has_journal.then_some(&places)));
        let mut stream = Self {
            api,
            part,
            topics,
            limited: caller.oversees_queues().is_err().then(|| caller.clone()),
            places,
            next,
            heard: [0; 4],
        };
        if stream.next.is_none() {
            stream.catch_up().await?;
        }
        Ok(stream)
    }

    /// The next bytes; None after the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let ControlFlow::Break(bytes) = self.part.next(&self.api) {
                return bytes;
            }
            // Before the look: what comes after it wakes this again.
            self.part.member.round.mark_unchanged();
            self.gather();
            if self.part.is_ready() {
                continue;
            }
            if self.next.is_some() {
                self.wait().await;
            } else if self.catch_up().await.is_err() {
                sleep(PAUSE).await;
            }
        }
    }

    async fn wait(&mut self) {
        let due = self.part.due();
        let member = &mut self.part.member;
        tokio::select! {
            _ = member.round.changed() => {}
            () = member.ended.cancelled() => {}
            () = self.api.closing.cancelled() => {}
            () = sleep_until(due) => self.part.say(HEARTBEAT),
        }
    }

    /// Takes what is new from the hub.
    fn gather(&mut self) {
        let hub = Arc::clone(&self.part.member.hub);
        let mut state = hub.lock();
        let frames = self.next.and_then(|next| state.log.from(next));
        self.next = self.next.filter(|_| frames.is_some());
        let limited = self.limited.as_ref();
        let reaches = |queue: Queue| limited.is_none_or(|caller| caller.reaches(queue));
        let mut pictures = Vec::new();
        for (picture, heard) in state.pictures.iter_mut().zip(&mut self.heard) {
            if !self.topics.has(picture.topic()) {
                continue;
            }
            if let Some((version, told)) = picture.told(*heard, limited.map(|_| &reaches as _)) {
                *heard = version;
                pictures.extend(told);
            }
        }
        drop(state);
        let frames = frames.unwrap_or_default();
        self.next = self.next.map(|next| next + frames.len() as u64);
        frames.iter().for_each(|frame| self.tell(frame));
        pictures.into_iter().for_each(|picture| self.part.say(picture));
    }

    /// Takes what is new from the store: a page of it.
    async fn catch_up(&mut self) -> Result<(), StoreError> {
        let mark = self.api.events.mark();
        let after = |topic| self.topics.has(told_as(topic)).then(|| self.places.of(topic));
        let topics = Topic::ALL.map(|topic| (topic, after(topic)));
        let followed = self.api.store.follow(&topics, PAGE).await?;
        let is_all = followed.iter().all(|followed| !followed.more);
        let (frames, places) = frames(followed, self.places);
        frames.iter().for_each(|frame| self.tell(frame));
        self.places = places;
        if is_all {
            self.next = self.api.events.settle(mark, places);
        }
        Ok(())
    }

    /// Hands an event on, unless it was told before or is none of its topics.
    fn tell(&mut self, frame: &Frame) {
        let topic = frame.topic;
        let heard = self.places.of(topic);
        let resumed = frame.places.of(topic);
        let is_new = match frame.what {
            What::Entry(place) => place > heard,
            // Another store goes on from before.
            What::Gap(after) => heard <= after || resumed < after,
        };
        if !is_new || !self.topics.has(told_as(topic)) {
            return;
        }
        self.places = self.places.later(&frame.places);
        self.places.set(topic, resumed);
        self.part.say(frame.told(&self.places));
    }
}
