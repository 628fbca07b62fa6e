use super::*;

#[test]
fn silent_workers_count_as_busy_when_shrinking_and_idle_when_growing() {
    let half = |cpu| {
        let mut reading = pool(10, cpu);
        reading.workers =
            reading.workers.map(|known| Workers { cpu: Gauge { mean: cpu, reporting: 5 }, ..known });
        reading
    };
    assert!(first_change(&plain(), &half(0.0), 3600).is_none(), "half of them may be fully busy");
    assert!(first_change(&plain(), &half(100.0), 3600).is_none(), "half of them may be idle");
}

#[test]
fn without_the_broker_or_the_store_the_pool_never_shrinks() {
    let idle = pool(10, 0.0);
    for blind in [Reading { queues: None, ..idle }, Reading { workers: None, ..idle }] {
        for settings in [plain(), tracking(), Autoscale::default()] {
            assert!(first_change(&settings, &blind, 7200).is_none());
        }
    }
    let (_, decision) = first_change(&plain(), &idle, 7200).unwrap();
    assert_eq!(decision.action, Action::Shrink { by: 1 });
    let mut planner = Planner::new(&plain(), SLOTS);
    let last =
        (0..=600).map(|now| planner.decide(seconds(now), &Reading { queues: None, ..idle })).last().unwrap();
    assert_eq!(last.limits, [Limit::Unknown], "and says so");
}

#[test]
fn without_the_broker_it_still_grows_on_what_is_known() {
    let busy = Reading { queues: None, ..pool(10, 90.0) };
    assert_eq!(first_change(&plain(), &busy, 60).unwrap().1.action, Action::Grow { by: 3 });
}

#[test]
fn after_an_outage_the_whole_settling_time_is_seen_again() {
    let reading = |now, size| {
        let known = loaded(size, 7.0);
        if (30..40).contains(&now) { Reading { queues: None, ..known } } else { known }
    };
    let decisions = follow(&tracking(), 10, 200, reading);
    let shrunk = decisions.iter().find(|decision| decision.action != Action::Hold).unwrap();
    assert_eq!((shrunk.at.as_secs(), shrunk.wanted), (100, 1));
}

#[test]
fn memory_stops_growth_and_says_so() {
    let headroom = Some(Headroom { free: 250, per_worker: 100 });
    let decision =
        Planner::new(&tracking(), SLOTS).decide(seconds(0), &Reading { headroom, ..loaded(5, 70.0) });
    assert_eq!((decision.wanted, decision.limits.as_slice()), (7, [Limit::Memory].as_slice()));
    let none = Some(Headroom { free: 0, per_worker: 0 });
    assert_eq!(
        Planner::new(&tracking(), SLOTS)
            .decide(seconds(0), &Reading { headroom: none, ..loaded(5, 70.0) })
            .wanted,
        5
    );
}

#[test]
fn nonsense_readings_do_nothing() {
    for nonsense in [f64::NAN, f64::INFINITY, -1.0] {
        let mut reading = pool(3, nonsense);
        reading.queues = Some(Queues { arrivals: nonsense, service: Some(seconds(1)), ..Queues::default() });
        reading.ahead = Some(Ahead { arrivals: nonsense });
        // Longer than the settling time, after which a need of nothing would shrink the pool.
        let decisions = follow(&Autoscale::default(), 3, 100, |_, size| Reading { size, ..reading });
        assert!(decisions.iter().all(|decision| decision.wanted == 3), "{nonsense}");
    }
}

#[test]
fn a_decision_shows_every_reading_and_vote() {
    let mut planner = Planner::new(&Autoscale::default(), SLOTS);
    let decision = planner.decide(seconds(7), &loaded(3, 56.0));
    insta::assert_snapshot!(serde_json::to_string_pretty(&decision).unwrap());
}
