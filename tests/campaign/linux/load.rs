//! Producers, and what they were told.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use clawpool_core::task::TaskId;
use rand::{RngExt, rngs::StdRng};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::effects::Effects;

pub const LANES: [&str; 5] = ["P0", "P2", "P4", "P6", "delayed"];
/// Of a task on the lane "delayed".
pub const DELAY: Duration = Duration::from_secs(1);
/// A producer asks so long again for an answer.
const PATIENCE: Duration = Duration::from_secs(60);
const ANSWER: Duration = Duration::from_secs(5);

/// What became of an offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing yet, or an answer that leaves it open.
    Nothing,
    Accepted,
    /// It was promised that nothing was taken, and the producer asked no more.
    Refused(String),
}

#[derive(Clone, Debug)]
pub struct Account {
    pub lane: &'static str,
    pub told: Told,
}

#[derive(Clone)]
pub struct Load {
    http: Client,
    doors: Arc<Vec<String>>,
    pub accounts: Arc<Mutex<BTreeMap<TaskId, Account>>>,
    /// How many answers of each sort that are no acceptance.
    pub answers: Arc<Mutex<BTreeMap<String, usize>>>,
    pub effects: Effects,
    turn: Arc<AtomicUsize>,
}

impl Load {
    pub fn new(doors: Vec<String>, effects: Effects) -> Self {
        clawpool_backends::install_tls();
        // A connection for each request: how soon a producer finds out that an idle one is dead is its own
        // affair.
        let http = Client::builder().no_proxy().pool_max_idle_per_host(0).timeout(ANSWER).build().unwrap();
        let accounts = Arc::default();
        let answers = Arc::default();
        let turn = Arc::default();
        Self { http, doors: Arc::new(doors), accounts, answers, effects, turn }
    }

    /// Enqueues tasks of all sorts at a rate until `stop`, each by a producer of its own.
    pub async fn run(self, rate: f64, mut rng: StdRng, stop: CancellationToken) {
        let mut producers = tokio::task::JoinSet::new();
        while !stop.is_cancelled() {
            let lane = draw(&mut rng);
            let payload = payload(&mut rng);
            let stubborn = rng.random_bool(0.9);
            let load = self.clone();
            producers.spawn(async move { load.offer(lane, payload, stubborn).await });
            while producers.try_join_next().is_some() {}
            sleep(Duration::from_secs_f64(-rng.random_range(0.001_f64..1.0).ln() / rate)).await;
        }
        while producers.join_next().await.is_some() {}
    }

    /// One short task on a lane, until it is taken, and then until it is done. Answers when it was taken and
    /// when done.
    pub async fn probe(&self, lane: &'static str) -> Option<(Instant, Instant)> {
        let id = self.offer(lane, json!({"seconds": 0, "failures": 0}), true).await?;
        let taken = Instant::now();
        Some((taken, self.effects.done(id).await))
    }

    /// More than fits into what a file has left, offered all at once and in the background.
    pub fn flood(&self) {
        // The last of its keys, as they are sorted: the handler's shell searches from the front, and takes
        // minutes for more.
        let payload = json!({"seconds": 0, "failures": 0, "weight": "x".repeat(200_000)});
        for _ in 0..60 {
            let load = self.clone();
            let payload = payload.clone();
            tokio::spawn(async move { load.offer("P4", payload, true).await });
        }
    }

    /// A stubborn producer repeats itself, with the same id, until it has an answer that it can live with.
    async fn offer(&self, lane: &'static str, payload: Value, stubborn: bool) -> Option<TaskId> {
        let id = TaskId::new();
        let begun = Instant::now();
        self.accounts.lock().unwrap().insert(id, Account { lane, told: Told::Nothing });
        let task = task(id, lane, &payload);
        while begun.elapsed() < PATIENCE {
            match self.ask(&task).await {
                Some((status, _)) if status.is_success() => {
                    self.tell(id, Told::Accepted);
                    return Some(id);
                }
                Some((_, answer)) if !stubborn => {
                    if answer.contains("nothing was taken") {
                        self.tell(id, Told::Refused(answer));
                    }
                    return None;
                }
                None if !stubborn => return None,
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
        None
    }

    async fn ask(&self, task: &Value) -> Option<(StatusCode, String)> {
        let door = &self.doors[self.turn.fetch_add(1, Ordering::Relaxed) % self.doors.len()];
        let request = self.http.post(format!("http://{door}/v1/tasks")).json(task);
        let answer = async {
            let response = request.send().await?;
            Ok::<_, reqwest::Error>((response.status(), response.text().await?))
        };
        let answer = answer.await.ok();
        let sort = match &answer {
            Some((status, _)) if status.is_success() => return answer,
            Some((status, text)) => {
                let code = serde_json::from_str::<Value>(text)
                    .ok()
                    .and_then(|body| Some(body["code"].as_str()?.to_owned()));
                format!("{} {}", status.as_u16(), code.unwrap_or_default())
            }
            None => "no answer".to_owned(),
        };
        *self.answers.lock().unwrap().entry(sort).or_default() += 1;
        answer
    }

    fn tell(&self, id: TaskId, told: Told) {
        if let Some(account) = self.accounts.lock().unwrap().get_mut(&id) {
            account.told = told;
        }
    }

    pub fn lane(&self, id: TaskId) -> &'static str {
        self.accounts.lock().unwrap().get(&id).map_or("?", |account| account.lane)
    }

    pub fn accepted(&self) -> Vec<TaskId> {
        let accounts = self.accounts.lock().unwrap();
        accounts.iter().filter(|(_, account)| account.told == Told::Accepted).map(|(id, _)| *id).collect()
    }
}

fn task(id: TaskId, lane: &str, payload: &Value) -> Value {
    let mut task = json!({"id": id, "kind": "campaign.work", "payload": payload});
    if lane == "delayed" {
        task["delay"] = json!(format!("{}s", DELAY.as_secs()));
        task["priority"] = json!("P4");
    } else {
        task["priority"] = json!(lane);
    }
    task
}

fn draw(rng: &mut StdRng) -> &'static str {
    LANES[rng.random_range(0..LANES.len())]
}

/// Most work is short; some outlasts a worker's lease, some fails once, some is done by a grandchild.
fn payload(rng: &mut StdRng) -> Value {
    let seconds = match rng.random_range(0..100) {
        0..60 => 0.0,
        60..85 => 0.2,
        85..96 => 1.0,
        _ => 5.0,
    };
    let detached = rng.random_bool(0.1);
    let failures = u32::from(!detached && rng.random_bool(0.1));
    json!({"seconds": seconds, "failures": failures, "detached": detached})
}
