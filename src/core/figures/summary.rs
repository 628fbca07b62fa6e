//! What the counts of some windows say together.

use std::collections::BTreeMap;

use super::{AttemptEnd, Attempts, Counter, Spans, Subject};

/// The counts of any number of windows.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Attempts by all that tells them apart.
    pub attempts: BTreeMap<Attempts, u64>,
    /// How long attempts waited and ran.
    pub spans: BTreeMap<Subject, KindSpans>,
    /// Late starts, by queue.
    pub late: BTreeMap<String, u64>,
    /// Tasks that were completed after a failure.
    pub recovered: BTreeMap<Subject, u64>,
    /// Attempts of customers' tasks.
    pub tenants: BTreeMap<(String, AttemptEnd), u64>,
}

/// How long attempts waited and ran.
#[derive(Clone, Debug, Default)]
pub struct KindSpans {
    /// From when a task could start to its start.
    pub wait: Spans,
    /// From start to end.
    pub run: Spans,
}

impl Summary {
    /// Of one window.
    pub fn of(counts: &BTreeMap<String, u64>) -> Self {
        let mut summary = Self::default();
        counts.iter().for_each(|(name, count)| summary.add(name, *count));
        summary
    }

    /// Adds what a store has counted under a name. A name of a later version is passed over.
    pub fn add(&mut self, name: &str, count: u64) {
        match Counter::read(name) {
            Some(Counter::Attempts(alike)) => *self.attempts.entry(alike).or_default() += count,
            Some(Counter::Wait(subject, micros)) => self.spans_of(subject).wait.add(micros, count),
            Some(Counter::Run(subject, micros)) => self.spans_of(subject).run.add(micros, count),
            Some(Counter::Late(queue)) => *self.late.entry(queue).or_default() += count,
            Some(Counter::Recovered(subject)) => *self.recovered.entry(subject).or_default() += count,
            Some(Counter::Tenant(tenant, end)) => *self.tenants.entry((tenant, end)).or_default() += count,
            None => {}
        }
    }

    /// All of another one.
    pub fn merge(&mut self, other: &Self) {
        for (alike, count) in &other.attempts {
            *self.attempts.entry(alike.clone()).or_default() += count;
        }
        for (subject, spans) in &other.spans {
            let own = self.spans_of(subject.clone());
            own.wait.merge(&spans.wait);
            own.run.merge(&spans.run);
        }
        for (queue, count) in &other.late {
            *self.late.entry(queue.clone()).or_default() += count;
        }
        for (alike, count) in &other.recovered {
            *self.recovered.entry(alike.clone()).or_default() += count;
        }
        for (alike, count) in &other.tenants {
            *self.tenants.entry(alike.clone()).or_default() += count;
        }
    }

    fn spans_of(&mut self, subject: Subject) -> &mut KindSpans {
        self.spans.entry(subject).or_default()
    }

    /// Of all tasks for which this holds.
    pub fn spans_where(&self, holds: impl Fn(&Subject) -> bool) -> KindSpans {
        let mut all = KindSpans::default();
        for (_, spans) in self.spans.iter().filter(|(subject, _)| holds(subject)) {
            all.wait.merge(&spans.wait);
            all.run.merge(&spans.run);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn counts_of_several_windows_come_together() {
        let mut summary = Summary::default();
        let wait = Subject::new("critical.p0", "voice.call").wait(Duration::from_millis(10)).name();
        let late = Counter::Late("critical.p0".into()).name();
        for _ in 0..3 {
            summary.add(&wait, 2);
            summary.add(&late, 1);
            summary.add("z\u{1f}unknown", 7);
        }
        assert_eq!(summary.late["critical.p0"], 3);
        assert_eq!(summary.spans_where(|subject| subject.queue == "critical.p0").wait.count(), 6);
        assert_eq!(summary.spans_where(|subject| subject.queue == "normal.p4").wait.count(), 0);
    }
}
