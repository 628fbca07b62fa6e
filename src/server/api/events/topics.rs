use crate::api::{caller::Caller, error::ApiError};
use clawpool_backends::store::Topic;
use clawpool_engine::client::event::EventTopic;

/// What a stream is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Topics([bool; EventTopic::ALL.len()]);

impl Topics {
    /// Those that a caller names; else all that it may see.
    pub(super) fn asked(text: Option<&str>, caller: &Caller) -> Result<Self, ApiError> {
        let Some(text) = text else {
            let seen = EventTopic::ALL.into_iter().filter(|topic| check(*topic, caller).is_ok());
            return Ok(seen.collect());
        };
        let mut topics = Self::default();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let named = match name {
                "journal" => EventTopic::ALL.into_iter().filter(|topic| topic.is_journal()).collect(),
                name => vec![
                    name.parse()
                        .map_err(|error: String| ApiError::field("topics", format!("topics: {error}")))?,
                ],
            };
            for topic in named {
                check(topic, caller)?;
                topics.0[topic as usize] = true;
            }
        }
        if topics == Self::default() {
            return Err(ApiError::field("topics", "topics is empty: name some, or leave it out for all"));
        }
        Ok(topics)
    }

    pub(super) const fn has(&self, topic: EventTopic) -> bool {
        self.0[topic as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = EventTopic> {
        EventTopic::ALL.into_iter().filter(|topic| self.has(*topic))
    }

    /// The journals of these.
    pub(super) fn journals(&self) -> impl Iterator<Item = Topic> {
        Topic::ALL.into_iter().filter(|topic| self.has(told_as(*topic)))
    }
}

impl FromIterator<EventTopic> for Topics {
    fn from_iter<I: IntoIterator<Item = EventTopic>>(topics: I) -> Self {
        let mut own = Self::default();
        topics.into_iter().for_each(|topic| own.0[topic as usize] = true);
        own
    }
}

/// As the lists of the same things are guarded.
fn check(topic: EventTopic, caller: &Caller) -> Result<(), ApiError> {
    match topic {
        EventTopic::Queues | EventTopic::Health => Ok(()),
        EventTopic::Scaling | EventTopic::Pools => caller.oversees_queues(),
        EventTopic::Alerts
        | EventTopic::Audit
        | EventTopic::Crashes
        | EventTopic::Restarts
        | EventTopic::Workers => caller.oversees(),
    }
}

/// What the entries of a journal are told under.
pub(super) const fn told_as(topic: Topic) -> EventTopic {
    match topic {
        Topic::Crash => EventTopic::Crashes,
        Topic::Scaling => EventTopic::Scaling,
        Topic::Alert => EventTopic::Alerts,
        Topic::Audit => EventTopic::Audit,
        Topic::Restart => EventTopic::Restarts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::config::Scope;
    use clawpool_engine::dispatch::ProducerToken;

    fn names(topics: &Topics) -> Vec<&'static str> {
        topics.iter().map(EventTopic::name).collect()
    }

    #[test]
    fn a_caller_gets_what_it_asks_for_and_may_see() {
        let all = Caller::everyone();
        let asked = |text: &str| Topics::asked(Some(text), &all).map(|topics| names(&topics)).map_err(drop);
        assert_eq!(asked("queues, alerts"), Ok(vec!["alerts", "queues"]));
        assert_eq!(asked("journal"), Ok(vec!["alerts", "scaling", "audit", "crashes", "restarts"]));
        assert_eq!(Topics::asked(None, &all).unwrap().iter().count(), EventTopic::ALL.len());
        assert!(asked("weather").is_err() && asked(",").is_err());
        let token = ProducerToken { tenants: vec!["acme".into()], ..ProducerToken::default() };
        let acme = Caller::new(&[Scope::Read], token);
        let seen = Topics::asked(None, &acme).unwrap();
        assert_eq!(names(&seen), ["scaling", "queues", "pools", "health"]);
        assert!(Topics::asked(Some("queues,audit"), &acme).is_err());
    }
}
