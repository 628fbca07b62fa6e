use crate::{
    backend::redis::trouble::{REDIS, Trouble},
    broker::BrokerError,
};

/// A message that cannot be read costs itself alone, so the broker as a whole has nothing unreadable.
impl From<Trouble> for BrokerError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Silent(reason) | Trouble::Unreadable(reason) => Self::Unavailable { broker: REDIS, reason },
            Trouble::Blocked(reason) => Self::Blocked { broker: REDIS, reason },
            Trouble::Refused(reason) => Self::Refused { broker: REDIS, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_not_retryable() {
        let passing: [fn(String) -> Trouble; 3] = [Trouble::Silent, Trouble::Blocked, Trouble::Unreadable];
        assert!(passing.iter().all(|trouble| BrokerError::from(trouble(String::new())).is_retryable()));
        assert!(!BrokerError::from(Trouble::Refused(String::new())).is_retryable());
    }
}
