//! What may import what: one table of floors, the pure rooms, and where the types of each server's client
//! stay.

/// From the top down. A room imports rooms of lower floors only, so those on one floor do not know one
/// another. A room is a folder of `src/` or a part of one; `main` are the programs, `lib` is `src/lib.rs`,
/// `handlers` lies in `workers/`. ARCHITECTURE.md has the same table for people.
pub const FLOORS: [&[&str]; 18] = [
    &["main", "fuzzing"],
    &["lib"],
    &["cli"],
    &["app", "doctor", "service"],
    &["api"],
    &["autoscale", "dashboard", "ingress", "maintenance"],
    &["supervise", "health", "series", "reload"],
    &["client", "handlers", "telemetry"],
    &["worker", "dispatch"],
    &["alert", "leadership", "machine", "process", "servers", "trace"],
    &["path"],
    &["broker", "store"],
    &["backend", "autoscale/forecast"],
    &["live", "scaling"],
    &["config"],
    &["columns", "errors"],
    &["retry", "figures"],
    &["task", "codes", "private", "tls"],
];

/// Rooms that do no I/O and know no room that does.
pub const PURE: [&str; 6] = ["task", "codes", "retry", "figures", "scaling", "autoscale/forecast"];

/// Rooms with I/O that pure ones may know all the same. `config` is plain values in all modules but those of
/// [`READS_SETTINGS`].
pub const KNOWN_BY_PURE: [(&str, &str); 2] = [("scaling", "config"), ("autoscale/forecast", "config")];

/// The modules of `config` that read files and the environment.
pub const READS_SETTINGS: [&str; 3] =
    ["config/reading/load", "config/reading/secret", "config/reading/source"];

/// The crates that pure rooms may use.
pub const PURE_CRATES: [&str; 19] = [
    "augurs_core",
    "augurs_mstl",
    "bytes",
    "histogram",
    "humantime",
    "jiff",
    "rand",
    "rmp_serde",
    "schemars",
    "serde",
    "serde_bytes",
    "serde_json",
    "serde_path_to_error",
    "serde_transcode",
    "std",
    "thiserror",
    "tracing",
    "uuid",
    "xxhash_rust",
];

/// The parts of `std` that do I/O or reach out of the process.
pub const IO: [&str; 7] = ["env", "fs", "io", "net", "os", "process", "thread"];

/// Crates whose types stay in the modules beside them.
pub const SEAMS: [(&[&str], &[&str]); 7] = [
    (&["lapin", "async_rs"], &["broker/rabbitmq"]),
    (&["redis", "deadpool_redis"], &["backend/redis", "broker/redis", "store/redis", "path/redis"]),
    (&["rusqlite"], &["columns", "backend/sqlite", "broker/sqlite", "store/sqlite", "path/sqlite"]),
    (&["axum", "hyper", "hyper_util"], &["api", "dashboard"]),
    (&["opentelemetry", "opentelemetry_otlp", "opentelemetry_sdk"], &["trace/otlp"]),
    (&["bollard"], &["autoscale/driver/docker"]),
    (&["kube", "k8s_openapi"], &["autoscale/driver/kubernetes"]),
];

/// The floor of a room, counted from the ground.
pub fn floor(room: &str) -> usize {
    FLOORS.iter().rev().position(|rooms| rooms.contains(&room)).unwrap()
}

/// The room that a path of the library leads to; what is in no room is an item of the root.
pub fn room(path: &[String]) -> &'static str {
    let rooms = FLOORS.into_iter().flatten().filter(|room| lies_in(path, room));
    rooms.max_by_key(|room| room.len()).unwrap_or(&"lib")
}

/// Whether a path begins with `place`, which is written with slashes.
pub fn lies_in(path: &[String], place: &str) -> bool {
    let steps: Vec<&str> = place.split('/').collect();
    path.len() >= steps.len() && steps.iter().zip(path).all(|(step, own)| step == own)
}
