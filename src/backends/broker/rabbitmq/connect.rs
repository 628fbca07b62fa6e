use std::{fmt, pin::pin, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use lapin::{Connection, ConnectionProperties, ErrorKind, Event, uri::AMQPUri};
use tokio::time::timeout;

use super::{
    BrokerError, NAME, filtered_connection,
    frame_filter::{BodyLimit, FrameFilter},
    greeting::Greeting,
};
use clawpool_core::config::Rabbitmq;

/// For TCP, TLS and the AMQP handshake together.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Larger frames gain nothing for messages of a few KiB, and lapin keeps 32 of them in memory each way.
const FRAME: u32 = 16 * 1024;

/// What a connection is for.
#[derive(Clone)]
pub(super) enum Role {
    Publish,
    Consume,
    /// Consumes what producers send. Their messages may be of any form; bodies over this limit are withheld.
    Ingress(BodyLimit),
    /// Looks at the server, and keeps what it says of itself.
    Inspect(Greeting),
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "Publish",
            Self::Consume => "Consume",
            Self::Ingress(_) => "Ingress",
            Self::Inspect(_) => "Inspect",
        })
    }
}

/// A new connection, and its events. The nodes of a cluster are asked in turn, from any of them on.
pub(super) async fn connect(
    settings: &Rabbitmq,
    role: &Role,
    time: Duration,
) -> Result<(Connection, BoxStream<'static, Event>), BrokerError> {
    let mut addresses = settings.addresses();
    let first = rand::random_range(0..addresses.len().max(1));
    addresses.rotate_left(first);
    let share = time / u32::try_from(addresses.len()).unwrap_or(1).max(1);
    let mut failure = unavailable("rabbitmq.url names no address");
    for url in addresses {
        match connect_to(address(url, settings)?, role, share).await {
            Ok(connection) => return Ok(connection),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

pub(super) async fn connect_to(
    address: AMQPUri,
    role: &Role,
    time: Duration,
) -> Result<(Connection, BoxStream<'static, Event>), BrokerError> {
    let name = format!("clawpool {role:?} {}", std::process::id());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = async {
        match role {
            Role::Publish | Role::Consume => Connection::connect_uri(address, properties).await,
            Role::Ingress(body_limit) => {
                let body_limit = body_limit.clone();
                let frame_max =
                    usize::try_from(address.query.frame_max.unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
                let filter = move || FrameFilter::new(body_limit.clone(), frame_max);
                filtered_connection::connect(address, properties, filter).await
            }
            Role::Inspect(greeting) => {
                let greeting = greeting.clone();
                filtered_connection::connect(address, properties, move || greeting.clone()).await
            }
        }
    };
    match timeout(time, connecting).await {
        Ok(Ok(connection)) => {
            let events = connection.events_listener().boxed();
            Ok((connection, events))
        }
        Ok(Err(error)) => Err(broker_error(&error)),
        Err(_) => Err(unavailable(format!("no answer to the handshake within {time:?}"))),
    }
}

pub(super) fn address(url: &str, settings: &Rabbitmq) -> Result<AMQPUri, BrokerError> {
    let mut uri = url.parse::<AMQPUri>().map_err(|error| BrokerError::Refused {
        broker: NAME,
        reason: format!("rabbitmq.url is not amqp://user:password@host:port/vhost: {error}"),
    })?;
    let heartbeat = settings.heartbeat.as_secs().clamp(1, 3600);
    uri.query.heartbeat.get_or_insert(u16::try_from(heartbeat).unwrap_or(u16::MAX));
    uri.query.frame_max.get_or_insert(FRAME);
    uri.query
        .connection_timeout
        .get_or_insert(u64::try_from(CONNECT_TIMEOUT.as_millis()).unwrap_or(u64::MAX));
    Ok(uri)
}

/// A request that takes longer is logged.
pub(super) const SLOW: Duration = Duration::from_secs(1);

/// Fails a request that the server does not answer: a quorum queue without a leader never answers.
pub(super) async fn with_timeout<T>(
    what: &'static str,
    request: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
    let mut request = pin!(request);
    if let Ok(answer) = timeout(SLOW, &mut request).await {
        return answer;
    }
    tracing::warn!(what, "RabbitMQ has not answered for {SLOW:?}");
    let answer = timeout(ANSWER_TIMEOUT - SLOW, request).await;
    answer.unwrap_or_else(|_| Err(unavailable(format!("no answer to {what} within {ANSWER_TIMEOUT:?}"))))
}

/// The [`BrokerError`] for an error of lapin. A refusal is one that trying again does not mend.
pub(super) fn broker_error(error: &lapin::Error) -> BrokerError {
    const REFUSALS: [u16; 3] = [403, 406, 530];
    match error.kind() {
        ErrorKind::ProtocolError(said) if REFUSALS.contains(&said.get_id()) => {
            BrokerError::Refused { broker: NAME, reason: said.get_message().to_string() }
        }
        _ => unavailable(error.to_string()),
    }
}

/// There is no such queue.
pub(super) fn is_not_found(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if said.get_id() == 404)
}

pub(super) fn unavailable(reason: impl Into<String>) -> BrokerError {
    BrokerError::Unavailable { broker: NAME, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{Registry, fmt, layer::SubscriberExt};

    use super::*;

    /// This thread's log.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn read(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_logged_and_ends() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber =
            Registry::default().with(fmt::layer().with_writer(move || writer.clone()).with_ansi(false));
        let _guard = tracing::subscriber::set_default(subscriber);
        let quick = async {
            tokio::time::sleep(SLOW / 2).await;
            Ok(())
        };
        with_timeout("a quick one", quick).await.unwrap();
        assert_eq!(log.read(), "");
        let begun = tokio::time::Instant::now();
        let silent =
            with_timeout("a queue's declaration", std::future::pending::<Result<(), _>>()).await.unwrap_err();
        assert_eq!((begun.elapsed(), silent.is_retryable()), (Duration::from_secs(5), true));
        assert!(
            log.read().contains("has not answered for 1s") && log.read().contains("declaration"),
            "{}",
            log.read()
        );
    }
}
