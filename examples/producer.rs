//! A producer in Rust, which talks to the servers itself: `cargo run --example producer` beside a running
//! pool.

use std::{error::Error, time::Duration};

use clawpool::{Config, NewTask, Payload, Producer, Rights};
use serde::Serialize;

#[derive(Serialize)]
struct Email {
    to: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = std::env::var_os("CLAWPOOL_CONFIG");
    let config = Config::load(config.as_deref().map(std::path::Path::new), &[])?;
    let producer = Producer::connect(&config).await?;
    let mut tasks = Vec::new();
    for name in ["ada", "grace"] {
        let payload = Payload::encode(&Email { to: format!("{name}@example.org") })?;
        tasks.push(NewTask {
            // Sent twice, it is one task.
            unique_key: Some(format!("welcome {name}")),
            delay: Some(Duration::from_secs(1)),
            ..NewTask::new("email.send", payload)
        });
    }
    for answer in producer.enqueue(tasks, Rights::default()).await {
        match answer {
            Ok(accepted) if accepted.duplicate => println!("{} was there before", accepted.id),
            Ok(accepted) => println!("{} waits on {}", accepted.id, accepted.queue),
            Err(refused) => eprintln!("{}: {}", refused.code, refused.message),
        }
    }
    Ok(())
}
