use std::{ops::Deref, sync::Arc, time::Duration};

use serde_json::Value;
use tempfile::TempDir;

use super::Server;
use clawpool_backends::{
    backend::sqlite::Database,
    broker::sqlite::SqliteBroker,
    store::{
        Beat, Claim, ClaimOutcome, Claimed, DeadLetter, End, Orders, Settlement, Store, conformance::beat_of,
        sqlite::SqliteStore,
    },
};
use clawpool_core::{
    config::{Config, Synchronous},
    task::{DeadReason, ErrorClass, FailedAttempt, Failure, Payload, ProcessId, Queue, TaskId, Timestamp},
};

/// A server on a file of its own, and a worker's hand that moves its tasks on.
pub(super) struct Pool {
    server: Server,
    pub(super) store: Arc<dyn Store>,
    database: Arc<Database>,
    pub(super) worker: ProcessId,
    _folder: TempDir,
}

impl Deref for Pool {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

const HOUR: Duration = Duration::from_secs(3600);

impl Pool {
    pub(super) async fn start(mut config: Config) -> Self {
        let folder = TempDir::new().unwrap();
        config.embedded.data = folder.path().into();
        config.embedded.synchronous = Synchronous::Normal;
        let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&config).await.unwrap());
        let broker = Arc::new(SqliteBroker::open(&config).await.unwrap());
        let database = Database::shared(&config).await.unwrap();
        let server = Server::start(config, broker, Arc::clone(&store)).await;
        Self { server, store, database, worker: ProcessId::new(), _folder: folder }
    }

    /// As on a disk that is full: the file grows no more.
    pub(super) async fn fill_up(&self) {
        self.database.write(|write| write.sql.pragma_update(None, "max_page_count", 1)).await.unwrap();
    }

    pub(super) async fn stop(self) {
        self.server.stop().await;
    }

    /// Enqueues one task and returns its id.
    pub(super) async fn enqueue(&self, task: &Value) -> TaskId {
        let (status, body) = self.post_json("/v1/tasks", task.to_string()).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().parse().unwrap()
    }

    pub(super) async fn beat(&self, running: u32) -> Orders {
        self.store.beat(&self.beat_of(running)).await.unwrap()
    }

    /// The worker says that it starts nothing of these.
    pub(super) async fn beat_paused(&self, paused: &[Queue]) {
        self.store.beat(&Beat { paused: Some(paused.to_vec()), ..self.beat_of(0) }).await.unwrap();
    }

    pub(super) fn beat_of(&self, running: u32) -> Beat {
        Beat {
            pool: "general".into(),
            running: Queue::CLASSES.map(|queue| if queue == Queue::P4 { running } else { 0 }).to_vec(),
            ..beat_of(self.worker, HOUR)
        }
    }

    /// Claims a task as a worker does.
    pub(super) async fn run(&self, id: TaskId) -> Claimed {
        let record = self.store.record(id).await.unwrap().unwrap();
        let claim = Claim {
            ticket: 1,
            id,
            generation: record.generation,
            kind: record.kind,
            queue: record.queue,
            attempt: record.attempt,
            enqueued_at: record.enqueued_at,
            expires_at: Timestamp::now() + HOUR,
        };
        match self.store.claim(self.worker, &[claim], false).await.unwrap()[0] {
            ClaimOutcome::Run { token, .. } => Claimed { id, queue: record.queue, token },
            outcome => panic!("{outcome:?}"),
        }
    }

    pub(super) async fn complete(&self, id: TaskId, result: &str) {
        let claimed = self.run(id).await;
        let end = End::Completed { result: Payload::encode(result).unwrap(), keep: HOUR };
        assert_eq!(
            self.store.settle(self.worker, &[Settlement::uncounted(claimed, end)]).await.unwrap(),
            [true]
        );
    }

    /// Lets a task die of `message`.
    pub(super) async fn kill(&self, task: &Value, message: &str) -> TaskId {
        let id = self.enqueue(task).await;
        let claimed = self.run(id).await;
        let failure = Failure::new(ErrorClass::Network, message);
        let mut letter = self.task(id, task).await;
        let at = Timestamp::now();
        letter.errors.push(FailedAttempt { attempt: 1, at, failure: failure.clone(), ran: None });
        let letter = DeadLetter {
            kind: letter.kind.clone(),
            tenant: None,
            message: letter.to_message().unwrap(),
            reason: DeadReason::Exhausted,
            failure,
            crashes: 0,
            died_at: Timestamp::now(),
        };
        let settlement = Settlement::uncounted(claimed, End::Dead(letter));
        assert_eq!(self.store.settle(self.worker, &[settlement]).await.unwrap(), [true]);
        id
    }

    /// The envelope, as its message would carry it.
    pub(super) async fn task(&self, id: TaskId, task: &Value) -> clawpool_core::task::Task {
        let record = self.store.record(id).await.unwrap().unwrap();
        clawpool_core::task::Task {
            queue: None,
            version: clawpool_core::task::Task::VERSION,
            id,
            enqueued_by: None,
            kind: record.kind,
            payload: Payload::encode(&task["payload"]).unwrap(),
            priority: record.priority,
            tenant: None,
            tier: None,
            session: task["session"].as_str().map(Into::into),
            enqueued_at: record.enqueued_at,
            not_before: None,
            expires_at: Timestamp::from_millis(1),
            attempt: 3,
            max_attempts: None,
            retry: None,
            timeout: HOUR,
            unique_key: task["unique_key"].as_str().map(Into::into),
            trace: None,
            trace_state: None,
            meta: serde_json::from_value(task["meta"].clone()).unwrap_or_default(),
            result_ttl: HOUR,
            generation: record.generation,
            handed_on: 0,
            errors: vec![],
        }
    }
}
