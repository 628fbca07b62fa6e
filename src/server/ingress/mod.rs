//! The entrance over AMQP: tasks that producers publish to an exchange of RabbitMQ, in JSON or MessagePack.
//!
//! Guarantees: a message is acknowledged only after its tasks are durable (INV-1); what cannot be read, or is refused, ends in
//! the queue of rejected messages with its reason. Never does: hold more messages than its prefetch.

mod entrance;
#[cfg(test)]
mod tests;

pub use entrance::Entrance;
