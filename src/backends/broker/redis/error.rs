use crate::{
    backend::redis::error::{LinkError, REDIS},
    broker::BrokerError,
};

/// A message that cannot be read costs itself alone, so the broker as a whole has nothing unreadable.
impl From<LinkError> for BrokerError {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Silent(reason) | LinkError::Unreadable(reason) => {
                Self::Unavailable { broker: REDIS, reason }
            }
            LinkError::Blocked(reason) => Self::Blocked { broker: REDIS, reason },
            LinkError::Refused(reason) => Self::Refused { broker: REDIS, reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_is_not_retryable() {
        let passing: [fn(String) -> LinkError; 3] =
            [LinkError::Silent, LinkError::Blocked, LinkError::Unreadable];
        assert!(passing.iter().all(|error| BrokerError::from(error(String::new())).is_retryable()));
        assert!(!BrokerError::from(LinkError::Refused(String::new())).is_retryable());
    }
}
