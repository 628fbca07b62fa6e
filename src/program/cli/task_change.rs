use clap::Args;

use super::{
    Globals,
    failure::{Failure, eprint_line},
    select::TaskSelect,
};
use clawpool_core::task::TaskId;
use clawpool_engine::client::{TaskSelection, view::TasksChangedView};

/// Which tasks a change is for: named ones, matching ones, or all.
#[derive(Debug, Args)]
pub(super) struct Many {
    #[arg(conflicts_with_all = ["all", "dry_run"])]
    ids: Vec<TaskId>,
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
    pub(super) fn ids(&self) -> &[TaskId] {
        &self.ids
    }

    pub(super) fn is_by_id(&self) -> bool {
        !self.ids.is_empty() && self.select.is_empty()
    }

    pub(super) fn is_dry_run(&self) -> bool {
        self.dry_run
    }

    fn selection(&self) -> Result<TaskSelection, Failure> {
        let dry_run = self.dry_run;
        match (self.ids.is_empty(), self.select.is_empty(), self.all) {
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
        loop {
            let answer: TasksChangedView = client.post(path, &selection).await?;
            sum.changed += answer.changed;
            sum.signalled += answer.signalled;
            sum.left += answer.left;
            if answer.next.is_none() {
                break;
            }
            selection.cursor = answer.next;
            eprint_line(&format!("… {}", counts(&sum, self.done(done))));
        }
        globals.output().show(&sum, |sum| counts(sum, self.done(done)))
    }

    fn done<'a>(&self, done: &'a str) -> &'a str {
        if self.dry_run { "would be changed" } else { done }
    }
}

fn counts(sum: &TasksChangedView, done: &str) -> String {
    let parts = [
        (sum.changed, done),
        (sum.signalled, "running: their handlers have been told to stop"),
        (sum.left, "left alone: they are over, or unknown"),
    ];
    let told = parts.iter().enumerate().filter(|(index, (count, _))| *index == 0 || *count > 0);
    told.map(|(_, (count, what))| format!("{count} {what}")).collect::<Vec<_>>().join("; ")
}
