//! The figures of attempts as Prometheus reads them: counters and histograms that rise from the start of this
//! process on, each window counted once it is over.

use std::fmt::Write;

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

impl AttemptTotals {
    pub fn since(until: Timestamp) -> Self {
        Self { total: Summary::default(), until }
    }

    /// Adds what was counted from `until` to this moment.
    pub fn add(&mut self, summary: &Summary, until: Timestamp) {
        self.total.merge(summary);
        self.until = until;
    }

    /// In the text format, each family with its help.
    pub fn render(&self) -> String {
        let mut text = String::new();
        family(&mut text, "clawpool_attempts_total", "counter", "Attempts that ended, by how they ended.");
        for (alike, count) in &self.total.attempts {
            let labels = labels(&[
                ("queue", &alike.subject.queue),
                ("kind", &alike.subject.kind),
                ("pool", &alike.pool),
                ("version", &alike.version),
                ("outcome", alike.end.name()),
                ("class", &alike.class),
            ]);
            let _ = writeln!(text, "clawpool_attempts_total{{{labels}}} {count}");
        }
        let late = "Attempts that began later than their class promises.";
        family(&mut text, "clawpool_late_starts_total", "counter", late);
        for (queue, count) in &self.total.late {
            let labels = labels(&[("queue", queue)]);
            let _ = writeln!(text, "clawpool_late_starts_total{{{labels}}} {count}");
        }
        let recovered = "Tasks that were completed after an attempt that had failed.";
        family(&mut text, "clawpool_tasks_recovered_total", "counter", recovered);
        for (subject, count) in &self.total.recovered {
            let labels = of(subject);
            let _ = writeln!(text, "clawpool_tasks_recovered_total{{{labels}}} {count}");
        }
        family(&mut text, "clawpool_tenant_attempts_total", "counter", "Attempts of a customer's tasks.");
        for ((tenant, end), count) in &self.total.tenants {
            let labels = labels(&[("tenant", tenant), ("outcome", end.name())]);
            let _ = writeln!(text, "clawpool_tenant_attempts_total{{{labels}}} {count}");
        }
        let wait = "From when a task could start to its start.";
        self.histograms(&mut text, "clawpool_task_wait_seconds", wait, |spans| &spans.wait);
        let run = "From the start of an attempt to its end.";
        self.histograms(&mut text, "clawpool_task_run_seconds", run, |spans| &spans.run);
        text
    }

    fn histograms(&self, text: &mut String, name: &str, help: &str, which: impl Fn(&KindSpans) -> &Spans) {
        family(text, name, "histogram", help);
        for (subject, spans) in &self.total.spans {
            histogram(text, name, &of(subject), which(spans));
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn histogram(text: &mut String, name: &str, labels: &str, spans: &Spans) {
    for bound in BUCKETS {
        let count = spans.at_most(std::time::Duration::from_secs_f64(bound));
        let _ = writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}");
    }
    let count = spans.count();
    let _ = writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}");
    let _ = writeln!(text, "{name}_sum{{{labels}}} {}", spans.sum().as_secs_f64());
    let _ = writeln!(text, "{name}_count{{{labels}}} {count}");
}

fn family(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}");
    let _ = writeln!(text, "# TYPE {name} {kind}");
}

fn of(subject: &Subject) -> String {
    labels(&[("queue", &subject.queue), ("kind", &subject.kind)])
}

fn labels(pairs: &[(&str, &str)]) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let each = pairs.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value)));
    each.collect::<Vec<String>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::figures::{AttemptEnd, Attempts, Counter};
    use std::time::Duration;

    #[test]
    fn counters_rise_and_buckets_hold_all_that_is_shorter() {
        let mut summary = Summary::default();
        let end = Counter::Attempts(Attempts {
            subject: Subject::new("critical.p0", "voice.\"call\""),
            pool: "default".into(),
            version: "1".into(),
            end: AttemptEnd::Completed,
            class: String::new(),
        });
        summary.add(&end.name(), 2);
        for millis in [3, 150] {
            let wait = Subject::new("critical.p0", "voice.call").wait(Duration::from_millis(millis));
            summary.add(&wait.name(), 1);
        }
        let mut totals = AttemptTotals::since(Timestamp::from_millis(0));
        totals.add(&summary, Timestamp::from_millis(10_000));
        totals.add(&summary, Timestamp::from_millis(20_000));
        let text = totals.render();
        let has = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
        has("# TYPE clawpool_attempts_total counter\n");
        has("voice.\\\"call\\\"\",pool=\"default\",version=\"1\",outcome=\"completed\",class=\"\"} 4\n");
        let labels = "queue=\"critical.p0\",kind=\"voice.call\"";
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"0.001\"}} 0\n"));
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"0.005\"}} 2\n"));
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"+Inf\"}} 4\n"));
        has(&format!("clawpool_task_wait_seconds_count{{{labels}}} 4\n"));
    }
}
