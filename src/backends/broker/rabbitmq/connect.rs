use std::{fmt, pin::pin, time::Duration};

use futures::{StreamExt, stream::BoxStream};
use lapin::{Connection, ConnectionProperties, ErrorKind, Event, uri::AMQPUri};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::{BrokerError, NAME, scrub::Allowance, shield};
use clawpool_core::config::Rabbitmq;

/// Of TCP, TLS and the AMQP handshake together.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);
/// Larger frames gain nothing for messages of a few KiB, and lapin keeps 32 of them in memory each way.
const FRAME: u32 = 16 * 1024;

/// What a connection is for.
#[derive(Clone)]
pub(super) enum Role {
    Publish,
    Consume,
    /// Anybody's messages come in, none longer than this.
    Ingress(Allowance),
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Publish => "Publish",
            Self::Consume => "Consume",
            Self::Ingress(_) => "Ingress",
        })
    }
}

/// A new connection, and what the server will tell about it.
pub(super) async fn connect(
    settings: &Rabbitmq,
    role: &Role,
    patience: Duration,
) -> Result<(Connection, BoxStream<'static, Event>), BrokerError> {
    let name = format!("clawpool {role:?} {}", std::process::id());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let address = address(settings)?;
    let connecting = async {
        match role {
            Role::Publish | Role::Consume => Connection::connect_uri(address, properties).await,
            Role::Ingress(allowance) => shield::connect(address, properties, allowance.clone()).await,
        }
    };
    match timeout(patience, connecting).await {
        Ok(Ok(connection)) => {
            let events = connection.events_listener().boxed();
            Ok((connection, events))
        }
        Ok(Err(error)) => Err(fault(&error)),
        Err(_) => Err(unavailable(format!("no answer to the handshake within {patience:?}"))),
    }
}

fn address(settings: &Rabbitmq) -> Result<AMQPUri, BrokerError> {
    let parsed = settings.url.expose_secret().parse::<AMQPUri>();
    let mut uri = parsed.map_err(|error| BrokerError::Refused {
        broker: NAME,
        reason: format!("rabbitmq.url is not amqp://user:password@host:port/vhost: {error}"),
    })?;
    let heartbeat = settings.heartbeat.as_secs().clamp(1, 3600);
    uri.query.heartbeat.get_or_insert(u16::try_from(heartbeat).unwrap_or(u16::MAX));
    uri.query.frame_max.get_or_insert(FRAME);
    uri.query.connection_timeout.get_or_insert(u64::try_from(TIMEOUT.as_millis()).unwrap_or(u64::MAX));
    Ok(uri)
}

/// From here on a wait is told.
pub(super) const LONG: Duration = Duration::from_secs(1);

/// Ends what the server does not answer: a quorum queue without a leader leaves requests lying for ever.
pub(super) async fn patient<T>(
    what: &'static str,
    request: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let mut request = pin!(request);
    if let Ok(answer) = timeout(LONG, &mut request).await {
        return answer;
    }
    tracing::warn!(what, "RabbitMQ has not answered for {LONG:?}");
    let answer = timeout(PATIENCE - LONG, request).await;
    answer.unwrap_or_else(|_| Err(unavailable(format!("no answer to {what} within {PATIENCE:?}"))))
}

/// The seam's error for lapin's. A refusal is one that trying again does not mend.
pub(super) fn fault(error: &lapin::Error) -> BrokerError {
    const REFUSALS: [u16; 3] = [403, 406, 530];
    match error.kind() {
        ErrorKind::ProtocolError(said) if REFUSALS.contains(&said.get_id()) => {
            BrokerError::Refused { broker: NAME, reason: said.get_message().to_string() }
        }
        _ => unavailable(error.to_string()),
    }
}

pub(super) fn unavailable(reason: impl Into<String>) -> BrokerError {
    BrokerError::Unavailable { broker: NAME, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::{Registry, fmt, layer::SubscriberExt};

    use super::*;

    /// Lines of this thread's log.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Lines {
        fn read(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_told_and_ends() {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = Registry::default().with(fmt::layer().with_writer(move || writer.clone()).with_ansi(false));
        let _guard = tracing::subscriber::set_default(subscriber);
        let quick = async {
            tokio::time::sleep(LONG / 2).await;
            Ok(())
        };
        patient("a quick one", quick).await.unwrap();
        assert_eq!(lines.read(), "");
        let begun = tokio::time::Instant::now();
        let silent = patient("a queue's declaration", std::future::pending::<Result<(), _>>()).await.unwrap_err();
        assert_eq!((begun.elapsed(), silent.is_retryable()), (Duration::from_secs(5), true));
        assert!(
            lines.read().contains("has not answered for 1s") && lines.read().contains("declaration"),
            "{}",
            lines.read()
        );
    }
}
