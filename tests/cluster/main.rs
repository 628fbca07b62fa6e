//! A RabbitMQ cluster of three loses a node under load, again and again: `tests/cluster/run --help`.
//!
//! Every accepted task ends completed and is done once, whatever was on the lost node; work goes on within
//! ten seconds; a producer is told nothing worse than to come back.

// Helpers panic as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(unix)]
mod load;
#[cfg(unix)]
mod losses;
#[cfg(unix)]
mod nodes;
#[cfg(unix)]
#[path = "../it/support/mod.rs"]
#[allow(dead_code, unused_imports, clippy::needless_pass_by_value)]
mod support;

fn main() {
    // Runners of tests start every program of tests; this one is no test of theirs.
    if std::env::var_os("CLAWPOOL_CLUSTER").is_some() {
        #[cfg(unix)]
        losses::main();
        #[cfg(not(unix))]
        panic!("the nodes are started by a script of bash: run it on Unix");
    }
}
