use std::{collections::HashSet, path::Path, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    failure::{Exit, Failure, eprint_line},
    jsonl::{Batch, Lines},
    output::Output,
};
use clawpool_engine::client::{
    Client, ClientError,
    view::{BatchLine, ErrorView},
};

/// Sends a file of tasks, batch by batch, until each has its answer.
pub(super) struct EnqueueFile {
    client: Client,
    patience: Duration,
    progress: ProgressBar,
    summary: Summary,
    warned: HashSet<String>,
    /// Refused lines are told in JSON.
    json: bool,
}

/// No server is asked again sooner, whatever it says.
const SHORTEST: Duration = Duration::from_millis(100);
/// Different warnings shown at most.
const MOST_WARNINGS: usize = 20;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Summary {
    pub(super) accepted: u64,
    /// Of the accepted: known before.
    pub(super) duplicates: u64,
    pub(super) refused: u64,
}

impl EnqueueFile {
    pub(super) fn new(client: Client, patience: Duration) -> Self {
        let style = ProgressStyle::with_template("{spinner} {pos} tasks, {per_sec}, {elapsed} {msg}");
        let progress =
            ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { client, patience, progress, summary: Summary::default(), warned: HashSet::new(), json: false }
    }

    pub(super) async fn run(mut self, path: &Path, output: &Output) -> Result<(), Failure> {
        self.json = output.is_json();
        self.send(path).await?;
        self.progress.finish_and_clear();
        output.show(&self.summary, |summary| {
            let Summary { accepted, duplicates, refused } = summary;
            format!("accepted {accepted} ({duplicates} were there before), refused {refused}")
        })?;
        if self.summary.refused == 0 { Ok(()) } else { Err(Failure::negative()) }
    }

    pub(super) async fn send(&mut self, path: &Path) -> Result<(), Failure> {
        let mut lines = Lines::open(path).await?;
        loop {
            let (batch, faults) = lines.next().await?;
            if batch.is_empty() && faults.is_empty() {
                return Ok(());
            }
            for (line, fault) in faults {
                self.refuse(line, &ErrorView::new("CP-1801", fault));
            }
            if !batch.is_empty() {
                self.deliver(batch).await?;
            }
        }
    }

    /// Goes on until every task of the batch is answered, or nothing was taken for as long as patience lasts.
    async fn deliver(&mut self, batch: Batch) -> Result<(), Failure> {
        let mut waiting = vec![batch];
        let mut progress = Instant::now();
        while let Some(batch) = waiting.pop() {
            let before = batch.len();
            let (left, pause) = match self.client.post_json("v1/tasks", batch.to_json()).await {
                Ok(answers) => self.note(batch, answers)?,
                Err(ClientError::Refused { status: 413, .. }) if batch.len() > 1 => {
                    // A server with smaller limits than ours.
                    let (first, second) = batch.split();
                    waiting.extend([second, first]);
                    continue;
                }
                Err(error) => (batch, Some(self.pause(error)?)),
            };
            if left.len() < before {
                progress = Instant::now();
            }
            if let Some(pause) = pause.filter(|_| !left.is_empty()) {
                self.wait(pause, progress, &left).await?;
                waiting.push(left);
            }
        }
        Ok(())
    }

    /// Counts the answers; returns the tasks that may be taken later, and when.
    fn note(&mut self, batch: Batch, answers: Vec<BatchLine>) -> Result<(Batch, Option<Duration>), Failure> {
        if answers.len() != batch.len() {
            let counts = format!("{} tasks were sent and {} answered", batch.len(), answers.len());
            return Err(Failure::failed(format!("{counts}: is this a dispatcher of another version?")));
        }
        let mut left = Batch::default();
        let mut pause = None;
        for ((line, task), answer) in batch.into_tasks().zip(answers) {
            match answer {
                BatchLine::Accepted(accepted) => {
                    self.warn(accepted.warnings);
                    self.summary.accepted += 1;
                    self.summary.duplicates += u64::from(accepted.duplicate);
                    self.progress.inc(1);
                }
                BatchLine::Refused { error: ErrorView { retry_after: Some(seconds), .. } } => {
                    pause = pause.max(Some(Duration::from_secs(seconds)));
                    left.push(line, task);
                }
                BatchLine::Refused { error } => self.refuse(line, &error),
            }
        }
        Ok((left, pause))
    }

    #[cfg(test)]
    pub(super) const fn summary(&self) -> Summary {
        self.summary
    }

    /// How long to wait before the same batch is sent again; ids make that safe.
    fn pause(&self, error: ClientError) -> Result<Duration, Failure> {
        match error {
            ClientError::Busy { wait, .. } => Ok(wait),
            // A server that has answered before is on its way back; one that never did is the wrong address.
            ClientError::Unreachable { .. } if self.summary != Summary::default() => {
                Ok(Duration::from_secs(1))
            }
            error => Err(self.unfinished(error.into())),
        }
    }

    async fn wait(&self, pause: Duration, progress: Instant, left: &Batch) -> Result<(), Failure> {
        let pause = pause.max(SHORTEST);
        let spent = progress.elapsed();
        if spent + pause > self.patience {
            let message = format!(
                "nothing was taken for {}; line {} and those after it were not sent: raise --patience or try \
                later",
                humantime::format_duration(Duration::from_secs(spent.as_secs())),
                left.first_line(),
            );
            return Err(self.unfinished(Failure::new(Exit::Busy, message)));
        }
        self.progress.set_message(format!("busy, waiting {}s", pause.as_secs()));
        tokio::time::sleep(pause).await;
        self.progress.set_message("");
        Ok(())
    }

    /// What was taken before it went wrong must be known when it is started again.
    fn unfinished(&self, mut failure: Failure) -> Failure {
        self.progress.finish_and_clear();
        if self.summary.accepted > 0 {
            failure.add(&format!("{} tasks were accepted before that", self.summary.accepted));
        }
        failure
    }

    /// Once for each: thousands of tasks may wait for the same.
    fn warn(&mut self, warnings: Vec<String>) {
        for warning in warnings {
            if self.warned.len() < MOST_WARNINGS && !self.warned.contains(&warning) {
                self.progress.suspend(|| eprint_line(&format!("warning: {warning}")));
                self.warned.insert(warning);
            }
        }
    }

    fn refuse(&mut self, line: u64, error: &ErrorView) {
        self.summary.refused += 1;
        let text = match self.json {
            true => serde_json::json!({ "line": line, "error": error }).to_string(),
            false => format!("line {line}: {error}"),
        };
        self.progress.suspend(|| eprint_line(&text));
    }
}
