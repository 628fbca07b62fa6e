//! A dispatcher and a worker in one process, on one SQLite file: `cargo run --example embedded --features
//! server`.
//!
//! Then `curl -d '{"kind": "greet", "payload": "Ada"}' http://127.0.0.1:7070/v1/tasks?wait=5s`, and Ctrl-C.

use std::error::Error;

use clawpool::{Config, Context, Failure, Shutdown, Worker, server::Dispatcher};

async fn greet(_: Context, name: String) -> Result<String, Failure> {
    Ok(format!("Hello, {name}!"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "clawpool-data".to_owned());
    let config = Config::load(None, &[format!("embedded.data={folder:?}")])?;
    let shutdown = Shutdown::on_signals()?;
    let dispatcher = Dispatcher::open(config.clone(), &shutdown).await?;
    let worker = Worker::builder().config(config).handler("greet", greet).shutdown(shutdown.clone());
    // The dispatcher goes on until the worker has given back what it did not finish.
    let served = shutdown.now.child_token();
    let worked = async {
        let outcome = worker.run().await;
        served.cancel();
        outcome
    };
    let (dispatched, worked) = tokio::join!(dispatcher.run(&served), worked);
    dispatched?;
    Ok(worked?)
}
