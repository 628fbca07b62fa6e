use super::SqlitePath;
use crate::{
    backend::sqlite::Write,
    broker::sqlite::queue,
    path::{PathError, Promoted},
    store::{
        Fence,
        sqlite::{leaders, schedule},
    },
};
use clawpool_core::{config::QueueLimits, task::TaskId};

impl SqlitePath {
    pub(super) async fn promote_due(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        let limits = self.broker.limits.clone();
        let work = move |write: &mut Write<'_>| {
            leaders::fenced(write, fence, |write| promote(write, &limits, limit))
        };
        Ok(self.write(work).await??)
    }
}

fn promote(write: &mut Write<'_>, limits: &QueueLimits, limit: usize) -> rusqlite::Result<Promoted> {
    let due = schedule::due(write, limit)?;
    if due.messages.is_empty() {
        return Ok(Promoted { next: due.next, ..Promoted::default() });
    }
    let answers = queue::publish(write, limits, &due.messages)?;
    let mut moved: Vec<(TaskId, u32)> = Vec::with_capacity(answers.len());
    let mut refusal = None;
    for (message, answer) in due.messages.iter().zip(answers) {
        match answer {
            Ok(()) => moved.push((message.id, message.generation)),
            Err(error) => refusal = refusal.or(Some(error.into())),
        }
    }
    schedule::promoted(write, &moved)?;
    let left = due.messages.len() - moved.len();
    Ok(Promoted { moved: moved.len(), left, refusal, next: None })
}
