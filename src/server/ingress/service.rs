//! The AMQP ingress: takes producers' messages from RabbitMQ, enqueues their tasks many at a time, and
//! publishes those that are refused to the rejects. A message is acknowledged only when each of its tasks was
//! accepted or rejected. While queues are full or servers do not answer, it waits in the ingress queue, and
//! no more messages are fetched than there is room for. A task without an id, redelivered after a lost
//! connection, may be enqueued twice: a producer prevents that with an id of each task, or with a UUID as the
//! id of the message.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::{
        BrokerError,
        rabbitmq::{IngressMessage, IngressQueue, RejectedMessage},
    },
    store::Store,
};
use clawpool_core::{
    config::{Backend, Config, Limits, Profile},
    task::{NewTask, Queue, TaskId},
};
use clawpool_engine::{
    alert::{Alert, Event, raise},
    dispatch::{
        Producer, Rejection, Rights,
        codec::{self, Format},
    },
};

/// A client that may publish to the broker could publish to any task queue, so it may choose a priority too.
const RIGHTS: Rights = Rights { priority: true, token: None };
/// When to try a busy task again, if the answer does not say.
const PAUSE: Duration = Duration::from_secs(1);
/// How often an error is logged while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

/// Timeout of the first try to open it: the start of the dispatcher waits that long.
const FIRST: Duration = Duration::from_secs(5);

/// Where producers that speak AMQP put their tasks.
pub struct Ingress {
    config: Arc<Config>,
    opened: Option<IngressQueue>,
}

impl Ingress {
    /// Tries once, so that the exchange is there when the dispatcher is healthy. [`Ingress::serve`] tries on.
    pub async fn open(config: Arc<Config>) -> Self {
        let opened =
            if is_wanted(&config) { timeout(FIRST, first(&config)).await.ok().flatten() } else { None };
        Self { config, opened }
    }

    /// Serves until `stop`. Where no lane is on RabbitMQ there is no ingress, and it only waits.
    pub async fn serve(self, producer: &Producer, store: &dyn Store, stop: &CancellationToken) {
        if !is_wanted(&self.config) {
            return stop.cancelled().await;
        }
        let opening = async {
            match self.opened {
                Some(opened) => opened,
                None => open(&self.config).await,
            }
        };
        if let Some(queue) = stop.run_until_cancelled(opening).await {
            serve(queue, &self.config, producer, store, stop).await;
        }
    }
}

fn is_wanted(config: &Config) -> bool {
    let on_rabbitmq = |queue: Queue| config.lanes.backend(queue) == Backend::Rabbitmq;
    config.profile == Profile::Cluster && Queue::ALL.into_iter().any(on_rabbitmq)
}

/// An error here is not logged: the tries that follow log it.
async fn first(config: &Config) -> Option<IngressQueue> {
    let ingress = IngressQueue::open(&config.rabbitmq).await.ok()?;
    if let Err(error) = ingress.declare().await {
        tracing::debug!(code = error.code(), %error, "the AMQP ingress is not there yet");
    }
    Some(ingress)
}

async fn serve(
    queue: IngressQueue,
    config: &Config,
    producer: &Producer,
    store: &dyn Store,
    stop: &CancellationToken,
) {
    let task = IngressTask {
        queue,
        store,
        logged_at: None,
        producer: producer.clone(),
        limits: config.limits.clone(),
        open: HashMap::new(),
        opened: 0,
        waiting: Vec::new(),
        retry_at: Instant::now(),
    };
    task.run(stop).await;
}

async fn open(config: &Config) -> IngressQueue {
    loop {
        match IngressQueue::open(&config.rabbitmq).await {
            Ok(queue) => return queue,
            Err(error) => {
                tracing::warn!(code = error.code(), %error, "the AMQP ingress is closed; trying again")
            }
        }
        sleep(PAUSE).await;
    }
}

struct IngressTask<'a> {
    queue: IngressQueue,
    store: &'a dyn Store,
    /// When an error of the server was logged last.
    logged_at: Option<Instant>,
    producer: Producer,
    limits: Limits,
    /// Messages with steps left, by a number of their own.
    open: HashMap<u64, OpenMessage>,
    opened: u64,
    /// Steps to try again. Bounded by the prefetch.
    waiting: Vec<Step>,
    retry_at: Instant,
}

struct OpenMessage {
    message: IngressMessage,
    left: usize,
}

/// What is left to do for one task of a message.
struct Step {
    message: u64,
    action: Action,
}

enum Action {
    /// With the part of the message that it was read from, in case that it is rejected.
    Enqueue(Box<NewTask>, Part),
    Reject(RejectedMessage),
}

/// One task of a message as it came.
struct Part {
    body: Bytes,
    format: Format,
    correlation_id: Option<String>,
}

