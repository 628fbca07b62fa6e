use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt, stream::BoxStream};
use lapin::{Channel, Connection, Event};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    BrokerError, NAME,
    connect::{CONNECT_TIMEOUT, Role, broker_error, connect, unavailable},
};
use clawpool_core::{config::Rabbitmq, retry::Backoff};

/// One connection that is kept up: a task of its own connects again whenever it breaks.
#[derive(Clone)]
pub(super) struct RecoveringConnection {
    state: watch::Receiver<State>,
    recheck: Arc<Notify>,
    _supervisor: Arc<AbortOnDropHandle<()>>,
}

#[derive(Clone)]
pub(super) enum State {
    Up(Arc<OpenConnection>),
    /// The server takes no more messages for want of memory or disk; the text is its reason.
    Blocked(Arc<OpenConnection>, Arc<str>),
    Down(Arc<str>),
}

/// One connection, from its start to its end.
pub(super) struct OpenConnection {
    /// Unlike that of every other connection of this process.
    pub(super) number: u64,
    lapin: Connection,
}

impl OpenConnection {
    fn new(connection: Connection) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self { number: NEXT.fetch_add(1, Ordering::Relaxed), lapin: connection })
    }

    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        self.lapin.create_channel().await.map_err(|error| broker_error(&error))
    }
}

impl RecoveringConnection {
    pub(super) async fn open(settings: &Rabbitmq, role: Role) -> Result<Self, BrokerError> {
        let (connection, events) = connect(settings, &role, CONNECT_TIMEOUT).await?;
        let connection = OpenConnection::new(connection);
        let (sender, state) = watch::channel(State::Up(connection.clone()));
        let recheck = Arc::new(Notify::new());
        let supervisor =
            Supervisor { settings: settings.clone(), role, state: sender, recheck: recheck.clone() };
        let task = AbortOnDropHandle::new(tokio::spawn(supervisor.run(connection, events)));
        Ok(Self { state, recheck, _supervisor: Arc::new(task) })
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// The connection for a publish: refuses at once while there is none or it is blocked.
    pub(super) fn current(&self) -> Result<Arc<OpenConnection>, BrokerError> {
        match &*self.state.borrow() {
            State::Up(connection) => Ok(connection.clone()),
            State::Blocked(_, reason) => {
                Err(BrokerError::Blocked { broker: NAME, reason: reason.to_string() })
            }
            State::Down(reason) => Err(unavailable(&**reason)),
        }
    }

    /// The connection for a consumer: waits until there is one.
    pub(super) async fn wait(&self) -> Result<Arc<OpenConnection>, BrokerError> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| !matches!(state, State::Down(_))).await;
        match up.as_deref() {
            Ok(State::Up(connection) | State::Blocked(connection, _)) => Ok(connection.clone()),
            _ => Err(unavailable("the connection's supervisor has stopped")),
        }
    }

    /// Something failed on the connection: the supervisor checks it, in case that there was no event.
    pub(super) fn recheck(&self) {
        self.recheck.notify_one();
    }
}

/// How often an outage is logged while it lasts.
const AGAIN: Duration = Duration::from_secs(30);

/// What keeps the connection away. The error that is made of it says that RabbitMQ does not answer.
fn reason(error: BrokerError) -> String {
    match error {
        BrokerError::Unavailable { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// Before one more try. Short: recovery within ten seconds counts from the server's return.
pub(super) const BACKOFF: Backoff = Backoff::millis::<100, 2_000>();

/// Timeout of one try to connect again. Short at first: a handshake that was cut off gets no answer, the next
/// one may. Then longer: a server that has only just started may be slow.
const TIMEOUTS: Backoff = Backoff::millis::<1_000, 10_000>();

/// Connects again whenever the connection ends.
struct Supervisor {
    settings: Rabbitmq,
    role: Role,
    state: watch::Sender<State>,
    recheck: Arc<Notify>,
}

impl Supervisor {
    async fn run(self, mut connection: Arc<OpenConnection>, mut events: BoxStream<'static, Event>) {
        loop {
            let reason = self.watch(&connection, &mut events).await;
            tracing::warn!(role = ?self.role, %reason, "the connection to RabbitMQ is lost");
            self.state.send_replace(State::Down(reason.into()));
            drop(connection);
            (connection, events) = self.reconnect().await;
            metrics::counter!("clawpool_reconnects_total", "server" => "rabbitmq").increment(1);
            tracing::info!(role = ?self.role, "connected to RabbitMQ again");
            self.state.send_replace(State::Up(connection.clone()));
        }
    }

    /// Returns why the connection ended.
    async fn watch(
        &self,
        connection: &Arc<OpenConnection>,
        events: &mut BoxStream<'static, Event>,
    ) -> String {
        let mut last = String::from("it was closed");
        while connection.lapin.status().connected() {
            let event = tokio::select! {
                event = events.next() => event,
                () = self.recheck.notified() => continue,
            };
            match event {
                Some(Event::ConnectionBlocked(reason)) => self.blocked(connection, reason),
                Some(Event::ConnectionUnblocked) => {
                    _ = self.state.send_replace(State::Up(connection.clone()))
                }
                Some(Event::Error(error)) => last = error.to_string(),
                Some(_) => {}
                None => break,
            }
        }
        last
    }

    fn blocked(&self, connection: &Arc<OpenConnection>, reason: String) {
        tracing::warn!(role = ?self.role, %reason, "RabbitMQ takes no more messages");
        self.state.send_replace(State::Blocked(connection.clone(), reason.into()));
    }

    async fn reconnect(&self) -> (Arc<OpenConnection>, BoxStream<'static, Event>) {
        let mut waits = BACKOFF.waits();
        let mut told: Option<Instant> = None;
        loop {
            tokio::time::sleep(waits.after_failure()).await;
            match connect(&self.settings, &self.role, TIMEOUTS.ceiling(waits.failures())).await {
                Ok((connection, events)) => return (OpenConnection::new(connection), events),
                Err(error) => {
                    if told.is_none_or(|told| told.elapsed() >= AGAIN) {
                        told = Some(Instant::now());
                        tracing::warn!(role = ?self.role, %error, "RabbitMQ is not back yet");
                    }
                    self.state.send_replace(State::Down(reason(error).into()));
                }
            }
        }
    }
}
