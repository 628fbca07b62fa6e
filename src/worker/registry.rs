use std::{collections::HashMap, sync::Arc};

use super::Handler;

/// Which handler runs which kind: an exact kind first, then the longest prefix (`email.*`), then `*`.
#[derive(Clone, Default)]
pub struct Registry {
    exact: HashMap<String, Arc<dyn Handler>>,
    /// Longest first.
    prefixes: Vec<(String, Arc<dyn Handler>)>,
}

impl Registry {
    /// Adds a handler; one for the same pattern is replaced.
    pub fn add(&mut self, pattern: impl Into<String>, handler: Arc<dyn Handler>) {
        let pattern = pattern.into();
        let Some(prefix) = pattern.strip_suffix('*') else {
            self.exact.insert(pattern, handler);
            return;
        };
        self.prefixes.retain(|(known, _)| known != prefix);
        self.prefixes.push((prefix.to_owned(), handler));
        self.prefixes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    }

    pub fn find(&self, kind: &str) -> Option<Arc<dyn Handler>> {
        let by_prefix =
            || self.prefixes.iter().find(|(prefix, _)| kind.starts_with(prefix)).map(|(_, handler)| handler);
        self.exact.get(kind).or_else(by_prefix).cloned()
    }

    /// Every pattern, for messages and listings.
    pub fn patterns(&self) -> Vec<String> {
        let mut patterns: Vec<String> = self.exact.keys().cloned().collect();
        patterns.extend(self.prefixes.iter().map(|(prefix, _)| format!("{prefix}*")));
        patterns.sort();
        patterns
    }

    pub fn is_empty(&self) -> bool {
        self.exact.is_empty() && self.prefixes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::{
        task::{Failure, Payload},
        worker::Context,
    };

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
            registry.add(pattern, Arc::clone(handler));
        }
        assert_eq!(registry.patterns(), ["*", "email.*", "email.send", "email.send.*"]);
        assert!(registry.find("email.send").is_some() && registry.find("anything").is_some());
        assert!(Registry::default().find("email.send").is_none());
    }
}
