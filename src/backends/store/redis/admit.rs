//! Accepting tasks: record, unique key and, for delayed ones, schedule entry in one step; and taking that
//! back.

use super::{BATCH, MARGIN, RedisStore, corrupt, millis, record, scripts};
use crate::{
    backend::redis::packed,
    store::{Admission, Admitted, StoreError, Withdrawal, Withdrawn},
};
use clawpool_core::task::TaskId;

impl RedisStore {
    pub(super) async fn admit_all(&self, tasks: &[Admission]) -> Result<Vec<Admitted>, StoreError> {
        let mut answers = Vec::with_capacity(tasks.len());
        for chunk in tasks.chunks(BATCH) {
            let mut call = self.call(&scripts::ADMIT);
            call.arg(millis(MARGIN)).arg(self.remembered());
            for task in chunk {
                let message = &task.message;
                call.arg(message.id.as_bytes())
                    .arg(record::fresh(task))
                    .arg(task.unique_key.as_deref().unwrap_or(""));
                call.arg(message.expires_at.as_millis());
                match task.at {
                    Some(at) => call.arg(at.as_millis()).arg(packed::pack(message)),
                    None => call.arg("").arg(""),
                };
            }
            let from = answers.len();
            answers.resize(from + chunk.len(), Admitted::New);
            for (position, id) in self.run::<Vec<(usize, Vec<u8>)>>(&call).await? {
                *answers.get_mut(from + position).ok_or_else(|| corrupt("an answer to no task"))? =
                    existing(&id)?;
            }
        }
        Ok(answers)
    }

    pub(super) async fn withdraw_all(&self, tasks: &[Withdrawal]) -> Result<Vec<Withdrawn>, StoreError> {
        let mut answers = Vec::with_capacity(tasks.len());
        for chunk in tasks.chunks(BATCH) {
            let mut call = self.call(&scripts::WITHDRAW);
            call.arg(millis(MARGIN));
            for Withdrawal { id, until } in chunk {
                call.arg(id.as_bytes());
                match until {
                    Some(until) => call.arg(until.as_millis()),
                    None => call.arg(""),
                };
            }
            let letters: Vec<u8> = self.run::<String>(&call).await?.into_bytes();
            answers.extend(letters.into_iter().map(withdrawn));
        }
        Ok(answers)
    }
}

fn withdrawn(code: u8) -> Withdrawn {
    match code {
        b'd' => Withdrawn::Done,
        b'w' => Withdrawn::Wanted,
        _ => Withdrawn::TooLate,
    }
}

fn existing(id: &[u8]) -> Result<Admitted, StoreError> {
    let id = id.try_into().map_err(|_| corrupt("a unique key names no task"))?;
    Ok(Admitted::Existing(TaskId::from_bytes(id)))
}
