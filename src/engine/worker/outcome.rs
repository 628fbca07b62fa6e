use super::job::{Job, Stop};
use clawpool_core::{
    retry,
    task::{ErrorClass, Failure, Outcome, Payload, Timestamp},
};

/// How an attempt ended, from what its handler said and why it was told to stop.
pub(super) fn of(
    job: &Job,
    result: Result<Payload, Failure>,
    retries: &retry::Table,
    result_limit: usize,
) -> Outcome {
    let failure = match (result, job.stopped()) {
        (Ok(result), _) if result.as_message_pack().len() <= result_limit => {
            return Outcome::Completed(result);
        }
        (Ok(result), _) => {
            let size = result.as_message_pack().len();
            let limit = result_limit;
            Failure::new(
                ErrorClass::Validation,
                format!("the result has {size} bytes; limits.result is {limit}"),
            )
        }
        (Err(_), Some(Stop::Cancelled)) => return Outcome::Cancelled,
        (Err(_), Some(Stop::Leaving | Stop::Lost)) => return Outcome::Released,
        (Err(failure), None) => failure,
    };
    let outcome = retry::decide(retries, &job.task, failure, Timestamp::now(), &mut rand::rng());
    log_failure(job, &outcome);
    outcome
}

fn log_failure(job: &Job, outcome: &Outcome) {
    let id = job.task.id;
    let kind = &job.task.kind;
    match outcome {
        Outcome::Retry { failure, at } => {
            tracing::info!(%id, kind, %failure, next = %at, "failed; will retry")
        }
        Outcome::Dead { failure, .. } if failure.class == ErrorClass::Security => {
            tracing::error!(%id, kind, %failure, alert = true, "security failure; dead-lettered");
        }
        Outcome::Dead { failure, reason } => {
            tracing::warn!(%id, kind, %failure, %reason, "failed for good; dead-lettered")
        }
        _ => {}
    }
}
