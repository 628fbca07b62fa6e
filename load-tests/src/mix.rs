//! What a mixed load is made of: `mix.toml`, or another file of its kind.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use clawpool_core::task::{Priority, span};
use rand::{Rng, RngExt, distr::weighted::WeightedIndex};
use rand_distr::{Distribution, Exp, Gamma, LogNormal};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mix {
    /// The part of the workers' slots that is busy on average.
    pub load: f64,
    classes: BTreeMap<Priority, Class>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Class {
    share: f64,
    takes: Takes,
}

/// How long handlers take.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Takes {
    LogNormal {
        #[serde(with = "span")]
        median: Duration,
        sigma: f64,
    },
    Gamma {
        shape: f64,
        #[serde(with = "span")]
        mean: Duration,
    },
    Exponential {
        #[serde(with = "span")]
        mean: Duration,
    },
    Uniform {
        #[serde(with = "span")]
        from: Duration,
        #[serde(with = "span")]
        to: Duration,
    },
}

/// Priorities and handler times of tasks, one after another.
pub struct Draws {
    priorities: Vec<Priority>,
    which: WeightedIndex<f64>,
    takes: Vec<Takes>,
}

impl Mix {
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("the mix {} cannot be read", file.display()))?;
        let mix: Self = toml::from_str(&text).with_context(|| format!("{} is no mix", file.display()))?;
        ensure!(
            mix.load > 0.0 && mix.load < 1.0,
            "the load {} of {} is not between 0 and 1",
            mix.load,
            file.display()
        );
        Ok(mix)
    }

    /// Seconds of a slot that a task takes on average.
    pub fn mean(&self) -> f64 {
        let shares: f64 = self.classes.values().map(|class| class.share).sum();
        self.classes.values().map(|class| class.share * class.takes.mean()).sum::<f64>() / shares
    }

    pub fn draws(&self) -> Result<Draws> {
        let which = WeightedIndex::new(self.classes.values().map(|class| class.share));
        let takes = self.classes.values().map(|class| class.takes).collect();
        let which = which.context("the shares of the mix are no weights")?;
        Ok(Draws { priorities: self.classes.keys().copied().collect(), which, takes })
    }
}

impl Draws {
    pub fn draw(&self, random: &mut impl Rng) -> Result<(Priority, Duration)> {
        let index = self.which.sample(random);
        Ok((self.priorities[index], Duration::try_from_secs_f64(self.takes[index].draw(random)?)?))
    }
}

impl Takes {
    fn draw(self, random: &mut impl Rng) -> Result<f64> {
        Ok(match self {
            Self::LogNormal { median, sigma } => {
                LogNormal::new(median.as_secs_f64().ln(), sigma)?.sample(random)
            }
            Self::Gamma { shape, mean } => Gamma::new(shape, mean.as_secs_f64() / shape)?.sample(random),
            Self::Exponential { mean } => Exp::new(1.0 / mean.as_secs_f64())?.sample(random),
            Self::Uniform { from, to } => random.random_range(from.as_secs_f64()..=to.as_secs_f64()),
        })
    }

    fn mean(self) -> f64 {
        match self {
            Self::LogNormal { median, sigma } => median.as_secs_f64() * (sigma * sigma / 2.0).exp(),
            Self::Gamma { mean, .. } | Self::Exponential { mean } => mean.as_secs_f64(),
            Self::Uniform { from, to } => f64::midpoint(from.as_secs_f64(), to.as_secs_f64()),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    #[test]
    fn what_is_drawn_has_the_shares_and_the_mean_of_the_shipped_mix() -> Result<()> {
        let mix = Mix::read(concat!(env!("CARGO_MANIFEST_DIR"), "/mix.toml").as_ref())?;
        let draws = mix.draws()?;
        let mut random = StdRng::seed_from_u64(7);
        let drawn: Vec<_> = (0..100_000).map(|_| draws.draw(&mut random)).collect::<Result<_>>()?;
        let mean = drawn.iter().map(|(_, takes)| takes.as_secs_f64()).sum::<f64>() / drawn.len() as f64;
        assert!((mean / mix.mean() - 1.0).abs() < 0.03, "{mean} in place of {}", mix.mean());
        for priority in Priority::ALL {
            let share = drawn.iter().filter(|(drawn, _)| *drawn == priority).count() as f64 / 1000.0;
            assert!((share - mix.classes[&priority].share).abs() < 1.0, "{priority}: {share} %");
        }
        Ok(())
    }
}
