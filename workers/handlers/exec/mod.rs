//! Runs a program for each task.

mod command;
mod outcome;
mod pipes;
#[cfg(test)]
#[cfg(unix)]
mod tests;

#[cfg(any(test, feature = "fuzzing"))]
pub(super) use pipes::read_notes;

use std::{io, pin::pin, process::ExitStatus, time::Duration};

use async_trait::async_trait;
use tokio::time::{sleep_until, timeout};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use self::pipes::Notes;
use super::{Reason, request::Request};
use clawpool_core::{
    config,
    task::{ErrorClass, Failure, Payload},
};
use clawpool_engine::{
    process::{Tree, end_marked_aside, watch},
    worker::{Context, Handler},
};

/// The program gets the task as JSON on its standard input and answers on its standard output. Its whole
/// process tree is gone when the attempt ends, however it ends, and within a second when the worker is
/// killed.
pub struct Exec {
    spec: config::Exec,
    /// Bytes of output.
    limit: usize,
    stop_grace: Duration,
    /// The worker's.
    lease: Duration,
}

/// What the program's run came to.
struct Run {
    status: io::Result<ExitStatus>,
    /// Why it was told to stop, if it was.
    stopped: Option<Stop>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Deadline,
    Cancelled,
    TooMuchOutput,
}

/// How long what is still in the pipes after the program's end is waited for.
const LAST_OUTPUT: Duration = Duration::from_secs(2);

impl Exec {
    pub fn new(spec: config::Exec, limit: usize, worker: &config::WorkerSettings) -> Result<Self, Reason> {
        if spec.command.first().is_none_or(String::is_empty) {
            return Err(Reason::NoProgram);
        }
        // The worker drops a handler that outlasts the grace, so the program's own ends a little earlier.
        Ok(Self { spec, limit, stop_grace: worker.stop_grace.mul_f32(0.8), lease: worker.lease })
    }

    /// Until the program has ended, by itself or because it had to.
    async fn watch(&self, tree: &mut Tree, context: &Context, flooded: &CancellationToken) -> Run {
        let stop = tokio::select! {
            status = tree.wait() => return Run { status, stopped: None },
            () = flooded.cancelled() => Stop::TooMuchOutput,
            () = sleep_until(context.deadline()) => Stop::Deadline,
            // The worker fires it at the deadline, too.
            () = context.cancelled().cancelled() => {
                if context.time_left().is_zero() { Stop::Deadline } else { Stop::Cancelled }
            }
        };
        if stop != Stop::TooMuchOutput {
            tree.terminate();
            if let Ok(status) = timeout(self.stop_grace, tree.wait()).await {
                return Run { status, stopped: Some(stop) };
            }
        }
        tree.kill();
        Run { status: tree.wait().await, stopped: Some(stop) }
    }
}

#[async_trait]
impl Handler for Exec {
    async fn run(&self, context: Context) -> Result<Payload, Failure> {
        let request = Request::new(&context);
        let body = request.to_json()?;
        let command = command::build(&self.spec, &context, request.deadline);
        let _watch = watch(self.lease);
        let mut tree = Tree::spawn(command).map_err(|error| command::refused(&self.spec, &error))?;

        // Three tasks, so that a program that never reads, or never writes, holds up nothing else.
        let flooded = CancellationToken::new();
        let feeder = tree.stdin().map(|stdin| AbortOnDropHandle::new(tokio::spawn(pipes::feed(stdin, body))));
        let output =
            pipes::collect(tree.stdout(), self.limit, context.attempt_log().clone(), flooded.clone());
        let output = AbortOnDropHandle::new(tokio::spawn(output));
        let notes = AbortOnDropHandle::new(tokio::spawn(pipes::notes(tree.stderr(), context.clone())));

        let run = self.watch(&mut tree, &context, &flooded).await;
        drop(feeder);
        let (output, notes) = last_words(&context, run.stopped, output, notes).await;
        if output.len() > self.limit {
            return Err(self.flood(&notes));
        }
        outcome::of(&self.spec, run, &output, &notes)
    }
}

/// The output and the notes. What left the tree and was to stop, or holds the pipes open after the program's
/// end, is ended.
async fn last_words(
    context: &Context,
    stopped: Option<Stop>,
    output: AbortOnDropHandle<Vec<u8>>,
    notes: AbortOnDropHandle<Notes>,
) -> (Vec<u8>, Notes) {
    let words = async {
        let (output, notes) = tokio::join!(output, notes);
        (output.unwrap_or_default(), notes.unwrap_or_default())
    };
    let mut words = pin!(words);
    if stopped.is_none()
        && let Ok(words) = timeout(LAST_OUTPUT, &mut words).await
    {
        return words;
    }
    end_marked_aside(command::marks(context)).await;
    timeout(LAST_OUTPUT, words).await.unwrap_or_default()
}

impl Exec {
    fn flood(&self, notes: &Notes) -> Failure {
        let message = format!(
            "the program wrote more than {} bytes to its standard output and was killed; write results \
             elsewhere, or raise limits.result",
            self.limit
        );
        notes.after(Failure::new(ErrorClass::Other, message).fatal())
    }
}
