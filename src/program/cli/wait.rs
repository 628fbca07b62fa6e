use std::time::Duration;

use tokio::time::Instant;

use super::{
    failure::{Exit, Failure, eprint_line},
    output::{Output, plain},
};
use clawpool_backends::store::Record;
use clawpool_core::task::{State, TaskName};
use clawpool_engine::client::Client;

/// The longest wait that one request may ask for.
const STEP: Duration = Duration::from_secs(60);

/// The task's record when it is final, or as it stands at the end of the time.
pub(super) async fn until_final(
    client: &Client,
    name: &TaskName,
    timeout: Duration,
) -> Result<Record, Failure> {
    let mut name = name.clone();
    let end = Instant::now() + timeout.min(Duration::from_secs(365 * 86_400));
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let wait = format!("{}ms", left.min(STEP).as_millis());
        let record: Record = client.get(&format!("v1/tasks/{name}"), &[("wait", wait)]).await?;
        if record.state.is_final() || left <= STEP {
            return Ok(record);
        }
        // By then others may end alike.
        name = record.id.into();
    }
}

/// Prints what came of a task: its result, or why there is none.
pub(super) fn report(record: &Record, output: &Output) -> Result<(), Failure> {
    output.show(record, |record| match (&record.state, &record.result) {
        (State::Completed, Some(result)) => serde_json::to_string_pretty(result).unwrap_or_default(),
        _ => String::new(),
    })?;
    let id = record.id;
    match (record.state, &record.failure) {
        (State::Completed, _) => Ok(()),
        (State::Dead, Some(failure)) => {
            Err(Failure::failed(format!("task {id} is dead: {}", plain(&failure.to_string(), 1000))))
        }
        (state, _) if state.is_final() => Err(Failure::failed(format!("task {id} is {state}"))),
        (state, failure) => {
            if let Some(failure) = failure {
                eprint_line(&format!("its last attempt failed: {}", plain(&failure.to_string(), 1000)));
            }
            Err(Failure::new(Exit::Busy, format!("task {id} is {state} still: clawpool tasks wait {id}")))
        }
    }
}
