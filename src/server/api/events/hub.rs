//! What all streams of this process share: the latest events, the pictures of the moment, and who listens.
//!
//! Guarantees: what no stream is about is not looked at. Never does: wait, or keep more for slow readers than
//! for others.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    frame::Frame, keep, log::Log, picture::Picture, places::Places, seats::Seats, topics::Topics,
    watched::WatchedTasks,
};
use crate::api::{Api, caller::Caller, connections::Activity};
use clawpool_engine::client::event::EventTopic;

/// A reader that has taken nothing for so long, heartbeats included, takes nothing any more.
const STUCK: Duration = Duration::from_secs(60);

pub(in crate::api) struct Hub {
    pub(super) state: Mutex<State>,
    pub(super) tasks: WatchedTasks,
    /// Rises when there is something new.
    round: watch::Sender<u64>,
    /// Somebody listens to what nobody has looked at yet, or nobody listens any more.
    pub(super) asked: Notify,
    pub(super) seats: Arc<Seats>,
    born: Instant,
}

pub(super) struct State {
    /// Up to where the journal is in the log; None while no stream is about it.
    pub(super) places: Option<Places>,
    pub(super) log: Log,
    pub(super) pictures: [Picture; 4],
    members: HashMap<u64, Arc<Pulse>>,
    holders: HashMap<Option<String>, Holder>,
    next_member: u64,
    is_kept: bool,
}

/// Whether a stream's reader takes what it is sent.
pub(super) struct Pulse {
    topics: Topics,
    /// Milliseconds of the hub's life.
    polled: AtomicU64,
    activity: Option<Arc<Activity>>,
}

/// The streams of one token.
struct Holder {
    caller: Caller,
    streams: usize,
    ended: CancellationToken,
}

impl Default for Hub {
    fn default() -> Self {
        let pictures = [EventTopic::Queues, EventTopic::Workers, EventTopic::Pools, EventTopic::Health];
        let state = State {
            places: None,
            log: Log::default(),
            pictures: pictures.map(Picture::new),
            members: HashMap::new(),
            holders: HashMap::new(),
            next_member: 0,
            is_kept: false,
        };
        Self {
            state: state.into(),
            tasks: WatchedTasks::default(),
            round: watch::Sender::new(0),
            asked: Notify::new(),
            seats: Arc::default(),
            born: Instant::now(),
        }
    }
}

impl Hub {
    /// Open streams.
    pub(in crate::api) fn streams(&self) -> u64 {
        self.seats.taken()
    }

    /// Counts a stream in, until the member is dropped, and sees to it that somebody looks.
    pub(super) fn join(
        api: &Arc<Api>,
        topics: Topics,
        caller: &Caller,
        credential: Option<String>,
        activity: Option<Arc<Activity>>,
    ) -> Member {
        let hub = Arc::clone(&api.events);
        let mut state = hub.lock();
        let number = state.next_member;
        state.next_member += 1;
        let pulse = Arc::new(Pulse { topics, polled: hub.now().into(), activity });
        state.members.insert(number, Arc::clone(&pulse));
        let holder = state.holders.entry(credential.clone()).or_insert_with(|| Holder {
            caller: caller.clone(),
            streams: 0,
            ended: CancellationToken::new(),
        });
        holder.streams += 1;
        let ended = holder.ended.clone();
        if !std::mem::replace(&mut state.is_kept, true) {
            tokio::spawn(keep::keep(Arc::clone(api)));
        }
        let is_unseen = state.pictures.iter().any(|own| topics.has(own.topic()) && !own.is_known());
        drop(state);
        if is_unseen {
            hub.asked.notify_one();
        }
        let round = hub.round.subscribe();
        Member { number, credential, hub, pulse, ended, round }
    }

    /// What any stream is about. The rest is forgotten.
    pub(super) fn wanted(&self) -> Topics {
        let mut state = self.lock();
        let wanted = state.members.values().flat_map(|pulse| pulse.topics.iter()).collect();
        state.forget_but(&wanted);
        wanted
    }

