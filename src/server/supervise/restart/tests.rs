use proptest::prelude::*;
use rand::{SeedableRng, rngs::SmallRng};

use super::*;
use clawpool_core::config::Breaker;

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const IDLE: Death = Death { lived: Some(secs(1)), registered: true, busy: false };
const BUSY: Death = Death { busy: true, ..IDLE };
const UNBORN: Death = Death { lived: None, registered: false, busy: false };

fn rule(policy: RestartPolicy) -> Restart {
    Restart { policy, ..Restart::default() }
}

/// Lets a replica die like this again and again for so long, and answers when its workers started.
fn starts(rule: Restart, death: Death, span: Duration, seed: u64) -> Vec<Duration> {
    let mut restarts = Restarts::new(rule);
    let mut rng = SmallRng::seed_from_u64(seed);
    let begin = Instant::now();
    let mut now = begin;
    let mut starts = vec![];
    while now.duration_since(begin) < span {
        match restarts.after(death, now, &mut rng) {
            NextStart::After(wait, _) => now += wait,
            NextStart::Held | NextStart::Never => break,
        }
        starts.push(now.duration_since(begin));
        now += death.lived.unwrap_or_default();
    }
    starts
}

#[test]
fn immediate_is_at_once_first_then_longer_and_longer_and_from_the_beginning_after_a_good_life() {
    let mut rng = SmallRng::seed_from_u64(1);
    let breaker = Breaker { failures: 100, ..Breaker::default() };
    let mut restarts = Restarts::new(Restart { limit: 100, breaker, ..rule(RestartPolicy::Immediate) });
    let mut now = Instant::now();
    let mut die = |lived, now| match restarts.after(Death { lived: Some(lived), ..IDLE }, now, &mut rng) {
        NextStart::After(wait, WaitReason::Policy) => wait,
        decision => panic!("{decision:?}"),
    };
    assert_eq!(die(secs(1), now), Duration::ZERO);
    for ceiling in [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        let wait = die(secs(1), now).as_millis();
        assert!((ceiling / 2..=ceiling).contains(&wait), "{wait} of {ceiling}");
        now += secs(30);
    }
    assert_eq!(die(secs(60), now), Duration::ZERO);
}

/// INV-7: what cannot run does not run often, whatever the policy.
#[test]
fn inv_7_three_faults_open_the_breaker_and_one_more_opens_it_again() {
    for death in [IDLE, UNBORN] {
        let mut restarts = Restarts::new(rule(RestartPolicy::Immediate));
        let mut rng = SmallRng::seed_from_u64(2);
        let mut now = Instant::now();
        let mut whys = vec![];
        for _ in 0..5 {
            let NextStart::After(wait, why) = restarts.after(death, now, &mut rng) else { panic!() };
            assert!(why != WaitReason::Breaker || wait == secs(300));
            now += wait;
            whys.push(why);
        }
        assert_eq!(
            whys,
            [
                WaitReason::Policy,
                WaitReason::Policy,
                WaitReason::Breaker,
                WaitReason::Breaker,
                WaitReason::Breaker
            ],
            "{death:?}"
        );
    }
}

#[test]
fn a_good_life_closes_the_breaker() {
    let mut restarts = Restarts::new(rule(RestartPolicy::Immediate));
    let mut rng = SmallRng::seed_from_u64(3);
    let mut now = Instant::now();
    for _ in 0..3 {
        restarts.after(IDLE, now, &mut rng);
    }
    now += secs(400);
    let well = Death { lived: Some(secs(60)), ..IDLE };
    assert_eq!(restarts.after(well, now, &mut rng), NextStart::After(Duration::ZERO, WaitReason::Policy));
    assert!(
        matches!(restarts.after(IDLE, now, &mut rng), NextStart::After(_, WaitReason::Policy)),
        "faults count anew"
    );
}

#[test]
fn a_death_at_work_is_charged_to_the_tasks_and_counts_for_the_limits_alone() {
    let mut restarts = Restarts::new(Restart { limit: 10, ..rule(RestartPolicy::Immediate) });
    let mut rng = SmallRng::seed_from_u64(4);
    let now = Instant::now();
    let whys: Vec<_> = (0..11)
        .map(|_| match restarts.after(BUSY, now, &mut rng) {
            NextStart::After(_, why) => why,
            decision => panic!("{decision:?}"),
        })
        .collect();
    assert!(whys[..10].iter().all(|why| *why == WaitReason::Policy), "{whys:?}");
    assert_eq!(whys[10], WaitReason::Limit);
}

/// What it ran waits for its successor, however often it is killed.
#[test]
fn a_worker_that_dies_at_work_is_replaced_at_once_every_time() {
    let mut restarts = Restarts::new(rule(RestartPolicy::Immediate));
    let mut rng = SmallRng::seed_from_u64(7);
    let mut now = Instant::now();
    for death in 0..30 {
        let wait = restarts.after(BUSY, now, &mut rng);
        assert_eq!(wait, NextStart::After(Duration::ZERO, WaitReason::Policy), "death {death}");
        now += secs(2);
    }
    let idle = restarts.after(IDLE, now, &mut rng);
    assert!(matches!(idle, NextStart::After(_, WaitReason::Limit)), "a storm ends all the same: {idle:?}");
}

