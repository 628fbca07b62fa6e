use clap::Args;

use super::{
    Globals,
    failure::{Failure, eprint_line},
    output::{plain, table},
    progress::Progress,
    select::TaskSelect,
};
use clawpool_core::task::State;
use clawpool_engine::client::lists::TaskCountsView;

/// Of which tasks, and how far to look.
#[derive(Debug, Args)]
pub(super) struct CountTasks {
    #[command(flatten)]
    select: TaskSelect,
    /// Look at about this many records at most, the latest first
    #[arg(long, value_name = "RECORDS", default_value_t = 100_000)]
    look: u64,
}

impl CountTasks {
    pub(super) async fn run(&self, globals: &Globals) -> Result<(), Failure> {
        let client = globals.client()?;
        let mut progress = Progress::new();
        let mut sum: TaskCountsView = client.get("v1/tasks/counts", &self.select.query()).await?;
        while let Some(cursor) = sum.next.clone().filter(|_| sum.looked_at < self.look) {
            progress.say(&format!("{} looked at", sum.looked_at));
            let mut query = self.select.query();
            query.push(("cursor", cursor));
            sum.add(client.get("v1/tasks/counts", &query).await?);
        }
        drop(progress);
        globals.output().show(&sum, counts)?;
        if !sum.exact {
            eprint_line(&format!(
                "… of the latest {} records: --look looks at more than {}",
                sum.looked_at, self.look
            ));
        }
        Ok(())
    }
}

fn counts(view: &TaskCountsView) -> String {
    let row = |name: &str, states: &std::collections::BTreeMap<State, u64>| {
        let count = |state| states.get(&state).copied().unwrap_or_default();
        let [scheduled, queued, running, completed, dead, cancelled] =
            State::ALL.map(|state| count(state).to_string());
        let all = states.values().sum::<u64>().to_string();
        [plain(name, 40), scheduled, queued, running, completed, dead, cancelled, all]
    };
    let kinds = view.kinds.iter().map(|(kind, states)| row(kind, states));
    let rows: Vec<_> = kinds.chain([row("(all)", &view.states)]).collect();
    table(["KIND", "SCHEDULED", "QUEUED", "RUNNING", "COMPLETED", "DEAD", "CANCELLED", "ALL"], rows)
}
