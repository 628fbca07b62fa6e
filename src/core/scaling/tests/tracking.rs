use super::*;

fn queues(arrivals: f64, ready: u64) -> Queues {
    Queues { arrivals, ready, in_flight: 14, service: Some(seconds(5)), ..Queues::default() }
}

#[test]
fn the_need_is_arrivals_and_backlog_over_the_slots_in_use() {
    let need = |queues: &Queues| needed(queues, SLOTS, 80.0, seconds(30));
    // 10 slots at 80 per cent: 8 tasks at once a worker.
    assert_eq!(need(&queues(8.0, 0)), 5);
    assert_eq!(need(&queues(8.1, 0)), 6);
    assert_eq!(need(&queues(8.0, 42)), 6, "42 tasks × 5 s within 30 s");
    let fresh = Queues { service: None, ..queues(99.0, 7) };
    assert_eq!(need(&fresh), 3, "what is there needs slots");
}

#[test]
fn it_grows_beyond_80_per_cent_and_shrinks_to_70() {
    let settled = |size, slots_busy| {
        follow(&tracking(), size, 200, |_, size| loaded(size, slots_busy)).pop().unwrap().wanted
    };
    assert_eq!((settled(10, 80.0), settled(10, 80.1)), (10, 11));
    assert_eq!((settled(10, 70.0), settled(10, 63.1), settled(10, 63.0)), (10, 10, 9));
}

#[test]
fn tasks_that_wait_too_long_ask_for_more_whatever_the_rates_say() {
    let waiting = Queues { oldest: seconds(11), ..queues(0.0, 1) };
    let decision = Planner::new(&tracking(), SLOTS)
        .decide(seconds(0), &Reading { queues: Some(waiting), ..pool(4, 0.0) });
    assert_eq!(decision.action, Action::Grow { by: 1 });
}

#[test]
fn it_shrinks_to_the_largest_need_of_the_settling_time() {
    let load = |now: u64| if now == 30 { 35.0 } else { 7.0 };
    let decisions = follow(&tracking(), 10, 120, |now, size| loaded(size, load(now)));
    let changes: Vec<_> = decisions.iter().filter(|decision| decision.action != Action::Hold).collect();
    assert_eq!(
        changes.iter().map(|decision| (decision.at.as_secs(), decision.wanted)).collect::<Vec<_>>()[0],
        (60, 5)
    );
}

#[test]
fn a_single_worker_too_many_stays_three_settling_times() {
    let first = |size| {
        let decisions = follow(&tracking(), size, 120, |_, size| loaded(size, 28.0));
        decisions
            .iter()
            .find(|decision| decision.action != Action::Hold)
            .map(|one| (one.at.as_secs(), one.wanted))
    };
    // 28 slots are 70 per cent of four workers.
    assert_eq!(
        (first(4), first(5), first(6), first(9)),
        (None, Some((180, 4)), Some((60, 4)), Some((60, 4)))
    );
    // What comes within this time begins it anew.
    let load = |now: u64| if now == 90 { 35.0 } else { 28.0 };
    let decisions = follow(&tracking(), 5, 120, |now, size| loaded(size, load(now)));
    let shrunk =
        decisions.iter().find(|decision| decision.action != Action::Hold).map(|one| one.at.as_secs());
    assert_eq!(shrunk, Some(90 + 180 + 5));
}

#[test]
fn of_all_answers_the_largest_wins() {
    let mut planner = Planner::new(&Autoscale::default(), SLOTS);
    // The table takes the pool for idle; tracking knows what is coming in.
    let reading = Reading { queues: loaded(4, 28.0).queues, ..pool(4, 10.0) };
    let decisions: Vec<_> = (0..1200).map(|now| planner.decide(seconds(now), &reading).action).collect();
    assert!(decisions.iter().all(|action| *action == Action::Hold));
}

#[test]
fn what_the_forecast_would_start_again_is_not_stopped() {
    let ahead = |_, size| Reading { ahead: Some(Ahead { arrivals: 7.0 }), ..loaded(size, 7.0) };
    let last = follow(&tracking(), 10, 200, ahead).pop().unwrap();
    assert_eq!(last.wanted, 5);
}
