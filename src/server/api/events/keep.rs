//! Looks at the store for all streams of this process.
//!
//! Guarantees: one look a second, whatever the number of streams, and none while there is no stream. Never
//! does: write, or touch what tasks go through.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout};

use super::{frame::Frame, picture::Sight, places::Places, sights, topics::Topics};
use crate::api::{Api, caller::Caller, error::ApiError, tokens::Unusable};
use clawpool_backends::store::{Followed, StoreError, Topic};
use clawpool_engine::client::event::EventTopic;

const INTERVAL: Duration = Duration::from_secs(1);
/// A store that takes longer is away.
const PATIENCE: Duration = Duration::from_secs(5);
/// Entries that are read at a time, of each topic.
const PAGE: usize = 200;

/// Looks again and again, until nobody listens or the server stops.
pub(super) async fn keep(api: Arc<Api>) {
    let hub = Arc::clone(&api.events);
    let mut due = Instant::now();
    while !hub.rests() {
        let is_due = Instant::now() >= due;
        if is_due {
            due = Instant::now() + INTERVAL;
        }
        let looking = timeout(PATIENCE, look(&api, is_due));
        if api.closing.run_until_cancelled(looking).await.is_none() {
            return;
        }
        tokio::select! {
            () = sleep_until(due) => {}
            () = hub.asked.notified() => {}
            () = api.closing.cancelled() => return,
        }
    }
}

/// At all that is wanted; between two such looks at what nobody has seen yet.
async fn look(api: &Api, is_due: bool) {
    let hub = &api.events;
    let wanted = hub.wanted();
    let unseen = |topic: &EventTopic| {
        hub.lock().pictures.iter().any(|picture| picture.topic() == *topic && !picture.is_known())
    };
    let topics: Topics = wanted.iter().filter(|topic| is_due || unseen(topic)).collect();
    if is_due {
        let cut = hub.cut_stuck();
        if cut > 0 {
            tracing::info!(streams = cut, "streams of events are cut: their readers take nothing");
            metrics::counter!("clawpool_event_streams_cut_total").increment(cut as u64);
        }
        tokio::join!(check_tokens(api), follow(api), hub.tasks.look(api), draw(api, &topics));
    } else {
        draw(api, &topics).await;
    }
}

/// Ends the streams whose tokens open nothing any more, or other things.
async fn check_tokens(api: &Api) {
    for (credential, caller) in api.events.holders() {
        if !still_holds(api, credential.as_deref(), &caller).await {
            tracing::info!(by = caller.name(), "streams of events end: their token allows them no more");
            api.events.end(&credential);
        }
    }
}

async fn still_holds(api: &Api, credential: Option<&str>, caller: &Caller) -> bool {
    let Some(hash) = credential else { return !api.tokens.are_required() };
    match api.tokens.find_hash(hash).await {
        Ok(now) => now.is_same(caller),
        // A store that is away makes no known token unknown.
        Err(Unusable::Unread(_)) => true,
        Err(Unusable::Unknown | Unusable::Expired(_)) => false,
    }
}

/// Adds what is new in the journal to the log.
async fn follow(api: &Api) {
    let hub = &api.events;
    loop {
        let Some(from) = hub.lock().places else { return };
        let topics = Topic::ALL.map(|topic| (topic, Some(from.of(topic))));
        let followed = match api.store.follow(&topics, PAGE).await {
            Ok(followed) => followed,
            Err(error) => return away(&error),
        };
        let is_all = followed.iter().all(|followed| !followed.more);
        let (frames, places) = frames(followed, from);
        if !hub.tell(from, frames, places) || is_all {
            return;
        }
    }
}

/// What entries of several topics are told as, in the order in which they happened.
pub(super) fn frames(followed: Vec<Followed>, from: Places) -> (Vec<Frame>, Places) {
    let mut places = from;
    let mut frames = Vec::new();
    for Followed { topic, entries, next, lost, .. } in &followed {
        if *lost {
            let after = places.of(*topic);
            // An empty one may be of another store, and go on from before.
            if entries.is_empty() {
                places.set(*topic, *next);
            }
            frames.push(Frame::gap(*topic, after, places));
        }
    }
    let mut entries = Vec::new();
    let mut ends = from;
    for Followed { topic, entries: own, next, .. } in followed {
        ends.set(topic, next);
        let mut latest = 0;
        for (place, entry) in own {
            // Clocks differ; the order within a topic is the store's.
            latest = latest.max(entry.at.as_millis());
            entries.push((latest, place, entry));
        }
    }
    entries.sort_by_key(|(at, ..)| *at);
    for (_, place, entry) in entries {
        places.set(entry.topic, place);
        frames.extend(Frame::entry(place, entry, places));
    }
    (frames, ends)
}

fn away(error: &StoreError) {
    tracing::debug!(%error, "the store does not say what is new for streams of events");
}

/// Looks at what the topics are like now.
async fn draw(api: &Api, topics: &Topics) {
    let wants = |topic| topics.has(topic);
    if wants(EventTopic::Queues) || wants(EventTopic::Workers) {
        match api.store.workers().await {
            Ok(workers) => {
                if wants(EventTopic::Queues) {
                    show(api, EventTopic::Queues, sights::queues(api, &workers).await);
                }
                show(api, EventTopic::Workers, Ok(sights::workers(workers)));
            }
            Err(error) => away(&error),
        }
    }
    if wants(EventTopic::Pools) {
        show(api, EventTopic::Pools, sights::pools(api).await);
    }
    if wants(EventTopic::Health) {
        show(api, EventTopic::Health, Ok(sights::health(api).await));
    }
}

fn show(api: &Api, topic: EventTopic, sights: Result<Vec<Sight>, ApiError>) {
    let sights = match sights {
        Ok(sights) => sights,
        Err(error) => return tracing::debug!(?error, "a picture for streams of events cannot be had"),
    };
    let mut state = api.events.lock();
    let picture = state.pictures.iter_mut().find(|picture| picture.topic() == topic);
    if picture.is_some_and(|picture| picture.update(sights)) {
        drop(state);
        api.events.news();
    }
}
