//! A worker of one's own: a typed handler that tells its progress, listens to cancellation and names its
//! failures.
//!
//! `cargo run --example email_worker` beside a running pool, or `command = ["./email_worker"]` in
//! `[[pools]]`.

use std::time::Duration;

use clawpool::{Context, ErrorClass, Failure, Worker, WorkerError};

#[derive(serde::Deserialize)]
struct Email {
    to: String,
}

async fn send(context: Context, email: Email) -> Result<String, Failure> {
    context.progress(format!("attempt {} for {}", context.attempt(), email.to));
    tokio::select! {
        () = context.cancelled().cancelled() => Err(Failure::new(ErrorClass::Other, "told to stop")),
        sent = deliver(&email) => sent,
    }
}

/// Where a real worker would talk to its mail server.
async fn deliver(email: &Email) -> Result<String, Failure> {
    if !email.to.contains('@') {
        return Err(Failure::new(ErrorClass::Validation, format!("{:?} is not an address", email.to)));
    }
    tokio::time::sleep(Duration::from_millis(50)).await;
    Ok(format!("sent to {}", email.to))
}

#[tokio::main]
async fn main() -> Result<(), WorkerError> {
    Worker::builder().handler("email.send", send).run().await
}
