//! The scenarios, one file each: who is measured, and what the figures are compared with.

mod ceiling;
mod drain;
mod enqueue;
mod flow;
mod isolation;
mod marks;
mod mixed;
mod peers;
mod recovery;
mod scale;
mod tasks;

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;

use crate::{Wish, goal::Goal, rounds::Contestant, site::Site};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    Ceiling,
    Enqueue,
    Drain,
    Flow,
    Isolation,
    Mixed,
    Peers,
    Recovery,
    Scale,
}

/// Who runs, and what is compared.
#[derive(Default)]
pub struct Plan {
    pub contestants: Vec<Contestant>,
    pub goals: Vec<Goal>,
}

impl Scenario {
    pub fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    /// That the run can have what the scenario needs.
    pub fn check(self, wish: &Wish) -> Result<()> {
        match (self, wish.peers()) {
            (Self::Peers, Some(folder)) => peers::installed(&folder),
            _ => Ok(()),
        }
    }

    pub fn plan(self, site: &Site) -> Plan {
        match self {
            Self::Ceiling => ceiling::plan(),
            Self::Enqueue => enqueue::plan(),
            Self::Drain => drain::plan(site),
            Self::Flow => flow::plan(),
            Self::Isolation => isolation::plan(),
            Self::Mixed => mixed::plan(),
            Self::Peers => peers::plan(site),
            Self::Recovery => recovery::plan(),
            Self::Scale => scale::plan(site),
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Self::Ceiling => ceiling::ABOUT,
            Self::Enqueue => enqueue::ABOUT,
            Self::Drain => drain::ABOUT,
            Self::Flow => flow::ABOUT,
            Self::Isolation => isolation::ABOUT,
            Self::Mixed => mixed::ABOUT,
            Self::Peers => peers::ABOUT,
            Self::Recovery => recovery::ABOUT,
            Self::Scale => scale::ABOUT,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}
