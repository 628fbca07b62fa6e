use clap::Args;

use super::{Globals, failure::Failure, progress::Progress, task_change::Many};
use clawpool_engine::client::lists::ReroutedView;

/// Which tasks, and where to.
#[derive(Debug, Args)]
pub(super) struct SetPriority {
    #[command(flatten)]
    many: Many,
    /// P0 to P6, or the name of a queue
    #[arg(long, value_name = "PRIORITY")]
    to: String,
}

impl SetPriority {
    /// Asks again until all are changed.
    pub(super) async fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let client = globals.client()?;
        let mut selection = self.many.selection()?;
        selection.to = Some(self.to.clone());
        let mut sum = ReroutedView::default();
        let mut progress = Progress::new();
        loop {
            let answer: ReroutedView = client.post("v1/tasks/priority", &selection).await?;
            sum.changed += answer.changed;
            sum.skipped += answer.skipped;
            sum.hidden += answer.hidden;
            sum.looked_at += answer.looked_at;
            sum.code = answer.code.or(sum.code);
            if answer.next.is_none() {
                break;
            }
            selection.cursor = answer.next;
            progress.say(&format!("{}; {} looked at", self.counts(&sum), sum.looked_at));
        }
        drop(progress);
        sum.looked_at = 0;
        globals.output().show(&sum, |sum| self.counts(sum))?;
        match &sum.code {
            Some(code) => Err(Failure::failed(format!(
                "{} wait where their messages cannot be read: clawpool explain {code}",
                sum.hidden
            ))),
            None => Ok(()),
        }
    }

    fn counts(&self, sum: &ReroutedView) -> String {
        let done = self.many.done("on their way");
        let changed = format!("{} {done} to {}", sum.changed, self.to);
        match sum.skipped {
            0 => changed,
            skipped => format!("{changed}; {skipped} left alone: they run, are over, or wait there already"),
        }
    }
}
