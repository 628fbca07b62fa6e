//! Clawpool runs tasks by priority on worker processes, over RabbitMQ and Redis or one SQLite file, and loses
//! none.
//!
//! A **worker** is a program with handlers. It runs tasks of the pool that its configuration names
//! (`CLAWPOOL_CONFIG`), until SIGTERM or Ctrl-C lets it finish what it runs:
//!
//! ```no_run
//! use clawpool::{Context, Failure, Worker, WorkerError};
//!
//! #[derive(serde::Deserialize)]
//! struct Email {
//!     to: String,
//!     template: std::path::PathBuf,
//! }
//!
//! async fn send(context: Context, email: Email) -> Result<usize, Failure> {
//!     let text = tokio::fs::read_to_string(&email.template).await?;
//!     context.progress(format!("attempt {}: {} bytes for {}", context.attempt(), text.len(), email.to));
//!     Ok(text.len())
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), WorkerError> {
//!     Worker::builder().handler("email.send", send).run().await
//! }
//! ```
//!
//! A **producer** adds tasks. Each is answered with its id when it is durable, or refused with a code and the
//! way out:
//!
//! ```no_run
//! use clawpool::{Config, NewTask, Payload, Producer, Rights};
//!
//! # async fn enqueue() -> Result<(), Box<dyn std::error::Error>> {
//! let producer = Producer::connect(&Config::load(None, &[])?).await?;
//! let payload = Payload::encode(&serde_json::json!({"to": "ada@example.org", "template": "welcome.txt"}))?;
//! for answer in producer.enqueue(vec![NewTask::new("email.send", payload)], Rights::default()).await {
//!     match answer {
//!         Ok(accepted) => println!("{} waits on {}", accepted.id, accepted.queue),
//!         Err(refused) => eprintln!("{}: {}", refused.code, refused.message),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Errors of common kinds become failures of the right class by `?` (a lost connection is tried again, a
//! payload that does not parse is not); [`OrFail`] names the class where the type does not. [`TestAttempt`]
//! runs a handler in a test, without servers. `examples/` has a worker, a producer, both in one process with
//! a dispatcher, and a test of a handler.
//!
//! | feature | adds |
//! |---|---|
//! | `client` | `clawpool::client`: the HTTP API of a dispatcher, for programs without its servers |
//! | `server` | `clawpool::server`: a dispatcher in a process of one's own |
//! | `amqp-tls` | `amqps://` to RabbitMQ |
//! | `otlp` | the spans of tasks go to a collector |

#![warn(missing_docs)]

pub use clawpool_core::{
    config::{Config, ConfigErrors},
    errors::OrFail,
    task::{ErrorClass, Failure, NewTask, Payload, Priority, Queue, Task, TaskId, Tier, Timestamp},
};
pub use clawpool_engine::{
    dispatch::{Accepted, Producer, ProducerError, Rejection, Rights},
    process::Shutdown,
    worker::{Context, Handler, LogLayer, TestAttempt, Worker, WorkerBuilder, WorkerError},
};

/// The HTTP API of a dispatcher: a client, and the shapes of its answers.
#[cfg(feature = "client")]
pub mod client {
    pub use clawpool_engine::client::{
        Client, ClientError, Events, Following, IdempotencyKey, StreamEvent, WrongKey, event, view,
    };
}

/// A dispatcher in a process of one's own.
#[cfg(feature = "server")]
pub mod server {
    pub use clawpool_server::app::{AppError, Dispatcher};
}
