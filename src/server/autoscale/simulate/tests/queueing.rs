use super::*;

#[test]
fn the_model_is_what_queueing_theory_says() {
    // 35 of 50 slots busy on average, and no task waits.
    let outcome = simulate(&hours(10, |_| 7.0), &model(), &mut Fixed(5));
    assert!((0.69..0.71).contains(&outcome.utilisation), "{}", outcome.utilisation);
    assert!((outcome.worker_hours - 50.0).abs() < 0.1, "{}", outcome.worker_hours);
    assert_eq!((outcome.wait_p99, outcome.sla_misses, outcome.changes), (Duration::ZERO, 0, 0));
    // M/M/1 at 80 per cent waits four service times on average; its median is ln(0.8/0.5)/(1−0.8) of them.
    let single = SimulatedPool { slots: 1, ..model() };
    let outcome = simulate(&hours(2000, |_| 0.16), &single, &mut Fixed(1));
    let median = outcome.wait_p50.as_secs_f64();
    assert!((10.0..14.0).contains(&median), "{median}");
}

#[test]
fn too_small_a_pool_misses() {
    let outcome = simulate(&hours(2, |_| 12.0), &model(), &mut Fixed(5));
    assert!(outcome.sla_miss_rate > 0.8, "{}", outcome.sla_miss_rate);
    assert!(outcome.utilisation > 0.99);
}

#[test]
fn no_task_is_lost_when_workers_drain() {
    let trace = hours(4, |hour| 10.0 + 9.0 * (hour * 6.0).sin());
    let outcome = simulate(&trace, &model(), &mut OwnScaler::new("ours", &Autoscale::default(), &model()));
    let work = outcome.tasks as f64 * 5.0 / 3600.0 / 10.0;
    assert!((outcome.utilisation * outcome.worker_hours / work - 1.0).abs() < 0.02);
}
