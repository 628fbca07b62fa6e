use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Globals, failure::Failure};

/// A completion script for your shell
///
/// For bash: clawpool completions bash > ~/.local/share/bash-completion/completions/clawpool
#[derive(Debug, Args)]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "clawpool", &mut script);
        globals.output().text(&String::from_utf8_lossy(&script))
    }
}
