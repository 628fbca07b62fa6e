//! The envelope, with a payload of 200 bytes and with one of 16 KiB: to MessagePack and back; a new task from
//! both of its formats.

use std::{hint::black_box, time::Duration};

use clawpool_core::task::{Message, NewTask, Payload, Priority, Task, TaskId, Tier, Timestamp};
use criterion::{BenchmarkId, Criterion, Throughput};

const BODIES: [usize; 2] = [200, 16 * 1024];

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codec");
    for bytes in BODIES {
        let task = task(bytes);
        let new = new_task(bytes);
        let message = task.to_message().unwrap();
        let pack = rmp_serde::to_vec_named(&new).unwrap();
        let json = serde_json::to_vec(&new).unwrap();
        group.throughput(Throughput::Bytes(message.body.len() as u64));
        let id = |what| BenchmarkId::new(what, bytes);
        group.bench_function(id("task to message"), |bench| {
            bench.iter(|| black_box(&task).to_message().unwrap())
        });
        group.bench_function(id("message to task"), |bench| {
            bench.iter(|| black_box(&message).task().unwrap())
        });
        group.bench_function(id("message from its body"), |bench| {
            bench.iter(|| Message::from_body(black_box(&message).body.clone()).unwrap());
        });
        group.bench_function(id("new task from MessagePack"), |bench| {
            bench.iter(|| NewTask::from_message_pack(black_box(&pack)).unwrap());
        });
        group.bench_function(id("new task from JSON"), |bench| {
            bench.iter(|| NewTask::from_json(black_box(&json)).unwrap());
        });
    }
    group.finish();
}

fn payload(bytes: usize) -> Payload {
    Payload::encode(&"x".repeat(bytes)).unwrap()
}

fn new_task(bytes: usize) -> NewTask {
    NewTask {
        tenant: Some("acme".into()),
        tier: Some(Tier::Premium),
        ..NewTask::new("email.send", payload(bytes))
    }
}

fn task(bytes: usize) -> Task {
    Task {
        version: Task::VERSION,
        id: TaskId::new(),
        enqueued_by: None,
        kind: "email.send".into(),
        payload: payload(bytes),
        priority: Priority::P4,
        queue: None,
        tenant: Some("acme".into()),
        tier: Some(Tier::Premium),
        session: None,
        enqueued_at: Timestamp::now(),
        not_before: None,
        expires_at: Timestamp::now() + Duration::from_secs(3600),
        attempt: 0,
        max_attempts: None,
        retry: None,
        timeout: Duration::from_secs(60),
        unique_key: None,
        trace: None,
        trace_state: None,
        meta: Default::default(),
        result_ttl: Duration::from_secs(3600),
        generation: 0,
        handed_on: 0,
        errors: Vec::new(),
    }
}
