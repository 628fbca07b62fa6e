//! Tasks as a path hands them out, for tests of what takes them.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use super::TakenTask;
use crate::{broker::conformance::delivery, store::Claimed};
use clawpool_core::task::Priority;

/// A task with which no worker died, claimed with the token 1.
pub fn taken(priority: Priority) -> TakenTask {
    let delivery = delivery(priority);
    let task = Arc::new(delivery.message.task().unwrap());
    let claimed = Claimed { id: task.id, queue: priority.queue(), token: 1 };
    TakenTask { task, claimed, crashes: 0, is_poison: false, receipt: delivery.receipt }
}
