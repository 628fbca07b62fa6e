use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::mpsc;

use super::span::{Span, Step, Value};
use clawpool_core::task::{
    NewTask, Outcome, Queue, Task, TaskId, Timestamp, TraceContext,
    trace::{attempt_span, chance, enqueue_span, wait_span},
};

/// Spans of this process that never reached a collector.
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// How many spans of this process never reached a collector: it was away, or there were more than it takes.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// Knows the trace of each task, and makes its spans where they are exported. Cheap to clone; by default it
/// exports nothing.
#[derive(Clone, Debug, Default)]
pub struct Tracer(Option<Recorder>);

#[derive(Clone, Debug)]
struct Recorder {
    /// Of the tasks without a producer's context.
    sample: f64,
    spans: mpsc::Sender<Span>,
}

/// Tasks that are being enqueued.
#[derive(Debug)]
pub struct Enqueuing {
    recorder: Recorder,
    start: SystemTime,
    tasks: Vec<Asked>,
}

#[derive(Debug)]
struct Asked {
    producer: Option<TraceContext>,
    state: Option<String>,
    kind: String,
}

/// An attempt that is over.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    /// As it was before the attempt.
    pub task: &'a Task,
    /// What [`Tracer::attempt`] said.
    pub context: TraceContext,
    /// Of its claim.
    pub token: u64,
    /// Where it waited.
    pub queue: Queue,
    /// When its handler began.
    pub began: Timestamp,
    /// From when it could begin.
    pub wait: Duration,
    /// From its beginning.
    pub run: Duration,
    /// How it ended.
    pub outcome: &'a Outcome,
}

/// Bytes of a failure's message.
const LONGEST_ERROR: usize = 1024;

impl Tracer {
    /// Makes the spans of tasks that producers have chosen, and of this share of those without a producer's
    /// context. So many may wait to be read.
    pub fn recording(sample: f64, room: usize) -> (Self, mpsc::Receiver<Span>) {
        let (spans, receiver) = mpsc::channel(room);
        (Self(Some(Recorder { sample, spans })), receiver)
    }

    /// The span of the attempt with this token. None for a task without a trace.
    pub fn attempt(&self, task: &Task, token: u64) -> Option<TraceContext> {
        let trace = match (&task.trace, &self.0) {
            (None, None) => return None,
            (None, Some(recorder)) => recorder.root(task.id),
            (Some(_), _) => TraceContext::of_producer(task)?,
        };
        Some(trace.child(attempt_span(task.id, token)))
    }

    /// To be asked before tasks are enqueued. None where nothing is exported.
    pub fn enqueuing(&self, tasks: &[NewTask]) -> Option<Enqueuing> {
        let recorder = self.0.clone()?;
        let asked = |task: &NewTask| Asked {
            producer: task.trace.as_ref().and_then(|trace| trace.parse().ok()),
            state: task.trace_state.clone(),
            kind: task.kind.clone(),
        };
        Some(Enqueuing { recorder, start: SystemTime::now(), tasks: tasks.iter().map(asked).collect() })
    }

    /// Makes the spans of an attempt and of the wait before it.
    pub fn ran(&self, ran: Ran<'_>) {
        let Some(recorder) = self.0.as_ref().filter(|_| ran.context.is_sampled()) else { return };
        let began = UNIX_EPOCH + Duration::from_millis(ran.began.as_millis());
        let id = ran.task.id;
        let span = |step, span_id, start, end| Span {
            context: ran.context.child(span_id),
            parent: Some(enqueue_span(id)),
            state: ran.task.trace_state.clone(),
            step,
            kind: ran.task.kind.clone(),
            start,
            end,
            attributes: attributes(id, ran.queue, step),
            error: None,
        };
        recorder.record(span(Step::Wait, wait_span(id, ran.token), began - ran.wait, began));
        let mut attempt = span(Step::Attempt, ran.context.span_id, began, began + ran.run);
        attempt.attributes.push(("clawpool.attempt", Value::Number(i64::from(ran.task.attempt) + 1)));
        attempt.attributes.extend(ran.task.tenant.as_ref().map(|tenant| ("clawpool.tenant", tenant.into())));
        end(&mut attempt, ran.outcome);
        recorder.record(attempt);
    }
}

impl Enqueuing {
    /// What became of each task, in their order: the id and the queue of one that was added.
    pub fn ended(self, answers: impl Iterator<Item = Option<(TaskId, Queue)>>) {
        let end = SystemTime::now();
        for (asked, answer) in self.tasks.into_iter().zip(answers) {
            let Some((id, queue)) = answer else { continue };
            let trace = asked.producer.unwrap_or_else(|| self.recorder.root(id));
            if !trace.is_sampled() {
                continue;
            }
            self.recorder.record(Span {
                context: trace.child(enqueue_span(id)),
                parent: asked.producer.map(|producer| producer.span_id),
                state: asked.state,
                step: Step::Enqueue,
                kind: asked.kind,
                start: self.start,
                end,
                attributes: attributes(id, queue, Step::Enqueue),
                error: None,
            });
        }
    }
}

impl Recorder {
    fn root(&self, id: TaskId) -> TraceContext {
        TraceContext::root(id, chance(id) < self.sample)
    }

    fn record(&self, span: Span) {
        if self.spans.try_send(span).is_err() {
            drop_spans(1);
        }
    }
}

pub(super) fn drop_spans(count: u64) {
    DROPPED.fetch_add(count, Ordering::Relaxed);
}

fn attributes(id: TaskId, queue: Queue, step: Step) -> Vec<(&'static str, Value)> {
    let operation = match step {
        Step::Enqueue => Some("send"),
        Step::Wait => None,
        Step::Attempt => Some("process"),
    };
    let mut attributes = vec![
        ("messaging.system", "clawpool".into()),
        ("messaging.destination.name", queue.name().into()),
        ("messaging.message.id", id.to_string().into()),
    ];
    attributes.extend(operation.map(|operation| ("messaging.operation.type", operation.into())));
    attributes
}

fn end(span: &mut Span, outcome: &Outcome) {
    let (name, failure) = match outcome {
        Outcome::Completed(_) => ("completed", None),
        Outcome::Retry { failure, .. } => ("retried", Some(failure)),
        Outcome::Dead { failure, .. } => ("dead", Some(failure)),
        Outcome::Cancelled => ("cancelled", None),
        Outcome::Released | Outcome::PutOff { .. } => ("released", None),
    };
    span.attributes.push(("clawpool.outcome", name.into()));
    if let Some(failure) = failure {
        span.attributes.push(("error.type", failure.class.to_string().into()));
        let cut = failure.message.floor_char_boundary(LONGEST_ERROR);
        span.error = Some(failure.message[..cut].to_owned());
    }
}
