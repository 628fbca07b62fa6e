//! What one topic looks like now, and what the last look found changed.
//!
//! Guarantees: who has heard the version before and hears of the last change knows all there is; who has not
//! hears all of it. Never does: keep more than one picture and one change.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use super::frame::{now, written};
use clawpool_core::task::Queue;
use clawpool_engine::client::event::EventTopic;

/// One thing of a picture, as a look has found it.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// Of its queue or pool; a worker's id.
    pub(super) name: String,
    /// For callers that see some queues only.
    pub(super) queue: Option<Queue>,
    pub(super) json: String,
    /// The same for as long as nothing has changed that is worth telling.
    pub(super) digest: u64,
}

/// Which queues a caller sees.
pub(super) type Sees<'a> = &'a (dyn Fn(Queue) -> bool + Send + Sync);

pub(super) struct Picture {
    topic: EventTopic,
    /// Of what is shown; 0 before the first look.
    version: u64,
    known: bool,
    at: u64,
    items: BTreeMap<String, Sight>,
    changed: BTreeSet<String>,
    gone: BTreeMap<String, Option<Queue>>,
    /// As streams have them that see all.
    whole: Option<Bytes>,
    change: Option<Bytes>,
}

impl Picture {
    pub(super) const fn new(topic: EventTopic) -> Self {
        Self {
            topic,
            version: 0,
            known: false,
            at: 0,
            items: BTreeMap::new(),
            changed: BTreeSet::new(),
            gone: BTreeMap::new(),
            whole: None,
            change: None,
        }
    }

    pub(super) const fn topic(&self) -> EventTopic {
        self.topic
    }

    pub(super) const fn is_known(&self) -> bool {
        self.known
    }

    /// Nobody looks any more.
    pub(super) fn clear(&mut self) {
        *self = Self { version: self.version, ..Self::new(self.topic) };
    }

    /// Takes what a look has found. True: it is another picture.
    pub(super) fn update(&mut self, sights: Vec<Sight>) -> bool {
        let items: BTreeMap<_, _> = sights.into_iter().map(|sight| (sight.name.clone(), sight)).collect();
        let is_same =
            |sight: &Sight| self.items.get(&sight.name).is_some_and(|old| old.digest == sight.digest);
        let changed: BTreeSet<_> =
            items.values().filter(|sight| !is_same(sight)).map(|sight| sight.name.clone()).collect();
        let left = self.items.values().filter(|old| !items.contains_key(&old.name));
        let gone: BTreeMap<_, _> = left.map(|old| (old.name.clone(), old.queue)).collect();
        if self.known && changed.is_empty() && gone.is_empty() {
            return false;
        }
        // A first look is no change of what was there before: who heard of that is to hear all.
        let version = self.version + if self.known { 1 } else { 2 };
        let empty = Self::new(self.topic);
        *self = Self { version, known: true, at: now(), items, changed, gone, ..empty };
        true
    }

    /// The version that who has heard of `heard` is to hear of, with the event; None: there is no other. A
    /// caller that sees none of what has changed hears nothing.
    pub(super) fn told(&mut self, heard: u64, sees: Option<Sees<'_>>) -> Option<(u64, Option<Bytes>)> {
        if !self.known || heard == self.version {
            return None;
        }
        let is_whole = heard + 1 != self.version;
        let told = if let Some(sees) = sees {
            self.written(is_whole, &|queue: Option<Queue>| queue.is_none_or(sees))
        } else {
            let kept = if is_whole { &self.whole } else { &self.change };
            let told = kept.clone().or_else(|| self.written(is_whole, &|_| true));
            let kept = if is_whole { &mut self.whole } else { &mut self.change };
            kept.clone_from(&told);
            told
        };
        Some((self.version, told))
    }

