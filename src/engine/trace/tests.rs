use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use super::*;
use clawpool_backends::path::conformance::taken;
use clawpool_core::task::{
    ErrorClass, Failure, NewTask, Outcome, Payload, Priority, Queue, Task, TaskId, Timestamp, TraceContext,
    trace::{attempt_span, enqueue_span, wait_span},
};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn task(trace: Option<&str>) -> Task {
    let mut task = Arc::unwrap_or_clone(taken(Priority::P4).task);
    task.trace = trace.map(Into::into);
    task.trace_state = trace.map(|_| "rojo=1".into());
    task
}

fn enqueue(tracer: &Tracer, task: &Task) {
    let new = NewTask {
        trace: task.trace.clone(),
        trace_state: task.trace_state.clone(),
        ..NewTask::new(task.kind.clone(), Payload::null())
    };
    let refused = NewTask::new("refused", Payload::null());
    let answers = [None, Some((task.id, task.queue()))];
    tracer.enqueuing(&[refused, new]).unwrap().ended(answers.into_iter());
}

fn ran<'a>(task: &'a Task, context: TraceContext, token: u64, outcome: &'a Outcome) -> Ran<'a> {
    let queue = Queue::CLASSES[4];
    let (wait, run) = (Duration::from_millis(30), Duration::from_micros(1500));
    Ran { task, context, token, queue, began: Timestamp::from_millis(10_000), wait, run, outcome }
}

fn failed() -> Outcome {
    let failure = Failure::new(ErrorClass::Network, "é".repeat(1000));
    Outcome::Retry { failure, at: Timestamp::now() }
}

fn text<'a>(span: &'a Span, name: &str) -> &'a str {
    match span.attributes.iter().find(|(own, _)| *own == name) {
        Some((_, Value::Text(text))) => text,
        other => panic!("{name}: {other:?}"),
    }
}

#[test]
fn a_task_that_failed_once_has_five_spans_below_the_producers() {
    let (tracer, mut spans) = Tracer::recording(0.0, 10);
    let task = task(Some(PARENT));
    let producer: TraceContext = PARENT.parse().unwrap();
    enqueue(&tracer, &task);
    let contexts = [7, 8].map(|token| tracer.attempt(&task, token).unwrap());
    tracer.ran(ran(&task, contexts[0], 7, &failed()));
    tracer.ran(ran(&task, contexts[1], 8, &Outcome::Completed(Payload::null())));

    let all: Vec<Span> = std::iter::from_fn(|| spans.try_recv().ok()).collect();
    let [enqueue, wait, first, again, second] = &all[..] else { panic!("{all:?}") };
    assert!(all.iter().all(|span| span.context.trace_id == producer.trace_id));
    assert!(all.iter().all(|span| span.state.as_deref() == Some("rojo=1")));
    assert_eq!((enqueue.step, enqueue.parent), (Step::Enqueue, Some(producer.span_id)));
    assert_eq!(enqueue.context.span_id, enqueue_span(task.id));
    for (wait, attempt, token) in [(wait, first, 7), (again, second, 8)] {
        let own = Some(enqueue.context.span_id);
        assert_eq!(
            (wait.step, wait.parent, wait.context.span_id),
            (Step::Wait, own, wait_span(task.id, token))
        );
        assert_eq!((attempt.step, attempt.parent), (Step::Attempt, own));
        assert_eq!(attempt.context.span_id, attempt_span(task.id, token));
        assert_eq!(wait.end, attempt.start);
    }
    let began = UNIX_EPOCH + Duration::from_secs(10);
    assert_eq!((wait.start, wait.end), (began - Duration::from_millis(30), began));
    assert_eq!(first.end, began + Duration::from_micros(1500));
    assert_eq!((text(first, "clawpool.outcome"), text(first, "error.type")), ("retried", "network"));
    assert!(first.error.as_ref().is_some_and(|error| error.len() <= 1024));
    assert_eq!((text(second, "clawpool.outcome"), &second.error), ("completed", &None));
    assert_eq!(contexts[0], first.context);
}

#[test]
fn without_a_collector_the_context_goes_on_and_no_span_is_made() {
    let tracer = Tracer::default();
    assert_eq!(tracer.attempt(&task(None), 7), None);
    let task = task(Some(PARENT));
    let attempt = tracer.attempt(&task, 7).unwrap();
    let producer: TraceContext = PARENT.parse().unwrap();
    assert_eq!(attempt, producer.child(attempt_span(task.id, 7)));
    assert!(tracer.enqueuing(&[]).is_none());
    tracer.ran(ran(&task, attempt, 7, &failed()));
}

#[test]
fn a_producer_that_does_not_record_has_no_spans_and_its_decision_goes_on() {
    let (tracer, mut spans) = Tracer::recording(1.0, 10);
    let task = task(Some(&PARENT.replace("-01", "-00")));
    enqueue(&tracer, &task);
    let attempt = tracer.attempt(&task, 7).unwrap();
    tracer.ran(ran(&task, attempt, 7, &failed()));
    assert!(attempt.to_string().ends_with("-00"));
    assert!(spans.try_recv().is_err());
}

#[test]
fn a_task_without_a_producers_context_begins_a_trace_with_its_id() {
    let (tracer, mut spans) = Tracer::recording(1.0, 10);
    let task = task(None);
    enqueue(&tracer, &task);
    let span = spans.try_recv().unwrap();
    assert_eq!(span.context.trace_id, u128::from_be_bytes(*task.id.as_bytes()));
    assert_eq!(span.parent, None);
    assert_eq!(tracer.attempt(&task, 7), Some(span.context.child(attempt_span(task.id, 7))));
}

#[test]
fn the_share_is_kept_and_all_processes_choose_the_same_tasks() {
    let (dispatcher, _one) = Tracer::recording(0.25, 1);
    let (worker, _other) = Tracer::recording(0.25, 1);
    let mut task = task(None);
    let mut chosen = 0;
    for _ in 0..4000 {
        task.id = TaskId::new();
        let context = dispatcher.attempt(&task, 7).unwrap();
        assert_eq!(worker.attempt(&task, 7), Some(context));
        chosen += u32::from(context.is_sampled());
    }
    assert!((800..1200).contains(&chosen), "{chosen} of 4000");
}

#[test]
fn spans_that_nobody_takes_are_dropped_and_counted() {
    let (tracer, mut spans) = Tracer::recording(1.0, 2);
    let task = task(None);
    let before = dropped();
    (0..5).for_each(|_| enqueue(&tracer, &task));
    assert!(dropped() >= before + 3);
    assert_eq!(std::iter::from_fn(|| spans.try_recv().ok()).count(), 2);
}
