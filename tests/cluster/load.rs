//! Producers that never stop, and what they were told.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use clawpool_core::task::TaskId;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use super::support::{Entry, Event, Ledger, in_time, task};

/// P0 comes over Redis, for comparison. The other lanes are RabbitMQ's.
pub const LANES: [&str; 6] = ["P0", "P2", "P3", "P4", "P5", "P6"];
/// New tasks a second on each lane.
const PER_SECOND: u32 = 15;
/// Longer than a dispatcher may take for an answer, whatever its servers do.
const ANSWER: Duration = Duration::from_secs(15);

#[derive(Clone)]
pub struct Load {
    http: Client,
    tasks: String,
    pub offers: Arc<Mutex<BTreeMap<TaskId, Offer>>>,
    /// How many answers of each code that were no acceptance.
    pub refusals: Arc<Mutex<BTreeMap<String, usize>>>,
}

#[derive(Clone, Copy)]
pub struct Offer {
    lane: &'static str,
    at: Instant,
}

impl Load {
    pub fn new(url: &str) -> Self {
        clawpool_backends::install_tls();
        let http = Client::builder().no_proxy().timeout(ANSWER).build().unwrap();
        let tasks = format!("{url}/v1/tasks");
        Self { http, tasks, offers: Arc::default(), refusals: Arc::default() }
    }

    /// Offers tasks on every lane until `stop`, and then until each of them is taken.
    pub async fn run(self, stop: CancellationToken) {
        let mut producers = tokio::task::JoinSet::new();
        let mut ticks = interval(Duration::from_secs(1) / PER_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for number in 0_u32.. {
            tokio::select! {
                _ = ticks.tick() => {}
                () = stop.cancelled() => break,
            }
            for lane in LANES {
                // Most are short; some run while a node is lost, and their messages with it.
                let ms = if number.is_multiple_of(10) { 1500 } else { 20 };
                producers.spawn(self.clone().offer(lane, ms));
            }
            while let Some(ended) = producers.try_join_next() {
                ended.unwrap();
            }
        }
        while let Some(ended) = producers.join_next().await {
            ended.unwrap();
        }
    }

    /// Until it is taken: with the same id, as whoever is told to come back may do.
    async fn offer(self, lane: &'static str, ms: u64) {
        let id = TaskId::new();
        self.offers.lock().unwrap().insert(id, Offer { lane, at: Instant::now() });
        let mut task = task(lane, json!({ "ms": ms }));
        task["id"] = json!(id);
        let taken = async {
            while !self.ask(&task).await {
                sleep(Duration::from_millis(200)).await;
            }
        };
        in_time("a task to be taken", taken).await;
    }

    /// Whether it was taken. Any refusal that is not retryable ends the test.
    async fn ask(&self, task: &Value) -> bool {
        let response = self.http.post(&self.tasks).json(task).send().await;
        let response = response.unwrap_or_else(|error| panic!("no answer to {task}: {error:?}"));
        let status = response.status();
        if status.is_success() {
            return true;
        }
        let answer: Value = response.json().await.unwrap();
        let is_retryable = status == StatusCode::SERVICE_UNAVAILABLE && answer["retry_after_s"].is_u64();
        assert!(is_retryable, "{task}: {status} {answer}");
        let code = answer["code"].as_str().unwrap_or_default();
        *self.refusals.lock().unwrap().entry(code.to_owned()).or_default() += 1;
        false
    }

    pub fn refused(&self) -> usize {
        self.refusals.lock().unwrap().values().sum()
    }

    pub fn ids(&self) -> Vec<TaskId> {
        self.offers.lock().unwrap().keys().copied().collect()
    }

    /// Waits until each lane has started a task that was offered after `since`, and then a while more.
    /// Answers how long that took after `since`, and for how long nothing of a lane started.
    pub async fn consumption(&self, ledger: &Ledger, since: Instant, more: Duration) -> Vec<Pause> {
        ledger
            .until("new tasks of every lane", |entries| {
                LANES.iter().all(|lane| self.pause(entries, lane, since).is_some())
            })
            .await;
        sleep(more).await;
        let entries = ledger.entries();
        LANES.iter().map(|lane| self.pause(&entries, lane, since).unwrap()).collect()
    }

    fn pause(&self, entries: &[Entry], lane: &str, since: Instant) -> Option<Pause> {
        let offers = self.offers.lock().unwrap();
        let offer = |entry: &Entry| offers.get(&entry.id).copied();
        let after = entries.iter().filter(|entry| entry.event == Event::Start && entry.at >= since);
        let starts: Vec<(Instant, Instant)> = after
            .filter_map(|entry| Some((entry.at, offer(entry).filter(|offer| offer.lane == lane)?.at)))
            .collect();
        let first = starts.iter().find(|(_, offered)| *offered >= since)?.0;
        let times = std::iter::once(since).chain(starts.iter().map(|(at, _)| *at)).chain([Instant::now()]);
        let times: Vec<Instant> = times.collect();
        let silence = times.windows(2).map(|pair| pair[1].saturating_duration_since(pair[0])).max();
        Some(Pause { lane: lane.to_owned(), first: first - since, silence: silence.unwrap_or_default() })
    }
}

/// What a loss did to one lane.
#[derive(Debug)]
pub struct Pause {
    pub lane: String,
    /// From the loss to the start of a task that was offered after it.
    pub first: Duration,
    /// The longest time without any start.
    pub silence: Duration,
}
