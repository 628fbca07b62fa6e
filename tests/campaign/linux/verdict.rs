//! The pool's word on every task, held against the ledger's.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use clawpool_core::task::TaskId;
use futures::{StreamExt, stream};
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{effects::Run, load::Told, support::Api, world::World};

/// After the last fault, every task that was accepted is final within this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// What there must be none of, with the tasks' ids, and what is only counted.
#[derive(Debug, Default)]
pub struct Verdict {
    faults: BTreeMap<&'static str, Vec<String>>,
    counts: BTreeMap<&'static str, usize>,
}

/// Named even where there is none.
const FAULTS: [&str; 9] = [
    "lost",
    "stuck",
    "overlapping effects",
    "repeated without a crash",
    "completed without effect",
    "dead",
    "refused and run",
    "not healthy at the end",
    "ended by itself with code 0, or not with 0 when told to",
];

pub async fn judge(world: &World) -> Verdict {
    let accepted = world.load.accepted();
    let records = settled(&world.apis, &accepted).await;
    let runs = world.load.effects.runs();
    let mut verdict = Verdict::default();
    for id in &accepted {
        verdict.account(*id, records.get(id), runs.get(id).map_or(&[], Vec::as_slice), &world.stopped);
    }
    for (id, account) in world.load.accounts.lock().unwrap().iter() {
        verdict.count("offered", 1);
        if let Told::Refused(answer) = &account.told {
            verdict.count("refused", 1);
            if runs.contains_key(id) {
                verdict.fault("refused and run", format!("{id}: {answer}"));
            }
        }
    }
    for api in &world.apis {
        let healthy = api.request(Method::GET, "health").timeout(Duration::from_secs(10)).send().await;
        if !healthy.as_ref().is_ok_and(|answer| answer.status().is_success()) {
            verdict.fault("not healthy at the end", format!("{}: {healthy:?}", api.url));
        }
    }
    for left in &world.left {
        let clean = left.contains("exit status: 0") || left.contains("told to end");
        if clean {
            verdict.fault(FAULTS[8], left.clone())
        } else {
            verdict.count("ended by itself with a failure", 1)
        }
    }
    verdict
}

/// The records of the tasks, once all are final or time is up.
async fn settled(apis: &[Api], ids: &[TaskId]) -> BTreeMap<TaskId, Value> {
    let begun = Instant::now();
    let mut records = BTreeMap::new();
    let mut left = ids.to_vec();
    let mut turn = 0;
    while !left.is_empty() && begun.elapsed() < PATIENCE {
        // Each time another dispatcher is asked, should one of them be at a loss.
        let api = apis[turn % apis.len()].clone();
        turn += 1;
        let asked: Vec<_> = stream::iter(&left).map(|id| ask(&api, *id)).buffered(16).collect().await;
        records.extend(left.iter().copied().zip(asked).filter_map(|(id, record)| Some((id, record?))));
        left.retain(|id| records.get(id).is_none_or(|record| !is_final(record)));
        tokio::time::sleep(Duration::from_millis(if left.is_empty() { 0 } else { 500 })).await;
    }
    records
}

/// `null` for a task that nobody knows.
async fn ask(api: &Api, id: TaskId) -> Option<Value> {
    let request = api.request(Method::GET, &format!("v1/tasks/{id}")).timeout(Duration::from_secs(10));
    let answer = request.send().await.ok()?;
    match answer.status() {
        StatusCode::NOT_FOUND => Some(Value::Null),
        StatusCode::OK => answer.json().await.ok(),
        _ => None,
    }
}

fn is_final(record: &Value) -> bool {
    record.is_null() || matches!(record["state"].as_str(), Some("completed" | "dead" | "cancelled"))
}

impl Verdict {
    fn account(&mut self, id: TaskId, record: Option<&Value>, runs: &[Run], stopped: &HashSet<u32>) {
        let completed = runs.iter().filter(|run| run.completed).count();
        self.count("accepted", 1);
        self.count("runs", runs.len());
        self.count("repeated effects", completed.saturating_sub(1));
        let Some(record) = record else { return self.fault("stuck", format!("{id}: nobody answers for it")) };
        if record.is_null() {
            return self.fault("lost", id.to_string());
        }
        let crashes = record["crashes"].as_u64().unwrap_or_default() as usize;
        self.count("crashes", crashes);
        match record["state"].as_str().unwrap_or_default() {
            "completed" if completed == 0 => self.fault("completed without effect", record.to_string()),
            "completed" => self.count("completed", 1),
            "dead" => self.fault("dead", record.to_string()),
            _ => self.fault("stuck", record.to_string()),
        }
        if completed > 1 + crashes {
            self.fault("repeated without a crash", format!("{completed} times: {record}"));
        }
        match overlap(runs, stopped) {
            Some(Overlap::OfStopped) => self.count("overlaps with what a stopped worker had started", 1),
            Some(Overlap::Fault) => self.fault("overlapping effects", format!("{runs:?}: {record}")),
            None => {}
        }
    }

    fn fault(&mut self, what: &'static str, example: String) {
        self.faults.entry(what).or_default().push(example);
    }

    fn count(&mut self, what: &'static str, more: usize) {
        *self.counts.entry(what).or_default() += more;
    }

    pub fn note(&mut self, what: &'static str, example: String) {
        self.fault(what, example);
    }

    pub fn is_good(&self) -> bool {
        self.faults.is_empty()
    }
}

enum Overlap {
    Fault,
    /// The first of the two was the program of a worker that was stopped for longer than its lease. No pool
    /// can keep it from going on: it can only refuse what it answers, which the token does.
    OfStopped,
}

/// A run that begins while an effect of an earlier one is still to come. What was killed before it did
/// anything has no effect that another one could overlap with.
fn overlap(runs: &[Run], stopped: &HashSet<u32>) -> Option<Overlap> {
    let pairs = runs.windows(2).filter(|pair| pair[0].end.is_some_and(|end| pair[1].start < end));
    let mut overlaps: Vec<bool> = pairs.map(|pair| stopped.contains(&pair[0].pid)).collect();
    overlaps.sort_unstable();
    overlaps.first().map(|of_stopped| if *of_stopped { Overlap::OfStopped } else { Overlap::Fault })
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in FAULTS {
            let examples = self.faults.get(what).map_or(&[][..], Vec::as_slice);
            writeln!(f, "  {:>6}  {what}", examples.len())?;
            examples.iter().take(5).try_for_each(|example| writeln!(f, "            {example}"))?;
        }
        for (what, examples) in self.faults.iter().filter(|(what, _)| !FAULTS.contains(what)) {
            writeln!(f, "  {:>6}  {what}", examples.len())?;
            examples.iter().try_for_each(|example| writeln!(f, "            {example}"))?;
        }
        let counts: Vec<String> = self.counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        writeln!(f, "  of {}", counts.join(", "))
    }
}
