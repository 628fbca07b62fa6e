//! Publishing in batches, one script for each queue and batch.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use redis::RedisError;

use super::{
    BATCH, scripts,
    shared::{Shared, failure},
};
use crate::backend::redis::queue_name::name;
use crate::{backend::redis::packed, broker::BrokerError};
use clawpool_core::task::{Message, Queue};

/// Bytes of messages in one script.
const VOLUME: usize = 4 << 20;

/// Publishes a batch: queues at the same time, the messages of one queue in order.
pub(super) async fn publish(shared: &Arc<Shared>, messages: Vec<Message>) -> Vec<Result<(), BrokerError>> {
    let mut groups: BTreeMap<Queue, Vec<(usize, &Message)>> = BTreeMap::new();
    for (position, message) in messages.iter().enumerate() {
        groups.entry(message.queue).or_default().push((position, message));
    }
    let answers = join_all(groups.values().map(|group| one_queue(shared, group))).await;
    let mut all = vec![Ok(()); messages.len()];
    for (position, answer) in answers.into_iter().flatten() {
        all[position] = answer;
    }
    all
}

/// Answers with what went wrong, by position in the batch.
async fn one_queue(shared: &Shared, messages: &[(usize, &Message)]) -> Vec<(usize, Result<(), BrokerError>)> {
    let mut wrong = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at(fitting(rest));
        rest = later;
        match one_script(shared, chunk).await {
            Ok(refused) => wrong.extend(refused.into_iter().filter_map(|i| full(shared, chunk.get(i - 1)?))),
            Err(error) => {
                let error = unconfirmed(shared, &error);
                wrong.extend(chunk.iter().map(|(position, _)| (*position, Err(error.clone()))));
            }
        }
    }
    wrong
}

/// How many of the messages one script takes.
fn fitting(messages: &[(usize, &Message)]) -> usize {
    let mut volume = 0;
    let fits = |(_, message): &&(usize, &Message)| {
        volume += message.body.len();
        volume <= VOLUME
    };
    messages.iter().take(BATCH).take_while(fits).count().max(1)
}

async fn one_script(shared: &Shared, chunk: &[(usize, &Message)]) -> Result<Vec<usize>, RedisError> {
    let Some((_, first)) = chunk.first() else { return Ok(Vec::new()) };
    let queue = first.queue;
    let mut call = shared.call(&scripts::PUBLISH);
    call.arg(&*name(queue)).arg(shared.limits.get(queue));
    for (_, message) in chunk {
        call.arg(&packed::entry(message.id, message.generation)[..]).arg(packed::pack(message));
    }
    shared.link.run(&call).await
}

fn full(
    shared: &Shared,
    (position, message): &(usize, &Message),
) -> Option<(usize, Result<(), BrokerError>)> {
    let queue = message.queue;
    Some((*position, Err(BrokerError::Full { queue, limit: shared.limits.get(queue) })))
}

fn unconfirmed(shared: &Shared, error: &RedisError) -> BrokerError {
    let reason = if error.is_timeout() {
        format!("no answer within {:?}", shared.link.timeout())
    } else if error.is_io_error() && !error.is_connection_refusal() {
        // The link broke, perhaps after the script had run.
        error.to_string()
    } else {
        return failure(error);
    };
    BrokerError::Unconfirmed { broker: "redis", reason }
}
