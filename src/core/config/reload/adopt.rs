//! The configuration that holds after another one was read.

use super::reach::{Reach, reach};
use crate::config::{Api, Config, Limits, Log, Pool, WorkerSettings};

/// What a configuration that was read again comes to.
#[derive(Clone, Debug)]
pub struct Adopted {
    /// What holds from now on.
    pub config: Config,
    /// The keys that differ between the two, each with what it takes to hold.
    pub changes: Vec<(String, Reach)>,
}

impl Config {
    /// This configuration, with all of `new` that can hold without a restart. What cannot is told again by
    /// the next call. Where the two do not go together, nothing is taken.
    pub fn adopt(&self, new: &Self) -> Adopted {
        let with_reach = |key: String| {
            let reach = reach(&key).unwrap_or(Reach::Restart);
            (key, reach)
        };
        let changes: Vec<(String, Reach)> = self.changes(new).into_iter().map(with_reach).collect();
        let config = self.mixed_with(new);
        if config.check().is_ok() {
            return Adopted { config, changes };
        }
        let changes = changes.into_iter().map(|(key, _)| (key, Reach::Restart)).collect();
        Adopted { config: self.clone(), changes }
    }

    fn mixed_with(&self, new: &Self) -> Self {
        let own = self.clone();
        let new = new.clone();
        Self {
            profile: own.profile,
            embedded: own.embedded,
            redis: own.redis,
            rabbitmq: own.rabbitmq,
            lanes: own.lanes,
            api: Api {
                streams: new.api.streams,
                tokens: new.api.tokens,
                read_only: new.api.read_only,
                ..own.api
            },
            limits: Limits { queued: own.limits.queued, ..new.limits },
            classes: new.classes,
            queues: own.queues,
            results: own.results,
            attempts: new.attempts,
            retry: new.retry,
            worker: WorkerSettings {
                heartbeat: own.worker.heartbeat,
                lease: own.worker.lease,
                doubt: own.worker.doubt,
                crashes: own.worker.crashes,
                ..new.worker
            },
            pacing: new.pacing,
            autoscale: new.autoscale,
            health: own.health,
            probes: own.probes,
            tracing: own.tracing,
            log: Log {
                format: own.log.format,
                file: own.log.file,
                event_source: own.log.event_source,
                ..new.log
            },
            rules: new.rules,
            handlers: new.handlers,
            pools: mixed_pools(own.pools, new.pools),
        }
    }
}

/// Pools that come or go do so with a restart.
fn mixed_pools(own: Vec<Pool>, new: Vec<Pool>) -> Vec<Pool> {
    let same = own.iter().map(|pool| &pool.name).eq(new.iter().map(|pool| &pool.name));
    if !same {
        return own;
    }
    own.into_iter().zip(new).map(|(own, new)| Pool { driver: own.driver, ..new }).collect()
}
