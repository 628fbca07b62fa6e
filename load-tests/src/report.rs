//! The figures of a scenario, as Markdown, JSON and a plot.

use std::{fmt::Write, path::Path};

use anyhow::Result;
use serde::Serialize;

use crate::{
    goal::{Goal, Judged},
    machine::Machine,
    plot,
    rounds::Measured,
    scenario::Scenario,
    site::Site,
};

const HEAD: &str = "| target | measured | aim | |\n|---|---:|---:|---|\n";

#[derive(Debug, Serialize)]
pub struct Report {
    scenario: String,
    about: &'static str,
    machine: Machine,
    rounds: usize,
    targets: Vec<Judged>,
    #[serde(flatten)]
    measured: Measured,
}

impl Report {
    pub async fn new(
        scenario: Scenario,
        site: &Site,
        rounds: usize,
        measured: Measured,
        goals: &[Goal],
    ) -> Self {
        let targets = goals.iter().filter_map(|goal| goal.judge(&measured.figures)).collect();
        let about = scenario.about();
        let machine = Machine::look(site).await;
        Self { scenario: scenario.to_string(), about, machine, rounds, targets, measured }
    }

    pub fn markdown(&self) -> String {
        let Machine { cpu, cores, memory_gib, system, redis, rabbitmq, sqlite, clawpool, commit, command } =
            &self.machine;
        let mut text = format!(
            "# {}\n\n{}\n\n`{command}`\n\n{cpu}, {cores} cores, {memory_gib} GiB, {system}; Redis {redis}, \
             RabbitMQ {rabbitmq}, SQLite {sqlite}; Clawpool {clawpool}, commit {commit}; median of {} \
             rounds. Servers, workers and producers share the machine.\n\n{}{}![plot]({}.svg)\n\n| figure | \
             median | lowest–highest | |\n|---|---:|---:|---|\n",
            self.scenario,
            self.about,
            self.rounds,
            self.judgement(),
            self.failures().map(|failure| format!("Not measured: {failure}\n\n")).collect::<String>(),
            self.scenario
        );
        for series in &self.measured.figures {
            let (low, high) = series.range();
            let median = number(series.median());
            let low = number(low);
            let high = number(high);
            let _ = writeln!(text, "| {} | {median} | {low}–{high} | {} |", series.name, series.unit);
        }
        text + "\n"
    }

    /// Every target of the scenario that was measured, in one table.
    fn judgement(&self) -> String {
        if self.targets.is_empty() {
            return String::new();
        }
        format!("{HEAD}{}\n", self.targets.iter().map(Judged::row).collect::<String>())
    }

    pub fn failures(&self) -> impl Iterator<Item = &str> {
        self.measured.failures.iter().map(String::as_str)
    }

    pub fn write(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        let file = |kind: &str| folder.join(format!("{}.{kind}", self.scenario));
        std::fs::write(file("md"), self.markdown())?;
        std::fs::write(file("json"), serde_json::to_string_pretty(self)? + "\n")?;
        std::fs::write(file("svg"), plot::bars(&self.scenario, &self.measured.figures)?)?;
        Ok(())
    }
}

/// The targets of all these scenarios in one table.
pub fn targets(reports: &[Report]) -> String {
    let rows = reports.iter().flat_map(|report| &report.targets).map(Judged::row);
    format!("# targets\n\n{HEAD}{}\n", rows.collect::<String>())
}

/// Three digits that matter, thousands apart.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        small if small < 1.0 => 3,
        small if small < 10.0 => 2,
        small if small < 100.0 => 1,
        _ => 0,
    };
    if digits > 0 || !value.is_finite() {
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
