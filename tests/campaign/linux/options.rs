use std::time::Duration;

use clap::Parser;

use super::world::Composition;

/// Injects faults into running pools and holds an outside ledger against what the pools say.
#[derive(Clone, Debug, Parser)]
#[command(name = "tests/campaign/run")]
pub struct Options {
    /// The same seed injects the same faults in the same order.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// For all compositions in whole.
    #[arg(long, default_value_t = 18.0)]
    pub minutes: f64,
    /// In each composition at most; fewer where the time is over.
    #[arg(long)]
    pub injections: Option<usize>,
    /// This composition alone.
    #[arg(long)]
    pub only: Option<Composition>,
    /// All compositions at once: thrice the faults in the same time, while each waits for the others' work as
    /// well.
    #[arg(long)]
    pub together: bool,
    /// All at once for a minute and a half, with a few faults of each sort; part of tests/run.
    #[arg(long)]
    pub smoke: bool,
    /// So long with a fault a minute (20m); memory, files and threads of every process must stay flat.
    #[arg(long, value_parser = humantime::parse_duration, conflicts_with = "smoke")]
    pub soak: Option<Duration>,
    /// New tasks a second in each composition.
    #[arg(long, default_value_t = 6.0)]
    pub rate: f64,
    /// Leave logs and data where they are, also when all is well.
    #[arg(long)]
    pub keep: bool,
}

impl Options {
    pub fn compositions(&self) -> Vec<Composition> {
        self.only.map_or_else(|| Composition::ALL.to_vec(), |only| vec![only])
    }

    /// For one composition, with its start and its end.
    pub fn time(&self) -> Duration {
        match self.soak {
            Some(soak) => soak,
            None if self.smoke => Duration::from_secs(90),
            None if self.together => Duration::from_secs_f64(self.minutes * 60.0),
            None => Duration::from_secs_f64(self.minutes * 60.0) / self.compositions().len() as u32,
        }
    }
}
