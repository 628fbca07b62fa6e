use std::time::Duration;

use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt},
    stream::FuturesUnordered,
};
use lapin::{Channel, Confirmation, options::ConfirmSelectOptions};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    BrokerError, NAME, Parcel,
    connect::{LONG, fault, unavailable},
    link::{Link, State},
};

/// Publishes with confirms, many at once. One task owns the channel: lapin numbers a message and queues its frames in two
/// steps, and two tasks doing so together would get each other's confirms.
#[derive(Clone)]
pub(super) struct Publisher {
    jobs: mpsc::Sender<Job>,
    patience: Duration,
}

struct Job {
    parcels: Vec<Parcel>,
    /// Not sent after this.
    deadline: Instant,
    reply: oneshot::Sender<Vec<Fate>>,
}

#[derive(Clone, Debug)]
pub(super) enum Fate {
    Stored,
    /// The server took it and found no queue for it.
    Unroutable,
    Failed(BrokerError),
}

impl Fate {
    /// The message was sent; what became of it nobody said.
    pub(super) fn lost(reason: impl Into<String>) -> Self {
        Self::Failed(BrokerError::Unconfirmed { broker: NAME, reason: reason.into() })
    }
}

/// Messages, or their bytes.
#[derive(Clone, Copy, Default)]
struct Load {
    messages: usize,
    bytes: usize,
}

impl Load {
    fn of(parcels: &[Parcel]) -> Self {
        Self { messages: parcels.len(), bytes: parcels.iter().map(|parcel| parcel.body.len()).sum() }
    }

    const fn has_room(self) -> bool {
        self.messages < Publisher::WINDOW && self.bytes < Publisher::VOLUME
    }
}

impl Publisher {
    /// Messages sent and not confirmed yet, at most (one more job apart).
    const WINDOW: usize = 4096;
    /// And their bytes: the client keeps a copy of each until it is written.
    const VOLUME: usize = 16 << 20;
    /// Bytes of one job, a single longer message apart.
    const JOB: usize = 4 << 20;
    /// Jobs that wait for the window.
    const WAITING: usize = 64;

    pub(super) fn start(link: Link, confirm_timeout: Duration) -> Self {
        let (jobs, queue) = mpsc::channel(Self::WAITING);
        let desk = Desk { link, confirm_timeout, channel: None };
        tokio::spawn(desk.run(queue));
        Self { jobs, patience: confirm_timeout }
    }

    /// One fate each, in order. What cannot be sent in time is not sent; what was sent has its time to be confirmed.
    pub(super) async fn send(&self, mut parcels: Vec<Parcel>) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(parcels.len());
        let deadline = Instant::now() + self.patience;
        while !parcels.is_empty() {
            let rest = parcels.split_off(fitting(&parcels));
            fates.extend(self.send_job(std::mem::replace(&mut parcels, rest), deadline).await);
        }
        fates
    }

    async fn send_job(&self, parcels: Vec<Parcel>, deadline: Instant) -> Vec<Fate> {
        let count = parcels.len();
        let (reply, fates) = oneshot::channel();
        let handed = self.jobs.send(Job { parcels, deadline, reply }).await;
        match (handed, fates.await) {
            (Ok(()), Ok(fates)) => fates,
            _ => vec![Fate::lost("the publisher has stopped"); count],
        }
    }
}

/// How many parcels go into one job.
fn fitting(parcels: &[Parcel]) -> usize {
    let mut bytes = 0;
    let fits = |parcel: &&Parcel| {
        bytes += parcel.body.len();
        bytes <= Publisher::JOB
    };
    parcels.iter().take_while(fits).count().max(1)
}

/// How often a silence is told while it lasts.
const AGAIN: Duration = Duration::from_secs(10);

/// The publishing task. It ends when the last [`Publisher`] is gone.
struct Desk {
    link: Link,
    confirm_timeout: Duration,
    /// And the session that it belongs to.
    channel: Option<(u64, Channel)>,
}

