//! Clawpool: a worker pool driven by message queues. README.md is for users, ARCHITECTURE.md holds the map.

pub mod alert;
pub mod api;
pub mod app;
pub mod autoscale;
pub mod backend;
pub mod broker;
pub mod cli;
pub mod client;
pub mod codes;
pub mod config;
pub mod dispatch;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
#[path = "../workers/handlers/mod.rs"]
pub mod handlers;
pub mod health;
pub mod ingress;
pub mod leadership;
pub mod maintenance;
mod private;
pub mod process;
pub mod retry;
pub mod scaling;
pub mod servers;
pub mod service;
pub mod store;
pub mod supervise;
pub mod task;
pub mod telemetry;
pub mod worker;

/// Chooses the provider of TLS for this process; each program calls it once at its start.
pub fn install_tls() {
    // Fails only when one is chosen already, which is just as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
