//! Random lives of a few tasks between two workers, beside a model small enough to be read and believed.

mod life;
mod world;

use proptest::{
    prelude::*,
    test_runner::{Config as Settings, TestRunner},
};

use self::world::World;
use super::*;

const TASKS: usize = 4;
const WORKERS: usize = 2;

#[derive(Clone, Copy, Debug)]
enum Step {
    Offer {
        task: usize,
        delayed: bool,
    },
    Take {
        worker: usize,
        most: usize,
    },
    /// One of those that the worker runs, or, `stale`, one that it ran before.
    Finish {
        worker: usize,
        end: Ending,
        stale: bool,
    },
    Cancel {
        task: usize,
    },
    Promote,
    /// The worker is gone without a word, and another one comes in its place.
    Die {
        worker: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Completed,
    Retry,
    Dead,
    Cancelled,
    Released,
    PutOff,
}

fn step() -> impl Strategy<Value = Step> {
    let task = 0..TASKS;
    let worker = 0..WORKERS;
    let end = prop::sample::select(vec![
        Ending::Completed,
        Ending::Retry,
        Ending::Retry,
        Ending::Dead,
        Ending::Cancelled,
        Ending::Released,
        Ending::Released,
        Ending::PutOff,
    ]);
    prop_oneof![
        5 => (task.clone(), prop::bool::weighted(0.3))
            .prop_map(|(task, delayed)| Step::Offer { task, delayed }),
        8 => (worker.clone(), 1..=TASKS).prop_map(|(worker, most)| Step::Take { worker, most }),
        8 => (worker.clone(), end, prop::bool::weighted(0.2))
            .prop_map(|(worker, end, stale)| Step::Finish { worker, end, stale }),
        1 => task.prop_map(|task| Step::Cancel { task }),
        3 => Just(Step::Promote),
        1 => worker.prop_map(|worker| Step::Die { worker }),
    ]
}

pub async fn inv_1_every_task_is_somewhere_and_ends_once(fixture: &dyn Fixture) {
    let observer = fixture.servers().await;
    let fence = lead(&observer).await;
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Handle::current();
        // Not made smaller: a life that went wrong leaves its tasks on the queues of the next ones.
        let settings =
            Settings { cases: 32, failure_persistence: None, max_shrink_iters: 0, ..Settings::default() };
        let lives = prop::collection::vec(step(), 1..40);
        let outcome = TestRunner::new(settings).run(&lives, |steps| {
            runtime.block_on(async {
                let mut world = World::new(fixture, &observer, fence).await;
                for step in steps {
                    world.step(step).await?;
                }
                world.ends().await
            })
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    });
}
