use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use tokio::time;
use tracing::Instrument;

use super::{
    Context, Handler, Progress,
    attempt_log::Logs,
    job::Job,
    watch::{Watch, watched},
};
use clawpool_core::task::{ErrorClass, Failure, Payload};

/// Runs one attempt under its deadline. At the deadline (or when the job is stopped) the handler is told;
/// when it has not ended `stop_grace` later it is dropped. A panic is a failure like any other.
pub(super) async fn run(
    handler: Arc<dyn Handler>,
    job: &Job,
    progress: Progress,
    logs: Option<&Arc<Logs>>,
    stop_grace: Duration,
) -> Result<Payload, Failure> {
    let context = Context::new(Arc::clone(&job.task), job.deadline, job.stop.clone(), progress);
    let log = logs.map(|logs| logs.of(job.task.id, context.attempt())).unwrap_or_default();
    let context = context.within(job.trace).with_log(log.clone());
    let attempt = context.attempt();
    let trace = job.trace.map(tracing::field::display);
    let span = tracing::info_span!("task", id = %job.task.id, kind = job.task.kind, attempt, trace);
    let running = log.around(watched(Watch::of(job), guarded(handler, context)));
    let mut handler = std::pin::pin!(running.instrument(span));
    tokio::select! {
        biased;
        ended = &mut handler => return ended,
        () = job.stop.cancelled() => {}
        () = time::sleep_until(job.deadline) => job.stop.cancel(),
    }
    let late = |said: &str| {
        Failure::new(ErrorClass::Timeout, format!("still running after its {:?}{said}", job.task.timeout))
    };
    match time::timeout(stop_grace, handler).await {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(failure)) if job.stopped().is_some() => Err(failure),
        // What it says of its end helps; that it was late is what counts.
        Ok(Err(failure)) => Err(late(&format!(": {}", failure.message)).of_program(&failure)),
        Err(_) => Err(late("")),
    }
}

async fn guarded(handler: Arc<dyn Handler>, context: Context) -> Result<Payload, Failure> {
    AssertUnwindSafe(async move { handler.run(context).await }).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Failure::new(
            ErrorClass::Panic,
            format!("the handler panicked: {}", text.as_deref().unwrap_or("no message")),
        ))
    })
}
