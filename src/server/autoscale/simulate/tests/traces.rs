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
    assert!(
        problem("t,v\n0,1\n60,-3\n").starts_with("line 3 of the trace is \"60,-3\": a count is zero or more")
    );
    assert!(problem("0,1\n0,2\n").contains("it is not later than the line before"));
    assert!(problem("0,1\nsoon,2\n").contains("it is not a time and a number"));
    assert!(problem("0,1\nnothing\n").contains("it has no comma"));
    assert!(problem("t,v\n0,1\n").contains("the trace has 1 rows"));
    let missing = Trace::read("no-such.csv".as_ref()).unwrap_err().to_string();
    assert!(missing.starts_with("the trace no-such.csv cannot be read"), "{missing}");
}

#[test]
fn a_first_line_with_a_number_in_it_is_no_header() {
    let problem = |text: &str| Trace::parse(text).unwrap_err().to_string();
    for first in [
        "0,1O0",
        "2014-04-10 00:04:00,9x",
        "2014-04-10 25:04:00,94",
        "soon,42",
        "-,5",
        "nan,1",
        "time,",
        "0,1,2",
    ] {
        let said = problem(&format!("{first}\n60,1\n120,1\n"));
        assert!(
            said.starts_with(&format!("line 1 of the trace is {first:?}: it is not a time and a number")),
            "{said}"
        );
    }
    for first in
        ["timestamp,value", "\u{feff}time,requests per 5 min", "\"t\",\"v\"", "# t, v", "\n\ntime,count"]
    {
        assert!(Trace::parse(&format!("{first}\n0,1\n60,1\n")).is_ok(), "{first:?}");
    }
}

#[test]
fn a_gap_is_crossed_in_a_straight_line_and_told() {
    let whole = Trace::parse("0,60\n60,60\n120,60\n180,60\n").unwrap();
    assert_eq!(whole.gaps(), None);
    // Ten minutes are missing; a row that is late by a few seconds is no gap.
    let trace = Trace::parse("0,60\n60,60\n125,60\n180,60\n840,180\n900,180\n").unwrap();
    assert_eq!(trace.gaps(), Some(Gaps { count: 1, longest: Duration::from_secs(600) }));
    let rates: Vec<f64> = trace.rates(Duration::from_secs(30), 1.0).collect();
    assert_eq!((rates[7], rates[18], rates[29]), (1.0, 2.0, 3.0), "from one a second to three");
    assert_eq!(trace.length(), Duration::from_secs(960));
}

/// The interval of the recording is no matter: the same load gives the same run.
#[test]
fn a_minute_and_an_hour_are_intervals_like_any_other() {
    let wave = |second: f64| 20.0 + 10.0 * (second * std::f64::consts::TAU / 86_400.0).sin();
    let recorded = |interval: u32| {
        let middle = |index: u32| f64::from(index * interval) + f64::from(interval) / 2.0;
        let rows = (0..2 * 86_400 / interval)
            .map(|index| format!("{},{}\n", index * interval, f64::from(interval) * wave(middle(index))));
        let trace = Trace::parse(&rows.collect::<String>()).unwrap();
        assert_eq!((trace.length(), trace.gaps()), (Duration::from_secs(2 * 86_400), None));
        simulate(&trace, &model(), &mut OwnScaler::new("ours", &Autoscale::default(), &model()))
    };
    let minute = recorded(60);
    let hour = recorded(3600);
    for outcome in [&minute, &hour] {
        assert!(outcome.sla_miss_rate < 0.001 && outcome.wait_p99 < Duration::from_secs(5), "{outcome:?}");
    }
    assert!((minute.worker_hours / hour.worker_hours - 1.0).abs() < 0.02);
    assert!((minute.tasks as f64 / hour.tasks as f64 - 1.0).abs() < 0.01);
}
