use std::io::IsTerminal;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::{check::Check, plan::Plan};
use crate::cli::failure::eprint_line;
use clawpool_core::task::Priority;

/// Live progress on standard error: a bar for each priority on a terminal, a line now and then elsewhere.
pub(super) struct Show {
    bars: Option<(MultiProgress, Vec<ProgressBar>)>,
    /// How many tasks each priority will have.
    planned: [usize; Priority::ALL.len()],
    said: usize,
}

impl Show {
    pub(super) fn new(plan: &Plan) -> Self {
        let bars = std::io::stderr().is_terminal().then(|| {
            let all = MultiProgress::new();
            let bars = Priority::ALL.map(|priority| all.add(bar(priority, plan))).into_iter().collect();
            (all, bars)
        });
        Self { bars, planned: Priority::ALL.map(|priority| plan.count_of(priority)), said: 0 }
    }

    pub(super) fn say(&self, text: &str) {
        match &self.bars {
            Some((all, _)) => drop(all.println(text)),
            None => eprint_line(text),
        }
    }

    pub(super) fn update(&mut self, check: &Check) {
        let progress = Priority::ALL.map(|priority| check.progress(priority));
        if let Some((_, bars)) = &self.bars {
            bars.iter().zip(progress).for_each(|(bar, ended)| bar.set_position(ended as u64));
            return;
        }
        // A line each tenth of the way.
        let ended: usize = progress.iter().sum();
        let tenth = ended * 10 / self.planned.iter().sum::<usize>().max(1);
        if tenth > self.said {
            self.said = tenth;
            let each = Priority::ALL.iter().zip(progress.iter().zip(self.planned));
            let each = each.map(|(priority, (ended, planned))| format!("{priority} {ended}/{planned}"));
            eprint_line(&each.collect::<Vec<_>>().join("  "));
        }
    }

    pub(super) fn finish(&self) {
        if let Some((_, bars)) = &self.bars {
            bars.iter().for_each(ProgressBar::abandon);
        }
    }
}

fn bar(priority: Priority, plan: &Plan) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:40} {pos}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(plan.count_of(priority) as u64).with_prefix(priority.to_string()).with_style(style)
}
