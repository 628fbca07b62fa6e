use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    ProducerToken, QueueRegistry, Rejection, admit::AdmissionControl, enqueue::enqueue_all,
    served_cache::ServedCache,
};
use crate::{
    live::{Derived, Live},
    trace::Tracer,
};
use clawpool_backends::{
    path::{self, Servers},
    path::{Path, PathError},
    store::Store,
};
use clawpool_core::{
    config::{Config, ConfigErrors},
    task::{NewTask, Priority, Queue, TaskId, Timestamp, millis},
};

/// Takes new tasks. Cheap to clone.
#[derive(Clone)]
pub struct Producer {
    control: Arc<Derived<AdmissionControl>>,
    path: Arc<dyn Path>,
    served_cache: Arc<ServedCache>,
    queues: Arc<QueueRegistry>,
    tracer: Tracer,
}

/// What a producer may ask for beyond adding tasks, and its token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Choose a task's priority.
    pub priority: bool,
    /// The token that it showed; none where none is needed.
    pub token: Option<Arc<ProducerToken>>,
}

/// The receipt: the task is durable and ends completed, cancelled or dead (INV-1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Given by the producer, or made for it.
    pub id: TaskId,
    /// As the task or the classification table chose it.
    pub priority: Priority,
    /// Where it waits, or will when it is due.
    pub queue: Queue,
    /// The id or the unique key was known: nothing was added, this is the task that is there.
    pub duplicate: bool,
    /// When it may start, if not at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// Why it may wait for long: no live worker serves its queue, or has a handler for its kind.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What would become of a task, and why. Nothing is added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// As the task or the classification table chooses it.
    pub priority: Priority,
    /// Where it would wait.
    pub queue: Queue,
    /// Position in the classification table; none when the task's own priority or the default decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// What decided the priority, in words.
    pub because: String,
    /// When it might start, if not at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// After this it would not start any more.
    pub expires_at: Timestamp,
    /// From enqueue to the start of the handler, as the class of the priority wants it.
    #[serde(rename = "sla_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub sla: Duration,
    /// For one attempt.
    #[serde(rename = "timeout_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub timeout: Duration,
    /// How long the result will be kept: at least `results.dedupe`, so that a late redelivery does not run
    /// again.
    #[serde(rename = "result_ttl_ms", with = "millis")]
    #[schemars(with = "u64")]
    pub result_ttl: Duration,
    /// None: the retry table decides by the class of error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The retry policy that the task names, in place of the table's row for the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Size of the payload, as MessagePack.
    pub payload_bytes: usize,
    /// The largest payload that is taken, in bytes.
    pub payload_limit: u64,
    /// Waiting tasks; beyond this the queue takes none.
    pub queue_limit: u64,
    /// Why it may wait for long.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Why a producer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ProducerError {
    /// The configuration has mistakes.
    #[error(transparent)]
    Config(#[from] ConfigErrors),
    /// A server could not be reached, or is not fit for use.
    #[error(transparent)]
    Unreachable(#[from] PathError),
}

impl Producer {
    /// A producer on a path that is open already.
    pub fn new(config: &Config, path: Arc<dyn Path>, store: Arc<dyn Store>) -> Self {
        Self::following(&config.clone().into(), path, store)
    }

    /// The same with the rules, classes and limits of the configuration as it holds at each task.
    pub fn following(live: &Live, path: Arc<dyn Path>, store: Arc<dyn Store>) -> Self {
        Self {
            control: Arc::new(Derived::new(live, AdmissionControl::new)),
            path,
            queues: Arc::new(QueueRegistry::new(&live.now(), Arc::clone(&store))),
            served_cache: Arc::new(ServedCache::new(store)),
            tracer: Tracer::default(),
        }
    }

    /// The same, and it makes the spans of enqueues.
    #[must_use]
    pub fn with_tracer(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    /// The queues that tasks may name.
    pub fn queues(&self) -> &QueueRegistry {
        &self.queues
    }

    /// Connects to the servers that the configuration names. Fails at once when a server does not answer.
    pub async fn connect(config: &Config) -> Result<Self, ProducerError> {
        config.check()?;
        let Servers { path, store, .. } = path::open(config).await?;
        Ok(Self::new(config, path, store))
    }

    /// Takes a batch. One answer each, in order.
    pub async fn enqueue(&self, tasks: Vec<NewTask>, rights: Rights) -> Vec<Result<Accepted, Rejection>> {
        let now = Timestamp::now();
        let control = self.control.now();
        let enqueuing = self.tracer.enqueuing(&tasks);
        let kinds: Vec<String> = tasks.iter().map(|task| task.kind.clone()).collect();
        let mut checked = Vec::with_capacity(tasks.len());
        for task in tasks {
            checked.push(match self.named(&task).await {
                Ok(named) => control.admit(task, &rights, named, now),
                Err(rejection) => Err(rejection),
            });
        }
        let (mut answers, served) =
            tokio::join!(enqueue_all(&*self.path, checked), self.served_cache.served());
        if let Some(enqueuing) = enqueuing {
            enqueuing.ended(answers.iter().map(added));
        }
        for (answer, kind) in answers.iter_mut().zip(kinds) {
            match (answer, &served) {
                (Ok(accepted), Some(served)) => accepted.warnings = served.warnings(accepted.queue, &kind),
                (Ok(_), None) => {}
                (Err(rejection), _) => rejection.count(),
            }
        }
        answers
    }

    /// The queue that the task names, where there is one.
    async fn named(&self, task: &NewTask) -> Result<Option<Queue>, Rejection> {
        let Some(name) = &task.queue else { return Ok(None) };
        self.queues.open(name).await.map_err(|error| PathError::from(error).into())
    }

    /// Says what `enqueue` would do with a task.
    pub async fn explain(&self, task: &NewTask, rights: &Rights) -> Result<Explanation, Rejection> {
        let named = self.named(task).await?;
        let explanation = self.control.now().explain(task, rights, named, Timestamp::now())?;
        let served = self.served_cache.served().await;
        let warnings = served.map(|served| served.warnings(explanation.queue, &task.kind));
        Ok(Explanation { warnings: warnings.unwrap_or_default(), ..explanation })
    }
}

/// None for what was refused, or was there before.
fn added(answer: &Result<Accepted, Rejection>) -> Option<(TaskId, Queue)> {
    let accepted = answer.as_ref().ok().filter(|accepted| !accepted.duplicate)?;
    Some((accepted.id, accepted.queue))
}
