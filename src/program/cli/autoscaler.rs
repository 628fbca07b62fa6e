use std::time::Duration;

use clap::{Args, Subcommand};

use super::{
    Globals,
    failure::{Failure, eprint_line},
    output::{age, dash, moment, plain, span, table},
    role,
};
use clawpool_backends::{servers, store::Page};
use clawpool_core::{
    config::Part,
    scaling::{Action as Deed, Decision, Limit, Vote},
};
use clawpool_engine::{
    client::{
        Cause, PoolStatus, Scale,
        view::{AutoscalerView, ScalingView},
    },
    process::{Shutdown, notify_ready},
};
use clawpool_server::app::{AppError, Pools};

/// Keep the configuration's pools at the sizes that their load needs; look and take part
///
/// Any number may run; one of them acts, and another takes over when it dies.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Autoscaler {
    /// Decide and record, and change nothing
    #[arg(long)]
    dry_run: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Every pool: how large it is, how large it should be, and why
    Status,
    /// What was changed and from what it was decided, latest first
    History {
        /// Of this pool alone
        pool: Option<String>,
        /// Show at most this many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Leave the size of one pool, or of all, as it is
    Pause { pool: Option<String> },
    /// Let the policies decide again; ends a manual size too
    Resume { pool: Option<String> },
    /// Hold a pool at a size
    Scale {
        pool: String,
        size: u32,
        /// After this the policies decide again
        #[arg(
            long = "for",
            value_name = "TIME",
            default_value = "1h",
            value_parser = humantime::parse_duration
        )]
        keep: Duration,
    },
}

impl Autoscaler {
    pub(super) async fn run(self, globals: &Globals) -> Result<(), Failure> {
        match self.action {
            None => run(globals, self.dry_run).await,
            Some(Action::Status) => status(globals).await,
            Some(Action::History { pool, limit }) => history(globals, pool, limit).await,
            Some(Action::Pause { pool }) => order(globals, pool, "pause", "paused").await,
            Some(Action::Resume { pool }) => order(globals, pool, "resume", "resumed").await,
            Some(Action::Scale { pool, size, keep }) => scale(globals, &pool, &Scale { size, keep }).await,
        }
    }
}

async fn run(globals: &Globals, dry_run: bool) -> Result<(), Failure> {
    let reloader = role::configure(globals, &[Part::Log, Part::Autoscaler], |_| ())?;
    let config = reloader.live().now();
    if config.pools.is_empty() {
        return Err(role::unfit("there is no pool to keep: add [[pools]] to the configuration"));
    }
    let shutdown = Shutdown::on_signals()?;
    let servers = servers::connect(&config, &shutdown.drain).await.map_err(AppError::from)?;
    let pools = Pools::new(&role::worker_program(globals)?, reloader.live().clone(), &servers, &shutdown)?;
    notify_ready();
    if dry_run {
        pools.watch(&shutdown).await?
    } else {
        pools.run(&shutdown).await?
    }
    Ok(())
}

async fn status(globals: &Globals) -> Result<(), Failure> {
    let view: AutoscalerView = globals.client()?.get("v1/autoscaler", &[]).await?;
    if view.items.is_empty() {
        eprint_line(
            "no autoscaler has kept a pool lately: start one with `clawpool up` or `clawpool autoscaler`",
        );
    }
    globals.output().show(&view, |view| pools(&view.items))
}

/// The pools, and below them each one's reasons.
pub(super) fn pools(pools: &[PoolStatus]) -> String {
    let rows = pools.iter().map(|pool| {
        [
            plain(&pool.pool, 30),
            pool.current.to_string(),
            pool.wanted.to_string(),
            pool.draining.to_string(),
            format!("{}-{}", pool.min, pool.max),
            mode(pool),
            age(pool.at),
            limits(&pool.decision),
        ]
    });
    let mut text =
        table(["POOL", "CURRENT", "WANTED", "DRAINING", "BOUNDS", "MODE", "SEEN AGO", "LIMITS"], rows);
    for pool in pools {
        text.push_str(&format!("\n\n{}\n", plain(&pool.pool, 30)));
        text.push_str(&table(
            ["  POLICY", "READS", "LASTING", "WANTS"],
            pool.decision.votes.iter().map(vote),
        ));
        text.push_str(&notes(pool));
    }
    text
}

