//! What the tests stand on: real processes, real servers, and a ledger outside of the system.
//!
//! Nothing here sleeps to let something happen: tests wait for lines of a log, entries of the ledger or
//! answers of the API. What never comes fails the test after [`PATIENCE`], with the end of every process's
//! log.

mod api;
mod balance;
mod cli;
#[cfg(target_os = "linux")]
mod disk;
mod ledger;
mod lossy;
mod process;
mod proxy;
mod server;
mod settings;
mod system;

use std::time::Duration;

#[cfg(target_os = "linux")]
#[allow(unused_imports)]
pub use self::disk::can_mount;
pub use self::{
    api::{Api, task},
    balance::{assert_counted, balance},
    cli::{Cli, Said},
    ledger::{Entry, Event, Ledger},
    lossy::LossyProxy,
    process::Process,
    proxy::Proxy,
    server::{Server, Servers, variable},
    settings::Settings,
    system::{System, clawpool},
};

// Of use to the campaign alone.
#[allow(unused_imports)]
pub use self::server::free_port;

/// Long enough for two slow cores that are busy with other tests; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(90);

pub async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future)
        .await
        .unwrap_or_else(|_| panic!("waited {PATIENCE:?} in vain for {what}"))
}

/// Asks again and again, for what has no other way to be waited for.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    in_time(what, asked).await
}

#[cfg(unix)]
pub fn signal(pid: u32, signal: &str) {
    let sent =
        std::process::Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().unwrap();
    assert!(sent.success(), "no process {pid} to send {signal} to");
}
