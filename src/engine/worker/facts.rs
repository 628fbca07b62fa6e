//! What an attempt adds to the figures. The names of counters are made once and kept, for most attempts are
//! like one before.
//!
//! Guarantees: labels that producers choose (kinds, tenants) are limited, the rest counts as `other`. Never
//! does: count what a worker gives back, or what never ran.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use super::{job::Job, settle::Ended};
use clawpool_backends::store::Counters;
use clawpool_core::{
    config::Config,
    figures::{AttemptEnd, Attempts, Counter, OTHER, Subject, rounded},
    task::{ErrorClass, Outcome, Priority, Queue},
};

/// Of each worker.
const MOST_KINDS: usize = 100;
const MOST_TENANTS: usize = 100;

/// How long an attempt waited and ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spans {
    pub wait: Duration,
    pub run: Duration,
}

impl Spans {
    /// Of a job that ends now; none where it never began.
    pub fn of(job: &Job) -> Option<Self> {
        let began = job.began?;
        let ready = job.task.not_before.unwrap_or(job.task.enqueued_at);
        Some(Self { wait: began.since(ready), run: job.ran() })
    }
}

/// Makes the counters of ends.
pub(super) struct Facts {
    pool: String,
    version: String,
    /// How soon a task of each priority is to begin.
    promises: [Duration; Priority::ALL.len()],
    kinds: Labels,
    tenants: Labels,
    names: HashMap<Queue, HashMap<String, KindNames>>,
    tenant_names: HashMap<(String, AttemptEnd), Arc<str>>,
}

/// The names of the counters of one kind on one queue.
struct KindNames {
    subject: Subject,
    ends: BTreeMap<(AttemptEnd, Option<ErrorClass>), Arc<str>>,
    /// By where the bucket begins.
    wait: BTreeMap<u64, Arc<str>>,
    run: BTreeMap<u64, Arc<str>>,
    late: Option<Arc<str>>,
    recovered: Option<Arc<str>>,
}

impl Facts {
    pub fn new(config: &Config, pool: String, version: String) -> Self {
        Self {
            pool,
            version,
            promises: Priority::ALL.map(|priority| config.classes.get(priority).sla),
            kinds: Labels::new(MOST_KINDS),
            tenants: Labels::new(MOST_TENANTS),
            names: HashMap::new(),
            tenant_names: HashMap::new(),
        }
    }

    pub fn of(&mut self, ended: &Ended) -> Counters {
        let (Some(spans), Some(end)) = (ended.spans, end(&ended.outcome)) else { return Vec::new() };
        let task = &ended.job.task;
        let queue = ended.job.queue();
        let is_late = spans.wait > self.promises[queue.priority() as usize];
        let is_recovered = end == AttemptEnd::Completed && task.attempt > 0;
        let names = known(&mut self.names, &mut self.kinds, queue, &task.kind);
        let mut counters = Vec::with_capacity(6);
        counters.push(names.end(&self.pool, &self.version, end, class(&ended.outcome)));
        counters.push(names.wait(spans.wait));
        counters.push(names.run(spans.run));
        if is_late {
            counters.push(names.late());
        }
        if is_recovered {
            counters.push(names.recovered());
        }
        if let Some(tenant) = &task.tenant {
            counters.push(self.tenant(tenant, end));
        }
        counters
    }

    fn tenant(&mut self, tenant: &str, end: AttemptEnd) -> Arc<str> {
        let tenant = self.tenants.limited(tenant).to_owned();
        let make = |(tenant, end): &(String, AttemptEnd)| Counter::Tenant(tenant.clone(), *end).name().into();
        Arc::clone(self.tenant_names.entry((tenant, end)).or_insert_with_key(make))
    }
}

/// The names of a kind. No more kinds are kept than have a label of their own: the others share one entry.
fn known<'a>(
    all: &'a mut HashMap<Queue, HashMap<String, KindNames>>,
    labels: &mut Labels,
    queue: Queue,
    kind: &str,
) -> &'a mut KindNames {
    let kinds = all.entry(queue).or_default();
    let label = if kinds.contains_key(kind) { kind } else { labels.limited(kind) };
    if !kinds.contains_key(label) {
        kinds.insert(label.to_owned(), KindNames::of(Subject::new(queue.name(), label)));
    }
    #[allow(clippy::expect_used)]
    kinds.get_mut(label).expect("it was put there")
}

impl KindNames {
    const fn of(subject: Subject) -> Self {
        Self {
            subject,
            ends: BTreeMap::new(),
            wait: BTreeMap::new(),
            run: BTreeMap::new(),
            late: None,
            recovered: None,
        }
    }

    fn end(&mut self, pool: &str, version: &str, end: AttemptEnd, class: Option<ErrorClass>) -> Arc<str> {
        let attempts = || Attempts {
            subject: self.subject.clone(),
            pool: pool.to_owned(),
            version: version.to_owned(),
            end,
            class: class.map(|class| class.to_string()).unwrap_or_default(),
        };
        let make = || Counter::Attempts(attempts()).name().into();
        Arc::clone(self.ends.entry((end, class)).or_insert_with(make))
    }

    fn wait(&mut self, span: Duration) -> Arc<str> {
        let make = || self.subject.wait(span).name().into();
        Arc::clone(self.wait.entry(rounded(span)).or_insert_with(make))
    }

