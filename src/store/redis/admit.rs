//! Accepting tasks: record, unique key and, for delayed ones, schedule entry in one step.

use super::{BATCH, MARGIN, RedisStore, corrupt, millis, packed, scripts};
use crate::{
    store::{Admission, Admitted, StoreError},
    task::TaskId,
};

impl RedisStore {
    pub(super) async fn admit_all(&self, tasks: &[Admission]) -> Result<Vec<Admitted>, StoreError> {
        let mut answers = Vec::with_capacity(tasks.len());
        for chunk in tasks.chunks(BATCH) {
            let mut call = self.call(&scripts::ADMIT);
            call.arg(millis(MARGIN));
            for task in chunk {
                let message = &task.message;
                call.arg(message.id.as_bytes()).arg(message.generation).arg(&task.kind).arg(message.priority.index());
                call.arg(task.tenant.as_deref().unwrap_or("")).arg(task.unique_key.as_deref().unwrap_or(""));
                call.arg(message.enqueued_at.as_millis()).arg(message.expires_at.as_millis());
                match task.at {
                    Some(at) => call.arg(at.as_millis()).arg(packed::pack(message)),
                    None => call.arg("").arg(""),
                };
            }
            let found: Vec<Vec<u8>> = self.run(&call).await?;
            for id in found {
                answers.push(admitted(&id)?);
            }
        }
        Ok(answers)
    }
}

fn admitted(id: &[u8]) -> Result<Admitted, StoreError> {
    if id.is_empty() {
        return Ok(Admitted::New);
    }
    let id = id.try_into().map_err(|_| corrupt("a unique key names no task"))?;
    Ok(Admitted::Existing(TaskId::from_bytes(id)))
}
