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
    connect::{Role, TIMEOUT, connect, fault, unavailable},
};
use clawpool_core::{config::Rabbitmq, retry::Backoff};

/// One connection that is kept up: a task of its own connects again whenever it breaks.
#[derive(Clone)]
pub(super) struct Link {
    state: watch::Receiver<State>,
    doubt: Arc<Notify>,
    _supervisor: Arc<AbortOnDropHandle<()>>,
}

#[derive(Clone)]
pub(super) enum State {
    Up(Arc<Session>),
    /// The server takes no more messages for want of memory or disk; the text is its reason.
    Blocked(Arc<Session>, Arc<str>),
    Down(Arc<str>),
}

/// One life of the connection.
pub(super) struct Session {
    /// Unlike that of every other session of this process.
    pub(super) number: u64,
    connection: Connection,
}

impl Session {
    fn new(connection: Connection) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self { number: NEXT.fetch_add(1, Ordering::Relaxed), connection })
    }

    pub(super) async fn channel(&self) -> Result<Channel, BrokerError> {
        self.connection.create_channel().await.map_err(|error| fault(&error))
    }
}

impl Link {
    pub(super) async fn open(settings: &Rabbitmq, role: Role) -> Result<Self, BrokerError> {
        let (connection, events) = connect(settings, &role, TIMEOUT).await?;
        let session = Session::new(connection);
        let (sender, state) = watch::channel(State::Up(session.clone()));
        let doubt = Arc::new(Notify::new());
        let supervisor = Supervisor { settings: settings.clone(), role, state: sender, doubt: doubt.clone() };
        let task = AbortOnDropHandle::new(tokio::spawn(supervisor.run(session, events)));
        Ok(Self { state, doubt, _supervisor: Arc::new(task) })
    }

    pub(super) fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// The connection for a publish: refuses at once while there is none or it is blocked.
    pub(super) fn session(&self) -> Result<Arc<Session>, BrokerError> {
        match &*self.state.borrow() {
            State::Up(session) => Ok(session.clone()),
            State::Blocked(_, reason) => Err(BrokerError::Blocked { broker: NAME, reason: reason.to_string() }),
            State::Down(reason) => Err(unavailable(&**reason)),
        }
    }

    /// The connection for a consumer: waits until there is one.
    pub(super) async fn wait(&self) -> Result<Arc<Session>, BrokerError> {
        let mut state = self.state.clone();
        let up = state.wait_for(|state| !matches!(state, State::Down(_))).await;
        match up.as_deref() {
            Ok(State::Up(session) | State::Blocked(session, _)) => Ok(session.clone()),
            _ => Err(unavailable("the connection's supervisor has stopped")),
        }
    }

    /// Something failed on the connection: have the supervisor look, should no event have told it.
    pub(super) fn doubt(&self) {
        self.doubt.notify_one();
    }
}

/// How often an outage is told while it lasts.
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

/// For one try to connect again: little at first, for a handshake that was cut off is answered by nobody and the next
/// one may be; then more, for a server that has only just started may be slow.
const PATIENCE: Backoff = Backoff::millis::<1_000, 10_000>();

struct Supervisor {
    settings: Rabbitmq,
    role: Role,
    state: watch::Sender<State>,
    doubt: Arc<Notify>,
}

impl Supervisor {
    async fn run(self, mut session: Arc<Session>, mut events: BoxStream<'static, Event>) {
        loop {
            let reason = self.watch(&session, &mut events).await;
            tracing::warn!(role = ?self.role, %reason, "the connection to RabbitMQ is lost");
            self.state.send_replace(State::Down(reason.into()));
            drop(session);
            (session, events) = self.reconnect().await;
            tracing::info!(role = ?self.role, "connected to RabbitMQ again");
            self.state.send_replace(State::Up(session.clone()));
        }
    }

    /// Returns why the connection ended.
    async fn watch(&self, session: &Arc<Session>, events: &mut BoxStream<'static, Event>) -> String {
        let mut last = String::from("it was closed");
        while session.connection.status().connected() {
            let event = tokio::select! {
                event = events.next() => event,
                () = self.doubt.notified() => continue,
            };
            match event {
                Some(Event::ConnectionBlocked(reason)) => self.blocked(session, reason),
                Some(Event::ConnectionUnblocked) => _ = self.state.send_replace(State::Up(session.clone())),
                Some(Event::Error(error)) => last = error.to_string(),
                Some(_) => {}
                None => break,
            }
        }
        last
    }

    fn blocked(&self, session: &Arc<Session>, reason: String) {
        tracing::warn!(role = ?self.role, %reason, "RabbitMQ takes no more messages");
        self.state.send_replace(State::Blocked(session.clone(), reason.into()));
    }

    async fn reconnect(&self) -> (Arc<Session>, BoxStream<'static, Event>) {
        let mut waits = BACKOFF.waits();
        let mut told: Option<Instant> = None;
        loop {
            tokio::time::sleep(waits.after_failure()).await;
            match connect(&self.settings, &self.role, PATIENCE.ceiling(waits.failures())).await {
                Ok((connection, events)) => return (Session::new(connection), events),
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
