use std::collections::BTreeMap;

use clap::Args;

use super::{
    Globals,
    failure::Failure,
    output::{moment, plain, table, word},
    select::{more, pages, past},
};
use clawpool_core::task::Timestamp;
use clawpool_engine::{alert::Level, client::view::AlertView};

/// What an operator should know of the pools, latest first: programs that cannot start, hangs, leaks
///
/// Below the table: what to do about each. `clawpool workers crashes` has the crashes themselves, `clawpool
/// autoscaler history` the changes of size.
#[derive(Debug, Args)]
pub(super) struct Alerts {
    /// Of this pool alone
    pool: Option<String>,
    /// At or after this: a time (2026-01-31T09:00:00Z) or how long ago (1h)
    #[arg(long, value_name = "TIME", value_parser = past)]
    since: Option<Timestamp>,
    /// At least as grave as this: info, warning, error or critical
    #[arg(long, value_name = "LEVEL")]
    level: Option<Level>,
    /// Show at most this many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: usize,
}

impl Alerts {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        let query = [
            ("pool", self.pool),
            ("since", self.since.map(|time| time.as_millis().to_string())),
            ("level", self.level.map(|level| word(&level))),
        ];
        let query: Vec<_> = query.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let page = pages(&globals.client()?, "v1/alerts", &query, self.limit).await?;
        globals.output().show(&page, |page| listing(&page.items))?;
        more(&page);
        Ok(())
    }
}

/// The alerts, and below them what to do about each kind of them.
pub(super) fn listing(alerts: &[AlertView]) -> String {
    let rows = alerts.iter().map(|alert| {
        [
            moment(alert.at),
            plain(&alert.pool, 30),
            word(&alert.level),
            word(&alert.event),
            alert.code.clone(),
            plain(&alert.text, 200),
        ]
    });
    let mut text = table(["AT", "POOL", "LEVEL", "EVENT", "CODE", "WHAT"], rows);
    let fixes: BTreeMap<_, _> = alerts.iter().map(|alert| (&alert.code, &alert.fix)).collect();
    for (place, (code, fix)) in fixes.into_iter().enumerate() {
        let gap = if place == 0 { "\n\n" } else { "\n" };
        text.push_str(&format!("{gap}{code}  {fix}"));
    }
    text
}
