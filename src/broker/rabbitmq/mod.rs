//! The Broker on RabbitMQ.