impl Desk {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut flights: FuturesUnordered<BoxFuture<'static, Load>> = FuturesUnordered::new();
        let mut in_flight = Load::default();
        // Since the last confirm, or since something waits for one.
        let mut silent = Instant::now();
        loop {
            tokio::select! {
                biased;
                Some(landed) = flights.next() => {
                    silent = Instant::now();
                    in_flight.messages -= landed.messages;
                    in_flight.bytes -= landed.bytes;
                }
                job = jobs.recv(), if in_flight.has_room() => {
                    let Some(job) = job else { return };
                    match self.channel(job.deadline).await {
                        Ok(channel) => {
                            let load = Load::of(&job.parcels);
                            if flights.is_empty() {
                                silent = Instant::now();
                            }
                            in_flight.messages += load.messages;
                            in_flight.bytes += load.bytes;
                            flights.push(self.flight(channel, job, load).boxed());
                        }
                        Err(error) => job.refuse(&error),
                    }
                }
                () = sleep_until(silent + LONG), if !flights.is_empty() => {
                    tracing::warn!(messages = in_flight.messages, "RabbitMQ has confirmed nothing for {LONG:?}");
                    // Told again when it lasts.
                    silent = Instant::now() + AGAIN;
                }
            }
        }
    }

    /// A channel on which a job can be sent before its deadline.
    async fn channel(&mut self, deadline: Instant) -> Result<Channel, BrokerError> {
        let session = self.link.session()?;
        if Instant::now() >= deadline {
            return Err(unavailable("what was sent before is not confirmed yet"));
        }
        if let Some((number, channel)) = &self.channel
            && *number == session.number
            && channel.status().connected()
        {
            return Ok(channel.clone());
        }
        let open = async {
            let channel = session.channel().await?;
            let confirm = channel.confirm_select(ConfirmSelectOptions::default()).await;
            confirm.map_err(|error| fault(&error)).map(|()| channel)
        };
        let opened = tokio::time::timeout_at(deadline, open).await;
        let channel = opened.unwrap_or_else(|_| Err(unavailable("no channel could be opened in time")));
        let channel = channel.inspect_err(|_| self.link.doubt())?;
        self.channel = Some((session.number, channel.clone()));
        Ok(channel)
    }

    fn flight(&self, channel: Channel, job: Job, load: Load) -> impl Future<Output = Load> + Send + use<> {
        let flight = Flight { channel, link: self.link.clone(), confirm_timeout: self.confirm_timeout };
        async move {
            // The caller may have gone; the messages are with the server all the same.
            let _ = job.reply.send(flight.run(&job.parcels).await);
            load
        }
    }
}

impl Job {
    fn refuse(self, error: &BrokerError) {
        let fates = vec![Fate::Failed(error.clone()); self.parcels.len()];
        // A caller that has gone needs no answer.
        let _ = self.reply.send(fates);
    }
}

/// One job on its way.
struct Flight {
    channel: Channel,
    link: Link,
    confirm_timeout: Duration,
}

impl Flight {
    /// How long confirms may still come after the server said that it is blocked. What it had read before it confirms
    /// at once; what it had not read, it may take whenever it recovers.
    const BLOCKED_GRACE: Duration = Duration::from_secs(1);

    async fn run(self, parcels: &[Parcel]) -> Vec<Fate> {
        let started = Instant::now();
        let sends = parcels.iter().enumerate();
        let mut sends: FuturesUnordered<_> =
            sends.map(|(index, parcel)| parcel.send(&self.channel).map(move |end| (index, end))).collect();
        let mut ends: Vec<Option<lapin::Result<Confirmation>>> = parcels.iter().map(|_| None).collect();
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
        self.fates(parcels, ends, started.elapsed())
    }

    /// Waits until `deadline`, or until a blocked server has had its grace.
    async fn too_late(&self, deadline: Instant) {
        let mut state: watch::Receiver<State> = self.link.state();
        let blocked = state.wait_for(|state| matches!(state, State::Blocked(..)));
        tokio::select! {
            () = sleep_until(deadline) => {}
            Ok(_) = blocked.map(|seen| seen.map(drop)) => {
                sleep_until(deadline.min(Instant::now() + Self::BLOCKED_GRACE)).await;
            }
        }
    }

    fn fates(&self, parcels: &[Parcel], ends: Vec<Option<lapin::Result<Confirmation>>>, waited: Duration) -> Vec<Fate> {
        let mut returned = Vec::new();
        let mut fates = Vec::with_capacity(ends.len());
        for end in ends {
            fates.push(match end {
                None => Fate::lost(format!("no answer within {waited:?}")),
                Some(Err(error)) => {
                    self.link.doubt();
                    match fault(&error) {
                        refused @ BrokerError::Refused { .. } => Fate::Failed(refused),
                        error => Fate::lost(error.to_string()),
                    }
                }
                Some(Ok(Confirmation::Nack(None))) => Fate::lost("the queue could not store the message"),
                Some(Ok(confirmation)) => {
                    returned.extend(confirmation.take_message());
                    Fate::Stored
                }
            });
        }
        // A confirm of several messages hands what was returned to any one of them: go by the message's own id.
        for message in returned {
            let id = message.delivery.properties.message_id().as_ref();
            for (parcel, fate) in parcels.iter().zip(&mut fates).filter(|(parcel, _)| parcel.id() == id) {
                tracing::error!(queue = %parcel.routing_key, exchange = %parcel.exchange, "no queue takes the message");
                *fate = Fate::Unroutable;
            }
        }
        fates
    }
}
