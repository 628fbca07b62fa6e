use clawpool_core::task::Queue;

#[derive(Clone, Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("{broker} does not answer: {reason}")]
    Unavailable { broker: &'static str, reason: String },
    /// It answers, and takes no messages: for want of memory or disk, or because it is a replica.
    #[error("{broker} takes no messages now: {reason}")]
    Blocked { broker: &'static str, reason: String },
    #[error("queue {queue} is full: its limit is {limit} waiting tasks")]
    Full { queue: Queue, limit: u64 },
    /// It was sent, and whether it was taken is not known; sending it again with the same id is safe.
    #[error("{broker} did not confirm the message: {reason}")]
    Unconfirmed { broker: &'static str, reason: String },
    #[error("{broker} refused: {reason}")]
    Refused { broker: &'static str, reason: String },
}

impl BrokerError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "CP-1201",
            Self::Blocked { .. } => "CP-1202",
            Self::Full { .. } => "CP-1203",
            Self::Unconfirmed { .. } => "CP-1204",
            Self::Refused { .. } => "CP-1205",
        }
    }

    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }

    /// Whether a message that was answered with this may turn up on its queue all the same.
    pub const fn is_doubtful(&self) -> bool {
        matches!(self, Self::Unconfirmed { .. })
    }
}
