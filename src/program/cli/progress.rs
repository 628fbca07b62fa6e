//! How far long work is, on standard error.
//!
//! Guarantees: only a terminal is told, on one line that is gone in the end. Never does: touch standard
//! output.

use std::io::{self, IsTerminal, Write};

use clawpool_server::telemetry::Keep;

pub(super) struct Progress {
    is_terminal: bool,
    shown: usize,
}

impl Progress {
    pub(super) fn new() -> Self {
        Self { is_terminal: io::stderr().is_terminal(), shown: 0 }
    }

    pub(super) fn say(&mut self, text: &str) {
        if self.is_terminal {
            self.write(text);
        }
    }

    fn write(&mut self, text: &str) {
        let text = Keep::Nothing.visible(text);
        let width = self.shown.max(text.chars().count());
        // Standard error may be closed, and then nobody is told.
        let _ = write!(io::stderr(), "\r{text:<width$}");
        let _ = io::stderr().flush();
        self.shown = text.chars().count();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown > 0 {
            let _ = write!(io::stderr(), "\r{:<width$}\r", "", width = self.shown);
        }
    }
}
