//! Fault after fault on one composition, under load.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::{
    options::Options,
    plan::Plan,
    recovery::{self, Recovery},
    verdict::{self, Verdict},
    world::{Composition, World},
};

/// Of the time, for the end: until the last task is final and everybody has left.
const LAST: Duration = Duration::from_secs(20);

pub struct Outcome {
    pub composition: Composition,
    pub injections: usize,
    pub recovery: Recovery,
    pub verdict: Verdict,
    pub answers: Vec<(String, usize)>,
    pub left: Vec<String>,
}

pub async fn run(composition: Composition, options: &Options) -> Outcome {
    let until = Instant::now() + options.time().saturating_sub(LAST);
    let mut world = World::start(composition).await;
    let mut plan = Plan::new(composition, options.seed);
    let stop = CancellationToken::new();
    let load = tokio::spawn(world.load.clone().run(options.rate, plan.rng(), stop.clone()));
    let mut recovery = Recovery::default();
    let mut injections = 0;
    while Instant::now() < until && options.injections.is_none_or(|most| injections < most) {
        injections += 1;
        inject(&mut world, &mut plan, &mut recovery, injections).await;
        tokio::time::sleep(plan.pause()).await;
    }
    stop.cancel();
    load.await.unwrap();
    finish(world, injections, recovery, options).await
}

async fn inject(world: &mut World, plan: &mut Plan, recovery: &mut Recovery, number: usize) {
    let fault = plan.next();
    eprintln!("{:<8} {number:>4}  {fault}", world.composition.name());
    let killed = world.begin(&fault).await;
    let reruns = killed.map(|killed| tokio::spawn(recovery::reruns(world.load.clone(), killed)));
    let length = if fault.action.is_instant() { Duration::ZERO } else { fault.length };
    tokio::time::sleep(length / 2).await;
    let during = tokio::spawn(recovery::probe(world.load.clone()));
    tokio::time::sleep(length / 2).await;
    world.end(&fault).await;
    let over = Instant::now();
    let after = recovery::probe(world.load.clone()).await;
    let kind = fault.kind();
    let dead = recovery.take(&kind, over, during.await.unwrap(), after);
    if !dead.is_empty() {
        eprintln!(
            "{:<8} {number:>4}  … and these lanes did not work again: {dead:?}",
            world.composition.name()
        );
    }
    if let Some(reruns) = reruns {
        reruns
            .await
            .unwrap()
            .into_iter()
            .for_each(|(lane, time)| recovery.note(&format!("rerun after {kind}"), lane, time));
    }
    world.look_after(&fault);
}

/// Judges, and then lets everybody leave.
pub async fn finish(mut world: World, injections: usize, recovery: Recovery, options: &Options) -> Outcome {
    let mut verdict = verdict::judge(&world).await;
    let answers: Vec<(String, usize)> = world.load.answers.lock().unwrap().clone().into_iter().collect();
    for (answer, count) in answers.iter().filter(|(answer, _)| answer.starts_with("500")) {
        verdict.note("answers that blame the pool itself", format!("{count} × {answer}"));
    }
    for farewell in world.leave().await {
        verdict.note("left badly at the end", farewell);
    }
    if options.keep || !verdict.is_good() {
        world.folder.disable_cleanup(true);
        println!("{}: logs and data stay in {}", world.composition.name(), world.folder.path().display());
    }
    Outcome {
        composition: world.composition,
        injections,
        recovery,
        verdict,
        answers,
        left: world.left.clone(),
    }
}
