use super::{Classified, Classifier, DecidedBy, Explanation, Fault, Rejection, Rights, check, times::Times};
use clawpool_backends::store::Admission;
use clawpool_core::{
    config::{Class, Config, QueueLimits, nearest},
    task::{Fingerprint, KindPattern, NewTask, Queue, Task, TaskId, Timestamp},
};

/// Checks and classifies new tasks. Pure: the same task at the same time is answered the same.
pub(super) struct AdmissionControl {
    config: Config,
    limits: QueueLimits,
    classifier: Classifier,
}

/// What the checks and the rules decided about a task.
struct Decision {
    classified: Classified,
    times: Times,
}

impl AdmissionControl {
    pub(super) fn new(config: &Config) -> Self {
        Self { config: config.clone(), limits: config.queue_limits(), classifier: Classifier::new(config) }
    }

    /// The task as it will travel and be recorded, or the first rule it breaks.
    pub(super) fn admit(
        &self,
        mut new: NewTask,
        rights: &Rights,
        named: Option<Queue>,
        now: Timestamp,
    ) -> Result<Admission, Rejection> {
        let decision = self.decide(&mut new, rights, named, now)?;
        let fingerprint = fingerprint(&new);
        let at = decision.times.start;
        let task = self.task(new, rights, &decision, now);
        let message = task.to_message().map_err(|error| Rejection::internal("CP-1120", error))?;
        let unique_key = task.scoped_key();
        let Task { kind, tenant, enqueued_by, .. } = task;
        Ok(Admission { message, kind, tenant, enqueued_by, unique_key, at, fingerprint })
    }

    pub(super) fn explain(
        &self,
        new: &NewTask,
        rights: &Rights,
        named: Option<Queue>,
        now: Timestamp,
    ) -> Result<Explanation, Rejection> {
        let mut new = new.clone();
        let Decision { classified, times } = self.decide(&mut new, rights, named, now)?;
        let class = self.config.classes.get(classified.queue.priority());
        let timeout = new.timeout.unwrap_or(class.timeout);
        let result_ttl = new.result_ttl.unwrap_or(self.config.results.ttl).max(self.config.results.dedupe);
        Ok(Explanation {
            priority: classified.queue.priority(),
            queue: classified.queue,
            rule: if let DecidedBy::Rule(index) = classified.by { Some(index) } else { None },
            because: self.because(classified.by),
            due_at: times.start,
            expires_at: times.expires_at(class.ttl, now),
            sla: class.sla,
            timeout,
            result_ttl,
            max_attempts: new.max_attempts,
            retry: new.retry,
            payload_bytes: new.payload.as_message_pack().len(),
            payload_limit: self.config.limits.payload.as_u64(),
            queue_limit: self.limits.get(classified.queue),
            warnings: Vec::new(),
        })
    }

    /// Which rule decided; a shipped one by its kinds, since it stands in no file of the user's.
    fn because(&self, by: DecidedBy) -> String {
        match by {
            DecidedBy::Rule(index) if self.config.rules[index].is_shipped() => {
                let kinds: Vec<&str> =
                    self.config.rules[index].kinds.iter().map(KindPattern::as_str).collect();
                format!("the shipped rule for {} is the first that matches", kinds.join(", "))
            }
            by => by.to_string(),
        }
    }

    fn decide(
        &self,
        new: &mut NewTask,
        rights: &Rights,
        named: Option<Queue>,
        now: Timestamp,
    ) -> Result<Decision, Rejection> {
        check::fields(new, &self.config.limits, &self.config.retry)?;
        if let Some(token) = &rights.token {
            token.assign_tenant(new)?;
        }
        if let Some(priority) = new.priority
            && !rights.priority
        {
            let message = format!(
                "{priority} was asked for without the right to choose: leave it out, or use a token with \
                the scope \"priority\""
            );
            return Err(Rejection::invalid("CP-1117", "priority", message).with_fault(Fault::Forbidden));
        }
        let named = self.named(new, rights, named)?;
        let times = Times::of(new, &self.config.limits, now)?;
        let classified = match named {
            Some(queue) => Classified { queue, by: DecidedBy::Producer },
            None => self.classifier.classify(new, times.due_in(now)),
        };
        if let Some(token) = &rights.token {
            token.check_queue(classified.queue)?;
        }
        Ok(Decision { classified, times })
    }

    /// The queue that the task names. `found`: the open queue of that name.
    fn named(
        &self,
        new: &NewTask,
        rights: &Rights,
        found: Option<Queue>,
    ) -> Result<Option<Queue>, Rejection> {
        let Some(name) = &new.queue else { return Ok(None) };
        if !rights.priority {
            let message = format!(
                "the queue {name:?} was named without the right to choose: leave it out, or use a token with \
                the scope \"priority\""
            );
            return Err(Rejection::invalid("CP-1117", "queue", message).with_fault(Fault::Forbidden));
        }
        if new.priority.is_some() {
            let message = "a queue has its own priority: name a queue or a priority, not both";
            return Err(Rejection::invalid("CP-1127", "queue", message));
        }
        match found {
            Some(queue) => Ok(Some(queue)),
            None => Err(self.unknown(name)),
        }
    }

    fn unknown(&self, name: &str) -> Rejection {
        let known = self.config.known_queues();
        let message = match nearest(name, known.iter().map(|queue| queue.name())) {
            Some(close) => format!("no queue is named {name:?}: did you mean {close:?}?"),
            None => format!("no queue is named {name:?}: see `clawpool queues`, or make it"),
        };
        Rejection::invalid("CP-1128", "queue", message)
    }

    fn task(&self, new: NewTask, rights: &Rights, decision: &Decision, now: Timestamp) -> Task {
        let Decision { classified, times } = decision;
        let class: &Class = self.config.classes.get(classified.queue.priority());
        Task {
            version: Task::VERSION,
            id: new.id.unwrap_or_else(TaskId::new),
            enqueued_by: rights.token.as_ref().map(|token| token.name.clone()),
            kind: new.kind,
            payload: new.payload,
            priority: classified.queue.priority(),
            queue: classified.queue.own(),
            tenant: new.tenant,
            tier: new.tier,
            session: new.session,
            enqueued_at: now,
            not_before: times.start,
            expires_at: times.expires_at(class.ttl, now),
            attempt: 0,
            max_attempts: new.max_attempts,
            retry: new.retry,
            timeout: new.timeout.unwrap_or(class.timeout),
            unique_key: new.unique_key,
            trace: new.trace,
            trace_state: new.trace_state,
            meta: new.meta,
            result_ttl: new.result_ttl.unwrap_or(self.config.results.ttl),
            generation: 0,
            handed_on: 0,
            errors: Vec::new(),
        }
    }
}

/// Only a task whose id is known before it is taken can be repeated: others are spared the work.
fn fingerprint(new: &NewTask) -> Option<Fingerprint> {
    let repeatable = || new.id.map(|_| Fingerprint::of(&new.kind, &new.payload));
    new.request.or_else(repeatable)
}
