//! Offers checked tasks to the path, and answers for each.

use super::{Accepted, Rejection};
use clawpool_backends::{
    path::{Offered, Path},
    store::Admission,
};
use clawpool_core::task::{Message, State};

type Answer = Result<Accepted, Rejection>;

/// Enqueues the tasks that passed the checks, and answers all in order.
pub(super) async fn enqueue_all(path: &dyn Path, checked: Vec<Result<Admission, Rejection>>) -> Vec<Answer> {
    let mut good = Vec::with_capacity(checked.len());
    let checked: Vec<Result<(), Rejection>> =
        checked.into_iter().map(|check| check.map(|admission| good.push(admission))).collect();
    let offered = path.offer(&good).await;
    let mut answers = good.iter().zip(offered).map(|(admission, offered)| answer(admission, offered));
    let unanswered = || Err(Rejection::internal("CP-1120", "the path left a task unanswered"));
    checked.into_iter().map(|check| check.and_then(|()| answers.next().unwrap_or_else(unanswered))).collect()
}

fn answer(admission: &Admission, offered: Offered) -> Answer {
    match offered {
        Offered::New => {
            let Message { id, queue, .. } = admission.message;
            Ok(Accepted {
                id,
                priority: queue.priority(),
                queue,
                duplicate: false,
                due_at: admission.at,
                warnings: Vec::new(),
            })
        }
        Offered::Known(record) => Ok(Accepted {
            id: record.id,
            priority: record.priority,
            queue: record.queue,
            duplicate: true,
            due_at: record.due_at.filter(|_| record.state == State::Scheduled),
            warnings: Vec::new(),
        }),
        Offered::Refused(refusal) => Err(refusal.into()),
    }
}
