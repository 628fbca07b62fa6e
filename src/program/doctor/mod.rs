//! What `clawpool doctor` looks at: the configuration, the servers, the machine, and what waits for whom.
//!
//! Guarantees: every check has a time limit, and all run side by side; a check that cannot look says why;
//! every finding says what to do. Never does: change anything, or need a running dispatcher.

mod alerts;
mod aside;
mod certificate;
mod clock;
mod configuration;
#[cfg(windows)]
mod counters;
mod dead_letters;
mod disk;
mod dispatcher;
mod finding;
mod memory;
mod open_files;
mod pool;
mod queues;
mod rabbitmq;
mod redis;
mod report;
mod secrets;
mod site;
mod sqlite;
mod workers;

use std::time::Duration;

use futures::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use tokio::time::timeout;

use self::finding::Finding;
pub use self::{
    report::{Line, Report, Status},
    site::Site,
};

/// What is looked at under one name.
struct Check {
    name: &'static str,
    look: for<'a> fn(&'a Site) -> BoxFuture<'a, Vec<Finding>>,
}

/// Every check, in the order in which they are told. A new one is a line here and a file beside this one.
const CHECKS: &[Check] = &[
    Check { name: "configuration", look: |site| configuration::check(site).boxed() },
    Check { name: "secrets", look: |site| secrets::check(site).boxed() },
    Check { name: "certificate", look: |site| certificate::check(site).boxed() },
    Check { name: "redis", look: |site| redis::check(site).boxed() },
    Check { name: "rabbitmq", look: |site| rabbitmq::check(site).boxed() },
    Check { name: "sqlite", look: |site| sqlite::check(site).boxed() },
    Check { name: "disk", look: |site| disk::check(site).boxed() },
    Check { name: "memory", look: |_| memory::check().boxed() },
    Check { name: "open files", look: |site| open_files::check(site).boxed() },
    #[cfg(windows)]
    Check { name: "counters", look: |_| counters::check().boxed() },
    Check { name: "dispatcher", look: |site| dispatcher::check(site).boxed() },
    Check { name: "clock", look: |site| clock::check(site).boxed() },
    Check { name: "workers", look: |site| workers::check(site).boxed() },
    Check { name: "queues", look: |site| queues::check(site).boxed() },
    Check { name: "dead letters", look: |site| dead_letters::check(site).boxed() },
    Check { name: "alerts", look: |site| alerts::check(site).boxed() },
];

/// Looks at everything, each check for no longer than `limit`.
pub async fn examine(site: &Site, limit: Duration) -> Report {
    let looks = CHECKS.iter().map(|check| async move {
        match timeout(limit, (check.look)(site)).await {
            Ok(findings) => (check.name, findings, false),
            Err(_) => (check.name, vec![late(limit)], true),
        }
    });
    Report::new(join_all(looks).await)
}

fn late(limit: Duration) -> Finding {
    let text = format!("no answer within {}", humantime::format_duration(limit));
    Finding::error(text, "see what hangs: the server, its network or the disk; --timeout gives it longer")
}
