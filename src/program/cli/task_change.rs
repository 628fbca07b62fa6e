use clap::Args;

use super::{Globals, failure::Failure, progress::Progress, select::TaskSelect};
use clawpool_core::task::TaskName;
use clawpool_engine::client::{TaskSelection, view::TasksChangedView};

/// Which tasks a change is for: named ones, matching ones, or all.
#[derive(Debug, Args)]
pub(super) struct Many {
    #[arg(conflicts_with_all = ["all", "dry_run"])]
    /// Whole ids, or their last 6 digits or more
    ids: Vec<TaskName>,
    /// Every task that has not finished
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    select: TaskSelect,
    /// Only count those that would be changed
    #[arg(long)]
    dry_run: bool,
}

impl Many {
    pub(super) fn ids(&self) -> &[TaskName] {
        &self.ids
    }

    pub(super) fn is_by_id(&self) -> bool {
        !self.ids.is_empty() && self.select.is_empty()
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    /// One way of saying which.
    pub(super) fn selection(&self) -> Result<TaskSelection, Failure> {
        let dry_run = self.dry_run;
        match (self.ids.is_empty(), self.select.is_empty(), self.all) {
            (false, true, false) => {
                Ok(TaskSelection { ids: Some(self.ids.clone()), dry_run, ..TaskSelection::default() })
            }
            (true, false, false) => {
                Ok(TaskSelection { filter: Some(self.select.filter()), dry_run, ..TaskSelection::default() })
            }
            (true, true, true) => Ok(TaskSelection { all: true, dry_run, ..TaskSelection::default() }),
            (true, true, false) => Err(Failure::usage("say which: ids, filters such as --kind, or --all")),
            _ => Err(Failure::usage("say which in one way: ids, or filters, or --all")),
        }
    }

    /// Asks again until all are changed; says on standard error meanwhile how far it is.
    pub(super) async fn send(&self, path: &str, done: &str, globals: &Globals) -> Result<(), Failure> {
        let client = globals.client()?;
        let mut selection = self.selection()?;
        let mut sum = TasksChangedView::default();
        let mut progress = Progress::new();
        loop {
            let answer: TasksChangedView = client.post(path, &selection).await?;
            sum.changed += answer.changed;
            sum.signalled += answer.signalled;
            sum.left += answer.left;
            sum.hidden += answer.hidden;
            sum.looked_at += answer.looked_at;
            if answer.next.is_none() {
                break;
            }
            selection.cursor = answer.next;
            progress.say(&format!("{}; {} looked at", counts(&sum, self.done(done)), sum.looked_at));
        }
        drop(progress);
        sum.looked_at = 0;
        globals.output().show(&sum, |sum| counts(sum, self.done(done)))
    }

    pub(super) fn done<'a>(&self, done: &'a str) -> &'a str {
        if self.dry_run { "would be changed" } else { done }
    }
}

fn counts(sum: &TasksChangedView, done: &str) -> String {
    let parts = [
        (sum.changed, done),
        (sum.signalled, "running: their handlers have been told to stop"),
        (sum.left, "left alone: they are over, or unknown"),
        (sum.hidden, "left alone: what they hold cannot be read where it is"),
    ];
    let told = parts.iter().enumerate().filter(|(index, (count, _))| *index == 0 || *count > 0);
    told.map(|(_, (count, what))| format!("{count} {what}")).collect::<Vec<_>>().join("; ")
}
