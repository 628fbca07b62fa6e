use super::Apart;
use crate::{
    path::{PathError, Promoted},
    store::Fence,
};
use clawpool_core::task::{Message, TaskId, Timestamp};

impl Apart {
    /// An entry leaves the schedule set only after the broker has confirmed its message.
    pub(super) async fn promote_due(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        let due = self.store.due(fence, limit).await?;
        if due.messages.is_empty() {
            return Ok(Promoted { next: due.next, ..Promoted::default() });
        }
        let tasks = due.messages.len();
        let (published, refusal) = self.publish_due(due.messages).await;
        self.store.promoted(fence, &published).await?;
        Ok(Promoted { moved: published.len(), left: tasks - published.len(), refusal, next: None })
    }

    async fn publish_due(&self, messages: Vec<Message>) -> (Vec<(TaskId, u32)>, Option<PathError>) {
        let keys: Vec<(TaskId, u32)> =
            messages.iter().map(|message| (message.id, message.generation)).collect();
        let now = Timestamp::now();
        let expired = messages.iter().filter(|message| message.expires_at <= now).count();
        if expired > 0 {
            tracing::debug!(expired, "overdue entries go to their queues, where they are dead-lettered");
        }
        let answers = self.broker.publish(messages).await;
        let mut published = Vec::with_capacity(keys.len());
        let mut refusal = None;
        for (key, answer) in keys.into_iter().zip(answers) {
            match answer {
                Ok(()) => published.push(key),
                Err(error) => refusal = refusal.or(Some(error.into())),
            }
        }
        (published, refusal)
    }
}
