//! Which queues a pool serves, and which kinds have a handler.

use super::Pool;
use crate::{
    config::{Config, Rule, SHIPPED_KINDS},
    task::{KindPattern, Queue, QueuePattern},
};

impl Config {
    /// What a pool serves: what it names, and the queues on which the rules can put a task of its kinds.
    /// Without either, what every worker serves.
    pub fn patterns_of(&self, pool: &Pool) -> Vec<QueuePattern> {
        if pool.queues.is_none() && pool.kinds.is_empty() {
            return self.worker.queues.clone();
        }
        let mut patterns: Vec<QueuePattern> = pool.queues.iter().flatten().cloned().collect();
        let mut reached: Vec<Queue> = pool.kinds.iter().flat_map(|kind| self.reached(kind)).collect();
        reached.sort_unstable();
        reached.dedup();
        let named = |queue: &Queue| pool.queues.iter().flatten().any(|pattern| pattern.matches(*queue));
        patterns.extend(reached.into_iter().filter(|queue| !named(queue)).map(QueuePattern::from));
        patterns
    }

    /// The queues of this configuration that a pool serves, most urgent first.
    pub fn served(&self, pool: &Pool) -> Vec<Queue> {
        self.served_by(&self.patterns_of(pool))
    }

    /// The queues of this configuration that these patterns stand for, most urgent first.
    pub fn served_by(&self, patterns: &[QueuePattern]) -> Vec<Queue> {
        let serves = |queue: &Queue| patterns.iter().any(|pattern| pattern.matches(*queue));
        self.known_queues().into_iter().filter(serves).collect()
    }

    /// Whether a handler that this configuration knows runs tasks of the kind.
    pub(in crate::config) fn has_handler(&self, kind: &KindPattern) -> bool {
        self.handlers.iter().any(|handler| handler.kind.meets(kind))
            || SHIPPED_KINDS.iter().any(|known| kind.matches(known))
    }

    /// A rule with conditions beside the kind may hold or not, so its queue counts and the search goes on.
    fn reached(&self, kind: &KindPattern) -> Vec<Queue> {
        let mut queues = Vec::new();
        for rule in self.rules.iter().filter(|rule| may_match(rule, kind)) {
            queues.extend(self.target(rule));
            if always_matches(rule, kind) {
                return queues;
            }
        }
        queues.push(self.classes.default.queue());
        queues
    }
}

fn may_match(rule: &Rule, kind: &KindPattern) -> bool {
    rule.kinds.is_empty() || rule.kinds.iter().any(|pattern| pattern.meets(kind))
}

fn always_matches(rule: &Rule, kind: &KindPattern) -> bool {
    let by_kind = Rule {
        kinds: rule.kinds.clone(),
        priority: rule.priority,
        queue: rule.queue.clone(),
        ..Rule::default()
    };
    *rule == by_kind && (rule.kinds.is_empty() || rule.kinds.iter().any(|pattern| pattern.covers(kind)))
}
