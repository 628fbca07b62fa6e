use clawpool_server::telemetry::Metric;

use super::metrics;

/// One in Prometheus's language.
pub struct Expression<'a>(pub &'a str);

/// What Prometheus adds by itself.
const ADDED: [&str; 6] = ["instance", "job", "le", "alertname", "alertstate", "severity"];

impl<'a> Expression<'a> {
    /// Names of metrics and of recorded ones.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        let words = self.0.split(|part: char| !part.is_ascii_alphanumeric() && part != '_' && part != ':');
        words.filter(|word| {
            word.starts_with("clawpool_") || word.starts_with("clawpool:") || word.starts_with("process_")
        })
    }

    /// Without `_bucket` and the like.
    pub fn metrics(&self) -> impl Iterator<Item = &'static str> {
        self.names().filter_map(find).map(|metric| metric.name)
    }

    /// Each name is of a metric that the program has, or is recorded, and each label is one of its metric's.
    pub fn assert_known(&self, recorded: &[&str]) {
        for name in self.names() {
            assert!(recorded.contains(&name) || find(name).is_some(), "no metric {name}: {}", self.0);
            let Some(metric) = find(name) else { continue };
            let at = name.as_ptr() as usize - self.0.as_ptr() as usize + name.len();
            let selector = self.0[at..].strip_prefix('{').and_then(|rest| rest.split('}').next());
            for label in selector.into_iter().flat_map(|matchers| matchers.split(',')) {
                let label = label.split(['=', '!']).next().unwrap().trim();
                self.assert_label(label, |known| metric.labels.contains(&known));
            }
        }
        let lists = ["by (", "on ("].into_iter().flat_map(|word| self.0.split(word).skip(1));
        for label in lists.flat_map(|list| list.split(')').next().unwrap().split(',')) {
            let has = |metric: &Metric, label: &str| metric.labels.contains(&label);
            let is_recorded = self.names().any(|name| recorded.contains(&name));
            let known = |label: &str| self.names().filter_map(find).any(|metric| has(metric, label));
            self.assert_label(label.trim(), |label| is_recorded || known(label));
        }
    }

    fn assert_label(&self, label: &str, is_known: impl Fn(&str) -> bool) {
        assert!(ADDED.contains(&label) || is_known(label), "no label {label}: {}", self.0);
    }
}

fn find(name: &str) -> Option<&'static Metric> {
    let parts = ["", "_bucket", "_sum", "_count"];
    let of = |metric: &&'static Metric| parts.iter().any(|part| name == format!("{}{part}", metric.name));
    metrics().find(of)
}
