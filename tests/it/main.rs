//! End to end: real `clawpool` processes, real servers, real signals, and a ledger kept outside of the
//! system.
//!
//! `tests/run` starts the servers and runs everything. A test whose name begins with `inv_N` proves that
//! invariant of ARCHITECTURE.md. Times are printed where they are of interest, and never asserted.

// Helpers panic as tests do; the lints only know the functions that are marked as tests. And json!({}) is
// handed on as is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::needless_pass_by_value)]
// Tests with signals are Unix's alone; elsewhere what they need of the helpers lies idle.
#![cfg_attr(not(unix), allow(dead_code, unused_imports))]

mod access;
mod architecture;
mod bad_handlers;
mod bad_input;
mod cli;
mod config_check;
mod demo;
mod doctor;
mod events;
mod examples;
mod false_claims;
mod idle;
mod ingress;
mod open_queues;
mod pausing;
mod priorities;
mod reload;
mod repeated;
mod shipped_rules;
mod silent_links;
mod support;
mod unserved;
mod upgrade;
mod values;
mod wishes;

#[cfg(unix)]
mod autoscaler;
#[cfg(unix)]
mod autoscaler_faults;
#[cfg(unix)]
mod crowd;
#[cfg(unix)]
mod dispatcher_killed;
#[cfg(target_os = "linux")]
mod documents;
#[cfg(unix)]
mod killed_alone;
#[cfg(unix)]
mod lost_answers;
#[cfg(unix)]
mod many_killed;
#[cfg(target_os = "linux")]
mod monitoring;
#[cfg(unix)]
mod no_writes;
#[cfg(unix)]
mod private_files;
#[cfg(unix)]
mod rolling;
#[cfg(unix)]
mod servers_killed;
#[cfg(unix)]
mod service;
#[cfg(unix)]
mod stopping;
#[cfg(unix)]
mod story;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod told;
#[cfg(unix)]
mod top;
#[cfg(unix)]
mod tracing;
#[cfg(unix)]
mod worker_killed;
#[cfg(unix)]
mod worker_programs;
#[cfg(unix)]
mod worker_suspended;
