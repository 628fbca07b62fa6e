//! One table over all keys.

/// What a key that was changed takes to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Nothing: this part of a program has it at once.
    Live(Part),
    /// A worker has what it started with. Those that start later have the new value.
    NewWorkers,
    /// A restart of the program.
    Restart,
}

/// Who uses a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Every program.
    Log,
    /// What takes tasks.
    Dispatcher,
    /// What keeps the pools.
    Autoscaler,
}

use Part::{Autoscaler, Dispatcher, Log};
use Reach::{Live, NewWorkers, Restart};

/// A row is for its key and all below it; the longest that fits counts. Elements of lists are `[]`.
pub(super) const TABLE: &[(&str, Reach)] = &[
    ("profile", Restart),
    ("embedded", Restart),
    ("redis", Restart),
    ("rabbitmq", Restart),
    ("lanes", Restart),
    ("api.listen", Restart),
    ("api.connections", Restart),
    ("api.streams", Live(Dispatcher)),
    ("api.tokens", Live(Dispatcher)),
    ("api.read_only", Live(Dispatcher)),
    // Files that are replaced are read all the same.
    ("api.tls", Restart),
    ("limits.payload", Live(Dispatcher)),
    ("limits.depth", Live(Dispatcher)),
    ("limits.delay", Live(Dispatcher)),
    ("limits.ttl", Live(Dispatcher)),
    ("limits.timeout", Live(Dispatcher)),
    ("limits.attempts", Live(Dispatcher)),
    ("limits.result_ttl", Live(Dispatcher)),
    ("limits.name", Live(Dispatcher)),
    ("limits.meta", Live(Dispatcher)),
    ("limits.batch", Live(Dispatcher)),
    // The brokers of all processes keep these two.
    ("limits.queued", Restart),
    ("queues", Restart),
    ("limits.result", NewWorkers),
    ("classes", Live(Dispatcher)),
    ("rules", Live(Dispatcher)),
    // The store keeps what it was opened with.
    ("results", Restart),
    ("attempts", NewWorkers),
    ("retry", NewWorkers),
    ("pacing", NewWorkers),
    ("handlers", NewWorkers),
    ("worker.slots", NewWorkers),
    ("worker.reserved", NewWorkers),
    ("worker.urgent_claim", NewWorkers),
    ("worker.queues", NewWorkers),
    ("worker.grace", NewWorkers),
    ("worker.stop_grace", NewWorkers),
    ("worker.hold", NewWorkers),
    ("worker.patience", NewWorkers),
    // Dispatchers, workers and stores must agree on these.
    ("worker.heartbeat", Restart),
    ("worker.lease", Restart),
    ("worker.doubt", Restart),
    ("worker.crashes", Restart),
    ("autoscale", Live(Autoscaler)),
    // Pools that come or go.
    ("pools", Restart),
    ("pools[].name", Restart),
    ("pools[].driver", Restart),
    ("pools[].workers", Live(Autoscaler)),
    ("pools[].min", Live(Autoscaler)),
    ("pools[].max", Live(Autoscaler)),
    ("pools[].autoscale", Live(Autoscaler)),
    ("pools[].command", NewWorkers),
    ("pools[].slots", NewWorkers),
    ("pools[].reserved", NewWorkers),
    ("pools[].queues", NewWorkers),
    ("pools[].kinds", NewWorkers),
    ("pools[].max_tasks", NewWorkers),
    ("pools[].max_memory", NewWorkers),
    ("pools[].limits", NewWorkers),
    ("pools[].restart", NewWorkers),
    // What is watched is set up once.
    ("health", Restart),
    ("probes", Restart),
    ("log.filter", Live(Log)),
    ("log.rotate", Live(Log)),
    ("log.size", Live(Log)),
    ("log.keep", Live(Log)),
    ("log.format", Restart),
    ("log.file", Restart),
    ("log.event_source", Restart),
    // Dispatchers and workers must agree on which tasks are traced.
    ("tracing", Restart),
];

/// How far a key reaches; `None` for one that is not in the table.
pub(super) fn reach(key: &str) -> Option<Reach> {
    let key = without_numbers(key);
    let fits = |row: &&(&str, Reach)| {
        key.strip_prefix(row.0).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    TABLE.iter().filter(fits).max_by_key(|row| row.0.len()).map(|row| row.1)
}

/// `pools[3].min` is `pools[].min`.
fn without_numbers(key: &str) -> String {
    let mut parts = key.split('[');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        plain + "[" + part.trim_start_matches(|letter: char| letter.is_ascii_digit())
    })
}
