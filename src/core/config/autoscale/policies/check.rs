//! What the policies of a pool must keep, each alone and all beside each other.

use super::{Metric, Policy};
use crate::config::reading::{Key, Report};

pub(in crate::config::autoscale) fn check(key: &Key, policies: &[Policy], report: &mut Report) {
    for (index, policy) in policies.iter().enumerate() {
        let key = key.index(index);
        alone(&key, policy, report);
        beside(&key, index, policies, report);
    }
}

fn alone(key: &Key, policy: &Policy, report: &mut Report) {
    let shown = format!("{:?}", policy.name);
    if policy.above.is_some() == policy.below.is_some() {
        let fix = "give it exactly one of above and below";
        report.conflict(&[key], &shown, "it needs one threshold", fix);
    }
    let actions = [policy.add.is_some(), policy.remove.is_some(), policy.replace];
    if actions.into_iter().filter(|set| *set).count() != 1 {
        let fix = "give it exactly one of add, remove and replace = true";
        report.conflict(&[key], &shown, "it needs one action", fix);
    }
    for (name, count) in [("add", policy.add), ("remove", policy.remove)] {
        if let Some(count) = count {
            report.at_least_one(key.name(name), count);
        }
    }
    direction(key, policy, report);
    if let Some(rule) = never(policy) {
        report.add_broken("CP-1013", &[key], &shown, rule, "change its threshold, or take it out");
    }
}

/// More load must never mean fewer workers.
fn direction(key: &Key, policy: &Policy, report: &mut Report) {
    let health = policy.metric == Metric::Healthy;
    let rule = match policy {
        Policy { replace: true, .. } if !health => "only the metric healthy can replace workers",
        Policy { add: Some(_), .. } | Policy { remove: Some(_), .. } if health => {
            "the metric healthy replaces workers"
        }
        Policy { add: Some(_), below: Some(_), .. } => "it adds workers when there is little to do",
        Policy { remove: Some(_), above: Some(_), .. } => "it takes workers away when there is much to do",
        Policy { replace: true, above: Some(_), .. } => "it replaces healthy workers",
        _ => return,
    };
    let fix = "add goes with above; remove and replace with below";
    report.conflict(&[key], format!("{:?}", policy.name), rule, fix);
}

/// Why a policy can never fire.
fn never(policy: &Policy) -> Option<&'static str> {
    match (policy.above, policy.below) {
        (Some(limit), _) | (_, Some(limit)) if !limit.is_finite() => {
            Some("no reading compares with this threshold")
        }
        (_, Some(limit)) if limit <= 0.0 => Some("it can never fire: no reading is below zero"),
        (Some(limit), _) if policy.metric.is_percent() && limit >= 100.0 => {
            Some("it can never fire: no reading is above 100 per cent")
        }
        (Some(limit), _) if limit < 0.0 => Some("it would always fire: every reading is above zero"),
        _ => None,
    }
}

/// Names must differ, and what adds must not meet what removes: the pool would swing between the two.
fn beside(key: &Key, index: usize, all: &[Policy], report: &mut Report) {
    let policy = &all[index];
    let name = key.name("name");
    if policy.name.is_empty() {
        report.refuse(&name, "\"\"", "a policy needs a name", "write for example \"scale out\"");
    } else if all[..index].iter().any(|other| other.name == policy.name) {
        let shown = format!("{:?}", policy.name);
        report.conflict(&[&name], shown, "another policy has this name", "give each its own");
    }
    let (Some(_), Some(floor)) = (policy.remove, policy.below) else { return };
    let meets = |other: &&Policy| {
        other.metric == policy.metric
            && other.add.is_some()
            && other.above.is_some_and(|above| above <= floor)
    };
    if let Some(other) = all.iter().find(meets) {
        let rule = format!("{:?} adds workers at the same readings, so the pool would swing", other.name);
        report.conflict(&[&key.name("below")], floor, rule, "keep below under the other's above");
    }
}
