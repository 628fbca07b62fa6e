//! How long after a fault's end each lane worked again.

use std::{
    collections::BTreeMap,
    fmt::Write,
    time::{Duration, Instant},
};

use tokio::time::timeout;

use super::{
    inject::Killed,
    load::{DELAY, LANES, Load},
};

/// A lane that has not recovered by then is noted as such; whether its tasks are lost or stuck is seen at the
/// end.
const LIMIT: Duration = Duration::from_secs(30);

/// A server that was killed may need as long, on a busy machine, before the fault is over.
const RESTART: Duration = Duration::from_secs(90);

/// When a probe of each lane was taken and done.
type Probes = Vec<(&'static str, Option<(Instant, Instant)>)>;

/// By kind of fault and lane; `None` where it did not recover.
#[derive(Default)]
pub struct Recovery {
    times: BTreeMap<(String, &'static str), Vec<Option<Duration>>>,
}

/// Puts one short task on each lane at once, and follows each to its end.
pub async fn probe(load: Load) -> Probes {
    let probes = LANES.map(|lane| {
        let load = load.clone();
        async move { (lane, timeout(RESTART + LIMIT, load.probe(lane)).await.ok().flatten()) }
    });
    futures::future::join_all(probes).await
}

/// The tasks that ran in a killed worker, until each starts again.
pub async fn reruns(load: Load, killed: Killed) -> Vec<(&'static str, Option<Duration>)> {
    let again = killed.tasks.iter().map(|id| {
        let load = load.clone();
        async move {
            let started = timeout(LIMIT, load.effects.started(*id, killed.line)).await.ok();
            if started.is_none() {
                eprintln!("           … and task {id} on {} did not start again", load.lane(*id));
            }
            (load.lane(*id), started.map(|at| at.duration_since(killed.at)))
        }
    });
    futures::future::join_all(again).await
}

impl Recovery {
    /// A fault was over at `over`: what was put on a lane while it lasted and what was put there afterwards
    /// both count, and the later of the two is when the lane had recovered. Answers the lanes that did not.
    pub fn take(&mut self, kind: &str, over: Instant, during: Probes, after: Probes) -> Vec<&'static str> {
        let mut dead = Vec::new();
        for ((lane, during), (_, after)) in during.into_iter().zip(after) {
            let late = |(taken, done): (Instant, Instant)| {
                let from = if lane == "delayed" { over.max(taken + DELAY) } else { over };
                done.saturating_duration_since(from)
            };
            let latest = during.map(late).zip(after.map(late)).map(|(during, after)| during.max(after));
            let latest = latest.filter(|latest| *latest <= LIMIT);
            self.note(kind, lane, latest);
            dead.extend(latest.is_none().then_some(lane));
        }
        dead
    }

    pub fn note(&mut self, kind: &str, lane: &'static str, time: Option<Duration>) {
        self.times.entry((kind.to_owned(), lane)).or_default().push(time);
    }

    /// Median, 95th percentile and longest in seconds, by kind and lane.
    pub fn table(&self) -> String {
        let mut text = format!("{:<38}{:>4}", "recovery in seconds: median p95 max", "n");
        LANES.iter().for_each(|lane| _ = write!(text, "{lane:>19}"));
        let mut kinds: Vec<&str> = self.times.keys().map(|(kind, _)| kind.as_str()).collect();
        kinds.dedup();
        for kind in kinds {
            let of =
                |lane: &'static str| self.times.get(&(kind.to_owned(), lane)).map_or(&[][..], Vec::as_slice);
            let count = LANES.iter().map(|lane| of(lane).len()).max().unwrap_or_default();
            _ = write!(text, "\n{kind:<38}{count:>4}");
            LANES.iter().for_each(|lane| _ = write!(text, "{:>19}", summary(of(lane))));
        }
        _ = write!(text, "\n{:<42}", "all");
        for lane in LANES {
            let all = self.times.iter().filter(|((kind, of), _)| *of == lane && !kind.starts_with("rerun"));
            let all: Vec<Option<Duration>> = all.flat_map(|(_, times)| times).copied().collect();
            _ = write!(text, "{:>19}", summary(&all));
        }
        text + "\n"
    }
}

/// What never came is longer than anything that did.
fn summary(times: &[Option<Duration>]) -> String {
    let mut times: Vec<Duration> = times.iter().map(|time| time.unwrap_or(Duration::MAX)).collect();
    times.sort_unstable();
    let Some(last) = times.len().checked_sub(1) else { return "-".to_owned() };
    [50, 95, 100].map(|percent| seconds(times[(last * percent).div_ceil(100)])).join(" ")
}

fn seconds(time: Duration) -> String {
    if time > LIMIT { ">30".to_owned() } else { format!("{:.2}", time.as_secs_f64()) }
}
