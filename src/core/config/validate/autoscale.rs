use humantime::format_duration;

use super::{Key, Report, at_least_one, ordered, positive};
use crate::config::{Autoscale, ForecastMode, Forecasting, Metric, Policy};

/// `key`: of the section, or of a pool's own.
pub(super) fn check(key: &Key, autoscale: &Autoscale, report: &mut Report) {
    at_least_one(&key.name("min"), u64::from(autoscale.min), report);
    at_least_one(&key.name("per_minute"), u64::from(autoscale.per_minute), report);
    positive(key.name("every"), autoscale.every, report);
    if autoscale.min > autoscale.max {
        let (min, max) = (key.name("min"), key.name("max"));
        let rule = format!("it is more than {max} ({})", autoscale.max);
        report.conflict(&[&min, &max], autoscale.min, rule, format!("lower it, or raise {max}"));
    }
    target(&key.name("target"), autoscale, report);
    if autoscale.forecast.mode != ForecastMode::Off {
        forecast(&key.name("forecast"), &autoscale.forecast, report);
    }
    let policies = key.name("policies");
    for (index, policy) in autoscale.policies.iter().enumerate() {
        let key = policies.index(index);
        policy_alone(&key, policy, report);
        beside(&key, index, &autoscale.policies, report);
    }
}

fn target(key: &Key, autoscale: &Autoscale, report: &mut Report) {
    let busy = autoscale.target.busy;
    if !(busy > 0.0 && busy <= 100.0) {
        let rule = "it must be more than 0 and at most 100 per cent";
        report.refuse(&key.name("busy"), busy, rule, "write for example 70");
    }
    let slack = autoscale.target.slack;
    if !(slack >= 0.0 && slack < busy) && busy > 0.0 {
        let (key, of) = (key.name("slack"), key.name("busy"));
        let rule = format!("it must be 0 or more, and less than {of} ({busy})");
        report.conflict(&[&key, &of], slack, rule, "write for example 10");
    }
    at_least_one(&key.name("per_minute"), u64::from(autoscale.target.per_minute), report);
    positive(key.name("drain"), autoscale.target.drain, report);
    positive(key.name("wait"), autoscale.target.wait, report);
}

fn forecast(key: &Key, forecast: &Forecasting, report: &mut Report) {
    let step = key.name("step");
    positive(step.clone(), forecast.step, report);
    ordered((step.clone(), forecast.step), (key.name("horizon"), forecast.horizon), report);
    if !forecast.above.is_finite() || forecast.above < 1.0 {
        let rule = "a forecast never shrinks the pool, so it must be 1 or more";
        report.refuse(&key.name("above"), forecast.above, rule, "write for example 1.3");
    }
    let seasons = key.name("seasons");
    if forecast.seasons.is_empty() {
        report.refuse(
            &seasons,
            "[]",
            "without a season there is nothing to forecast",
            "write for example [\"1day\"]",
        );
    }
    for (index, season) in forecast.seasons.iter().enumerate() {
        let (at, shown) = (seasons.index(index), format_duration(season.0));
        if season.0 < forecast.step.saturating_mul(2) {
            let rule = "a season has at least two steps";
            report.conflict(&[&at, &step], shown, rule, "lengthen it");
        } else if season.0.saturating_mul(2) > forecast.history {
            let (rule, history) =
                ("the history never holds two of this season, so it never counts", key.name("history"));
            report.conflict(&[&at, &history], shown, rule, format!("take it out, or raise {history}"));
        }
    }
}

fn policy_alone(key: &Key, policy: &Policy, report: &mut Report) {
    let shown = format!("{:?}", policy.name);
    match (policy.above, policy.below) {
        (Some(_), None) | (None, Some(_)) => {}
        _ => report.conflict(
            &[key],
            &shown,
            "it needs one threshold",
            "give it exactly one of above and below",
        ),
    }
    let actions = [policy.add.is_some(), policy.remove.is_some(), policy.replace]
        .into_iter()
        .filter(|set| *set)
        .count();
    if actions != 1 {
        report.conflict(
            &[key],
            &shown,
            "it needs one action",
            "give it exactly one of add, remove and replace = true",
        );
    }
    for (name, count) in [("add", policy.add), ("remove", policy.remove)] {
        if let Some(count) = count {
            at_least_one(&key.name(name), u64::from(count), report);
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
    report.conflict(
        &[key],
        format!("{:?}", policy.name),
        rule,
        "add goes with above; remove and replace with below",
    );
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
        report.conflict(
            &[&name],
            format!("{:?}", policy.name),
            "another policy has this name",
            "give each its own",
        );
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
