//! The shipped policy on loads made by a formula, so that it fits more than the traces it was looked at with.

use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;

/// A trace of minutes, of so many arrivals a second.
fn minutes(count: u32, rate: impl Fn(u32) -> f64) -> Trace {
    let rows = (0..count).map(|minute| format!("{},{}\n", minute * 60, 60.0 * rate(minute)));
    Trace::parse(&rows.collect::<String>()).unwrap()
}

/// Neither random nor regular, the same in each run: between 0 and 1.
fn noise(minute: u32) -> f64 {
    f64::from(minute.wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}

const SHAPES: [&str; 8] = ["quiet", "flat", "step", "spike", "sine", "ramp", "noise", "bursts"];

/// Twelve hours; the last two are calm.
fn shape(name: &str) -> Trace {
    let rate = |minute: u32| match name {
        "quiet" => 0.3,
        "flat" => 30.0,
        _ if minute >= 600 => 10.0,
        "step" => [5.0, 40.0][(minute / 120 % 2) as usize],
        "spike" if minute % 180 < 5 => 80.0,
        "spike" => 4.0,
        "sine" => 30.0 + 25.0 * (f64::from(minute) / 300.0 * TAU).sin(),
        "ramp" => 2.0 + f64::from(minute % 300) / 5.0,
        "noise" => 15.0 + 30.0 * noise(minute),
        "bursts" if noise(minute) < 0.05 => 60.0,
        _ => 10.0,
    };
    minutes(720, rate)
}

/// Notes what a scaler decides, and from which size.
struct Noted<'a>(OwnScaler, &'a mut Vec<(Duration, u32, u32)>);

impl Scaler for Noted<'_> {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn every(&self) -> Duration {
        self.0.every()
    }

    fn sensed(&self) -> Duration {
        self.0.sensed()
    }

    fn decide(&mut self, now: Duration, reading: &Reading) -> u32 {
        let wanted = self.0.decide(now, reading);
        self.1.push((now, reading.size, wanted));
        wanted
    }
}

struct Run {
    ours: Outcome,
    best: Outcome,
    /// Time, size and what was decided.
    decisions: Vec<(Duration, u32, u32)>,
}

fn run(trace: &Trace) -> Run {
    let mut decisions = Vec::new();
    let ours = OwnScaler::new("ours", &Autoscale::default(), &model());
    let ours = simulate(trace, &model(), &mut Noted(ours, &mut decisions));
    let best = simulate(trace, &model(), &mut Clairvoyant::new(trace, &model(), 1, 100));
    Run { ours, best, decisions }
}

fn plain_table(trace: &Trace) -> Outcome {
    let mut settings = Autoscale::default();
    settings.target.enabled = false;
    settings.forecast.mode = clawpool_core::config::ForecastMode::Off;
    simulate(trace, &model(), &mut OwnScaler::new("plain", &settings, &model()))
}

/// Bounds and pace, whatever the load.
fn keeps_its_bounds(run: &Run) {
    let settings = Autoscale::default();
    let target = &settings.target;
    let mut grown: Vec<(Duration, u32)> = Vec::new();
    let mut shrunk: Option<Duration> = None;
    for (now, size, wanted) in &run.decisions {
        assert!((settings.min..=settings.max).contains(wanted), "{wanted} at {now:?}");
        if wanted > size {
            let last = grown.last().map(|(at, _)| *now - *at);
            assert!(last.is_none_or(|since| since >= target.cooldown_out), "{now:?}");
            grown.push((*now, wanted - size));
        } else if wanted < size {
            assert!(shrunk.is_none_or(|last| *now - last >= target.cooldown_in), "{now:?}");
            shrunk = Some(*now);
        }
        let minute: u32 =
            grown.iter().filter(|(at, _)| *now - *at < Duration::from_secs(60)).map(|(_, by)| by).sum();
        assert!(minute <= target.per_minute, "{minute} within a minute at {now:?}");
    }
}

