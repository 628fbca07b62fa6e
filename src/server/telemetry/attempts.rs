//! The figures of attempts as Prometheus reads them: counters and histograms that rise from the start of this
//! process on, each window counted once it is over.

use super::Page;
use clawpool_core::{
    figures::{Starts, Subject, Summary},
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

    /// Attempts of a queue, and how many of them began too late.
    pub fn starts(&self, queue: &str) -> Starts {
        let of_queue = self.total.spans.iter().filter(|(subject, _)| subject.queue == queue);
        Starts {
            all: of_queue.map(|(_, spans)| spans.wait.count()).sum(),
            late: self.total.late.get(queue).copied().unwrap_or_default(),
        }
    }

    pub fn show(&self, page: &mut Page) {
        for (alike, count) in &self.total.attempts {
            let [queue, kind] = of(&alike.subject);
            let labels = [queue, kind, &alike.pool, &alike.version, alike.end.name(), &alike.class];
            page.count("clawpool_attempts_total", &labels, *count);
        }
        for (subject, count) in &self.total.recovered {
            page.count("clawpool_tasks_recovered_total", &of(subject), *count);
        }
        for ((tenant, end), count) in &self.total.tenants {
            page.count("clawpool_tenant_attempts_total", &[tenant, end.name()], *count);
        }
        for (subject, spans) in &self.total.spans {
            page.spans("clawpool_task_wait_seconds", &of(subject), &spans.wait);
            page.spans("clawpool_task_run_seconds", &of(subject), &spans.run);
        }
    }
}

fn of(subject: &Subject) -> [&str; 2] {
    [&subject.queue, &subject.kind]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use clawpool_core::figures::{AttemptEnd, Attempts, Counter};

    #[test]
    fn counters_and_histograms_rise_with_each_window() {
        let subject = Subject::new("critical.p0", "voice.call");
        let mut summary = Summary::default();
        summary.add(&subject.wait(Duration::from_millis(3)).name(), 1);
        let end = Counter::Attempts(Attempts {
            subject,
            pool: "default".into(),
            version: "1".into(),
            end: AttemptEnd::Completed,
            class: String::new(),
        });
        summary.add(&end.name(), 1);
        let mut totals = AttemptTotals::since(Timestamp::from_millis(0));
        totals.add(&summary, Timestamp::from_millis(10_000));
        totals.add(&summary, Timestamp::from_millis(20_000));
        let mut page = Page::default();
        totals.show(&mut page);
        let text = page.render();
        let line = "clawpool_attempts_total{queue=\"critical.p0\",kind=\"voice.call\",pool=\"default\",\
                    version=\"1\",outcome=\"completed\",class=\"\"} 2\n";
        assert!(text.contains(line), "{text}");
        let line = "clawpool_task_wait_seconds_count{queue=\"critical.p0\",kind=\"voice.call\"} 2\n";
        assert!(text.contains(line), "{text}");
    }
}
