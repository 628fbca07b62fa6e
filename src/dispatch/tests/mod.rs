mod classify;
mod door;
mod doubt;
mod enqueue;
pub(crate) mod pool;
mod properties;

use std::time::Duration;

use super::{admit::Door, *};
use crate::{
    config::{Config, Rule},
    store::Admission,
    task::{NewTask, Payload, Priority, Timestamp},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ALL: Rights = Rights { priority: true, bearer: None };

pub(crate) fn task(kind: &str) -> NewTask {
    NewTask::new(kind, Payload::null())
}

fn admit(task: NewTask) -> Result<Admission, Rejection> {
    Door::new(&Config::default()).admit(task, &Rights::default(), NOW)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn config(rules: Vec<Rule>) -> Config {
    Config { rules, ..Config::default() }
}

pub(crate) fn rule(priority: Priority) -> Rule {
    Rule { priority, ..Rule::default() }
}

fn explain(config: &Config, task: &NewTask) -> Explanation {
    Door::new(config).explain(task, &ALL, NOW).unwrap()
}
