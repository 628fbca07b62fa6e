//! The AMQP entrance: takes producers' messages from RabbitMQ, enqueues their tasks many at a time, and sends back what is
//! not taken. A message leaves the server only when each of its tasks was accepted or sent back; while queues are full or
//! servers silent it waits there (nothing is lost), and no more of them are taken than there is room for. A task without
//! an id, redelivered after a lost connection, may be enqueued twice: producers who mind give ids, or a UUID as the
//! message's id.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use clawpool_backends::{
    broker::{
        BrokerError,
        rabbitmq::{Ingress, Letter, Return},
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

/// Who may publish to the broker could put messages on any queue: a priority of their own is no more than that.
const RIGHTS: Rights = Rights { priority: true, token: None };
/// When to try again what was busy and did not say.
const PAUSE: Duration = Duration::from_secs(1);
/// How often trouble is told while it lasts.
const AGAIN: Duration = Duration::from_secs(60);

/// For the first try to open it: everything else waits that long.
const FIRST: Duration = Duration::from_secs(5);

/// Where producers that speak AMQP put their tasks.
pub struct Entrance {
    config: Arc<Config>,
    opened: Option<Ingress>,
}

impl Entrance {
    /// Tries once, so that the exchange is there when the dispatcher is healthy. [`Entrance::serve`] tries on.
    pub async fn open(config: Arc<Config>) -> Self {
        let opened = if is_wanted(&config) { timeout(FIRST, first(&config)).await.ok().flatten() } else { None };
        Self { config, opened }
    }

    /// Serves until `stop`. Where no lane is on RabbitMQ there is nobody to listen to, and it only waits.
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
        if let Some(intake) = stop.run_until_cancelled(opening).await {
            serve(intake, &self.config, producer, store, stop).await;
        }
    }
}

fn is_wanted(config: &Config) -> bool {
    let on_rabbitmq = |queue: Queue| config.lanes.backend(queue) == Backend::Rabbitmq;
    config.profile == Profile::Cluster && Queue::ALL.into_iter().any(on_rabbitmq)
}

/// What does not succeed here is told by the tries that follow.
async fn first(config: &Config) -> Option<Ingress> {
    let ingress = Ingress::open(&config.rabbitmq).await.ok()?;
    if let Err(error) = ingress.declare().await {
        tracing::debug!(code = error.code(), %error, "the AMQP entrance is not there yet");
    }
    Some(ingress)
}

async fn serve(intake: Ingress, config: &Config, producer: &Producer, store: &dyn Store, stop: &CancellationToken) {
    let desk = Desk {
        intake,
        store,
        told: None,
        producer: producer.clone(),
        limits: config.limits.clone(),
        open: HashMap::new(),
        opened: 0,
        waiting: Vec::new(),
        retry_at: Instant::now(),
    };
    desk.run(stop).await;
}

async fn open(config: &Config) -> Ingress {
    loop {
        match Ingress::open(&config.rabbitmq).await {
            Ok(intake) => return intake,
            Err(error) => tracing::warn!(code = error.code(), %error, "the AMQP entrance is closed; trying again"),
        }
        sleep(PAUSE).await;
    }
}

struct Desk<'a> {
    intake: Ingress,
    store: &'a dyn Store,
    /// When trouble with the server was told last.
    told: Option<Instant>,
    producer: Producer,
    limits: Limits,
    /// Letters with errands left.
    open: HashMap<u64, Open>,
    opened: u64,
    /// What was busy. Bounded by what the server leaves with this consumer.
    waiting: Vec<Errand>,
    retry_at: Instant,
}

struct Open {
    letter: Letter,
    left: usize,
}

/// What is left to do for one task of a letter.
struct Errand {
    letter: u64,
    what: What,
}

enum What {
    /// With what it was read from, should it have to go back.
    Enqueue(Box<NewTask>, Part),
    GiveBack(Return),
}

/// One task of a letter as it came.
struct Part {
    body: Bytes,
    format: Format,
    correlation_id: Option<String>,
}