impl IngressTask<'_> {
    /// Stops only between two steps: half of one would be done again by the next consumer of the message.
    async fn run(mut self, stop: &CancellationToken) {
        loop {
            // An open message is held whole, however few of its steps are left.
            let held = self.open.values().map(|open| open.message.body.len() as u64).sum();
            tokio::select! {
                () = stop.cancelled() => return,
                messages = self.queue.next(held) => match messages {
                    Ok(messages) => {
                        let steps = messages.into_iter().flat_map(|message| self.read(message)).collect();
                        self.work(steps).await;
                    }
                    Err(error) => self.failed(&error).await,
                },
                () = sleep_until(self.retry_at), if !self.waiting.is_empty() => {
                    let waiting = mem::take(&mut self.waiting);
                    self.work(waiting).await;
                }
            }
        }
    }

    /// The next call tries again. Logged once a minute. A refusal is an alert too, for trying again does not
    /// mend it.
    async fn failed(&mut self, error: &BrokerError) {
        if self.logged_at.is_some_and(|at| at.elapsed() < AGAIN) {
            return;
        }
        self.logged_at = Some(Instant::now());
        if error.is_retryable() {
            return tracing::warn!(code = error.code(), %error, "the AMQP ingress waits");
        }
        tracing::error!(code = error.code(), %error, "the AMQP ingress is closed until the server allows it");
        let text = format!("the AMQP ingress cannot take messages: {error}");
        raise(self.store, "ingress", &Alert::new(Event::Refused, text)).await;
    }

    /// The steps of a message.
    fn read(&mut self, message: IngressMessage) -> Vec<Step> {
        let actions = self.actions(&message);
        self.opened += 1;
        let number = self.opened;
        self.open.insert(number, OpenMessage { message, left: actions.len() });
        actions.into_iter().map(|action| Step { message: number, action }).collect()
    }

    fn actions(&self, message: &IngressMessage) -> Vec<Action> {
        let format = codec::format(message.content_type.as_deref(), &message.body);
        let part = |body| Part { body, format, correlation_id: message.correlation_id.clone() };
        match codec::parts(&message.body, format, &self.limits) {
            Ok(parts) => {
                let id =
                    message.message_id.as_deref().filter(|_| parts.len() == 1).and_then(|id| id.parse().ok());
                parts.into_iter().map(|body| Self::action(part(body), id)).collect()
            }
            Err(rejection) => vec![Action::Reject(part(message.body.clone()).refused(rejection))],
        }
    }

    fn action(part: Part, id: Option<TaskId>) -> Action {
        match part.format.task(&part.body) {
            // It gets its id here, so that it is the same task at every try.
            Ok(task) => {
                let id = task.id.or(id).unwrap_or_else(TaskId::new);
                Action::Enqueue(Box::new(NewTask { id: Some(id), ..task }), part)
            }
            Err(unread) => Action::Reject(part.refused(unread.into())),
        }
    }

    async fn work(&mut self, mut steps: Vec<Step>) {
        // The messages of a lost connection come again, and their steps with them.
        self.open.retain(|_, open| self.queue.holds(&open.message));
        steps.retain(|step| self.open.contains_key(&step.message));
        let mut rejected = Vec::new();
        let mut tasks = Vec::new();
        for Step { message, action } in steps {
            match action {
                Action::Enqueue(task, part) => tasks.push((message, task, part)),
                Action::Reject(rejection) => rejected.push((message, rejection)),
            }
        }
        while !tasks.is_empty() {
            let rest = tasks.split_off(tasks.len().min(self.limits.batch.max(1).into()));
            self.enqueue(mem::replace(&mut tasks, rest), &mut rejected).await;
        }
        self.reject(rejected).await;
    }

    async fn enqueue(
        &mut self,
        tasks: Vec<(u64, Box<NewTask>, Part)>,
        rejected: &mut Vec<(u64, RejectedMessage)>,
    ) {
        let batch = tasks.iter().map(|(_, task, _)| NewTask::clone(task)).collect();
        let answers = self.producer.enqueue(batch, RIGHTS).await;
        for ((message, task, part), answer) in tasks.into_iter().zip(answers) {
            match answer {
                Ok(_) => self.done(message),
                Err(busy) if busy.is_retryable() => {
                    self.wait(message, Action::Enqueue(task, part), busy.retry_after);
                }
                Err(rejection) => rejected.push((message, part.refused(rejection))),
            }
        }
    }

    async fn reject(&mut self, rejected: Vec<(u64, RejectedMessage)>) {
        let answers = self
            .queue
            .publish_rejected(rejected.iter().map(|(_, rejection)| rejection.clone()).collect())
            .await;
        for ((message, rejection), answer) in rejected.into_iter().zip(answers) {
            match answer {
                Ok(()) => self.done(message),
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "a rejected task could not be published to \
                        the rejects yet");
                    self.wait(message, Action::Reject(rejection), None);
                }
            }
        }
    }

    fn wait(&mut self, message: u64, action: Action, pause: Option<Duration>) {
        let retry_at = Instant::now() + pause.unwrap_or(PAUSE);
        self.retry_at = if self.waiting.is_empty() { retry_at } else { self.retry_at.min(retry_at) };
        self.waiting.push(Step { message, action });
    }

    /// One step of a message is done; with the last one the message is acknowledged.
    fn done(&mut self, number: u64) {
        let Some(open) = self.open.get_mut(&number) else { return };
        open.left -= 1;
        if open.left == 0
            && let Some(open) = self.open.remove(&number)
        {
            self.queue.ack([&open.message]);
        }
    }
}

impl Part {
    fn refused(self, rejection: Rejection) -> RejectedMessage {
        let Rejection { code, message, field, .. } = rejection;
        let content_type = Some(codec::content_type(self.format).to_owned());
        RejectedMessage {
            body: self.body,
            content_type,
            correlation_id: self.correlation_id,
            code,
            message,
            field,
        }
    }
}
