//! Whether a server is fit to hold tasks: what is refused, and what is warned of.

use std::collections::HashMap;

use redis::{InfoDict, RedisError, cmd};

use super::{error::LinkError, link::Link};

/// LMOVE, GETEX, EXAT and SMISMEMBER came with it.
const OLDEST: (u32, u32) = (6, 2);

/// Refuses a server that would lose tasks, and warns of one that may.
pub(crate) async fn check(link: &Link) -> Result<(), LinkError> {
    let info: InfoDict = link.send(&cmd("INFO")).await.map_err(|error| LinkError::of(&error))?;
    if let Some(reason) = unfit(&info) {
        return Err(LinkError::Refused(reason));
    }
    let fsync = told(link.send(cmd("CONFIG").arg("GET").arg("appendfsync")).await, "appendfsync");
    if let Some(warning) = weakness(&text(&info, "aof_enabled"), fsync.as_deref()) {
        tracing::warn!("{warning}");
    }
    Ok(())
}

pub(super) fn text(info: &InfoDict, field: &str) -> String {
    info.get(field).unwrap_or_default()
}

/// A setting from the answer to CONFIG GET. A hosted Redis may not tell its settings.
pub(super) fn told(answer: Result<HashMap<String, String>, RedisError>, name: &str) -> Option<String> {
    answer.ok()?.remove(name)
}

/// Why a server would lose tasks, and the fix.
pub(super) fn unfit(info: &InfoDict) -> Option<String> {
    let text = |field| text(info, field);
    check_settings(&text("redis_version"), &text("maxmemory_policy"), &text("maxmemory_human")).err()
}

/// How a server that is fit for use may still lose tasks, and the fix.
pub(super) fn weakness(append_only: &str, fsync: Option<&str>) -> Option<&'static str> {
    match (append_only, fsync) {
        ("0", _) => Some(
            "Redis writes no append-only file: a restart of Redis loses acknowledged tasks. \
             Set `appendonly yes` and `appendfsync always` in redis.conf",
        ),
        (_, Some("always") | None) => None,
        _ => Some(
            "Redis answers before its append-only file is written: a crash of Redis may lose what was \
             acknowledged in the last two seconds. Set `appendfsync always` in redis.conf",
        ),
    }
}

fn check_settings(version: &str, policy: &str, memory: &str) -> Result<(), String> {
    if !at_least(version, OLDEST) {
        return Err(format!("its version is {version:?}; use 6.2 or later"));
    }
    if policy != "noeviction" {
        return Err(format!(
            "its maxmemory-policy is {policy:?} (maxmemory {memory}), which throws tasks away when memory \
             is short; set `maxmemory-policy noeviction` in redis.conf"
        ));
    }
    Ok(())
}

fn at_least(version: &str, oldest: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= oldest,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warns_of_what_may_lose_tasks() {
        assert!(weakness("0", Some("always")).is_some_and(|warning| warning.contains("`appendonly yes`")));
        assert!(
            weakness("1", Some("everysec")).is_some_and(|warning| warning.contains("`appendfsync always`"))
        );
        assert_eq!((weakness("1", Some("always")), weakness("1", None)), (None, None));
    }

    #[test]
    fn refuses_what_would_lose_tasks_and_names_the_fix() {
        assert!(check_settings("7.0.15", "noeviction", "1.00G").is_ok());
        assert!(check_settings("6.2.0", "noeviction", "0B").is_ok());
        for version in ["6.0.16", "5.0.3", "", "x.y"] {
            let refusal = check_settings(version, "noeviction", "0B").unwrap_err();
            assert!(refusal.contains("6.2 or later"), "{refusal}");
        }
        for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random"] {
            let refusal = check_settings("7.2.4", policy, "1.00G").unwrap_err();
            assert!(refusal.contains(policy) && refusal.contains("maxmemory-policy noeviction"), "{refusal}");
        }
    }
}
