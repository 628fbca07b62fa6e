//! The dispatcher: HTTP and AMQP entrances, the watch over what is wrong, and maintenance when it leads.

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, time::timeout};
use tokio_util::sync::CancellationToken;

use super::error::{AppError, asked_for};
use crate::{
    api::{self, Api, Awaited, Certificate},
    health::Health,
    ingress::Ingress,
    maintenance::{self, Times},
};
use clawpool_backends::{
    path::{PathError, Servers},
    servers::connect_and_tell,
};
use clawpool_core::{config::Config, task::ProcessId};
use clawpool_engine::{
    dispatch::Producer,
    process::{Shutdown, notify_ready},
};

/// A dispatcher, connected to its servers and listening.
pub struct Dispatcher {
    /// With which it was opened.
    pub config: Arc<Config>,
    /// Of this configuration; other roles of the process may share them.
    pub servers: Servers,
    producer: Producer,
    ingress: Ingress,
    listener: TcpListener,
    certificate: Option<Arc<Certificate>>,
}

impl Dispatcher {
    /// Listens on `api.listen`, which answers 503 until broker and store are there.
    pub async fn open(config: Config, shutdown: &Shutdown) -> Result<Self, AppError> {
        let certificate = config.api.tls.as_ref().map(Certificate::open).transpose();
        let certificate = certificate.map_err(AppError::unfit)?;
        let listen = config.api.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            AppError::Failed(format!(
                "cannot listen on {listen}: {error}; choose another address with --listen"
            ))
        })?;
        let (listener, servers) = connected(listener, certificate.as_ref(), &config, shutdown).await?;
        let producer = Producer::new(&config, Arc::clone(&servers.path), Arc::clone(&servers.store));
        let config = Arc::new(config);
        let ingress = Ingress::open(Arc::clone(&config)).await;
        Ok(Self { config, servers, producer, ingress, listener, certificate })
    }

    /// Serves until `stop`; requests under way are answered first. An end that was not asked for is a
    /// failure.
    pub async fn run(self, asked: &CancellationToken) -> Result<(), AppError> {
        let Self { config, servers, producer, ingress, listener, certificate } = self;
        let Servers { broker, store, .. } = servers.clone();
        tracing::info!(address = %listener.local_addr()?, "serving HTTP");
        notify_ready();
        let health = Arc::new(Health::new(Arc::clone(&broker), Arc::clone(&store)));
        let api = Api::new(producer.clone(), Arc::clone(&broker), Arc::clone(&store), Arc::clone(&config));
        let api = api.with_health(Arc::clone(&health)).with_certificate(certificate);
        // A dispatcher that has lost one of its parts is none: the others end too.
        let stop = &asked.child_token();
        let times = Times { heartbeat: config.worker.heartbeat, doubt: config.worker.doubt };
        let (served, (), (), ()) = tokio::join!(
            whole(stop, api.serve(listener, stop.clone())),
            whole(stop, health.watch(stop)),
            whole(stop, ingress.serve(&producer, &*store, stop)),
            whole(stop, maintenance::run(&servers, health.alerts(), times, ProcessId::new(), stop)),
        );
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

/// Servers that are there answer sooner, also on a busy machine. Until then a request waits.
const SOON: Duration = Duration::from_secs(1);

/// Connects, and answers requests meanwhile with the server that it waits for.
async fn connected(
    listener: TcpListener,
    certificate: Option<&Arc<Certificate>>,
    config: &Config,
    shutdown: &Shutdown,
) -> Result<(TcpListener, Servers), AppError> {
    let first = Awaited { server: "its servers".into(), code: "CP-1301", reason: None };
    let (tell, awaited) = watch::channel(first);
    let reasons = config.api.tokens.is_empty();
    let tell = |error: &PathError| {
        let reason = reasons.then(|| error.to_string());
        tell.send_replace(Awaited { server: error.server(), code: error.code(), reason });
    };
    let connecting = connect_and_tell(config, &shutdown.drain, tell);
    tokio::pin!(connecting);
    if let Ok(servers) = timeout(SOON, &mut connecting).await {
        return Ok((listener, servers?));
    }
    tracing::info!(address = %listener.local_addr()?, "answering 503 until the servers are there");
    let over = CancellationToken::new();
    let connecting = async {
        let servers = connecting.await;
        over.cancel();
        servers
    };
    let starting = api::starting(listener, certificate, config.api.connections, awaited, &over);
    let (listener, servers) = tokio::join!(starting, connecting);
    Ok((listener?, servers?))
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
