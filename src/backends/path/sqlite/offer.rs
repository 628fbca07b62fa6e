use futures::future::join_all;

use super::SqlitePath;
use crate::{
    backend::sqlite::Write,
    broker::{BrokerError, sqlite::queue},
    path::{Offered, Path, apart::offer::unrecorded},
    store::{
        Admission, Admitted, StoreError,
        sqlite::{admission, forget, tally::Tally},
    },
};
use clawpool_core::config::QueueLimits;

/// What one transaction made of an offer.
enum Written {
    New,
    Known,
    Full(BrokerError),
}

impl SqlitePath {
    pub(super) async fn enqueue(&self, tasks: &[Admission]) -> Vec<Offered> {
        if tasks.is_empty() {
            return Vec::new();
        }
        let limits = self.broker.limits.clone();
        let given = tasks.to_vec();
        let written = self.database.write(move |write| offer(write, &limits, &given)).await;
        match written.map_err(StoreError::from) {
            Ok(written) => {
                let answers = tasks.iter().zip(written);
                join_all(answers.map(|(task, written)| self.answer(task, written))).await
            }
            Err(error) => {
                let refused = |task| Offered::Refused(unrecorded(task, error.clone()));
                tasks.iter().map(refused).collect()
            }
        }
    }

    async fn answer(&self, task: &Admission, written: Written) -> Offered {
        match written {
            Written::New => Offered::New,
            Written::Full(error) => Offered::Refused(error.into()),
            Written::Known => {
                let answer = self.apart.offer(std::slice::from_ref(task)).await.pop();
                answer.unwrap_or_else(|| Offered::Refused(unrecorded(task, unanswered())))
            }
        }
    }
}

fn offer(write: &mut Write<'_>, limits: &QueueLimits, tasks: &[Admission]) -> rusqlite::Result<Vec<Written>> {
    forget::records(write, tasks.len() * 2)?;
    let mut record = write.sql.prepare_cached(admission::INSERT)?;
    let mut publisher = queue::Publisher::new(write.sql, limits)?;
    let mut tally = Tally::default();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        let message = &task.message;
        let waits = task.at.is_none();
        if waits && let Err(full) = publisher.room(message.queue)? {
            let known = admission::is_known(write, task)?;
            answers.push(if known { Written::Known } else { Written::Full(full) });
            continue;
        }
        if admission::admit_one(write, &mut record, task)? != Admitted::New {
            answers.push(Written::Known);
            continue;
        }
        if waits {
            publisher.put(message)?;
        }
        tally.of(message.queue).enqueued += 1;
        answers.push(Written::New);
    }
    let changes = publisher.changes;
    queue::count(write, &changes)?;
    tally.write(write)?;
    Ok(answers)
}

fn unanswered() -> StoreError {
    StoreError::Unavailable { store: "SQLite", reason: "it left a task unanswered".into() }
}
