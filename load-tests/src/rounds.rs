//! Contestants in turn, several rounds: a machine that slows down slows down all of them. One that fails
//! costs its own figures, and is named.

use std::time::Instant;

use anyhow::Result;
use futures::future::BoxFuture;
use serde::Serialize;

use crate::site::Site;

/// One number of one round.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: String,
    pub unit: &'static str,
    pub value: f64,
}

impl Figure {
    pub fn new(name: impl Into<String>, unit: &'static str, value: f64) -> Self {
        Self { name: name.into(), unit, value }
    }
}

type Run = Box<dyn Fn(Site) -> BoxFuture<'static, Result<Vec<Figure>>> + Send + Sync>;

/// A task queue that is measured.
pub struct Contestant {
    pub name: String,
    run: Run,
    once: bool,
}

impl Contestant {
    pub fn new<F, Fut>(name: impl Into<String>, run: F) -> Self
    where
        F: Fn(Site) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Vec<Figure>>> + Send + 'static,
    {
        Self { name: name.into(), run: Box::new(move |site| Box::pin(run(site))), once: false }
    }

    /// In the first round alone: it takes long.
    pub fn once(self) -> Self {
        Self { once: true, ..self }
    }
}

/// The same number of every round.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    pub name: String,
    pub unit: &'static str,
    pub values: Vec<f64>,
}

impl Series {
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            length if length % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    pub fn range(&self) -> (f64, f64) {
        self.values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(*value), high.max(*value))
        })
    }
}

/// What a run brought.
#[derive(Debug, Default, Serialize)]
pub struct Measured {
    /// In the order of their first appearance.
    pub figures: Vec<Series>,
    /// Who failed, in which round and why.
    pub failures: Vec<String>,
}

impl Measured {
    fn add(&mut self, Figure { name, unit, value }: Figure) {
        eprintln!("    {name}: {value:.1} {unit}");
        match self.figures.iter_mut().find(|series| series.name == name) {
            Some(series) => series.values.push(value),
            None => self.figures.push(Series { name, unit, values: vec![value] }),
        }
    }

    fn fail(&mut self, failure: String) {
        eprintln!("    FAILED: {failure}");
        self.failures.push(failure);
    }
}

pub async fn run(site: &Site, contestants: &[Contestant], rounds: usize) -> Measured {
    let mut measured = Measured::default();
    for round in 1..=rounds.max(1) {
        for contestant in contestants.iter().filter(|contestant| round == 1 || !contestant.once) {
            eprintln!("round {round} of {rounds}: {}", contestant.name);
            let started = Instant::now();
            match (contestant.run)(site.clone()).await {
                Ok(figures) => figures.into_iter().for_each(|figure| measured.add(figure)),
                Err(error) => measured.fail(format!("{}, round {round}: {error:#}", contestant.name)),
            }
            eprintln!("    {:.1} s with everything around it", started.elapsed().as_secs_f64());
        }
    }
    measured
}
