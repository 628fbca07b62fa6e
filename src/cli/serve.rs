//! What the long-running commands share: the configuration with its log, and the dispatcher's service.

use std::{fmt::Display, sync::Arc};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{
    Globals, config,
    failure::{Exit, Failure},
};
use crate::{
    api::Api,
    broker::Broker,
    config::Config,
    dispatch::{self, Producer},
    store::Store,
    supervise::{ConnectError, Shutdown, connect, work_begins},
    task::WorkerId,
    telemetry,
};

/// Loads the configuration and starts the log.
pub(super) fn configure(globals: &Globals) -> Result<Config, Failure> {
    let config = config::load(globals)?;
    telemetry::start_logs(&config.log).map_err(unfit)?;
    Ok(config)
}

/// For mistakes that only show when the configuration is put to use.
pub(super) fn unfit(error: impl Display) -> Failure {
    Failure::new(Exit::Configuration, error)
}

/// For servers that are not fit for use, or did not answer before the program was told to end.
pub(super) fn unreachable(error: &ConnectError) -> Failure {
    Failure::new(Exit::Unreachable, format_args!("{}: {error}", error.code()))
}

/// A dispatcher, connected to its servers and listening.
pub(super) struct Service {
    pub config: Arc<Config>,
    pub broker: Arc<dyn Broker>,
    pub store: Arc<dyn Store>,
    producer: Producer,
    listener: TcpListener,
}

impl Service {
    pub async fn open(config: Config, shutdown: &Shutdown) -> Result<Self, Failure> {
        let listen = config.api.listen;
        let listener = TcpListener::bind(listen).await.map_err(|error| {
            Failure::failed(format_args!("cannot listen on {listen}: {error}; choose another address with --listen"))
        })?;
        let connected = connect(&config, &shutdown.drain).await;
        let (broker, store) = connected.map_err(|error| unreachable(&error))?;
        let producer = Producer::new(&config, Arc::clone(&broker), Arc::clone(&store)).map_err(unfit)?;
        Ok(Self { config: Arc::new(config), broker, store, producer, listener })
    }

    /// Serves until `stop`; requests under way are answered first. An end that nobody asked for is a failure.
    pub async fn run(self, asked: &CancellationToken) -> Result<(), Failure> {
        let Self { config, broker, store, producer, listener } = self;
        tracing::info!(address = %listener.local_addr()?, "serving HTTP");
        work_begins();
        let api = Api::new(producer.clone(), Arc::clone(&broker), Arc::clone(&store), Arc::clone(&config));
        // A dispatcher that has lost one of its parts is none: the others end too.
        let stop = &asked.child_token();
        let (served, (), ()) = tokio::join!(
            whole(stop, api.serve(listener, stop.clone())),
            whole(stop, dispatch::ingress(&config, &producer, stop)),
            whole(stop, dispatch::steward(&*store, &*broker, WorkerId::new(), stop)),
        );
        served.map_err(|error| Failure::failed(format_args!("HTTP ended: {error}")))?;
        asked_for(asked, "the dispatcher")
    }
}

/// One part of a program: when it ends, the others are to end as well.
async fn whole<T>(stop: &CancellationToken, part: impl Future<Output = T>) -> T {
    let ended = part.await;
    stop.cancel();
    ended
}

/// Whoever started a program must not take an end that nobody asked for as a good one.
pub(super) fn asked_for(asked: &CancellationToken, what: &str) -> Result<(), Failure> {
    if asked.is_cancelled() {
        return Ok(());
    }
    Err(Failure::failed(format_args!("{what} has ended though nobody asked it to: start it again, and see its log")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_end_that_nobody_asked_for_is_a_failure_and_ends_the_other_parts() {
        let asked = CancellationToken::new();
        let stop = asked.child_token();
        tokio::join!(whole(&stop, async {}), whole(&stop, stop.cancelled()));
        let failure = asked_for(&asked, "the dispatcher").unwrap_err();
        assert_eq!(failure.exit, Exit::Failed);
        asked.cancel();
        assert!(asked_for(&asked, "the dispatcher").is_ok());
    }
}
