//! What holds, breaks no rule, and may still not be what was meant: for `clawpool config check`.

use secrecy::ExposeSecret;
use serde::Serialize;
use url::Url;

use super::{
    Config, Profile,
    address::is_here,
    reading::redaction::{addresses, redact},
};
use crate::task::Queue;

/// A doubt about a valid configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Advice {
    /// The setting that it is about, dotted: `redis.url`.
    pub key: String,
    /// What may not be meant, and what to do about it.
    pub text: String,
}

impl Config {
    /// Which classification table holds.
    pub fn table(&self) -> String {
        let shipped = self.rules.iter().filter(|rule| rule.is_shipped()).count();
        let own = self.rules.len() - shipped;
        match (own, self.classes.replace_rules) {
            (0, false) => format!("the {shipped} shipped rules decide the priority"),
            (_, false) => {
                format!("rules of this configuration decide first ({own}), then the shipped ones ({shipped})")
            }
            (_, true) => format!(
                "the rules of this configuration ({}) are the whole table (classes.replace_rules); kinds \
                 that none matches are {}",
                self.rules.len(),
                self.classes.default
            ),
        }
    }

    /// Everything worth a second look.
    pub fn advice(&self) -> Vec<Advice> {
        let mut all = Vec::new();
        self.plaintext(&mut all);
        self.unserved_queues(&mut all);
        self.unhandled_kinds(&mut all);
        all
    }

    fn plaintext(&self, all: &mut Vec<Advice>) {
        if self.profile != Profile::Cluster {
            return;
        }
        for (key, url, plain) in
            [("redis.url", &self.redis.url, "redis"), ("rabbitmq.url", &self.rabbitmq.url, "amqp")]
        {
            let far = |url: &str| Url::parse(url).is_ok_and(|url| url.scheme() == plain && !is_here(&url));
            let urls = addresses(url.expose_secret());
            if let Some(url) = urls.into_iter().find(|url| far(url)) {
                let text = format!(
                    "{} is on another machine: payloads, results and its password travel there unencrypted; \
                     use {plain}s://, or a network that nobody else is on",
                    redact(url)
                );
                all.push(Advice { key: key.to_owned(), text });
            }
        }
    }

    fn unserved_queues(&self, all: &mut Vec<Advice>) {
        let served: Vec<Queue> = match self.pools.as_slice() {
            [] => self.served_by(&self.worker.queues),
            pools => pools.iter().flat_map(|pool| self.served(pool)).collect(),
        };
        for queue in self.known_queues().into_iter().filter(|queue| !served.contains(queue)) {
            let key = if self.pools.is_empty() { "worker.queues" } else { "pools" };
            let text = format!(
                "no worker of this configuration serves {queue}: its tasks wait until one of another \
                 configuration does, or expire"
            );
            all.push(Advice { key: key.to_owned(), text });
        }
    }

    /// A worker program of one's own has handlers that no configuration knows.
    fn unhandled_kinds(&self, all: &mut Vec<Advice>) {
        if self.pools.iter().any(|pool| !pool.command.is_empty()) {
            return;
        }
        for (index, rule) in self.rules.iter().enumerate().filter(|(_, rule)| !rule.is_shipped()) {
            for kind in rule.kinds.iter().filter(|kind| !self.has_handler(kind)) {
                let text = format!(
                    "no handler of this configuration runs {:?}: its tasks wait for a worker program of \
                     your own that does",
                    kind.as_str()
                );
                all.push(Advice { key: format!("rules[{index}].kinds"), text });
            }
        }
    }
}
