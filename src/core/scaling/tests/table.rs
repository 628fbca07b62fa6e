//! Spec S4, one test a row.

use super::*;

fn change_at(reading: &Reading) -> Option<(u64, Action)> {
    first_change(&plain(), reading, 3600).map(|(at, decision)| (at, decision.action))
}

#[test]
fn scale_out_adds_one_after_two_minutes_above_70_per_cent() {
    assert_eq!(change_at(&pool(10, 71.0)), Some((120, Action::Grow { by: 1 })));
    assert_eq!(change_at(&pool(10, 70.0)), None);
}

#[test]
fn scale_out_fast_adds_three_after_one_minute_above_85_per_cent() {
    assert_eq!(change_at(&pool(10, 86.0)), Some((60, Action::Grow { by: 3 })));
    assert_eq!(change_at(&pool(10, 85.0)), Some((120, Action::Grow { by: 1 })));
}

#[test]
fn scale_out_max_adds_five_after_two_minutes_above_100_waiting() {
    let waiting = |ready| Reading { queues: Some(Queues { ready, ..Queues::default() }), ..pool(10, 50.0) };
    assert_eq!(change_at(&waiting(101)), Some((120, Action::Grow { by: 5 })));
    assert_eq!(change_at(&waiting(100)), None);
}

#[test]
fn scale_in_takes_one_after_ten_minutes_below_30_per_cent() {
    assert_eq!(change_at(&pool(10, 29.0)), Some((600, Action::Shrink { by: 1 })));
    assert_eq!(change_at(&pool(10, 30.0)), None);
    assert_eq!(change_at(&pool(1, 0.0)), None, "never below min");
}

#[test]
fn scale_in_safe_takes_two_after_fifteen_minutes_below_20_per_cent() {
    let changes: Vec<_> = follow(&plain(), 10, 360, |_, size| pool(size, 19.0))
        .into_iter()
        .filter(|decision| decision.action != Action::Hold)
        .map(|decision| (decision.at.as_secs(), decision.wanted))
        .collect();
    // The milder row fires first; the harder one from its fifteenth minute on.
    assert_eq!(changes, [(600, 9), (900, 7), (1200, 5), (1500, 3)]);
}

#[test]
fn emergency_replaces_everything_at_once_and_raises_the_alarm() {
    let mut ill = pool(10, 50.0);
    ill.workers = ill.workers.map(|workers| Workers { healthy: 0, ..workers });
    let mut planner = Planner::new(&plain(), SLOTS);
    for now in [0, 1] {
        let decision = planner.decide(seconds(now), &ill);
        assert_eq!((decision.action, decision.wanted), (Action::ReplaceAll, 10), "its cooldown is zero");
        assert_eq!(
            decision.alert.unwrap(),
            "emergency: none of the pool's 10 workers is healthy; all are replaced"
        );
    }
    ill.workers = ill.workers.map(|workers| Workers { healthy: 1, ..workers });
    assert_eq!(planner.decide(seconds(2), &ill).action, Action::Hold);
}

#[test]
fn predictive_grows_when_the_forecast_needs_more_than_1_3_times() {
    // 10 slots at 80 per cent and 5 s a task: 1.6 arrivals a second for each of 10 workers.
    let ahead = |arrivals| Reading { ahead: Some(Ahead { arrivals }), ..loaded(10, 50.0) };
    let mut settings = tracking();
    let decide = |settings: &Autoscale, arrivals| {
        Planner::new(settings, SLOTS).decide(seconds(0), &ahead(arrivals)).action
    };
    assert_eq!(decide(&settings, 22.0), Action::Grow { by: 4 });
    assert_eq!(decide(&settings, 20.0), Action::Hold, "13 is not more than 1.3 times 10");
    assert_eq!(decide(&settings, 0.0), Action::Hold, "it never shrinks");
    settings.forecast.mode = ForecastMode::Watch;
    assert_eq!(decide(&settings, 22.0), Action::Hold, "watched, not followed");
}

#[test]
fn cooldowns_lie_between_changes() {
    let grows: Vec<_> = follow(&plain(), 10, 60, |_, size| pool(size, 80.0))
        .into_iter()
        .filter(|decision| decision.action != Action::Hold)
        .map(|decision| decision.at.as_secs())
        .collect();
    assert_eq!(grows, [120, 180, 240]);
}

#[test]
fn a_threshold_must_be_crossed_without_a_break() {
    let decisions =
        follow(&plain(), 10, 60, |now, size| pool(size, if now % 100 == 50 { 60.0 } else { 80.0 }));
    assert!(decisions.iter().all(|decision| decision.action == Action::Hold));
}

#[test]
fn the_shipped_table_is_spec_s4() {
    let rows: Vec<_> = Autoscale::default().policies.iter().map(|row| row.name.clone()).collect();
    let names = ["scale out", "scale out fast", "scale out max", "scale in", "scale in safe", "emergency"];
    assert_eq!(rows, names);
    assert!(Autoscale::default().target.enabled);
}
