//! A slot that is freed and given to the next task, and what the sources are asked for meanwhile.

use std::hint::black_box;

use clawpool_core::{config::WorkerSettings, task::Queue};
use clawpool_engine::worker::Arbiter;
use criterion::Criterion;

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("arbiter");
    group.bench_function("turn", |bench| {
        let mut arbiter = full();
        bench.iter(|| {
            arbiter.took(black_box(Queue::P4));
            arbiter.freed(black_box(Queue::P4));
        });
    });
    group.bench_function("wants of all queues", |bench| {
        let arbiter = full();
        bench.iter(|| black_box(&arbiter).wants(Queue::CLASSES.into_iter(), true, usize::MAX));
    });
    group.finish();
}

/// All but one slot taken.
fn full() -> Arbiter {
    let settings = WorkerSettings { slots: 256, reserved: 0, ..WorkerSettings::default() };
    let mut arbiter = Arbiter::new(&settings, &Queue::CLASSES);
    (1..settings.slots).for_each(|_| arbiter.took(Queue::P4));
    arbiter
}
