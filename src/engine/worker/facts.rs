//! What an attempt adds to the figures. Its counters are made once and kept, for most attempts are like one
//! before.
//!
//! Guarantees: labels that producers choose (kinds, tenants) are limited, the rest counts as `other`. Never
//! does: count what a worker gives back, or what never ran.

use std::{collections::HashMap, sync::Arc, time::Duration};

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
/// Kinds of attempts whose counters are kept. When there are more, they are made anew.
const MOST_ALIKE: usize = 10_000;

/// How long an attempt waited and ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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

    /// As it is counted.
    fn rounded(self) -> Self {
        let counted = |span| Duration::from_micros(rounded(span));
        Self { wait: counted(self.wait), run: counted(self.run) }
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
    counters: HashMap<Alike, Counters>,
    names: HashMap<Counter, Arc<str>>,
}

/// All that tells an attempt from others.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Alike {
    queue: Queue,
    kind: Label,
    tenant: Option<Label>,
    end: AttemptEnd,
    class: Option<ErrorClass>,
    spans: Spans,
    is_late: bool,
    is_recovered: bool,
}

impl Facts {
    pub fn new(config: &Config, pool: String, version: String) -> Self {
        Self {
            pool,
            version,
            promises: Priority::ALL.map(|priority| config.classes.get(priority).sla),
            kinds: Labels::new(MOST_KINDS),
            tenants: Labels::new(MOST_TENANTS),
            counters: HashMap::new(),
            names: HashMap::new(),
        }
    }

    pub fn of(&mut self, ended: &Ended) -> Counters {
        let Some(alike) = self.alike(ended) else { return Counters::default() };
        if let Some(known) = self.counters.get(&alike) {
            return Arc::clone(known);
        }
        if self.counters.len() >= MOST_ALIKE {
            self.counters.clear();
            self.names.clear();
        }
        let made: Counters = self.made(&alike).into_iter().map(|counter| self.name(counter)).collect();
        self.counters.insert(alike, Arc::clone(&made));
        made
    }

    fn alike(&mut self, ended: &Ended) -> Option<Alike> {
        let spans = ended.spans?;
        let end = end(&ended.outcome)?;
        let task = &ended.job.task;
        let queue = ended.job.queue();
        Some(Alike {
            queue,
            kind: self.kinds.label(&task.kind),
            tenant: task.tenant.as_ref().map(|tenant| self.tenants.label(tenant)),
            end,
            class: class(&ended.outcome),
            spans: spans.rounded(),
            is_late: spans.wait > self.promises[queue.priority() as usize],
            is_recovered: end == AttemptEnd::Completed && task.attempt > 0,
        })
    }

    fn made(&self, alike: &Alike) -> Vec<Counter> {
        let queue = alike.queue.name();
        let subject = Subject::new(queue, self.kinds.text(alike.kind));
        let tenant = alike.tenant.map(|tenant| self.tenants.text(tenant).to_owned());
        let attempts = Attempts {
            subject: subject.clone(),
            pool: self.pool.clone(),
            version: self.version.clone(),
            end: alike.end,
            class: alike.class.map(|class| class.to_string()).unwrap_or_default(),
        };
        let mut counters = vec![Counter::Attempts(attempts)];
        counters.push(subject.wait(alike.spans.wait));
        counters.push(subject.run(alike.spans.run));
        counters.extend(alike.is_late.then(|| Counter::Late(queue.to_owned())));
        counters.extend(alike.is_recovered.then_some(Counter::Recovered(subject)));
        counters.extend(tenant.map(|tenant| Counter::Tenant(tenant, alike.end)));
        counters
    }

    /// One text for each counter, so that it is known by its address.
    fn name(&mut self, counter: Counter) -> Arc<str> {
        Arc::clone(self.names.entry(counter).or_insert_with_key(|counter| counter.name().into()))
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

/// The first so many values of a label, each with a number.
struct Labels {
    most: usize,
    numbers: HashMap<String, usize>,
    values: Vec<String>,
}

/// The number of a value; that of none stands for `other`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Label(usize);

impl Labels {
    fn new(most: usize) -> Self {
        Self { most, numbers: HashMap::new(), values: Vec::new() }
    }

    fn label(&mut self, value: &str) -> Label {
        if let Some(number) = self.numbers.get(value) {
            return Label(*number);
        }
        let number = self.values.len();
        if number < self.most {
            self.numbers.insert(value.to_owned(), number);
            self.values.push(value.to_owned());
        }
        Label(number)
    }

    fn text(&self, label: Label) -> &str {
        self.values.get(label.0).map_or(OTHER, String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

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
        let same = facts.of(&ended("voice.call", done(), spans(1, 1)));
        assert!(Arc::ptr_eq(&first, &same));
        let longer = facts.of(&ended("voice.call", done(), spans(1, 900)));
        assert!(Arc::ptr_eq(&first[0], &longer[0]) && Arc::ptr_eq(&first[1], &longer[1]));
        assert!(first[2] != longer[2]);
    }

    #[test]
    fn a_tenants_attempts_are_counted_for_it() {
        let mut facts = facts();
        let mut of = |tenant: &str| {
            let mut ended = ended("voice.call", done(), spans(1, 1));
            let job = Arc::get_mut(&mut ended.job).unwrap();
            Arc::make_mut(&mut job.task).tenant = Some(tenant.into());
            read(&facts.of(&ended)).pop().unwrap()
        };
        for tenant in ["acme", "beta", "acme"] {
            assert_eq!(of(tenant), Counter::Tenant(tenant.into(), AttemptEnd::Completed));
        }
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
