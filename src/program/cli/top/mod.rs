//! `clawpool top`: the pool as it is now, in a terminal.
//!
//! Guarantees: what it shows is at most `--every` old, or says how old it is; the terminal is left as it was
//! found, also after an error; what others wrote does not steer it. Never does: change anything before a key
//! was pressed for it, or ask more of the dispatcher than once in `--every`.

mod columns;
mod console;
mod frame;
mod keys;
mod once;
mod orders;
mod panels;
mod screen;
mod snapshot;
mod summary;

#[cfg(test)]
mod tests;

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use clap::Args;

use self::{console::Console, screen::Screen, snapshot::Snapshot};
use super::{Globals, failure::Failure};

/// Queues, workers, pools, classes and alerts as they are now, in this terminal
///
/// Tab or 1 to 5 changes the table, s sorts, / filters, p pauses and r resumes a queue or a pool, d sends a
/// worker home, ? tells all keys. Without a terminal, and with --once, it prints the tables as text and ends.
#[derive(Debug, Args)]
pub(in crate::cli) struct Top {
    /// Print everything once, as text
    #[arg(long)]
    once: bool,
    /// Ask the dispatcher this often
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = pause)]
    every: Duration,
    /// Begin with this table: queues, workers, pools, classes or alerts
    #[arg(long, value_name = "NAME", value_parser = panels::named)]
    panel: Option<usize>,
    /// Only rows with this text in them
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

const SHORTEST: Duration = Duration::from_millis(200);

fn pause(text: &str) -> Result<Duration, String> {
    let pause = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if pause < SHORTEST { Err("at least 200ms".to_owned()) } else { Ok(pause) }
}

impl Top {
    pub(in crate::cli) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let client = globals.client()?;
        // The first answer tells whether there is a dispatcher, and whether it knows the caller.
        let first = Snapshot::ask(&client).await?;
        let mut console = Console::new(&globals.url, self.filter.unwrap_or_default());
        if globals.json {
            return globals.output().json(&first);
        }
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal();
        if self.once || !is_terminal {
            return globals.output().text(&once::text(&console, &first));
        }
        self.panel.into_iter().for_each(|panel| console.choose(panel));
        Screen::open(client, self.every)?.run(console, first).await
    }
}
