//! The figures of a scenario, as Markdown, JSON and a plot.

use std::{fmt::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{
    machine::Machine,
    plot,
    rounds::{Ratio, Series, Target},
    scenario::Scenario,
    site::Site,
};

#[derive(Debug, Serialize)]
pub struct Report {
    scenario: String,
    about: &'static str,
    machine: Machine,
    rounds: usize,
    figures: Vec<Series>,
    ratios: Vec<Share>,
}

/// A ratio of two medians.
#[derive(Debug, Serialize)]
struct Share {
    #[serde(flatten)]
    ratio: Ratio,
    value: f64,
    met: Option<bool>,
}

impl Report {
    pub async fn new(scenario: Scenario, site: &Site, rounds: usize, figures: Vec<Series>, ratios: &[Ratio]) -> Self {
        let ratios = ratios.iter().filter_map(|ratio| share(ratio, &figures)).collect();
        let (about, machine) = (scenario.about(), Machine::look(site).await);
        Self { scenario: scenario.to_string(), about, machine, rounds, figures, ratios }
    }

    pub fn markdown(&self) -> String {
        let Machine { cpu, cores, memory_gib, system, redis, rabbitmq, sqlite, clawpool, commit, command } =
            &self.machine;
        let mut text = format!(
            "# {}\n\n{}\n\n`{command}`\n\n{cpu}, {cores} cores, {memory_gib} GiB, {system}; Redis {redis}, RabbitMQ {rabbitmq}, \
             SQLite {sqlite}; Clawpool {clawpool}, commit {commit}; median of {} rounds. Servers, workers and producers share the \
             machine.\n\n![plot]({}.svg)\n\n| figure | median | lowest–highest | |\n|---|---:|---:|---|\n",
            self.scenario, self.about, self.rounds, self.scenario
        );
        for series in &self.figures {
            let (low, high) = series.range();
            let (median, low, high) = (number(series.median()), number(low), number(high));
            let _ = writeln!(text, "| {} | {median} | {low}–{high} | {} |", series.name, series.unit);
        }
        if !self.ratios.is_empty() {
            text.push_str("\n| ratio | value | target | |\n|---|---:|---:|---|\n");
        }
        for Share { ratio, value, met } in &self.ratios {
            let target = match ratio.target {
                Target::AtLeast(target) => format!("≥ {target}"),
                Target::AtMost(target) => format!("≤ {target}"),
            };
            let met = met.map_or("", |met| if met { "met" } else { "missed" });
            let _ = writeln!(text, "| {} ÷ {} | {value:.2} | {target} | {met} |", ratio.of, ratio.to);
        }
        text.push('\n');
        text
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let file = |kind: &str| folder.join(format!("{}.{kind}", self.scenario));
        std::fs::write(file("md"), self.markdown())?;
        std::fs::write(file("json"), serde_json::to_string_pretty(self)? + "\n")?;
        std::fs::write(file("svg"), plot::bars(&self.scenario, &self.figures))?;
        Ok(())
    }
}

/// None when a contestant of it did not run.
fn share(ratio: &Ratio, figures: &[Series]) -> Option<Share> {
    let median = |name: &str| figures.iter().find(|series| series.name == name).map(Series::median);
    let value = median(&ratio.of)? / median(&ratio.to)?;
    let met = match ratio.target {
        Target::AtLeast(target) => Some(value >= target),
        Target::AtMost(target) => Some(value <= target),
    };
    Some(Share { ratio: ratio.clone(), value, met })
}

/// Three digits that matter, thousands apart.
pub fn number(value: f64) -> String {
    if value.abs() < 100.0 {
        let digits = if value.abs() < 1.0 { 3 } else { 1 };
        return format!("{value:.digits$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 && text != "-" {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