#[test]
fn inv_7_every_shape_is_met_within_the_bounds_near_the_best_cost() {
    for name in SHAPES {
        let trace = shape(name);
        let run = run(&trace);
        keeps_its_bounds(&run);
        let ours = &run.ours;
        let best = &run.best;
        let plain = plain_table(&trace);
        let hours = ours.worker_hours / best.worker_hours;
        println!(
            "{name}: {:.4} missed, {hours:.2} × best, {} changes, {} turns",
            ours.sla_miss_rate, ours.changes, ours.turns
        );
        assert!(ours.sla_miss_rate <= best.sla_miss_rate.max(0.001), "{name}: {} missed", ours.sla_miss_rate);
        assert!(hours <= 1.25, "{name}: {hours} × the best hours");
        assert!(ours.sla_misses <= plain.sla_misses, "{name}: {} missed", plain.sla_misses);
        // The run begins with the size that a load without changes needs, and the table leaves that as it is.
        let changes = !["quiet", "flat"].contains(&name);
        assert!(!changes || ours.worker_hours < plain.worker_hours, "{name}: {} hours", plain.worker_hours);
        if best.utilisation > 0.72 {
            assert!((0.6..0.8).contains(&ours.utilisation), "{name}: {}", ours.utilisation);
        }
    }
}

/// Arrivals are never the same number twice. That alone makes no pool swing.
#[test]
fn a_load_that_stays_the_same_leaves_the_pool_as_it_is() {
    for (rate, turns_an_hour) in [(0.3, 1), (3.0, 3), (4.0, 3), (12.0, 3), (30.0, 2), (90.0, 2)] {
        let Run { ours, .. } = run(&minutes(720, |_| rate));
        println!("{rate} a second: {} turns", ours.turns);
        assert!(ours.turns <= 12 * turns_an_hour, "{rate} a second: {} turns in 12 hours", ours.turns);
    }
}

/// Small pools, where one worker more or less is a large part of it, under every load between two of their
/// sizes, which itself goes up and down by a tenth. With one settling time for all steps the worst of them
/// changed some twenty times an hour.
#[test]
fn a_small_pool_between_two_sizes_stays_at_the_larger_one() {
    let mut all = 0;
    let hours = 4;
    for step in 1..=24_u32 {
        let rate = f64::from(step) / 4.0;
        let trace = minutes(hours * 60, |minute| rate * (0.9 + 0.2 * noise(minute)));
        let ours = simulate(&trace, &model(), &mut OwnScaler::new("ours", &Autoscale::default(), &model()));
        println!("{rate} a second: {} changes", ours.changes);
        assert!(
            ours.changes <= u64::from(hours) * 9,
            "{rate} a second: {} changes in {hours} hours",
            ours.changes
        );
        assert_eq!(ours.sla_misses, 0, "{rate} a second");
        all += ours.changes;
    }
    assert!(all <= u64::from(hours) * 24 * 2, "{all} changes: more than two an hour on average");
}

/// The slow shapes rise and fall a few times; the pool does so with them and not within.
#[test]
fn slow_changes_are_followed_without_swinging() {
    for (name, rounds) in [("sine", 2), ("ramp", 2), ("step", 5), ("spike", 4 * 2)] {
        let Run { ours, .. } = run(&shape(name));
        println!("{name}: {} turns", ours.turns);
        assert!(ours.turns <= 20 * rounds, "{name}: {} turns", ours.turns);
    }
}

#[test]
fn after_every_shape_it_is_as_large_as_the_calm_load_needs() {
    for name in SHAPES.into_iter().filter(|name| !["quiet", "flat"].contains(name)) {
        let run = run(&shape(name));
        // Ten a second, five seconds each, ten slots: five workers' work. 80 per cent of the slots are 6.25
        // workers, 70 are 7.1, and chance adds one.
        let ends: Vec<u32> =
            run.decisions[run.decisions.len() - 360..].iter().map(|(_, _, wanted)| *wanted).collect();
        assert!(ends.iter().all(|size| (6..=10).contains(size)), "{name}: {ends:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Loads that jump every ten minutes to something else, between nothing and what 80 workers do.
    #[test]
    fn inv_7_whatever_comes_is_served_in_time(rates in prop::collection::vec(0.0..128.0_f64, 6..18)) {
        let trace = minutes(rates.len() as u32 * 10, |minute| rates[minute as usize / 10]);
        let run = run(&trace);
        keeps_its_bounds(&run);
        let ours = &run.ours;
        let best = &run.best;
        let misses = (ours.sla_miss_rate, best.sla_miss_rate);
        prop_assert!(misses.0 <= misses.1 + 0.001, "{misses:?}");
        let hours = (ours.worker_hours, best.worker_hours);
        prop_assert!(hours.0 <= 1.3 * hours.1, "{hours:?}");
    }
}
