//! Takes producers' messages from RabbitMQ, enqueues their tasks many at a time, and publishes those that are
//! refused to the rejects.
//!
//! Guarantees: a message is acknowledged only when each of its tasks was accepted or rejected; while queues
//! are full or servers do not answer, it waits in the ingress queue. Never does: fetch more messages than
//! there is room for. A task without an id, redelivered after a lost connection, may be enqueued twice: a
//! producer prevents that with an id of each task, or with a UUID as the id of the message.

use std::{collections::HashMap, mem, time::Duration};

use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::step::{Action, Part, Step, actions};
use clawpool_backends::{
    broker::{
        BrokerError,
        rabbitmq::{IngressMessage, IngressQueue, RejectedMessage},
    },
    store::Store,
};
use clawpool_core::{config::Limits, task::NewTask};
use clawpool_engine::{
    alert::{Alert, Event, raise},
    dispatch::{Producer, Rights},
};

/// A client that may publish to the broker could publish to any task queue, so it may choose a priority too.
const RIGHTS: Rights = Rights { priority: true, token: None };
/// When to try a busy task again, if the answer does not say.
const PAUSE: Duration = Duration::from_secs(1);
/// How often an error is logged while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

pub(super) struct IngressTask<'a> {
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

impl<'a> IngressTask<'a> {
    pub(super) fn new(queue: IngressQueue, store: &'a dyn Store, producer: Producer, limits: Limits) -> Self {
        Self {
            queue,
            store,
            logged_at: None,
            producer,
            limits,
            open: HashMap::new(),
            opened: 0,
            waiting: Vec::new(),
            retry_at: Instant::now(),
        }
    }

    /// Stops only between two steps: half of one would be done again by the next consumer of the message.
    pub(super) async fn run(mut self, stop: &CancellationToken) {
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
        let actions = actions(&message, &self.limits);
        self.opened += 1;
        let number = self.opened;
        self.open.insert(number, OpenMessage { message, left: actions.len() });
        actions.into_iter().map(|action| Step { message: number, action }).collect()
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
