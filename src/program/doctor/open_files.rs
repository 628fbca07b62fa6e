//! How many files a process may have open, and how many this configuration needs.

use super::{Site, finding::Finding};
use clawpool_core::config::Config;

/// For the servers, the log, the listener and what a runtime needs by itself.
const OWN: u64 = 128;
/// Of each worker: its pipes, and a watch on its end.
const EACH_WORKER: u64 = 4;
/// Of each task that runs a program: its pipes.
const EACH_SLOT: u64 = 4;

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let config = match site.config() {
        Ok(config) => config,
        Err(skipped) => return vec![skipped],
    };
    vec![match limit() {
        Some(limit) => judge(limit, config),
        None => Finding::ok("this system sets no limit"),
    }]
}

#[cfg(unix)]
fn limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current
}

/// Windows has no such limit.
#[cfg(not(unix))]
const fn limit() -> Option<u64> {
    None
}

fn judge(limit: u64, config: &Config) -> Finding {
    let workers: u64 = config
        .pools
        .iter()
        .map(|pool| u64::from(pool.workers.or(pool.max).unwrap_or(config.autoscale.max)))
        .sum();
    let needed = (OWN + workers * EACH_WORKER).max(OWN + u64::from(config.worker.slots) * EACH_SLOT);
    let connections = u64::from(config.api.connections);
    let fix = "raise it for the user that runs Clawpool: ulimit -n, or LimitNOFILE= of its service";
    if limit < needed {
        let text = format!("a process may have {limit} files open, and this configuration needs {needed}");
        return Finding::error(text, fix);
    }
    let left = limit - needed;
    let most = if left < connections {
        format!("some {left} connections at a time are served, of the {connections} of api.connections")
    } else {
        format!("that is enough for {connections} connections")
    };
    let text = format!("a process may have {limit} files open here; {most}");
    if left < 100 { Finding::warning(text, fix) } else { Finding::ok(text) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Status;
    use clawpool_core::config::Pool;

    #[test]
    fn a_limit_that_the_pools_exceed_is_found() {
        let mut config = Config::default();
        for (limit, status) in [(64, Status::Error), (256, Status::Warning), (1024, Status::Ok)] {
            assert_eq!(judge(limit, &config).status, status, "{limit}");
        }
        config.pools = vec![Pool { max: Some(1000), ..Pool::default() }];
        assert_eq!(judge(1024, &config).status, Status::Error);
    }
}
