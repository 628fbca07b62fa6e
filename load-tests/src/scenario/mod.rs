//! The scenarios, one file each: who is measured, and what the figures are compared with.

mod ceiling;
mod drain;
mod enqueue;
mod flow;
mod marks;
mod recovery;
mod tasks;

use std::fmt;

use clap::ValueEnum;

use crate::{
    rounds::{Contestant, Ratio},
    site::Site,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    Ceiling,
    Enqueue,
    Drain,
    Flow,
    Recovery,
}

/// Who runs, and what is compared.
#[derive(Default)]
pub struct Plan {
    pub contestants: Vec<Contestant>,
    pub ratios: Vec<Ratio>,
}

impl Scenario {
    pub fn all() -> Vec<Self> {
        Self::value_variants().to_vec()
    }

    pub fn plan(self, site: &Site) -> Plan {
        match self {
            Self::Ceiling => ceiling::plan(),
            Self::Enqueue => enqueue::plan(),
            Self::Drain => drain::plan(site),
            Self::Flow => flow::plan(),
            Self::Recovery => recovery::plan(),
        }
    }

    pub const fn about(self) -> &'static str {
        match self {
            Self::Ceiling => ceiling::ABOUT,
            Self::Enqueue => enqueue::ABOUT,
            Self::Drain => drain::ABOUT,
            Self::Flow => flow::ABOUT,
            Self::Recovery => recovery::ABOUT,
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}
