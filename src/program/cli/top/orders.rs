use clawpool_engine::client::{Client, ClientError};

/// What a key does to the row that is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Order {
    pub key: char,
    pub verb: &'static str,
    /// Before and after the row's key in the address.
    path: (&'static str, &'static str),
    /// What does the same: before the row's key.
    command: &'static str,
    /// Asked once more before it is done.
    pub is_asked: bool,
}

pub(super) const PAUSE_QUEUE: Order = Order {
    key: 'p',
    verb: "pause",
    path: ("v1/queues/", "/pause"),
    command: "clawpool queues pause",
    is_asked: true,
};

pub(super) const RESUME_QUEUE: Order = Order {
    key: 'r',
    verb: "resume",
    path: ("v1/queues/", "/resume"),
    command: "clawpool queues resume",
    is_asked: false,
};

pub(super) const DRAIN_WORKER: Order = Order {
    key: 'd',
    verb: "drain",
    path: ("v1/workers/", "/drain"),
    command: "clawpool workers drain",
    is_asked: true,
};

pub(super) const PAUSE_POOL: Order = Order {
    key: 'p',
    verb: "pause the autoscaler of",
    path: ("v1/autoscaler/", "/pause"),
    command: "clawpool autoscaler pause",
    is_asked: true,
};

pub(super) const RESUME_POOL: Order = Order {
    key: 'r',
    verb: "resume the autoscaler of",
    path: ("v1/autoscaler/", "/resume"),
    command: "clawpool autoscaler resume",
    is_asked: false,
};

/// An order and the row that it is for.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub order: Order,
    pub key: String,
}

impl Wanted {
    /// `pause llm.calls`
    pub(super) fn words(&self) -> String {
        format!("{} {}", self.order.verb, self.key)
    }

    /// The command that does the same.
    pub(super) fn command(&self) -> String {
        format!("{} {}", self.order.command, self.key)
    }

    pub(super) async fn send(&self, client: &Client) -> Result<(), ClientError> {
        let (before, after) = self.order.path;
        client.order(&format!("{before}{}{after}", self.key)).await
    }
}
