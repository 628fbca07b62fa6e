//! Which queues a pool serves, and which kinds have a handler.

use super::Pool;
use crate::{
    config::{Config, Rule, SHIPPED_KINDS},
    task::{KindPattern, Queue},
};

impl Config {
    /// The queues that a pool serves: those that it names, and all on which the rules can put a task of its
    /// kinds. Without either, what every worker serves.
    pub fn served(&self, pool: &Pool) -> Vec<Queue> {
        if pool.queues.is_none() && pool.kinds.is_empty() {
            return self.worker.queues.clone();
        }
        let named = pool.queues.iter().flatten().copied();
        let reached = pool.kinds.iter().flat_map(|kind| self.reached(kind));
        let wanted: Vec<Queue> = named.chain(reached).collect();
        Queue::ALL.into_iter().filter(|queue| wanted.contains(queue)).collect()
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
            queues.push(rule.priority.queue());
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
    let by_kind = Rule { kinds: rule.kinds.clone(), priority: rule.priority, ..Rule::default() };
    *rule == by_kind && (rule.kinds.is_empty() || rule.kinds.iter().any(|pattern| pattern.covers(kind)))
}
