//! A [`Message`] as an AMQP message: the encoded task is the body; the fields that brokers read are
//! headers, so that passing a message on does not decode the task. A message without them is read from its
//! body.

use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};

use super::{OutgoingMessage, Topology};
use clawpool_core::task::{CodecError, Message, Priority, Timestamp};

/// The server knows no expiration beyond 2^32 ms; a longer one is checked by the worker's claim alone.
const LONGEST_EXPIRATION: u64 = u32::MAX as u64;

pub(super) fn outgoing(message: &Message, topology: &Topology) -> OutgoingMessage {
    let mut headers = FieldTable::default();
    let millis =
        |time: Timestamp| AMQPValue::LongLongInt(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
    headers.insert("generation".into(), AMQPValue::LongLongInt(message.generation.into()));
    headers.insert("class".into(), AMQPValue::LongLongInt(message.priority() as i64));
    if let Some(queue) = message.queue.own() {
        headers.insert("queue".into(), AMQPValue::LongString(queue.written().as_bytes().into()));
    }
    headers.insert("enqueued-at".into(), millis(message.enqueued_at));
    headers.insert("expires-at".into(), millis(message.expires_at));
    let mut properties = BasicProperties::default()
        .with_content_type("application/msgpack".into())
        .with_message_id(message.id.to_string().into())
        .with_timestamp(message.enqueued_at.as_millis() / 1000)
        .with_priority(amqp_priority(message.priority()))
        .with_headers(headers);
    let left = message.expires_at.as_millis().saturating_sub(Timestamp::now().as_millis());
    if left <= LONGEST_EXPIRATION {
        properties = properties.with_expiration(left.to_string().into());
    }
    OutgoingMessage::to_queue(topology.queue_name(message.queue), properties, message.body.clone())
}

/// The AMQP priority, 0 to 10, on the queue that P2 and P3 may share. Other queues carry one priority and
/// ignore it.
const fn amqp_priority(priority: Priority) -> u8 {
    match priority {
        Priority::P0 | Priority::P1 | Priority::P2 => 10,
        Priority::P3 => 5,
        _ => 0,
    }
}

pub fn message(properties: &BasicProperties, body: Vec<u8>) -> Result<Message, CodecError> {
    let body = Bytes::from(body);
    match from_headers(properties, &body) {
        Some(message) => Ok(message),
        None => Message::from_body(body),
    }
}

fn from_headers(properties: &BasicProperties, body: &Bytes) -> Option<Message> {
    let headers = properties.headers().as_ref()?.inner();
    let number = |key: &str| u64::try_from(integer(headers.get(key)?)?).ok();
    Some(Message {
        id: properties.message_id().as_ref()?.as_str().parse().ok()?,
        generation: u32::try_from(number("generation")?).ok()?,
        queue: match headers.get("queue") {
            None => Priority::from_index(number("class")?)?.queue(),
            Some(own) => text(own)?.parse().ok()?,
        },
        enqueued_at: Timestamp::from_millis(number("enqueued-at")?),
        expires_at: Timestamp::from_millis(number("expires-at")?),
        body: body.clone(),
    })
}

fn text(value: &AMQPValue) -> Option<&str> {
    match value {
        AMQPValue::LongString(text) => std::str::from_utf8(text.as_bytes()).ok(),
        AMQPValue::ShortString(text) => Some(text.as_str()),
        _ => None,
    }
}

/// Any integer: a server may deliver a header in another width than it was published in.
fn integer(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(value) => Some(value.into()),
        AMQPValue::ShortShortUInt(value) => Some(value.into()),
        AMQPValue::ShortInt(value) => Some(value.into()),
        AMQPValue::ShortUInt(value) => Some(value.into()),
        AMQPValue::LongInt(value) => Some(value.into()),
        AMQPValue::LongUInt(value) => Some(value.into()),
        AMQPValue::LongLongInt(value) => Some(value),
        _ => None,
    }
}

/// Why the server dead-lettered a message: the reason in its `x-death` header.
pub(super) fn dead_letter_reason(properties: &BasicProperties) -> Option<&str> {
    let headers = properties.headers().as_ref()?.inner();
    let AMQPValue::FieldArray(deaths) = headers.get("x-death")? else { return None };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else { return None };
    text(latest.inner().get("reason")?)
}
