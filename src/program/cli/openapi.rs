use clap::Args;

use super::{Globals, failure::Failure};

/// Print what the HTTP API is for programs: its OpenAPI document
#[derive(Debug, Args)]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(&self, globals: &Globals) -> Result<(), Failure> {
        globals.output().text(&clawpool_server::api::openapi::text())
    }
}
