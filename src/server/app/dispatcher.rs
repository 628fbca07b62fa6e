//! The dispatcher: HTTP and AMQP entrances, the watch over what is wrong, and maintenance when it leads.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    counters,
    error::{AppError, asked_for},
};
use crate::{
    api::{Api, Awaited, Certificate, Entrance, Examine},
    health::Health,
    ingress::Ingress,
    maintenance::{self, Times},
    reload::Reloader,
    telemetry,
};
use clawpool_backends::{
    path::{PathError, Servers},
    servers::connect_and_tell,
};
use clawpool_core::{config::Config, task::ProcessId};
use clawpool_engine::{
    dispatch::Producer,
    live::Live,
    process::{Shutdown, notify_ready},
    trace::Export,
};

/// A dispatcher, connected to its servers and listening.
pub struct Dispatcher {
    /// With which it was opened.
    pub config: Arc<Config>,
    live: Live,
    reloader: Option<Arc<Reloader>>,
    doctor: Option<Examine>,
    /// Of this configuration; other roles of the process may share them.
    pub servers: Servers,
    producer: Producer,
    export: Export,
    ingress: Ingress,
    entrance: Entrance,
}

impl Dispatcher {
    /// Listens on `api.listen`, which answers 503 until broker and store are there.
    pub async fn open(live: impl Into<Live>, shutdown: &Shutdown) -> Result<Self, AppError> {
        let live = live.into();
        let config = live.now();
        let certificate = config.api.tls.as_ref().map(Certificate::open).transpose();
        let certificate = certificate.map_err(AppError::unfit)?;
        let listen = config.api.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            AppError::Failed(format!(
                "cannot listen on {listen}: {error}; choose another address with --listen"
            ))
        })?;
        let entrance = Entrance::open(listener, certificate, config.api.connections)?;
        let servers = connected(&entrance, &config, shutdown).await?;
        let producer = Producer::following(&live, Arc::clone(&servers.path), Arc::clone(&servers.store));
        let export = Export::start(&config.tracing, "clawpool-dispatcher");
        let producer = producer.with_tracer(export.tracer());
        let ingress = Ingress::open(Arc::clone(&config)).await;
        Ok(Self { config, live, reloader: None, doctor: None, servers, producer, export, ingress, entrance })
    }

    /// The same, and an operator can have this read the configuration again. It must be the one that made
    /// the configuration with which the dispatcher was opened.
    #[must_use]
    pub fn with_reloader(self, reloader: Arc<Reloader>) -> Self {
        Self { reloader: Some(reloader), ..self }
    }

    /// The same, and who may look has this look for what is wrong.
    #[must_use]
    pub fn with_doctor(self, doctor: Examine) -> Self {
        Self { doctor: Some(doctor), ..self }
    }

    /// Serves until `stop`; requests under way are answered first. An end that was not asked for is a
    /// failure.
    pub async fn run(self, asked: &CancellationToken) -> Result<(), AppError> {
        let Self { config, live, reloader, doctor, servers, producer, export, ingress, entrance } = self;
        let Servers { broker, store, .. } = servers.clone();
        tracing::info!(address = %entrance.address(), "serving HTTP");
        notify_ready();
        let health = Arc::new(Health::new(Arc::clone(&config), Arc::clone(&broker), Arc::clone(&store)));
        let api = Api::new(producer.clone(), Arc::clone(&broker), Arc::clone(&store), live);
        let api = match reloader {
            Some(reloader) => api.with_reloader(reloader),
            None => api,
        };
        let api = match doctor {
            Some(doctor) => api.with_doctor(doctor),
            None => api,
        };
        // A dispatcher that has lost one of its parts is none: the others end too.
        let stop = &asked.child_token();
        let times = Times { heartbeat: config.worker.heartbeat, doubt: config.worker.doubt };
        let (served, (), (), (), (), ()) = tokio::join!(
            whole(stop, entrance.serve(api.with_health(Arc::clone(&health)), stop.clone())),
            whole(stop, health.watch(stop)),
            whole(stop, telemetry::metrics().keep(stop)),
            whole(stop, counters::publish(&config, &health, &*store, stop)),
            whole(stop, ingress.serve(&producer, &*store, stop)),
            whole(stop, maintenance::run(&servers, &health, times, ProcessId::new(), stop)),
        );
        export.finish().await;
        served.map_err(|error| AppError::Failed(format!("HTTP ended: {error}")))?;
        asked_for(asked, "the dispatcher")
    }
}

/// One part of a program: when it ends, the others are to end as well.
async fn whole<T>(stop: &CancellationToken, part: impl Future<Output = T>) -> T {
    let ended = part.await;
    stop.cancel();
    ended
}

/// Servers that are there answer sooner, also on a busy machine.
const SOON: Duration = Duration::from_secs(1);

/// Connects, and has the entrance say meanwhile which server it waits for.
async fn connected(entrance: &Entrance, config: &Config, shutdown: &Shutdown) -> Result<Servers, AppError> {
    let reasons = config.api.tokens.is_empty();
    let tell = |error: &PathError| {
        let reason = reasons.then(|| error.to_string());
        entrance.tell(Awaited { server: error.server(), code: error.code(), reason });
    };
    let connecting = connect_and_tell(config, &shutdown.drain, tell);
    tokio::pin!(connecting);
    if let Ok(servers) = timeout(SOON, &mut connecting).await {
        return Ok(servers?);
    }
    tracing::info!(address = %entrance.address(), "answering 503 until the servers are there");
    Ok(connecting.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_that_was_not_asked_for_is_a_failure_and_ends_the_other_parts() {
        let asked = CancellationToken::new();
        let stop = asked.child_token();
        tokio::join!(whole(&stop, async {}), whole(&stop, stop.cancelled()));
        let error = asked_for(&asked, "the dispatcher").unwrap_err();
        assert!(matches!(error, AppError::Failed(_)), "{error:?}");
        asked.cancel();
        assert!(asked_for(&asked, "the dispatcher").is_ok());
    }
}
