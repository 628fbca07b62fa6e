use std::{
    collections::{HashSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use crate::task::TaskId;

/// The ids of the latest tasks whose messages this process saw confirmed. Only saves work: forgetting one costs a
/// surplus message when the task is enqueued again.
#[derive(Default)]
pub(super) struct Confirmed(Mutex<Latest>);

#[derive(Default)]
struct Latest {
    known: HashSet<TaskId>,
    order: VecDeque<TaskId>,
}

impl Confirmed {
    const KEPT: usize = 4096;

    pub(super) fn remember(&self, ids: impl Iterator<Item = TaskId>) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in ids {
            if !latest.known.insert(id) {
                continue;
            }
            latest.order.push_back(id);
            if latest.order.len() > Self::KEPT
                && let Some(oldest) = latest.order.pop_front()
            {
                latest.known.remove(&oldest);
            }
        }
    }

    pub(super) fn contains(&self, id: TaskId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).known.contains(&id)
    }
}
