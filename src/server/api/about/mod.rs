//! What the document of the API says of each route: a file a topic, a function a handler, by its name.
//!
//! Guarantees: each handler in the table of routes has its function here. Never does: repeat what the table
//! or the types of the handler tell.

pub(super) mod access;
pub(super) mod alerts;
pub(super) mod audit;
pub(super) mod autoscaler;
pub(super) mod bulk;
pub(super) mod config;
pub(super) mod dead;
pub(super) mod doctor;
pub(super) mod enqueue;
pub(super) mod events;
pub(super) mod figures;
pub(super) mod health;
pub(super) mod host_series;
pub(super) mod hosts;
pub(super) mod metrics;
pub(super) mod open_queues;
pub(super) mod openapi;
pub(super) mod queues;
pub(super) mod reroute;
pub(super) mod schedule;
pub(super) mod story;
pub(super) mod task_bulk;
pub(super) mod task_counts;
pub(super) mod tasks;
pub(super) mod tokens;
pub(super) mod workers;

/// Of the whole.
pub(super) const ABOUT: &str = "The HTTP API of a Clawpool dispatcher: tasks are added, watched and \
    changed here, and the pool that runs them is.\n\n\
    A refusal is `{\"code\", \"message\", \"field\"}` everywhere; `clawpool explain CODE` tells more of a \
    code. Times are RFC 3339 in UTC, and numbers have their unit in their name (`…_ms`, `…_bytes`). A \
    listing is `{\"items\", \"next\"}`: ask again with `cursor` and the value of `next`. A page that was \
    filtered after it was read may have fewer entries than asked for and still go on. Requests may be \
    MessagePack too; its maps have the same names.\n\n\
    Each answer to GET that is JSON has an `ETag`: with it as `If-None-Match`, an answer that is still the \
    same is 304, without a body.";

/// Topics by their names.
pub(super) const TOPICS: [(&str, &str); 14] = [
    ("tasks", "Adding tasks, and what becomes of them."),
    ("dead", "Dead letters: tasks that ended without success."),
    ("queues", "What waits, and who serves it."),
    ("workers", "Who works, on which machines, and who died of what."),
    ("autoscaler", "How large the pools are, and why."),
    ("alerts", "What an operator should know."),
    ("events", "What happens, as it happens."),
    ("figures", "What attempts did, and how well promises are kept."),
    ("tokens", "Who may call."),
    ("audit", "Who changed what."),
    ("config", "The configuration."),
    ("metrics", "For Prometheus."),
    ("health", "How the dispatcher is."),
    ("document", "This document."),
];
