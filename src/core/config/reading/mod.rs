//! How files, variables and flags become a configuration, and what a section needs to be read and checked.
//!
//! Guarantees: every fault is in one report, each with where its value came from (INV-9). A value that could
//! not be read is reported once, and no rule complains of it a second time.

mod assignment;
mod bounds;
mod error;
mod key;
mod load;
mod nearest;
mod read;
pub(super) mod redaction;
mod report;
mod secret;
mod settings;
mod shape;
pub(super) mod size;
mod source;
mod table;
mod trace;
mod unknown;

pub use self::{
    assignment::{as_variable, variable},
    error::{ConfigError, ConfigErrors},
    load::{Loaded, SecretFile},
    nearest::nearest,
    redaction::redact,
    settings::{Origins, Setting},
};
pub(super) use self::{key::Key, report::Report};
