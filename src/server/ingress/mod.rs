//! The AMQP ingress: tasks that producers publish to an exchange of RabbitMQ, in JSON or MessagePack.
//!
//! Guarantees: a message is acknowledged only after its tasks are durable (INV-1); a task that cannot be
//! read, or is refused, ends in the queue of the rejects with its reason. Never does: hold more messages than
//! its prefetch.

mod service;
mod step;
mod task;
#[cfg(test)]
mod tests;

pub(crate) use service::Ingress;
