use clap::Args;

use super::{
    Globals,
    failure::Failure,
    output::{dash, moment, plain, table, word},
    select::{more, pages, past},
};
use clawpool_core::task::{KindPattern, Timestamp};
use clawpool_engine::client::access::{AuditView, Outcome};

/// Who changed what, latest first: pauses, scaling, requeues, tokens, queues
///
/// Tasks that are enqueued are not among them: `clawpool tasks show` says which token enqueued one.
#[derive(Debug, Args)]
pub(super) struct Audit {
    /// By this token
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// What was done: queue.pause; `queue.*` for all that start so
    #[arg(long, value_name = "VERB")]
    verb: Option<KindPattern>,
    /// To this queue, pool, token, task or worker
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// done, refused or failed
    #[arg(long)]
    outcome: Option<Outcome>,
    /// At or after this: a time (2026-01-31T09:00:00Z) or how long ago (1h)
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// Before this
    #[arg(long, value_name = "TIME", value_parser = past)]
    until: Option<Timestamp>,
    /// Show at most this many
    #[arg(long, default_value_t = 50, value_name = "N")]
    limit: usize,
}

impl Audit {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let query = [
            ("by", self.by),
            ("verb", self.verb.map(|verb| verb.to_string())),
            ("subject", self.subject),
            ("outcome", self.outcome.map(|outcome| word(&outcome))),
            ("since", self.since.map(|time| time.as_millis().to_string())),
            ("until", self.until.map(|time| time.as_millis().to_string())),
        ];
        let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let page = pages(&globals.client()?, "v1/audit", &query, self.limit).await?;
        globals.output().show(&page, |page| listing(&page.items))?;
        more(&page);
        Ok(())
    }
}

pub(super) fn listing(entries: &[AuditView]) -> String {
    let rows = entries.iter().map(|entry| {
        let parameters =
            if entry.parameters.is_null() { String::new() } else { entry.parameters.to_string() };
        [
            moment(entry.at),
            plain(&dash(entry.by.as_ref()), 40),
            dash(entry.address),
            entry.verb.clone(),
            plain(&entry.subject, 64),
            entry.code.clone().unwrap_or_else(|| word(&entry.outcome)),
            plain(&parameters, 120),
        ]
    });
    table(["AT", "BY", "FROM", "VERB", "SUBJECT", "OUTCOME", "PARAMETERS"], rows)
}
