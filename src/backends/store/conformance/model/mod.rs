//! The life of a task, as a model small enough to be read and believed, and random lives that a store must
//! lead alike.

mod life;
mod world;

use proptest::{
    prelude::*,
    test_runner::{Config as Settings, TestRunner},
};

use self::world::World;
use super::*;

const TASKS: usize = 3;
const WORKERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Step {
    Admit {
        task: usize,
        delayed: bool,
    },
    /// A delivery of the task's current message, or of an older one.
    Claim {
        task: usize,
        worker: usize,
        stale: bool,
    },
    /// By the owner with its token, or by any worker with the token before.
    Settle {
        task: usize,
        end: Ending,
        stale: bool,
    },
    Cancel {
        task: usize,
    },
    Promote,
    EndLease {
        worker: usize,
    },
    Beat {
        worker: usize,
    },
    DeadLetter {
        task: usize,
    },
    Requeue {
        task: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Ending {
    Completed,
    Retry,
    Dead,
    Cancelled,
    Released,
}

fn step() -> impl Strategy<Value = Step> {
    let task = 0..TASKS;
    let worker = 0..WORKERS;
    let end = prop::sample::select(vec![
        Ending::Completed,
        Ending::Retry,
        Ending::Dead,
        Ending::Cancelled,
        Ending::Released,
    ]);
    prop_oneof![
        3 => (task.clone(), any::<bool>()).prop_map(|(task, delayed)| Step::Admit { task, delayed }),
        8 => (task.clone(), worker.clone(), prop::bool::weighted(0.2))
            .prop_map(|(task, worker, stale)| Step::Claim { task, worker, stale }),
        6 => (task.clone(), end, prop::bool::weighted(0.2))
            .prop_map(|(task, end, stale)| Step::Settle { task, end, stale }),
        1 => task.clone().prop_map(|task| Step::Cancel { task }),
        3 => Just(Step::Promote),
        2 => worker.clone().prop_map(|worker| Step::EndLease { worker }),
        2 => worker.prop_map(|worker| Step::Beat { worker }),
        1 => task.clone().prop_map(|task| Step::DeadLetter { task }),
        2 => task.prop_map(|task| Step::Requeue { task }),
    ]
}

pub async fn every_life_is_as_the_model_says(fixture: &dyn Fixture) {
    let store = fixture.store().await;
    let fence = lead(&*store).await;
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Handle::current();
        let settings = Settings { cases: 48, failure_persistence: None, ..Settings::default() };
        let lives = prop::collection::vec(step(), 1..60);
        let outcome = TestRunner::new(settings).run(&lives, |steps| {
            runtime.block_on(async {
                let mut world = World::new(&*store, fence).await;
                for step in steps {
                    world.take(step).await?;
                }
                Ok(())
            })
        });
        if let Err(error) = outcome {
            panic!("{error}");
        }
    });
}
