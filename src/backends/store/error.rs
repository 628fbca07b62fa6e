#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the {store} store does not answer: {reason}")]
    Unavailable { store: &'static str, reason: String },
    /// It answers, and takes no writes: for want of memory or disk, or because it is a replica.
    #[error("the {store} store takes no writes now: {reason}")]
    Blocked { store: &'static str, reason: String },
    /// A leader that another one has replaced tried to write.
    #[error("this process no longer leads: its fence {held} is older than {current}")]
    Fenced { held: u64, current: u64 },
    #[error("the {store} store holds something unreadable: {reason}")]
    Corrupt { store: &'static str, reason: String },
    #[error("the {store} store is not fit for use: {reason}")]
    Refused { store: &'static str, reason: String },
    #[error("{0:?} is not a cursor of this listing; leave it out to start from the beginning")]
    BadCursor(String),
}

impl StoreError {
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "CP-1301",
            Self::Fenced { .. } => "CP-1302",
            Self::Corrupt { .. } => "CP-1303",
            Self::Refused { .. } => "CP-1304",
            Self::BadCursor(_) => "CP-1305",
            Self::Blocked { .. } => "CP-1306",
        }
    }

    /// Whether the same call may succeed later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Blocked { .. })
    }
}
