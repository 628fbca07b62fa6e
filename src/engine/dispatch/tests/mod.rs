mod admission;
mod classify;
mod doubt;
mod enqueue;
mod properties;

use std::time::Duration;

use super::{
    admit::AdmissionControl,
    testing::{config, rule, task},
    *,
};
use clawpool_backends::store::Admission;
use clawpool_core::{
    config::{Config, Rule},
    task::{NewTask, Payload, Priority, Timestamp},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const ALL: Rights = Rights { priority: true, token: None };

fn admit(task: NewTask) -> Result<Admission, Rejection> {
    AdmissionControl::new(&Config::default()).admit(task, &Rights::default(), None, NOW)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn explain(config: &Config, task: &NewTask) -> Explanation {
    AdmissionControl::new(config).explain(task, &ALL, None, NOW).unwrap()
}
