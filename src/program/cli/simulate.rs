use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{
    Globals,
    config::load,
    failure::{Exit, Failure, eprint_line},
    output::{dash, table},
};
use clawpool_core::{
    config::{Autoscale, ForecastMode},
    scaling::Reading,
};
use clawpool_server::autoscale::simulate::{
    Clairvoyant, Hpa, Outcome, OwnScaler, Scaler, SimulatedPool, Trace, simulate, svg,
};

/// Try autoscaling policies on recorded load, in virtual time
///
/// Each policy file is a configuration with a section [autoscale]; without one, the configuration's own is
/// tried. Beside them: the plain table of policies, a Kubernetes HPA, and a schedule that knows the future.
/// Where rows are missing in the trace, its load goes straight from the last known rate to the next.
#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Recorded load: lines of timestamp,requests in that interval
    #[arg(long, value_name = "FILE")]
    trace: PathBuf,
    /// A configuration file with a section [autoscale]; may be repeated
    #[arg(long, value_name = "FILE")]
    policy: Vec<PathBuf>,
    /// Multiply the recorded load
    #[arg(long, default_value_t = 1.0, value_parser = positive)]
    scale: f64,
    /// Mean run time of a task, 100 ms or more
    #[arg(long, default_value = "5s", value_parser = span)]
    service: Duration,
    /// Slots of a worker; the configuration's worker.slots by default
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    slots: Option<u16>,
    /// From the decision to a worker that takes tasks
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    start: Duration,
    /// A task that waits longer is a miss
    #[arg(long, default_value = "30s", value_parser = span)]
    sla: Duration,
    /// Draw other arrivals and run times
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Plot load, wanted and running workers and waiting tasks of each
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| format!("{text:?} is not a number above zero"))
}

fn span(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let enough = span >= Duration::from_millis(100);
    enough
        .then_some(span)
        .ok_or_else(|| format!("{text} is shorter than 100ms, the finest step of the simulation"))
}

impl Simulate {
    pub(super) fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let config = load(globals)?;
        let trace = Trace::read(&self.trace).map_err(|error| Failure::new(Exit::Usage, error))?;
        let model = SimulatedPool {
            scale: self.scale,
            service: self.service,
            slots: self.slots.unwrap_or(config.worker.slots),
            start: self.start,
            sla: self.sla,
            seed: self.seed,
        };
        if let Some(gaps) = trace.gaps() {
            let longest = humantime::format_duration(Duration::from_secs(gaps.longest.as_secs()));
            let count = gaps.count;
            eprint_line(&format!(
                "the trace has {count} gaps, the longest of {longest}; load goes straight across them"
            ));
        }
        let mut scalers = self.policies(globals, &config.autoscale, &model)?;
        scalers.extend(rivals(&trace, &model, &config.autoscale));
        let outcomes = run(&trace, &model, scalers);
        if let Some(path) = &self.svg {
            let title = format!("{} × {}", name(&self.trace), self.scale);
            fs::write(path, svg(&title, &outcomes)).map_err(|error| {
                Failure::failed(format!("the plot {} cannot be written: {error}", path.display()))
            })?;
        }
        globals.output().show(&outcomes, |outcomes| listing(outcomes))
    }

    fn policies(
        &self,
        globals: &Globals,
        own: &Autoscale,
        model: &SimulatedPool,
    ) -> Result<Vec<Box<dyn Scaler>>, Failure> {
        if self.policy.is_empty() {
            return Ok(vec![Box::new(OwnScaler::new("clawpool", own, model))]);
        }
        let tried = self.policy.iter().map(|path| {
            let config = load(&Globals { config: Some(path.clone()), ..globals.clone() })?;
            Ok(Box::new(OwnScaler::new(name(path), &config.autoscale, model)) as Box<dyn Scaler>)
        });
        tried.collect()
    }
}

/// One after the other, with a bar on a terminal: months of load take a while.
fn run(trace: &Trace, model: &SimulatedPool, scalers: Vec<Box<dyn Scaler>>) -> Vec<Outcome> {
    let style = ProgressStyle::with_template("{bar:40} {percent}% {msg} {elapsed}");
    let bar = ProgressBar::new(trace.length().as_secs().saturating_mul(scalers.len() as u64));
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let rivals = (0..).zip(scalers).map(|(place, scaler)| {
        bar.set_message(scaler.name().to_owned());
        let begins = place * trace.length().as_secs();
        simulate(trace, model, &mut Watched { scaler, bar: &bar, begins })
    });
    let outcomes = rivals.collect();
    bar.finish_and_clear();
    outcomes
}

/// Shows how far its scaler has come.
struct Watched<'a> {
    scaler: Box<dyn Scaler>,
    bar: &'a ProgressBar,
    begins: u64,
}

impl Scaler for Watched<'_> {
    fn name(&self) -> &str {
        self.scaler.name()
    }

    fn every(&self) -> Duration {
        self.scaler.every()
    }

    fn sensed(&self) -> Duration {
        self.scaler.sensed()
    }

    fn decide(&mut self, now: Duration, reading: &Reading) -> u32 {
        self.bar.set_position(self.begins + now.as_secs());
        self.scaler.decide(now, reading)
    }

    fn forecast_error(&self) -> Option<(f64, f64)> {
        self.scaler.forecast_error()
    }
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// What every policy is held against, within the same bounds.
fn rivals(trace: &Trace, model: &SimulatedPool, own: &Autoscale) -> [Box<dyn Scaler>; 3] {
    let mut plain = Autoscale { min: own.min, max: own.max, ..Autoscale::default() };
    plain.target.enabled = false;
    plain.forecast.mode = ForecastMode::Off;
    [
        Box::new(OwnScaler::new("plain-table", &plain, model)),
        Box::new(Hpa::new(own.min, own.max, own.target.busy)),
        Box::new(Clairvoyant::new(trace, model, own.min, own.max)),
    ]
}

/// Public to the tests of tables.
pub(super) fn listing(outcomes: &[Outcome]) -> String {
    let best =
        outcomes.iter().find(|outcome| outcome.scaler == "clairvoyant").map(|outcome| outcome.worker_hours);
    let seconds = |span: Duration| format!("{:.0}s", span.as_secs_f64());
    let percent = |share: f64| format!("{:.1}%", share * 100.0);
    let rows = outcomes.iter().map(|outcome| {
        [
            outcome.scaler.clone(),
            outcome.tasks.to_string(),
            seconds(outcome.wait_p50),
            seconds(outcome.wait_p95),
            seconds(outcome.wait_p99),
            format!("{:.3}%", outcome.sla_miss_rate * 100.0),
            format!("{:.1}", outcome.worker_hours),
            dash(best.map(|best| format!("{:.2}", outcome.worker_hours / best))),
            percent(outcome.utilisation),
            outcome.most_workers.to_string(),
            outcome.changes.to_string(),
            outcome.turns.to_string(),
            dash(outcome.forecast_error.map(percent)),
            dash(outcome.naive_error.map(percent)),
        ]
    });
    let header = [
        "POLICY", "TASKS", "P50", "P95", "P99", "MISSED", "HOURS", "×BEST", "BUSY", "MOST", "CHANGES",
        "TURNS", "FORECAST", "NAIVE",
    ];
    table(header, rows)
}