    /// For a stream that is about to ask the store: where the log ends now.
    pub(super) fn mark(&self) -> Option<u64> {
        let state = self.lock();
        state.places.map(|_| state.log.end())
    }

    /// A stream has asked the store, and heard all until `places`: where in the log it goes on. None: it is
    /// to ask once more, for the log began meanwhile.
    pub(super) fn settle(&self, mark: Option<u64>, places: Places) -> Option<u64> {
        let mut state = self.lock();
        match (mark, state.places) {
            (Some(mark), Some(_)) => Some(mark),
            (None, None) => {
                state.places = Some(places);
                Some(state.log.end())
            }
            _ => None,
        }
    }

    /// True: nobody listens, and the one that looks is to stop. The next stream has it begin anew.
    pub(super) fn rests(&self) -> bool {
        let mut state = self.lock();
        if state.members.is_empty() {
            state.is_kept = false;
            state.forget_but(&Topics::default());
        }
        !state.is_kept
    }

    /// Cuts the connections whose readers take nothing.
    pub(super) fn cut_stuck(&self) -> usize {
        let now = self.now();
        let stuck = |pulse: &Pulse| now.saturating_sub(pulse.polled.load(Relaxed)) > STUCK.as_millis() as u64;
        let state = self.lock();
        let stuck = state.members.values().filter(|pulse| stuck(pulse));
        let cut = stuck.filter_map(|pulse| pulse.activity.as_ref()).map(|activity| activity.close());
        cut.count()
    }

    /// Those who hold streams: what their tokens are known by, and what they could do as they came.
    pub(super) fn holders(&self) -> Vec<(Option<String>, Caller)> {
        let state = self.lock();
        state.holders.iter().map(|(credential, holder)| (credential.clone(), holder.caller.clone())).collect()
    }

    /// Ends the streams of a token.
    pub(super) fn end(&self, credential: &Option<String>) {
        if let Some(holder) = self.lock().holders.remove(credential) {
            holder.ended.cancel();
        }
    }

    /// Adds to what is told of the journal, unless nobody listens any more or others have begun anew.
    pub(super) fn tell(&self, from: Places, frames: Vec<Frame>, places: Places) -> bool {
        let mut state = self.lock();
        if state.places != Some(from) {
            return false;
        }
        state.places = Some(places);
        let is_news = !frames.is_empty();
        state.log.add(frames);
        drop(state);
        if is_news {
            self.news();
        }
        true
    }

    /// Wakes every stream.
    pub(super) fn news(&self) {
        self.round.send_modify(|round| *round += 1);
    }

    fn now(&self) -> u64 {
        self.born.elapsed().as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// The state is whole after each change, so a panic elsewhere does not spoil it.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what no stream is about.
    fn forget_but(&mut self, wanted: &Topics) {
        if wanted.journals().next().is_none() {
            self.places = None;
            self.log.clear();
        }
        self.pictures.iter_mut().filter(|own| !wanted.has(own.topic())).for_each(Picture::clear);
    }
}

/// One stream's part in the hub.
pub(super) struct Member {
    number: u64,
    credential: Option<String>,
    pub(super) hub: Arc<Hub>,
    pulse: Arc<Pulse>,
    /// The token opens nothing any more.
    pub(super) ended: CancellationToken,
    pub(super) round: watch::Receiver<u64>,
}

impl Member {
    /// The reader takes something.
    pub(super) fn beat(&self) {
        self.pulse.polled.store(self.hub.now(), Relaxed);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        state.members.remove(&self.number);
        if let Entry::Occupied(mut holder) = state.holders.entry(self.credential.take())
            && !self.ended.is_cancelled()
        {
            holder.get_mut().streams -= 1;
            if holder.get().streams == 0 {
                holder.remove();
            }
        }
        let is_last = state.members.is_empty();
        drop(state);
        if is_last {
            self.hub.asked.notify_one();
        }
    }
}
