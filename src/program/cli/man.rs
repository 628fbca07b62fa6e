use std::path::PathBuf;

use clap::{Args, CommandFactory};

use super::{Cli, WorkerProgram, failure::Failure};

/// Write the manual pages of both programs into a folder, one a command
#[derive(Debug, Args)]
pub(super) struct Man {
    folder: PathBuf,
}

impl Man {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let failed =
            |error| Failure::failed(format_args!("cannot write into {}: {error}", self.folder.display()));
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        for command in [Cli::command(), WorkerProgram::command()] {
            clap_mangen::generate_to(command, &self.folder).map_err(failed)?;
        }
        Ok(())
    }
}
