//! Taking tasks off their queues, claimed.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::{finish::receipt, scripts, source::RedisSource};
use crate::backend::redis::queue_name::name;
use crate::{
    backend::redis::{layout::Name, packed, script::Call},
    broker::redis::BATCH,
    path::{PathError, Taken, TakenTask, Wants},
    store::{
        Claimed, DeadLetter, End, StoreError,
        redis::{corrupt, lease_end::Dead, millis},
    },
};
use clawpool_core::task::{DeadReason, ErrorClass, Failure, Message, Task, TaskId, Timestamp};

/// As `scripts/take.lua` answers: entries, tokens, messages, tasks that workers died with, and tasks whose
/// dead owners still have leases.
type Answer = (Bytes, Bytes, Vec<Bytes>, Vec<Suspect>, Vec<Bytes>);

/// Position, code and crashes.
type Suspect = (usize, String, u32);

const TOKEN_WIDTH: usize = size_of::<u64>();

impl RedisSource {
    pub(super) async fn take_now(&mut self, wants: &Wants) -> Result<Taken, PathError> {
        let mut taken = Taken::default();
        loop {
            let left = wants.total - taken.tasks.len();
            let orphans = self.take_some(wants, left, &mut taken).await?;
            for orphan in &orphans {
                self.path.store.end_lease_of(Dead::OwnerOf(*orphan), None).await?;
            }
            // They were left on their queues.
            if orphans.is_empty() || taken.tasks.len() == wants.total {
                return Ok(taken);
            }
        }
    }

    async fn take_some(
        &mut self,
        wants: &Wants,
        left: usize,
        taken: &mut Taken,
    ) -> Result<Vec<TaskId>, PathError> {
        let shared = Arc::clone(&self.path.shared);
        // Dropped after what was taken is known.
        let _take = shared.held.take();
        let answer = self.path.store.run::<Answer>(&self.call(wants, left)).await;
        let (entries, tokens, messages, suspects, orphans) =
            answer.inspect_err(|_| self.path.shared.held.answer_lost())?;
        let mut suspects = suspects.into_iter().peekable();
        let entries = entries.chunks_exact(Name::WIDTH);
        let tokens = tokens.chunks_exact(TOKEN_WIDTH);
        for (position, ((entry, mut token), message)) in entries.zip(tokens).zip(&messages).enumerate() {
            let message =
                packed::unpack_header(entry, message).ok_or_else(|| corrupt("a task without a message"))?;
            let suspect = suspects.next_if(|(of, ..)| *of == position);
            let (_, code, crashes) = suspect.unwrap_or_default();
            taken.tasks.extend(self.task(message, token.get_u64(), code == "P", crashes).await?);
        }
        orphans.iter().map(|id| task_id(id).map_err(PathError::from)).collect()
    }

    fn call(&self, wants: &Wants, left: usize) -> Call {
        let store = &self.path.store;
        let takeover = (self.taker.sees_silence)();
        let mut call = store.call(&scripts::TAKE);
        call.arg(self.taker.worker.as_bytes()).arg(u8::from(takeover));
        call.arg(millis(store.quiet)).arg(store.bearable).arg(store.remembered());
        call.arg(rand::random::<u32>()).arg(left.min(BATCH));
        for want in &wants.queues {
            call.arg(&*name(want.queue)).arg(want.most.min(BATCH));
        }
        call
    }

    /// None where its body is no task: no worker can run it, so it goes to the dead letters as it is.
    async fn task(
        &mut self,
        message: Message,
        token: u64,
        is_poison: bool,
        crashes: u32,
    ) -> Result<Option<TakenTask>, PathError> {
        let task = message.task();
        let queue = task.as_ref().map_or(message.queue, Task::queue);
        let claimed = Claimed { id: message.id, queue, token };
        let receipt = receipt(self.taker.worker, &claimed, message.generation);
        match task {
            Ok(task) => {
                self.path.shared.held.add_receipt(&receipt);
                Ok(Some(TakenTask { task: Arc::new(task), claimed, crashes, is_poison, receipt }))
            }
            Err(error) => {
                let letter = unreadable(message, &error.to_string(), crashes);
                let attempt = crate::path::Attempt::uncounted(claimed, receipt, End::Dead(letter));
                self.path.finish_all(&[attempt]).await?;
                Ok(None)
            }
        }
    }
}

fn unreadable(message: Message, why: &str, crashes: u32) -> DeadLetter {
    DeadLetter {
        kind: "unreadable".into(),
        tenant: None,
        reason: DeadReason::Undeliverable,
        failure: Failure::new(ErrorClass::Validation, why),
        crashes,
        died_at: Timestamp::now(),
        message,
    }
}

fn task_id(bytes: &[u8]) -> Result<TaskId, StoreError> {
    bytes.try_into().map(TaskId::from_bytes).map_err(|_| corrupt("a claim of no task"))
}
