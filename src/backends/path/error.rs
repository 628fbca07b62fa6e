use crate::{broker::BrokerError, store::StoreError};

/// Of the server that was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PathError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl PathError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Broker(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        match self {
            Self::Broker(error) => error.is_retryable(),
            Self::Store(error) => error.is_retryable(),
        }
    }

    /// The server that it is about.
    pub fn server(&self) -> String {
        match self {
            Self::Broker(
                BrokerError::Unavailable { broker, .. }
                | BrokerError::Blocked { broker, .. }
                | BrokerError::Unconfirmed { broker, .. }
                | BrokerError::Refused { broker, .. },
            ) => (*broker).to_owned(),
            Self::Store(
                StoreError::Unavailable { store, .. }
                | StoreError::Blocked { store, .. }
                | StoreError::Corrupt { store, .. }
                | StoreError::Refused { store, .. },
            ) => (*store).to_owned(),
            Self::Broker(BrokerError::Full { .. }) => "the broker".to_owned(),
            Self::Store(StoreError::Fenced { .. } | StoreError::BadCursor(_)) => "the store".to_owned(),
        }
    }
}
