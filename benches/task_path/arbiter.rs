//! A slot that is freed and given to the next task: with every queue ready, with one, with none; and what is
//! asked before a fetch.

use std::hint::black_box;

use clawpool_core::{config::WorkerSettings, task::Queue};
use clawpool_engine::worker::Arbiter;
use criterion::Criterion;

pub fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("arbiter");
    group.bench_function("turn, every queue ready", |bench| {
        let mut arbiter = full();
        bench.iter(|| turn(&mut arbiter, |_| true));
    });
    group.bench_function("turn, one queue ready", |bench| {
        let mut arbiter = full();
        bench.iter(|| turn(&mut arbiter, |queue| queue == Queue::P4));
    });
    group.bench_function("no queue ready", |bench| {
        let mut arbiter = Arbiter::new(&WorkerSettings::default());
        bench.iter(|| arbiter.pick(|queue| black_box(queue) > Queue::Background, true));
    });
    group.bench_function("room of every queue", |bench| {
        let arbiter = full();
        bench.iter(|| Queue::ALL.map(|queue| black_box(&arbiter).room(queue)));
    });
    group.finish();
}

/// All but one slot taken.
fn full() -> Arbiter {
    let settings = WorkerSettings { slots: 256, reserved: 0, ..WorkerSettings::default() };
    let mut arbiter = Arbiter::new(&settings);
    for _ in 1..settings.slots {
        arbiter.pick(|queue| queue == Queue::P4, true);
    }
    arbiter
}

fn turn(arbiter: &mut Arbiter, ready: impl Fn(Queue) -> bool) -> Option<Queue> {
    let picked = arbiter.pick(ready, true);
    if let Some(queue) = picked {
        arbiter.freed(queue);
    }
    picked
}
