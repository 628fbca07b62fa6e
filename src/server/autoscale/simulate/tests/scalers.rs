use super::*;
use crate::autoscale::forecast::Forecaster;
use clawpool_core::{
    config::ForecastMode,
    scaling::{Gauge, Workers},
};

fn day(hour: f64) -> f64 {
    12.0 + 9.0 * (hour * std::f64::consts::TAU / 24.0).sin()
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let trace = hours(6, day);
    let run = || simulate(&trace, &model(), &mut OwnScaler::new("ours", &Autoscale::default(), &model()));
    assert_eq!(serde_json::to_value(run()).unwrap(), serde_json::to_value(run()).unwrap());
    assert_eq!(run().samples, run().samples);
}

/// The aim of the autoscaler, on a day as it should be.
#[test]
fn a_plain_day_is_met_near_the_best_cost() {
    let trace = hours(48, day);
    let ours = simulate(&trace, &model(), &mut OwnScaler::new("ours", &Autoscale::default(), &model()));
    let best = simulate(&trace, &model(), &mut Clairvoyant::new(&trace, &model(), 1, 100));
    assert!(ours.sla_miss_rate < 0.001, "{}", ours.sla_miss_rate);
    assert!(ours.worker_hours < 1.25 * best.worker_hours, "{} {}", ours.worker_hours, best.worker_hours);
    assert!((0.6..0.8).contains(&ours.utilisation), "{}", ours.utilisation);
}

#[test]
fn the_hpa_follows_its_documented_algorithm() {
    let reading = |started: u32, size, cpu| {
        let cpu = Gauge { mean: cpu, reporting: started };
        Reading {
            size,
            workers: Some(Workers { started, healthy: started, cpu, ..Workers::default() }),
            ..Reading::default()
        }
    };
    let decide = |reading: &Reading| Hpa::new(1, 100, 70.0).decide(Duration::ZERO, reading);
    assert_eq!(decide(&reading(10, 10, 76.0)), 10, "within a tenth");
    assert_eq!(decide(&reading(10, 10, 100.0)), 15, "10 × 100/70");
    assert_eq!(decide(&reading(10, 10, 35.0)), 5);
    assert_eq!(decide(&reading(10, 14, 98.0)), 14, "starting pods count as idle");
    let mut hpa = Hpa::new(1, 100, 70.0);
    hpa.decide(Duration::ZERO, &reading(10, 10, 70.0));
    assert_eq!(
        hpa.decide(Duration::from_secs(300), &reading(10, 10, 35.0)),
        10,
        "the highest of five minutes"
    );
    assert_eq!(hpa.decide(Duration::from_secs(315), &reading(10, 10, 35.0)), 5);
}

#[test]
fn the_plot_shows_every_outcome() {
    let plot = svg("a < b", &[simulate(&hours(2, day), &model(), &mut Fixed(3))]);
    assert!(plot.contains("<title>a &lt; b</title>") && plot.contains("fixed: load"));
    assert!(plot.ends_with("</svg>\n") && plot.matches("<path").count() == 4);
}

/// A daily wave, sampled every five minutes.
fn wave(step: usize) -> f64 {
    day(step as f64 / 12.0)
}

#[test]
fn a_season_is_forecast_once_it_was_seen_twice() {
    let mut forecaster = Forecaster::new(&Autoscale::default().forecast);
    for step in 0..575 {
        forecaster.observe(wave(step));
    }
    assert_eq!(forecaster.peak(), None);
    for step in 575..288 * 3 {
        forecaster.observe(wave(step));
    }
    let accuracy = forecaster.accuracy().unwrap();
    assert!(accuracy.trusted && accuracy.error < accuracy.naive_error / 2.0, "{accuracy:?}");
    let expected = wave(288 * 3 + 2);
    assert!((forecaster.trusted_peak().unwrap() / expected - 1.0).abs() < 0.05);
}

#[test]
fn a_forecast_worse_than_none_is_not_trusted() {
    let mut forecaster = Forecaster::new(&Autoscale::default().forecast);
    for step in 0..288 * 2 {
        forecaster.observe(wave(step));
    }
    // The wave ends: from now on every hour is alike, and only the forecast still believes in it.
    for _ in 0..100 {
        forecaster.observe(12.0);
    }
    let accuracy = forecaster.accuracy().unwrap();
    assert!(!accuracy.trusted, "{accuracy:?}");
    assert_eq!(forecaster.trusted_peak(), None);
    assert!(forecaster.peak().is_some());
}

#[test]
fn watching_changes_nothing() {
    let mut watch = Autoscale::default();
    let mut off = Autoscale::default();
    watch.forecast.mode = ForecastMode::Watch;
    off.forecast.mode = ForecastMode::Off;
    let trace = hours(60, day);
    let run =
        |settings: &Autoscale| simulate(&trace, &model(), &mut OwnScaler::new("ours", settings, &model()));
    let watched = run(&watch);
    let without = run(&off);
    assert_eq!((watched.worker_hours, watched.changes), (without.worker_hours, without.changes));
    assert!(watched.forecast_error.is_some() && without.forecast_error.is_none());
}
