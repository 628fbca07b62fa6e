use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use super::Handler;
use clawpool_core::task::KindPattern;

/// Which handler runs which kind: one for that kind, else the one whose pattern names most letters (`email.*`
/// before `*`).
#[derive(Clone, Default)]
pub struct Registry {
    kinds: HashMap<String, Arc<dyn Handler>>,
    /// Those with most letters first.
    patterns: Vec<(KindPattern, Arc<dyn Handler>)>,
}

impl Registry {
    /// Adds a handler; one for the same pattern is replaced.
    pub fn add(&mut self, pattern: KindPattern, handler: Arc<dyn Handler>) {
        if let Some(kind) = pattern.single() {
            self.kinds.insert(kind.to_owned(), handler);
            return;
        }
        self.patterns.retain(|(known, _)| *known != pattern);
        self.patterns.push((pattern, handler));
        self.patterns.sort_by_key(|(pattern, _)| Reverse(pattern.letters()));
    }

    pub fn find(&self, kind: &str) -> Option<Arc<dyn Handler>> {
        let by_pattern =
            || self.patterns.iter().find(|(pattern, _)| pattern.matches(kind)).map(|(_, handler)| handler);
        self.kinds.get(kind).or_else(by_pattern).cloned()
    }

    /// Every pattern, for messages and listings.
    pub fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = self.kinds.keys().cloned().collect();
        patterns.extend(self.patterns.iter().map(|(pattern, _)| pattern.to_string()));
        patterns.sort();
        patterns
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::worker::Context;
    use clawpool_core::task::{Failure, Payload};

    struct Named;

    #[async_trait]
    impl Handler for Named {
        async fn run(&self, _: Context) -> Result<Payload, Failure> {
            Ok(Payload::null())
        }
    }

    #[test]
    fn the_closest_pattern_wins() {
        let handlers: Vec<Arc<dyn Handler>> = (0..4).map(|_| Arc::new(Named) as Arc<dyn Handler>).collect();
        let mut registry = Registry::default();
        for (pattern, handler) in ["*", "email.*", "email.send", "email.send.*"].into_iter().zip(&handlers) {
            registry.add(pattern.parse().unwrap(), Arc::clone(handler));
        }
        for (kind, handler) in [("email.send", 2), ("email.send.now", 3), ("email.get", 1), ("voice", 0)] {
            assert!(Arc::ptr_eq(&registry.find(kind).unwrap(), &handlers[handler]), "{kind}");
        }
        assert_eq!(registry.patterns(), ["*", "email.*", "email.send", "email.send.*"]);
        assert!(Registry::default().find("email.send").is_none());
    }
}
