use std::time::Duration;

use futures::{StreamExt, stream::BoxStream};
use lapin::{Connection, ConnectionProperties, ErrorKind, Event, uri::AMQPUri};
use secrecy::ExposeSecret;

use super::{BrokerError, NAME, shield};
use crate::config::Rabbitmq;

/// Of TCP, TLS and the AMQP handshake together.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Larger frames gain nothing for messages of a few KiB, and lapin keeps 32 of them in memory each way.
const FRAME: u32 = 16 * 1024;

/// What a connection is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    Publish,
    Consume,
    /// Anybody's messages come in.
    Ingress,
}

/// A new connection, and what the server will tell about it.
pub(super) async fn connect(
    settings: &Rabbitmq,
    role: Role,
) -> Result<(Connection, BoxStream<'static, Event>), BrokerError> {
    let name = format!("clawpool {role:?} {}", std::process::id());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let address = address(settings)?;
    let connecting = async {
        match role {
            Role::Publish | Role::Consume => Connection::connect_uri(address, properties).await,
            Role::Ingress => shield::connect(address, properties).await,
        }
    };
    match tokio::time::timeout(TIMEOUT, connecting).await {
        Ok(Ok(connection)) => {
            let events = connection.events_listener().boxed();
            Ok((connection, events))
        }
        Ok(Err(error)) => Err(fault(&error)),
        Err(_) => Err(unavailable(format!("no answer to the handshake within {TIMEOUT:?}"))),
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

/// Ends what the server does not answer: a quorum queue without a leader leaves requests lying for ever.
pub(super) async fn patient<T>(request: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
    const PATIENCE: Duration = Duration::from_secs(5);
    let answer = tokio::time::timeout(PATIENCE, request).await;
    answer.unwrap_or_else(|_| Err(unavailable(format!("no answer within {PATIENCE:?}"))))
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
