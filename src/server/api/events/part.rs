//! What every stream has: its place among the others, and what it is about to say.
//!
//! Guarantees: what was said first is handed on first, and nothing after the end; a stream whose token is
//! worth nothing any more, or whose server stops, says so and ends. Never does: wait.

use std::{collections::VecDeque, ops::ControlFlow, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use super::{frame, hub::Member, seats::Seat};
use crate::api::Api;
use clawpool_engine::client::event::EndReason;

/// After so long without an event a stream says that it is there.
const SILENCE: Duration = Duration::from_secs(15);

/// What a stream holds as long as it is open.
pub(super) struct Part {
    pub(super) member: Member,
    _seat: Seat,
    ready: VecDeque<Bytes>,
    due: Instant,
    over: bool,
}

impl Part {
    pub(super) fn new(member: Member, seat: Seat) -> Self {
        Self { member, _seat: seat, ready: VecDeque::new(), due: Instant::now(), over: false }
    }

    pub(super) fn say(&mut self, bytes: Bytes) {
        self.ready.push_back(bytes);
    }

    /// Says why, and then nothing more.
    pub(super) fn end(&mut self, reason: EndReason) {
        self.say(frame::end(reason));
        self.over = true;
    }

    /// There is something to hand on.
    pub(super) fn is_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// When it says that it is there.
    pub(super) const fn due(&self) -> Instant {
        self.due
    }

    /// The next bytes, or none after the end. Goes on where the stream is to look for news.
    pub(super) fn next(&mut self, api: &Api) -> ControlFlow<Option<Bytes>> {
        self.member.beat();
        if self.ready.is_empty() && !self.over {
            match self.why_end(api) {
                Some(reason) => self.end(reason),
                None => return ControlFlow::Continue(()),
            }
        }
        let next = self.ready.pop_front();
        if next.is_some() {
            self.due = Instant::now() + SILENCE;
        }
        ControlFlow::Break(next)
    }

    fn why_end(&self, api: &Api) -> Option<EndReason> {
        if self.member.ended.is_cancelled() {
            return Some(EndReason::Token);
        }
        api.closing.is_cancelled().then_some(EndReason::Stopping)
    }
}