    fn written(&self, is_whole: bool, sees: &dyn Fn(Option<Queue>) -> bool) -> Option<Bytes> {
        let told = self.items.values().filter(|sight| is_whole || self.changed.contains(&sight.name));
        let items: Vec<&str> = told.filter(|sight| sees(sight.queue)).map(|sight| &*sight.json).collect();
        let gone = self.gone.iter().filter(|(_, queue)| !is_whole && sees(**queue));
        let gone: Vec<&str> = gone.map(|(name, _)| &**name).collect();
        if !is_whole && items.is_empty() && gone.is_empty() {
            return None;
        }
        let name = self.topic.event();
        let gone = serde_json::to_string(&gone).unwrap_or_default();
        let data = format!(
            r#"{{"type":"{name}","at_ms":{},"whole":{is_whole},"items":[{}],"gone":{gone}}}"#,
            self.at,
            items.join(",")
        );
        Some(written(name, &data))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn sight(name: &str, number: u64) -> Sight {
        let json = format!(r#"{{"name":"{name}","number":{number}}}"#);
        Sight { name: name.to_owned(), queue: Some(Queue::P0), json, digest: number }
    }

    fn read(bytes: &Bytes) -> Value {
        let text = std::str::from_utf8(bytes).unwrap();
        serde_json::from_str(text.split_once("data: ").unwrap().1).unwrap()
    }

    #[test]
    fn all_is_told_first_and_then_what_changes() {
        let mut picture = Picture::new(EventTopic::Queues);
        assert!(picture.told(0, None).is_none(), "nobody has looked");
        assert!(picture.update(vec![]) && !picture.update(vec![]), "that there is none is worth telling");
        let (heard, whole) = picture.told(0, None).unwrap();
        assert_eq!(read(&whole.unwrap())["whole"], true);
        assert!(picture.told(heard, None).is_none());
        assert!(picture.update(vec![sight("a", 1), sight("b", 1)]));
        assert!(!picture.update(vec![sight("a", 1), sight("b", 1)]));
        let (heard, _) = picture.told(heard, None).unwrap();
        picture.update(vec![sight("a", 1), sight("c", 1)]);
        let (next, change) = picture.told(heard, None).unwrap();
        let change = read(&change.unwrap());
        assert_eq!((change["items"][0]["name"].as_str(), change["gone"][0].as_str()), (Some("c"), Some("b")));
        assert_eq!(change["items"].as_array().unwrap().len(), 1);
        let (_, other) = picture.told(heard, Some(&|queue| queue != Queue::P0)).unwrap();
        assert!(other.is_none(), "this caller sees nothing of it");
        picture.clear();
        assert!(picture.told(next, None).is_none());
        picture.update(vec![sight("a", 1)]);
        assert_eq!(read(&picture.told(next, None).unwrap().1.unwrap())["whole"], true);
    }

    proptest! {
        /// Whatever a reader misses, what it was told comes to what there is.
        #[test]
        fn every_reader_knows_the_last_picture(
            looks in prop::collection::vec(
                (prop::collection::btree_map(0..5_u8, 0..3_u64, 0..5), any::<bool>()),
                1..20,
            ),
        ) {
            let mut picture = Picture::new(EventTopic::Workers);
            let mut known: BTreeMap<String, u64> = BTreeMap::new();
            let mut heard = 0;
            let last = looks.len() - 1;
            for (number, (look, listens)) in looks.into_iter().enumerate() {
                let expected: BTreeMap<String, u64> =
                    look.into_iter().map(|(name, number)| (name.to_string(), number)).collect();
                picture.update(expected.iter().map(|(name, number)| sight(name, *number)).collect());
                if !listens && number != last {
                    continue;
                }
                if let Some((version, Some(told))) = picture.told(heard, None) {
                    heard = version;
                    let told = read(&told);
                    if told["whole"] == true {
                        known.clear();
                    }
                    for item in told["items"].as_array().unwrap() {
                        known.insert(item["name"].as_str().unwrap().into(), item["number"].as_u64().unwrap());
                    }
                    for gone in told["gone"].as_array().unwrap() {
                        known.remove(gone.as_str().unwrap());
                    }
                }
                prop_assert_eq!(&known, &expected);
            }
        }
    }
}
