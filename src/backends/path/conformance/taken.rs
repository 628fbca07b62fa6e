use std::sync::Arc;

use crate::{broker::conformance::delivery, path::TakenTask, store::Claimed};
use clawpool_core::task::Priority;

/// A task with which no worker died, claimed with the token 1, for tests of what takes it.
pub fn taken(priority: Priority) -> TakenTask {
    let delivery = delivery(priority);
    let task = Arc::new(delivery.message.task().unwrap());
    let claimed = Claimed { id: task.id, queue: priority.queue(), token: 1 };
    TakenTask { task, claimed, crashes: 0, is_poison: false, receipt: delivery.receipt }
}
