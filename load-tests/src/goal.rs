//! What is aimed at: a figure, or its ratio to another one of the same run, and whether it was reached.

use serde::Serialize;

use crate::{report::number, rounds::Series};

#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    pub of: String,
    /// What it is divided by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    pub target: Target,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
}

/// By the medians of all rounds.
#[derive(Debug, Serialize)]
pub struct Judged {
    #[serde(flatten)]
    pub goal: Goal,
    pub value: f64,
    pub met: bool,
}

impl Goal {
    pub fn ratio(of: impl Into<String>, to: impl Into<String>, target: Target) -> Self {
        Self { of: of.into(), to: Some(to.into()), target }
    }

    /// Of a figure by itself.
    pub fn figure(of: impl Into<String>, target: Target) -> Self {
        Self { of: of.into(), to: None, target }
    }

    /// None when a contestant it speaks of did not run.
    pub fn judge(&self, figures: &[Series]) -> Option<Judged> {
        let median = |name: &str| figures.iter().find(|series| series.name == name).map(Series::median);
        let value = match &self.to {
            Some(to) => median(&self.of)? / median(to)?,
            None => median(&self.of)?,
        };
        Some(Judged { goal: self.clone(), value, met: self.target.met(value) })
    }

    fn name(&self) -> String {
        self.to.as_ref().map_or_else(|| self.of.clone(), |to| format!("{} ÷ {to}", self.of))
    }
}

impl Judged {
    /// Of a table in Markdown.
    pub fn row(&self) -> String {
        let value = number(self.value);
        let met = if self.met { "met" } else { "missed" };
        format!("| {} | {value} | {} | {met} |\n", self.goal.name(), self.goal.target.text())
    }
}

impl Target {
    /// Never by what is not a number.
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(target) => value >= target,
            Self::AtMost(target) => value <= target,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(target) => format!("≥ {target}"),
            Self::AtMost(target) => format!("≤ {target}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_and_figures_are_judged_by_their_medians() {
        let series =
            |name: &str, values: &[f64]| Series { name: name.into(), unit: "ms", values: values.to_vec() };
        let figures = [series("a", &[9.0, 1.0, 8.0]), series("b", &[4.0]), series("none", &[f64::NAN])];
        let judge = |goal: Goal| goal.judge(&figures).map(|judged| (judged.value, judged.met));
        assert_eq!(judge(Goal::ratio("a", "b", Target::AtLeast(2.0))), Some((2.0, true)));
        assert_eq!(judge(Goal::ratio("a", "b", Target::AtMost(1.9))), Some((2.0, false)));
        assert_eq!(judge(Goal::figure("b", Target::AtMost(4.0))), Some((4.0, true)));
        assert_eq!(judge(Goal::ratio("a", "absent", Target::AtMost(1.0))), None);
        let unknown = Goal::figure("none", Target::AtLeast(0.0)).judge(&figures);
        assert!(unknown.is_some_and(|judged| !judged.met));
    }
}
