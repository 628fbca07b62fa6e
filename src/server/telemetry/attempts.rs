//! The figures of attempts as Prometheus reads them: counters and histograms that rise from the start of this
//! process on, each window counted once it is over.

use std::time::Duration;

use ::metrics::{Key, Label, counter};
use metrics_exporter_prometheus::{
    LabelSet,
    formatting::{write_help_line, write_metric_line, write_type_line},
};

use super::metrics::BUCKETS;
use clawpool_core::{
    figures::{KindSpans, Spans, Subject, Summary},
    task::Timestamp,
};

/// What was counted since this process began, up to some moment.
pub struct AttemptTotals {
    total: Summary,
    /// Windows from here on are not in it yet.
    pub until: Timestamp,
}

const WAIT: (&str, &str) = ("clawpool_task_wait_seconds", "From when a task could start to its start.");
const RUN: (&str, &str) = ("clawpool_task_run_seconds", "From the start of an attempt to its end.");

impl AttemptTotals {
    pub fn since(until: Timestamp) -> Self {
        Self { total: Summary::default(), until }
    }

    /// Adds what was counted from `until` to this moment.
    pub fn add(&mut self, summary: &Summary, until: Timestamp) {
        self.total.merge(summary);
        self.until = until;
    }

    /// Tells the recorder of the counters.
    pub fn count(&self) {
        for (alike, count) in &self.total.attempts {
            let mut labels = of(&alike.subject);
            labels.extend([
                Label::new("pool", alike.pool.clone()),
                Label::new("version", alike.version.clone()),
                Label::new("outcome", alike.end.name()),
                Label::new("class", alike.class.clone()),
            ]);
            counter!("clawpool_attempts_total", labels).absolute(*count);
        }
        for (queue, count) in &self.total.late {
            counter!("clawpool_late_starts_total", "queue" => queue.clone()).absolute(*count);
        }
        for (subject, count) in &self.total.recovered {
            counter!("clawpool_tasks_recovered_total", of(subject)).absolute(*count);
        }
        for ((tenant, end), count) in &self.total.tenants {
            let labels = [Label::new("tenant", tenant.clone()), Label::new("outcome", end.name())];
            counter!("clawpool_tenant_attempts_total", labels.to_vec()).absolute(*count);
        }
    }

    /// The histograms in the text format: a recorder takes single values, and these were counted elsewhere.
    pub fn histograms(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, WAIT, |spans| &spans.wait);
        self.write(&mut text, RUN, |spans| &spans.run);
        text
    }

    fn write(&self, text: &mut String, (name, help): (&str, &str), which: impl Fn(&KindSpans) -> &Spans) {
        write_help_line(text, name, None, None, help);
        write_type_line(text, name, None, None, "histogram");
        for (subject, spans) in &self.total.spans {
            write_histogram(text, name, subject, which(spans));
        }
    }
}

fn write_histogram(text: &mut String, name: &str, subject: &Subject, spans: &Spans) {
    let key = Key::from_parts(name.to_owned(), of(subject));
    let labels = LabelSet::from_key_and_global(&key, &Default::default());
    let mut bucket = |bound: &str, count: u64| {
        write_metric_line(text, name, Some("bucket"), &labels, Some(("le", bound)), count, None);
    };
    for bound in BUCKETS {
        bucket(&bound.to_string(), spans.at_most(Duration::from_secs_f64(bound)));
    }
    bucket("+Inf", spans.count());
    let none = None::<(&'static str, u64)>;
    write_metric_line(text, name, Some("sum"), &labels, none, spans.sum().as_secs_f64(), None);
    write_metric_line(text, name, Some("count"), &labels, none, spans.count(), None);
}

fn of(subject: &Subject) -> Vec<Label> {
    vec![Label::new("queue", subject.queue.clone()), Label::new("kind", subject.kind.clone())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::figures::{AttemptEnd, Attempts, Counter};
    use std::time::Duration;

    #[test]
    fn a_bucket_holds_all_that_is_shorter_and_rises_with_each_window() {
        let mut summary = Summary::default();
        for millis in [3, 150] {
            let wait = Subject::new("critical.p0", "voice.\"call\"").wait(Duration::from_millis(millis));
            summary.add(&wait.name(), 1);
        }
        let mut totals = AttemptTotals::since(Timestamp::from_millis(0));
        totals.add(&summary, Timestamp::from_millis(10_000));
        totals.add(&summary, Timestamp::from_millis(20_000));
        let text = totals.histograms();
        let has = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
        has("# TYPE clawpool_task_wait_seconds histogram\n");
        let labels = "queue=\"critical.p0\",kind=\"voice.\\\"call\\\"\"";
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"0.001\"}} 0\n"));
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"0.005\"}} 2\n"));
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"+Inf\"}} 4\n"));
        has(&format!("clawpool_task_wait_seconds_count{{{labels}}} 4\n"));
    }

    /// As a program's recorder shows them.
    #[test]
    fn counters_are_told_to_the_recorder() {
        let mut summary = Summary::default();
        let end = Counter::Attempts(Attempts {
            subject: Subject::new("critical.p0", "voice.call"),
            pool: "default".into(),
            version: "1".into(),
            end: AttemptEnd::Completed,
            class: String::new(),
        });
        summary.add(&end.name(), 2);
        let mut totals = AttemptTotals::since(Timestamp::from_millis(0));
        totals.add(&summary, Timestamp::from_millis(10_000));
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        ::metrics::with_local_recorder(&recorder, || totals.count());
        let text = recorder.handle().render();
        let line = "clawpool_attempts_total{queue=\"critical.p0\",kind=\"voice.call\",pool=\"default\",\
                    version=\"1\",outcome=\"completed\",class=\"\"} 2\n";
        assert!(text.contains(line), "{text}");
    }
}
