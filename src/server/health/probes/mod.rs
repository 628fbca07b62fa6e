//! `[[probes]]`: what else is watched, by every dispatcher for itself. So the answer is that of this machine,
//! and needs neither store nor leader.
//!
//! Guarantees: a probe that hangs holds up no other and ends at its timeout, with everything that it started;
//! no password of a target, no header and no output of a program is in what is told (INV-10). Never does:
//! look more often than its interval says.

mod exec;
mod http;
mod tally;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::future::join_all;
use tokio::{
    net::{TcpStream, lookup_host},
    time::{Instant, MissedTickBehavior, interval, timeout},
};
use tokio_util::sync::CancellationToken;

use self::tally::Tally;
use super::Standing;
use clawpool_core::{
    config::{Config, Layer, Probe, ProbeClass},
    task::Timestamp,
};

/// What the probes of a configuration have shown.
pub(super) struct Probes {
    config: Arc<Config>,
    http: http::Http,
    tallies: Mutex<Vec<Tally>>,
}

/// One of them, now.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    pub name: String,
    pub layer: Layer,
    pub class: Option<ProbeClass>,
    pub standing: Standing,
    /// Looks in turn that have failed.
    pub failures: u32,
    /// What the last look took, where it was answered.
    pub took: Option<Duration>,
    pub looked: Option<Timestamp>,
}

impl Service {
    /// Its failure is the pool's.
    pub fn is_fatal(&self) -> bool {
        self.class == Some(ProbeClass::Critical) && self.standing.is_down()
    }
}

impl Probes {
    pub(super) fn new(config: Arc<Config>) -> Self {
        let tallies = config.probes.iter().map(Tally::new).collect();
        Self { config, http: http::Http::default(), tallies: Mutex::new(tallies) }
    }

    pub(super) fn all(&self) -> Vec<Service> {
        let tallies = self.lock();
        let all = self.config.probes.iter().zip(&*tallies).map(|(probe, tally)| Service {
            name: probe.name.clone(),
            layer: probe.layer,
            class: probe.class,
            standing: tally.standing.clone(),
            failures: tally.failed,
            took: tally.took,
            looked: tally.looked,
        });
        all.collect()
    }

    /// Looks again and again, at each at its own pace, until `stop`.
    pub(super) async fn watch(&self, stop: &CancellationToken) {
        let loops = (0..self.config.probes.len()).map(|index| self.watch_one(index));
        stop.run_until_cancelled(join_all(loops)).await;
        stop.cancelled().await;
    }

    async fn watch_one(&self, index: usize) {
        let mut ticks = interval(self.config.probes[index].interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look(index).await;
        }
    }

    /// Once.
    pub(super) async fn look(&self, index: usize) {
        let probe = &self.config.probes[index];
        let began = Instant::now();
        let look = timeout(probe.timeout(), self.ask(probe)).await;
        let answer = look.unwrap_or_else(|_| Err(format!("no answer within {:?}", probe.timeout())));
        self.lock()[index].note(answer.map(|()| began.elapsed()));
    }

    async fn ask(&self, probe: &Probe) -> Result<(), String> {
        if !probe.steps.is_empty() {
            return self.ask_each(&probe.steps).await;
        }
        self.ask_directly(probe).await
    }

    /// The first that fails ends it.
    async fn ask_each(&self, steps: &[String]) -> Result<(), String> {
        for step in steps {
            let probe = self.config.probes.iter().find(|probe| probe.name == *step);
            let probe = probe.ok_or_else(|| format!("{step}: there is no such probe"))?;
            self.ask_directly(probe).await.map_err(|error| format!("{step}: {error}"))?;
        }
        Ok(())
    }

    async fn ask_directly(&self, probe: &Probe) -> Result<(), String> {
        let target = probe.target.as_deref().unwrap_or_default();
        match probe.layer {
            _ if !probe.command.is_empty() => exec::run(probe, self.config.worker.lease).await,
            Layer::Tcp => connect(target).await,
            Layer::Dns => resolve(target).await,
            Layer::Http | Layer::Application | Layer::Deep | Layer::Exec => {
                self.http.ask(probe, target).await
            }
        }
    }

    /// The list is whole after each change, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, Vec<Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(target: &str) -> Result<(), String> {
    TcpStream::connect(target).await.map(drop).map_err(|error| format!("no connection: {error}"))
}

async fn resolve(name: &str) -> Result<(), String> {
    let found = lookup_host((name, 0)).await.map_err(|error| format!("the name is not known: {error}"))?;
    if found.count() == 0 { Err("the name has no address".to_owned()) } else { Ok(()) }
}
