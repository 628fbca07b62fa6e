//! Rules that the types cannot hold: ranges, and settings that must go together. Each section checks itself;
//! this asks all of them, so that one report has every fault (INV-9).

use super::{
    Config, ConfigErrors, handlers, pools, probes, queues,
    reading::{Key, Report},
    retry, rules, worker,
};

impl Config {
    /// Holds a configuration that was made in code to the same rules as a loaded one.
    pub fn check(&self) -> Result<(), ConfigErrors> {
        let mut report = Report::default();
        self.check_sections(&mut report);
        report.finish()
    }

    pub(super) fn check_sections(&self, report: &mut Report) {
        self.redis.check(report);
        self.rabbitmq.check(report);
        self.embedded.check(report);
        self.log.check(report);
        self.tracing.check(report);
        self.health.check(report);
        self.attempts.check(report);
        self.api.check(report);
        self.limits.check(report);
        self.classes.check(&self.limits, report);
        queues::check(&self.queues, report);
        self.results.check(&self.limits, report);
        retry::check(&self.retry, &self.limits, report);
        self.pacing.check(&Key::from("pacing"), report);
        rules::check(self, report);
        worker::check(self, report);
        self.autoscale.check(&Key::from("autoscale"), report);
        pools::check(self, report);
        handlers::check(&self.handlers, report);
        probes::check(&self.probes, report);
    }
}