fn vote(vote: &Vote) -> [String; 4] {
    let metric = vote.metric.map(|metric| format!("{metric:?} ").to_lowercase()).unwrap_or_default();
    [
        format!("  {}", plain(&vote.policy, 40)),
        dash(vote.reading.map(|reading| format!("{metric}{reading:.1}"))),
        dash(vote.lasting.map(span)),
        dash(vote.wants),
    ]
}

fn notes(pool: &PoolStatus) -> String {
    let mut notes = String::new();
    if let Some(forecast) = &pool.forecast {
        let peak = dash(forecast.peak.map(|peak| format!("{peak:.1} tasks/s")));
        let judged = forecast.accuracy.map_or_else(
            || format!("not judged yet ({} samples)", forecast.samples),
            |accuracy| {
                let trust = if accuracy.trusted { "trusted" } else { "not trusted" };
                let error = 100.0 * accuracy.error;
                let naive = 100.0 * accuracy.naive_error;
                format!("error {error:.0} %, naive {naive:.0} %, {trust}")
            },
        );
        notes.push_str(&format!("\n  forecast ({:?}): peak {peak}, {judged}", forecast.mode).to_lowercase());
    }
    if let Some(trouble) = &pool.trouble {
        notes.push_str(&format!("\n  trouble: {}", plain(trouble, 300)));
    }
    if let Some(alert) = &pool.decision.alert {
        notes.push_str(&format!("\n  alert: {}", plain(alert, 300)));
    }
    notes
}

fn mode(pool: &PoolStatus) -> String {
    let mode = match (pool.manual, pool.paused) {
        (Some(manual), _) => format!("manual {} until {}", manual.size, moment(manual.until)),
        (None, true) => "paused".to_owned(),
        (None, false) => "auto".to_owned(),
    };
    if pool.dry_run { format!("{mode}, dry run") } else { mode }
}

fn limits(decision: &Decision) -> String {
    let names = decision.limits.iter().map(|limit| match limit {
        Limit::Cooldown => "cooldown",
        Limit::Rate => "rate",
        Limit::Min => "min",
        Limit::Max => "max",
        Limit::Memory => "memory",
        Limit::Unknown => "unknown",
    });
    names.collect::<Vec<_>>().join(",")
}

async fn history(globals: &Globals, pool: Option<String>, limit: usize) -> Result<(), Failure> {
    let query: Vec<_> =
        pool.into_iter().map(|pool| ("pool", pool)).chain([("limit", limit.to_string())]).collect();
    let page: Page<ScalingView> = globals.client()?.get("v1/autoscaler/history", &query).await?;
    globals.output().show(&page, |page| changes(&page.items))
}

pub(super) fn changes(changes: &[ScalingView]) -> String {
    let rows = changes.iter().map(|entry| {
        let change = &entry.change;
        [
            entry.at.to_string(),
            plain(&entry.pool, 30),
            if change.decision.action == Deed::ReplaceAll && change.cause == Cause::Policies {
                format!("{} replaced", change.from)
            } else {
                format!("{} -> {}", change.from, change.to)
            },
            format!("{:?}{}", change.cause, if change.dry_run { " (dry run)" } else { "" }).to_lowercase(),
            asked(&change.decision),
            limits(&change.decision),
        ]
    });
    table(["TIME", "POOL", "SIZE", "BY", "ASKED", "LIMITS"], rows)
}

/// Who asked for which size.
fn asked(decision: &Decision) -> String {
    let asks = decision.votes.iter().filter_map(|vote| Some(format!("{}: {}", vote.policy, vote.wants?)));
    plain(&asks.collect::<Vec<_>>().join(", "), 80)
}

async fn order(globals: &Globals, pool: Option<String>, verb: &str, done: &str) -> Result<(), Failure> {
    let path = match &pool {
        Some(pool) => format!("v1/autoscaler/{}/{verb}", segment(pool)),
        None => format!("v1/autoscaler/{verb}"),
    };
    globals.client()?.order(&path).await?;
    let name = pool.unwrap_or_else(|| "all pools".to_owned());
    globals.output().show(&serde_json::json!({ "pool": name, "state": done }), |_| format!("{name}  {done}"))
}

async fn scale(globals: &Globals, pool: &str, scale: &Scale) -> Result<(), Failure> {
    let path = format!("v1/autoscaler/{}/scale", segment(pool));
    let manual: clawpool_engine::client::Manual = globals.client()?.post(&path, scale).await?;
    globals.output().show(&manual, |manual| format!("{pool}  {} until {}", manual.size, moment(manual.until)))
}

/// A name as one part of a path, whatever letters it has.
fn segment(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