#[test]
fn none_and_manual_never_start_by_themselves() {
    let mut rng = SmallRng::seed_from_u64(5);
    let mut after = |policy| Restarts::new(rule(policy)).after(BUSY, Instant::now(), &mut rng);
    assert_eq!(after(RestartPolicy::None), NextStart::Never);
    assert_eq!(after(RestartPolicy::Manual), NextStart::Held);
}

#[test]
fn delayed_waits_the_same_each_time_and_exponential_from_the_first_death_on() {
    let mut rng = SmallRng::seed_from_u64(6);
    let mut delayed = Restarts::new(Restart { initial: Some(secs(10)), ..rule(RestartPolicy::Delayed) });
    for _ in 0..5 {
        assert_eq!(
            delayed.after(BUSY, Instant::now(), &mut rng),
            NextStart::After(secs(10), WaitReason::Policy)
        );
    }
    let mut exponential = Restarts::new(rule(RestartPolicy::Exponential));
    for ceiling in [5, 10, 20, 40] {
        let NextStart::After(wait, WaitReason::Policy) = exponential.after(BUSY, Instant::now(), &mut rng)
        else {
            panic!()
        };
        assert!(wait >= secs(ceiling) / 2 && wait <= secs(ceiling), "{wait:?} of {ceiling}");
    }
}

fn policies() -> impl Strategy<Value = RestartPolicy> {
    prop_oneof![
        Just(RestartPolicy::Immediate),
        Just(RestartPolicy::Delayed),
        Just(RestartPolicy::Exponential),
        Just(RestartPolicy::None),
        Just(RestartPolicy::Manual),
    ]
}

fn deaths() -> impl Strategy<Value = Death> {
    (proptest::option::of(0_u64..100), any::<bool>(), any::<bool>())
        .prop_map(|(lived, registered, busy)| Death { lived: lived.map(secs), registered, busy })
}

proptest! {
    /// INV-7: never more starts in any window than its limit allows, however its workers die.
    #[test]
    fn inv_7_no_window_holds_more_starts_than_its_limit(
        policy in policies(), deaths in proptest::collection::vec(deaths(), 1..80), seed: u64,
        limit in 1_u32..12, per_hour in proptest::option::of(1_u32..20), window in 10_u64..600, initial in
        1_u64..2000,
    ) {
        let rule = Restart {
            limit, per_hour, window: secs(window), initial: Some(Duration::from_millis(initial)),
            ..rule(policy)
        };
        let mut restarts = Restarts::new(rule.clone());
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut now = Instant::now();
        let mut starts = vec![];
        for death in deaths {
            let NextStart::After(wait, _) = restarts.after(death, now, &mut rng) else { break };
            now += wait;
            starts.push(now);
            now += death.lived.unwrap_or_default();
        }
        let limits = [Some((limit, secs(window))), rule.per_hour().map(|limit| (limit, secs(3600)))];
        for (limit, span) in limits.into_iter().flatten() {
            for many in starts.windows(limit as usize + 1) {
                prop_assert!(*many.last().unwrap() - many[0] >= span, "{limit} within {span:?}");
            }
        }
    }

    /// It always tries again (unless told not to), and never waits longer than its longest pause.
    #[test]
    fn there_is_always_another_start(deaths in proptest::collection::vec(deaths(), 1..80), seed: u64) {
        let rule = rule(RestartPolicy::Immediate);
        let longest = rule.max().max(rule.window).max(rule.breaker.open);
        let mut restarts = Restarts::new(rule);
        let mut rng = SmallRng::seed_from_u64(seed);
        let mut now = Instant::now();
        for death in deaths {
            let NextStart::After(wait, _) = restarts.after(death, now, &mut rng) else { panic!() };
            prop_assert!(wait <= longest);
            now += wait + death.lived.unwrap_or_default();
        }
    }

    /// INV-7: a program that fails at its start is tried a few times and then once for each time the breaker
    /// opens.
    #[test]
    fn inv_7_a_fault_at_every_start_is_bounded_by_the_breaker(
        failures in 1_u32..6, open in 1_u64..600, lived in proptest::option::of(0_u64..3), seed: u64,
    ) {
        let breaker = Breaker { failures, open: secs(open), window: secs(3600) };
        let rule = Restart { limit: 10_000, breaker, ..rule(RestartPolicy::Immediate) };
        let death = Death { lived: lived.map(secs), registered: false, busy: false };
        let span = secs(3600);
        let most = u64::from(failures) + span.as_secs() / open + 1;
        let starts = starts(rule, death, span, seed);
        prop_assert!(starts.len() as u64 <= most, "{} of {most}", starts.len());
    }
}
