//! A long time under load with a fault a minute: what the processes take must not grow.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    campaign,
    fault::{Action, Fault},
    options::Options,
    plan::Plan,
    recovery::Recovery,
    report,
    vitals::{self, Vitals},
    world::{Composition, World},
};

const EVERY: Duration = Duration::from_secs(60);
const SAMPLE: Duration = Duration::from_secs(5);
/// The second quarter of the time is what the last is measured by: the first is for caches and pools to fill.
const GROWTH: f64 = 1.15;
/// And this much more of each may always be: a page cache, a connection that is being made.
const SLACK: Vitals = Vitals { memory: 4096, files: 4, threads: 2 };

type Series = BTreeMap<String, Vec<Vitals>>;
type Take = fn(&Vitals) -> u64;

pub async fn run(options: &Options) -> bool {
    let soaks = options.compositions().into_iter().map(|composition| soak(composition, options));
    join_all(soaks).await.into_iter().all(|good| good)
}

async fn soak(composition: Composition, options: &Options) -> bool {
    let mut world = World::start(composition).await;
    let mut plan = Plan::gentle(composition, options.seed);
    let stop = CancellationToken::new();
    let load = tokio::spawn(world.load.clone().run(options.rate, plan.rng(), stop.clone()));
    let until = Instant::now() + options.time();
    let mut series = Series::new();
    let mut injections = 0;
    let mut ticks = interval(SAMPLE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next = Instant::now() + EVERY / 2;
    while Instant::now() < until {
        ticks.tick().await;
        if Instant::now() > next {
            next += EVERY;
            let fault = if injections == 0 { heaviest(composition) } else { None };
            injections += 1;
            inject(&mut world, fault.unwrap_or_else(|| plan.next())).await;
        }
        for (name, vitals) in vitals::sample(&world) {
            series.entry(name).or_default().push(vitals);
        }
    }
    stop.cancel();
    load.await.unwrap();
    let mut outcome = campaign::finish(world, injections, Recovery::default(), options).await;
    let table = table(&series, &mut |grown| outcome.verdict.note("grown", grown));
    report::print(&outcome);
    print!("{table}");
    outcome.verdict.is_good()
}

/// What no other fault makes a program take as much memory for: a flood of long tasks. It comes first, so
/// that the second quarter has seen it.
fn heaviest(composition: Composition) -> Option<Fault> {
    let target = composition.disk()?.to_owned();
    Some(Fault { action: Action::FillDisk, target, length: Duration::from_secs(4) })
}

async fn inject(world: &mut World, fault: Fault) {
    eprintln!("{:<8}  {fault}", world.composition.name());
    world.begin(&fault).await;
    if !fault.action.is_instant() {
        tokio::time::sleep(fault.length).await;
    }
    world.end(&fault).await;
    world.look_after(&fault);
}

fn table(series: &Series, grown: &mut impl FnMut(String)) -> String {
    let mut text =
        format!("{:<14}{:>22}{:>22}{:>22}\n", "medians of quarter 2, 4", "memory KiB", "files", "threads");
    for (name, samples) in series {
        text += &format!("{name:<14}");
        let kinds: [(&str, Take); 3] = [
            ("memory", |vitals| vitals.memory),
            ("files", |vitals| vitals.files),
            ("threads", |vitals| vitals.threads),
        ];
        for (kind, of) in kinds {
            let quarter = |number: usize| {
                median(&samples[samples.len() * (number - 1) / 4..samples.len() * number / 4], of)
            };
            let second = quarter(2);
            let last = quarter(4);
            text += &format!("{second:>14} {last:>7}");
            if last as f64 > second as f64 * GROWTH && last > second + of(&SLACK) {
                grown(format!("{kind} of {name}: {second}, then {last}"));
            }
        }
        text.push('\n');
    }
    text
}

fn median(samples: &[Vitals], of: impl Fn(&Vitals) -> u64) -> u64 {
    let mut values: Vec<u64> = samples.iter().map(of).collect();
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}
