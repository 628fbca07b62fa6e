use super::*;

#[test]
fn traces_are_read_with_and_without_a_header() {
    let trace = Trace::parse("timestamp,value\n2014-04-10 00:04:00,300\n2014-04-10 00:09:00,600\n").unwrap();
    assert_eq!(trace.length(), Duration::from_secs(600));
    let rates: Vec<f64> = trace.rates(Duration::from_secs(150), 2.0).collect();
    assert_eq!(rates, [2.0, 2.0, 3.0, 4.0], "straight from one interval's middle to the next");
    assert_eq!(Trace::parse("0,300\n300,600").unwrap(), trace);
}

#[test]
fn bad_traces_are_refused_with_their_line() {
    let problem = |text: &str| Trace::parse(text).unwrap_err().to_string();
    assert!(problem("t,v\n0,1\n60,-3\n").starts_with("line 3 of the trace is \"60,-3\": a count is zero or more"));
    assert!(problem("0,1\n0,2\n").contains("it is not later than the line before"));
    assert!(problem("0,1\nsoon,2\n").contains("it is not a time and a number"));
    assert!(problem("0,1\nnothing\n").contains("it has no comma"));
    assert!(problem("t,v\n0,1\n").contains("the trace has 1 rows"));
    let missing = Trace::read("no-such.csv".as_ref()).unwrap_err().to_string();
    assert!(missing.starts_with("the trace no-such.csv cannot be read"), "{missing}");
}

#[test]
fn the_model_is_what_queueing_theory_says() {
    // 35 of 50 slots busy on average, and nobody waits.
    let outcome = simulate(&hours(10, |_| 7.0), &site(), &mut Fixed(5));
    assert!((0.69..0.71).contains(&outcome.utilisation), "{}", outcome.utilisation);
    assert!((outcome.worker_hours - 50.0).abs() < 0.1, "{}", outcome.worker_hours);
    assert_eq!((outcome.wait_p99, outcome.sla_misses, outcome.changes), (Duration::ZERO, 0, 0));
    // M/M/1 at 80 per cent waits four service times on average; its median is ln(0.8/0.5)/(1−0.8) of them.
    let single = Site { slots: 1, ..site() };
    let outcome = simulate(&hours(2000, |_| 0.16), &single, &mut Fixed(1));
    let median = outcome.wait_p50.as_secs_f64();
    assert!((10.0..14.0).contains(&median), "{median}");
}

#[test]
fn too_small_a_pool_misses() {
    let outcome = simulate(&hours(2, |_| 12.0), &site(), &mut Fixed(5));
    assert!(outcome.sla_miss_rate > 0.8, "{}", outcome.sla_miss_rate);
    assert!(outcome.utilisation > 0.99);
}

#[test]
fn no_task_is_lost_when_workers_drain() {
    let trace = hours(4, |hour| 10.0 + 9.0 * (hour * 6.0).sin());
    let outcome = simulate(&trace, &site(), &mut Ours::new("ours", &Autoscale::default(), &site()));
    let work = outcome.tasks as f64 * 5.0 / 3600.0 / 10.0;
    assert!((outcome.utilisation * outcome.worker_hours / work - 1.0).abs() < 0.02);
}
