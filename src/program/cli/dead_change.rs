use clap::Args;

use super::{Globals, failure::Failure, progress::Progress, select::DeadSelect};
use clawpool_core::task::{Payload, TaskName};
use clawpool_engine::client::{
    Selection,
    view::{CountView, DeadChangedView},
};

/// Which letters a change is for: named ones, matching ones, or all.
#[derive(Debug, Args)]
pub(super) struct Change {
    #[arg(conflicts_with = "all")]
    /// Whole ids, or their last 6 digits or more
    ids: Vec<TaskName>,
    /// Every dead letter
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    select: DeadSelect,
    /// Only count them
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(super) struct Requeue {
    #[command(flatten)]
    change: Change,
    /// Of one letter: run it with this payload (JSON) in place of its own
    #[arg(long, value_name = "JSON", value_parser = payload, conflicts_with_all = ["all", "dry_run"])]
    payload: Option<Payload>,
}

fn payload(text: &str) -> Result<Payload, String> {
    serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))
}

impl Requeue {
    pub(super) async fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let mut selection = Selection { payload: self.payload.clone(), ..self.change.selection()? };
        self.change.send("v1/dead/requeue", "on their way again", &mut selection, globals).await
    }
}

impl Change {
    pub(super) async fn discard(&self, yes: bool, globals: &Globals) -> Result<(), Failure> {
        if self.ids.is_empty() && !yes && !self.dry_run && (self.all || !self.select.is_empty()) {
            let advice =
                "discarded letters cannot be brought back: look with `clawpool dead list`, then add --yes";
            return Err(Failure::usage(advice));
        }
        self.send("v1/dead/discard", "discarded", &mut self.selection()?, globals).await
    }

    fn selection(&self) -> Result<Selection, Failure> {
        let plain = Selection { dry_run: self.dry_run, ..Selection::default() };
        match (self.ids.is_empty(), self.select.is_empty(), self.all) {
            (false, true, false) => Ok(Selection { ids: Some(self.ids.clone()), ..plain }),
            (true, false, false) => Ok(Selection { filter: Some(self.select.filter()), ..plain }),
            (true, true, true) => Ok(Selection { all: true, ..plain }),
            (true, true, false) => Err(Failure::usage("say which: ids, filters such as --kind, or --all")),
            _ => Err(Failure::usage("say which in one way: ids, or filters, or --all")),
        }
    }

    /// Asks again until all are changed.
    async fn send(
        &self,
        path: &str,
        done: &str,
        selection: &mut Selection,
        globals: &Globals,
    ) -> Result<(), Failure> {
        let done = if self.dry_run { "would be changed" } else { done };
        let client = globals.client()?;
        let mut sum = DeadChangedView::default();
        let mut progress = Progress::new();
        loop {
            let answer: DeadChangedView = client.post(path, selection).await?;
            sum.counts += answer.counts;
            sum.looked_at += answer.looked_at;
            if answer.next.is_none() {
                break;
            }
            selection.cursor = answer.next;
            progress.say(&format!("{}; {} looked at", counts(&sum.counts, done), sum.looked_at));
        }
        drop(progress);
        sum.looked_at = 0;
        globals.output().show(&sum, |sum| counts(&sum.counts, done))?;
        let answer = sum.counts;
        // The ids of dead letters that are not there.
        let missing = (self.ids.len() as u64).saturating_sub(answer.count + answer.kept);
        if missing > 0 {
            return Err(Failure::failed(format!(
                "{missing} of {} are not among the dead letters",
                self.ids.len()
            )));
        }
        Ok(())
    }
}

fn counts(answer: &CountView, done: &str) -> String {
    let CountView { count, kept } = answer;
    match kept {
        0 => format!("{count} {done}"),
        _ => format!(
            "{count} {done}; {kept} still dead: another task with their unique key is not finished (requeue \
            them after it)"
        ),
    }
}
