//! The figures of one moment as Prometheus reads them.
//!
//! Guarantees: each metric has its help and its type, and its samples stand together; what is not told any
//! more is not shown any more. Never does: show a metric that is not described.

use std::{collections::BTreeMap, time::Duration};

use ::metrics::{Key, Label};
use metrics_exporter_prometheus::{
    LabelSet,
    formatting::{write_help_line, write_metric_line, write_type_line},
};

use super::{
    described::{self, Metric},
    metrics::BUCKETS,
};
use clawpool_core::figures::Spans;

#[derive(Default)]
pub struct Page {
    /// The lines of each metric, by its name.
    samples: BTreeMap<&'static str, String>,
}

impl Page {
    /// One value, with the values of the metric's labels.
    pub fn set(&mut self, name: &str, labels: &[&str], value: f64) {
        let Some((metric, labels, text)) = self.of(name, labels) else { return };
        write_metric_line(text, metric.name, None, &labels, None::<(&str, &str)>, value, None);
    }

    #[allow(clippy::cast_precision_loss)]
    pub fn count(&mut self, name: &str, labels: &[&str], count: u64) {
        self.set(name, labels, count as f64);
    }

    pub fn spans(&mut self, name: &str, labels: &[&str], spans: &Spans) {
        let Some((metric, labels, text)) = self.of(name, labels) else { return };
        let mut bucket = |bound: &str, count: u64| {
            let bound = Some(("le", bound));
            write_metric_line(text, metric.name, Some("bucket"), &labels, bound, count, None);
        };
        for bound in BUCKETS {
            bucket(&bound.to_string(), spans.at_most(Duration::from_secs_f64(bound)));
        }
        bucket("+Inf", spans.count());
        let none = None::<(&str, &str)>;
        write_metric_line(text, metric.name, Some("sum"), &labels, none, spans.sum().as_secs_f64(), None);
        write_metric_line(text, metric.name, Some("count"), &labels, none, spans.count(), None);
    }

    /// In the order of the descriptions.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for metric in described::all() {
            let Some(samples) = self.samples.get(metric.name) else { continue };
            write_help_line(&mut text, metric.name, None, None, metric.help);
            write_type_line(&mut text, metric.name, None, None, metric.kind.name());
            text.push_str(samples);
        }
        text
    }

    fn of(&mut self, name: &str, values: &[&str]) -> Option<(&'static Metric, LabelSet, &mut String)> {
        let metric = described::all().find(|metric| metric.name == name);
        debug_assert!(metric.is_some_and(|metric| metric.labels.len() == values.len()), "{name} {values:?}");
        let metric = metric?;
        let label = |(label, value): (&&'static str, &&str)| Label::new(*label, (*value).to_owned());
        let labels: Vec<Label> = metric.labels.iter().zip(values).map(label).collect();
        let labels =
            LabelSet::from_key_and_global(&Key::from_parts(metric.name, labels), &Default::default());
        Some((metric, labels, self.samples.entry(metric.name).or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::figures::{Subject, Summary};

    #[test]
    fn samples_of_one_metric_stand_together_below_its_help() {
        let mut page = Page::default();
        page.set("clawpool_pool_size", &["a"], 2.0);
        page.set("clawpool_queue_ready", &["critical.p0"], 1.5);
        page.count("clawpool_pool_size", &["say \"b\""], 3);
        let expected = "# HELP clawpool_queue_ready Tasks that wait on the queue.\n\
            # TYPE clawpool_queue_ready gauge\n\
            clawpool_queue_ready{queue=\"critical.p0\"} 1.5\n\
            # HELP clawpool_pool_size Workers of the pool.\n\
            # TYPE clawpool_pool_size gauge\n\
            clawpool_pool_size{pool=\"a\"} 2\n\
            clawpool_pool_size{pool=\"say \\\"b\\\"\"} 3\n";
        let without_blanks: String =
            page.render().lines().filter(|line| !line.is_empty()).map(|line| format!("{line}\n")).collect();
        assert_eq!(without_blanks, expected);
    }

    #[test]
    fn a_bucket_holds_all_that_is_shorter() {
        let mut summary = Summary::default();
        for millis in [3, 150] {
            let wait = Subject::new("critical.p0", "voice.call").wait(Duration::from_millis(millis));
            summary.add(&wait.name(), 2);
        }
        let mut page = Page::default();
        for (subject, spans) in &summary.spans {
            page.spans("clawpool_task_wait_seconds", &[&subject.queue, &subject.kind], &spans.wait);
        }
        let text = page.render();
        let has = |line: &str| assert!(text.contains(line), "{line} is not in\n{text}");
        has("# TYPE clawpool_task_wait_seconds histogram\n");
        let labels = "queue=\"critical.p0\",kind=\"voice.call\"";
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"0.001\"}} 0\n"));
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"0.005\"}} 2\n"));
        has(&format!("clawpool_task_wait_seconds_bucket{{{labels},le=\"+Inf\"}} 4\n"));
        has(&format!("clawpool_task_wait_seconds_count{{{labels}}} 4\n"));
    }
}
