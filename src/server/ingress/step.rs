//! What a message asks for, task by task.
//!
//! Guarantees: a task that cannot be read is rejected alone, with its reason; a task keeps its id at every
//! try. Never does: ask a server.

use bytes::Bytes;

use clawpool_backends::broker::rabbitmq::{IngressMessage, RejectedMessage};
use clawpool_core::{
    config::Limits,
    task::{NewTask, TaskId},
};
use clawpool_engine::dispatch::{
    Rejection,
    codec::{self, Format},
};

/// What is left to do for one task of a message.
pub(super) struct Step {
    pub(super) message: u64,
    pub(super) action: Action,
}

pub(super) enum Action {
    /// With the part of the message that it was read from, in case that it is rejected.
    Enqueue(Box<NewTask>, Part),
    Reject(RejectedMessage),
}

/// One task of a message as it came.
pub(super) struct Part {
    body: Bytes,
    format: Format,
    correlation_id: Option<String>,
}

/// One for each task of the message, in its order.
pub(super) fn actions(message: &IngressMessage, limits: &Limits) -> Vec<Action> {
    let format = codec::format(message.content_type.as_deref(), &message.body);
    let part = |body| Part { body, format, correlation_id: message.correlation_id.clone() };
    match codec::parts(&message.body, format, limits) {
        Ok(parts) => {
            let id =
                message.message_id.as_deref().filter(|_| parts.len() == 1).and_then(|id| id.parse().ok());
            parts.into_iter().map(|body| traced(action(part(body), id), message)).collect()
        }
        Err(rejection) => vec![Action::Reject(part(message.body.clone()).refused(rejection))],
    }
}

fn action(part: Part, id: Option<TaskId>) -> Action {
    match part.format.task(&part.body) {
        // It gets its id here, so that it is the same task at every try.
        Ok(task) => {
            let id = task.id.or(id).unwrap_or_else(TaskId::new);
            Action::Enqueue(Box::new(NewTask { id: Some(id), ..task }), part)
        }
        Err(unread) => Action::Reject(part.refused(unread.into())),
    }
}

/// The message's headers hold for each task without a trace of its own.
fn traced(mut action: Action, message: &IngressMessage) -> Action {
    if let Action::Enqueue(task, _) = &mut action {
        task.adopt_trace(message.traceparent.as_deref(), message.tracestate.as_deref());
    }
    action
}

impl Part {
    pub(super) fn refused(self, rejection: Rejection) -> RejectedMessage {
        let Rejection { code, message, field, .. } = rejection;
        let content_type = Some(codec::content_type(self.format).to_owned());
        RejectedMessage {
            body: self.body,
            content_type,
            correlation_id: self.correlation_id,
            code,
            message,
            field,
        }
    }
}
