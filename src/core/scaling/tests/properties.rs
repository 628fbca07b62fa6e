use proptest::prelude::*;

use super::*;

prop_compose! {
    fn settings()(min in 0_u32..20, span in 0_u32..80, per_minute in 1_u32..20, faster in 1_u32..60, table:
    bool, target: bool) -> Autoscale {
        let mut settings = Autoscale { min, max: min + span, per_minute, ..Autoscale::default() };
        settings.target.enabled = target;
        settings.target.per_minute = faster;
        if !table {
            settings.policies.clear();
        }
        settings
    }
}

prop_compose! {
    fn reading()(
        size in 0_u32..150,
        cpu in 0.0..100.0_f64,
        silent in 0_u32..5,
        ready in 0_u64..500,
        oldest in 0_u64..60,
        arrivals in 0.0..200.0_f64,
        broker in prop::bool::weighted(0.9),
        store in prop::bool::weighted(0.9),
    ) -> Reading {
        let mut reading = pool(size, cpu);
        let queues = Queues { ready, oldest: seconds(oldest), arrivals, service: Some(seconds(5)), in_flight:
        ready };
        reading.queues = broker.then_some(queues);
        reading.workers = reading.workers.filter(|_| store).map(|known| {
            let gauge = Gauge { mean: cpu, reporting: size.saturating_sub(silent) };
            Workers { cpu: gauge, busy: gauge, ..known }
        });
        reading
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn inv_7_bounds_and_rates_hold_whatever_the_readings(
        settings in settings(),
        readings in prop::collection::vec((1_u64..90, reading()), 1..60),
    ) {
        let mut planner = Planner::new(&settings, SLOTS);
        // The table alone keeps its own pace; with tracking beside it, the faster of the two bounds them
        // both.
        let target = settings.target.enabled.then_some(&settings.target);
        let rest_out = target.map_or(settings.cooldown_out, |target|
        target.cooldown_out.min(settings.cooldown_out));
        let rest_in = target.map_or(settings.cooldown_in, |target| target.cooldown_in);
        let per_minute = target.map_or(0, |target| target.per_minute).max(settings.per_minute);
        let mut now = 0;
        let mut size = settings.min;
        let mut grown = Vec::<(u64, u32)>::new();
        let mut last_grown: Option<u64> = None;
        let mut last_shrunk: Option<u64> = None;
        for (gap, reading) in readings {
            now += gap;
            let reading = Reading { size, ..reading };
            let decision = planner.decide(seconds(now), &reading);
            prop_assert!((settings.min..=settings.max).contains(&decision.wanted));
            match decision.action {
                Action::Grow { by } => {
                    prop_assert!(last_grown.is_none_or(|last| now - last >= rest_out.as_secs()));
                    grown.push((now, by));
                    last_grown = Some(now);
                }
                Action::Shrink { .. } => {
                    prop_assert!(reading.queues.is_some() && reading.workers.is_some());
                    prop_assert!(last_shrunk.is_none_or(|last| now - last >= rest_in.as_secs()));
                    last_shrunk = Some(now);
                }
                Action::Hold | Action::ReplaceAll => {}
            }
            let in_minute: u32 = grown.iter().filter(|(at, _)| now - at < 60).map(|(_, by)| by).sum();
            prop_assert!(in_minute <= per_minute);
            size = decision.wanted;
        }
    }

    #[test]
    fn under_constant_load_it_comes_to_rest(size in 0_u32..150, busy in 0.0..600.0_f64, table: bool, target:
    bool) {
        let mut settings = if table { Autoscale::default() } else { tracking() };
        settings.target.enabled = target;
        let decisions = follow(&settings, size, 12 * 3600 / 5, |_, size| loaded(size, busy));
        let changes = |decisions: &[Decision]| decisions.iter().filter(|one| one.action !=
        Action::Hold).count();
        prop_assert_eq!(changes(&decisions[decisions.len() * 11 / 12..]), 0);
        // From wherever it began it goes one way, and at most once over the mark and back.
        let turns = decisions.iter().filter_map(|one| match one.action {
            Action::Grow { .. } => Some(true),
            Action::Shrink { .. } => Some(false),
            Action::Hold | Action::ReplaceAll => None,
        });
        let turns: Vec<_> = turns.collect();
        prop_assert!(turns.windows(2).filter(|pair| pair[0] != pair[1]).count() <= 1, "{:?}", turns);
    }

    #[test]
    fn from_any_state_it_recovers_to_what_the_load_needs(size in 0_u32..150, busy in 1.0..650.0_f64) {
        // From below to 80 per cent, from above to 70; what lies between stays.
        let least = (busy / 8.0).ceil() as u32;
        let most = (busy / 7.0).ceil() as u32;
        let last = follow(&tracking(), size, 3600 / 5, |_, size| loaded(size, busy)).pop().unwrap();
        let range = least.min(100)..=most.clamp(1, 100);
        prop_assert!(range.contains(&last.wanted), "{} {least} {most}", last.wanted);
    }

    #[test]
    fn more_load_never_asks_for_fewer(
        history in prop::collection::vec(reading(), 0..40),
        settings in settings(),
        last in reading(),
        more_cpu in 0.0..50.0_f64,
        more_ready in 0_u64..300,
        more_arrivals in 0.0..100.0_f64,
    ) {
        let mut more = last;
        more.workers = more.workers.map(|known| {
            let gauge = Gauge { mean: (known.cpu.mean + more_cpu).min(100.0), ..known.cpu };
            Workers { cpu: gauge, ..known }
        });
        more.queues = more.queues.map(|known| {
            let ready = known.ready + more_ready;
            let arrivals = known.arrivals + more_arrivals;
            Queues { ready, arrivals, oldest: known.oldest + seconds(more_ready), ..known }
        });
        let decide = |last: &Reading| {
            let mut planner = Planner::new(&settings, SLOTS);
            for (look, reading) in (0..).zip(&history) {
                planner.decide(seconds(look * 60), reading);
            }
            planner.decide(seconds(history.len() as u64 * 60), last).wanted
        };
        prop_assert!(decide(&last) <= decide(&more));
    }
}