    fn run(&mut self, span: Duration) -> Arc<str> {
        let make = || self.subject.run(span).name().into();
        Arc::clone(self.run.entry(rounded(span)).or_insert_with(make))
    }

    fn late(&mut self) -> Arc<str> {
        let make = || Counter::Late(self.subject.queue.clone()).name().into();
        Arc::clone(self.late.get_or_insert_with(make))
    }

    fn recovered(&mut self) -> Arc<str> {
        let make = || Counter::Recovered(self.subject.clone()).name().into();
        Arc::clone(self.recovered.get_or_insert_with(make))
    }
}

fn class(outcome: &Outcome) -> Option<ErrorClass> {
    match outcome {
        Outcome::Retry { failure, .. } | Outcome::Dead { failure, .. } => Some(failure.class),
        _ => None,
    }
}

/// None for what is no end of an attempt.
fn end(outcome: &Outcome) -> Option<AttemptEnd> {
    match outcome {
        Outcome::Completed(_) => Some(AttemptEnd::Completed),
        Outcome::Retry { .. } => Some(AttemptEnd::Retried),
        Outcome::Dead { .. } => Some(AttemptEnd::Dead),
        Outcome::Cancelled => Some(AttemptEnd::Cancelled),
        Outcome::Released | Outcome::PutOff { .. } => None,
    }
}

/// The first so many values of a label.
struct Labels {
    most: usize,
    known: HashSet<String>,
}

impl Labels {
    fn new(most: usize) -> Self {
        Self { most, known: HashSet::new() }
    }

    fn limited<'a>(&mut self, value: &'a str) -> &'a str {
        if self.known.contains(value) {
            return value;
        }
        if self.known.len() >= self.most {
            return OTHER;
        }
        self.known.insert(value.to_owned());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_backends::path::conformance::taken;
    use clawpool_core::task::{Failure, Payload, Timestamp};

    fn facts() -> Facts {
        Facts::new(&Config::default(), "calls".into(), "1.2.3".into())
    }

    fn ended(kind: &str, outcome: Outcome, spans: Option<Spans>) -> Ended {
        let mut task = taken(Priority::P0);
        Arc::make_mut(&mut task.task).kind = kind.into();
        Ended { job: Arc::new(Job::new(task)), outcome, spans }
    }

    fn spans(wait: u64, run: u64) -> Option<Spans> {
        Some(Spans { wait: Duration::from_millis(wait), run: Duration::from_millis(run) })
    }

    fn read(counters: &[Arc<str>]) -> Vec<Counter> {
        counters.iter().map(|name| Counter::read(name).unwrap()).collect()
    }

    fn done() -> Outcome {
        Outcome::Completed(Payload::null())
    }

    fn retry() -> Outcome {
        let failure = Failure::new(ErrorClass::Network, "no route");
        Outcome::Retry { failure, at: Timestamp::now() }
    }

    #[test]
    fn an_attempt_is_counted_with_its_wait_and_its_run() {
        let counters = read(&facts().of(&ended("voice.call", retry(), spans(3, 80))));
        let calls = Subject::new("critical.p0", "voice.call");
        let wait = calls.wait(Duration::from_millis(3));
        let run = calls.run(Duration::from_millis(80));
        let end = Counter::Attempts(Attempts {
            subject: calls,
            pool: "calls".into(),
            version: "1.2.3".into(),
            end: AttemptEnd::Retried,
            class: ErrorClass::Network.to_string(),
        });
        assert_eq!(counters, [end, wait, run]);
    }

    #[test]
    fn one_that_began_later_than_promised_is_late() {
        let late = Counter::Late("critical.p0".into());
        let mut facts = facts();
        let mut is_late =
            |wait| read(&facts.of(&ended("voice.call", done(), spans(wait, 1)))).contains(&late);
        assert!(!is_late(200), "P0 promises 200 ms");
        assert!(is_late(201));
    }

    #[test]
    fn what_is_given_back_or_never_ran_is_no_attempt() {
        let mut facts = facts();
        assert!(facts.of(&ended("voice.call", Outcome::Released, spans(1, 1))).is_empty());
        assert!(facts.of(&ended("voice.call", Outcome::Cancelled, None)).is_empty());
    }

    #[test]
    fn a_name_is_made_once() {
        let mut facts = facts();
        let first = facts.of(&ended("voice.call", done(), spans(1, 1)));
        let second = facts.of(&ended("voice.call", done(), spans(1, 1)));
        assert!(first.iter().zip(&second).all(|(first, second)| Arc::ptr_eq(first, second)));
    }

    #[test]
    fn kinds_beyond_the_limit_are_counted_as_other() {
        let mut facts = facts();
        let mut kinds = HashSet::new();
        for number in 0..MOST_KINDS + 5 {
            let counters = read(&facts.of(&ended(&format!("kind.{number}"), done(), spans(1, 1))));
            let Counter::Attempts(attempts) = &counters[0] else { panic!("{counters:?}") };
            kinds.insert(attempts.subject.kind.clone());
        }
        assert_eq!(kinds.len(), MOST_KINDS + 1);
        assert!(kinds.contains(OTHER));
    }
}
