//! What became of a batch that was sent.
//!
//! Guarantees: a message that the server returned is unroutable, whatever confirm came with it; one without
//! an answer in time is unconfirmed. Never does: wait on when the server is blocked, for longer than a grace.

use std::time::Duration;

use futures::{StreamExt, future::FutureExt, stream::FuturesUnordered};
use lapin::{Channel, Confirmation, message::BasicReturnMessage};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};

use super::PublishOutcome;
use crate::broker::rabbitmq::{
    BrokerError, OutgoingMessage,
    connect::broker_error,
    recovering_connection::{RecoveringConnection, State},
};

/// A batch that was sent and whose confirms are awaited.
pub(super) struct PendingConfirms {
    pub(super) channel: Channel,
    pub(super) connection: RecoveringConnection,
    pub(super) confirm_timeout: Duration,
}

impl PendingConfirms {
    /// How long confirms may still come after the server said that it is blocked. What it had read before it
    /// confirms at once; what it had not read, it may take whenever it recovers.
    const BLOCKED_GRACE: Duration = Duration::from_secs(1);

    /// One outcome each, in order, and whether the server refused to store any of them.
    pub(super) async fn run(self, messages: &[OutgoingMessage]) -> (Vec<PublishOutcome>, bool) {
        let started = Instant::now();
        let sends = messages.iter().enumerate();
        let mut sends: FuturesUnordered<_> =
            sends.map(|(index, message)| message.send(&self.channel).map(move |end| (index, end))).collect();
        let mut ends: Vec<Option<lapin::Result<Confirmation>>> = messages.iter().map(|_| None).collect();
        let late = self.too_late(started + self.confirm_timeout);
        tokio::pin!(late);
        loop {
            tokio::select! {
                biased;
                next = sends.next() => match next {
                    Some((index, end)) => ends[index] = Some(end),
                    None => break,
                },
                () = &mut late => break,
            }
        }
        metrics::histogram!("clawpool_round_trip_seconds", "server" => "rabbitmq", "operation" => "publish")
            .record(started.elapsed());
        let refused = ends.iter().any(|end| matches!(end, Some(Ok(Confirmation::Nack(None)))));
        (self.outcomes(messages, ends, started.elapsed()), refused)
    }

    /// Waits until `deadline`, or until `BLOCKED_GRACE` after the server was blocked.
    async fn too_late(&self, deadline: Instant) {
        let mut state: watch::Receiver<State> = self.connection.state();
        let blocked = state.wait_for(|state| matches!(state, State::Blocked(..)));
        tokio::select! {
            () = sleep_until(deadline) => {}
            Ok(_) = blocked.map(|seen| seen.map(drop)) => {
                sleep_until(deadline.min(Instant::now() + Self::BLOCKED_GRACE)).await;
            }
        }
    }

    fn outcomes(
        &self,
        messages: &[OutgoingMessage],
        ends: Vec<Option<lapin::Result<Confirmation>>>,
        waited: Duration,
    ) -> Vec<PublishOutcome> {
        let mut returned = Vec::new();
        let mut outcomes = Vec::with_capacity(ends.len());
        for end in ends {
            outcomes.push(match end {
                None => PublishOutcome::unconfirmed(format!("no answer within {waited:?}")),
                Some(Err(error)) => self.lost(&error),
                Some(Ok(Confirmation::Nack(None))) => {
                    PublishOutcome::unconfirmed("the queue could not store the message")
                }
                Some(Ok(confirmation)) => {
                    returned.extend(confirmation.take_message());
                    PublishOutcome::Confirmed
                }
            });
        }
        mark_unroutable(messages, &returned, &mut outcomes);
        outcomes
    }

    fn lost(&self, error: &lapin::Error) -> PublishOutcome {
        self.connection.recheck();
        match broker_error(error) {
            refused @ BrokerError::Refused { .. } => PublishOutcome::Failed(refused),
            error => PublishOutcome::unconfirmed(error.to_string()),
        }
    }
}

/// lapin hands a returned message to any one of those confirmed with it: its own id tells which one it is.
fn mark_unroutable(
    messages: &[OutgoingMessage],
    returned: &[BasicReturnMessage],
    outcomes: &mut [PublishOutcome],
) {
    for returned in returned {
        let id = returned.delivery.properties.message_id().as_ref();
        let sent = messages.iter().zip(&mut *outcomes);
        for (message, outcome) in sent.filter(|(message, _)| message.id() == id) {
            tracing::error!(queue = %message.routing_key, exchange = %message.exchange, "no queue takes \
                the message");
            *outcome = PublishOutcome::Unroutable;
        }
    }
}