impl Desk<'_> {
    /// Leaves between two steps: half of one would be done again by whoever gets the letter next.
    async fn run(mut self, stop: &CancellationToken) {
        loop {
            // A letter that is open is held, however little of it is left to do.
            let held = self.open.values().map(|open| open.letter.body.len() as u64).sum();
            tokio::select! {
                () = stop.cancelled() => return,
                letters = self.intake.next(held) => match letters {
                    Ok(letters) => {
                        let errands = letters.into_iter().flat_map(|letter| self.read(letter)).collect();
                        self.work(errands).await;
                    }
                    Err(error) => self.trouble(&error).await,
                },
                () = sleep_until(self.retry_at), if !self.waiting.is_empty() => {
                    let waiting = mem::take(&mut self.waiting);
                    self.work(waiting).await;
                }
            }
        }
    }

    /// The next look tries again. Told once a minute; a refusal also as an alert, for trying again does not mend it.
    async fn trouble(&mut self, error: &BrokerError) {
        if self.told.is_some_and(|told| told.elapsed() < AGAIN) {
            return;
        }
        self.told = Some(Instant::now());
        if error.is_retryable() {
            return tracing::warn!(code = error.code(), %error, "the AMQP entrance waits");
        }
        tracing::error!(code = error.code(), %error, "the AMQP entrance is closed until the server allows it");
        let text = format!("the AMQP entrance cannot take messages: {error}");
        raise(self.store, "ingress", &Alert::new(Event::Refused, text)).await;
    }

    /// Opens a letter.
    fn read(&mut self, letter: Letter) -> Vec<Errand> {
        let whats = self.whats(&letter);
        self.opened += 1;
        let number = self.opened;
        self.open.insert(number, Open { letter, left: whats.len() });
        whats.into_iter().map(|what| Errand { letter: number, what }).collect()
    }

    fn whats(&self, letter: &Letter) -> Vec<What> {
        let format = codec::format(letter.content_type.as_deref(), &letter.body);
        let part = |body| Part { body, format, correlation_id: letter.correlation_id.clone() };
        match codec::parts(&letter.body, format, &self.limits) {
            Ok(parts) => {
                let id = letter.message_id.as_deref().filter(|_| parts.len() == 1).and_then(|id| id.parse().ok());
                parts.into_iter().map(|body| Self::what(part(body), id)).collect()
            }
            Err(rejection) => vec![What::GiveBack(part(letter.body.clone()).refused(rejection))],
        }
    }

    fn what(part: Part, id: Option<TaskId>) -> What {
        match part.format.task(&part.body) {
            // Given an id here, so that it is the same task however often it is tried.
            Ok(task) => {
                let id = task.id.or(id).unwrap_or_else(TaskId::new);
                What::Enqueue(Box::new(NewTask { id: Some(id), ..task }), part)
            }
            Err(unread) => What::GiveBack(part.refused(unread.into())),
        }
    }

    async fn work(&mut self, mut errands: Vec<Errand>) {
        // The letters of a lost connection come again, and their errands with them.
        self.open.retain(|_, open| self.intake.holds(&open.letter));
        errands.retain(|errand| self.open.contains_key(&errand.letter));
        let mut returns = Vec::new();
        let mut tasks = Vec::new();
        for Errand { letter, what } in errands {
            match what {
                What::Enqueue(task, part) => tasks.push((letter, task, part)),
                What::GiveBack(back) => returns.push((letter, back)),
            }
        }
        while !tasks.is_empty() {
            let rest = tasks.split_off(tasks.len().min(self.limits.batch.max(1).into()));
            self.enqueue(mem::replace(&mut tasks, rest), &mut returns).await;
        }
        self.give_back(returns).await;
    }

    async fn enqueue(&mut self, tasks: Vec<(u64, Box<NewTask>, Part)>, returns: &mut Vec<(u64, Return)>) {
        let batch = tasks.iter().map(|(_, task, _)| NewTask::clone(task)).collect();
        let answers = self.producer.enqueue(batch, RIGHTS).await;
        for ((letter, task, part), answer) in tasks.into_iter().zip(answers) {
            match answer {
                Ok(_) => self.done(letter),
                Err(busy) if busy.is_retryable() => {
                    self.wait(letter, What::Enqueue(task, part), busy.retry_after);
                }
                Err(rejection) => returns.push((letter, part.refused(rejection))),
            }
        }
    }

    async fn give_back(&mut self, returns: Vec<(u64, Return)>) {
        let answers = self.intake.give_back(returns.iter().map(|(_, back)| back.clone()).collect()).await;
        for ((letter, back), answer) in returns.into_iter().zip(answers) {
            match answer {
                Ok(()) => self.done(letter),
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "a rejected task could not be sent back yet");
                    self.wait(letter, What::GiveBack(back), None);
                }
            }
        }
    }

    fn wait(&mut self, letter: u64, what: What, pause: Option<Duration>) {
        let retry_at = Instant::now() + pause.unwrap_or(PAUSE);
        self.retry_at = if self.waiting.is_empty() { retry_at } else { self.retry_at.min(retry_at) };
        self.waiting.push(Errand { letter, what });
    }

    /// One errand of a letter is done; with the last one the letter is closed.
    fn done(&mut self, number: u64) {
        let Some(open) = self.open.get_mut(&number) else { return };
        open.left -= 1;
        if open.left == 0
            && let Some(open) = self.open.remove(&number)
        {
            self.intake.close([&open.letter]);
        }
    }
}

impl Part {
    fn refused(self, rejection: Rejection) -> Return {
        let Rejection { code, message, field, .. } = rejection;
        let content_type = Some(codec::content_type(self.format).to_owned());
        Return { body: self.body, content_type, correlation_id: self.correlation_id, code, message, field }
    }
}
