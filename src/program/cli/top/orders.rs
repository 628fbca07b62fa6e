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

pub(super) const PAUSE_QUEUE: Order =
    order('p', "pause", ("v1/queues/", "/pause"), "clawpool queues pause").asked();
pub(super) const RESUME_QUEUE: Order =
    order('r', "resume", ("v1/queues/", "/resume"), "clawpool queues resume");
pub(super) const DRAIN_WORKER: Order =
    order('d', "drain", ("v1/workers/", "/drain"), "clawpool workers drain").asked();
pub(super) const PAUSE_POOL: Order =
    order('p', "pause the autoscaler of", ("v1/autoscaler/", "/pause"), "clawpool autoscaler pause").asked();
pub(super) const RESUME_POOL: Order =
    order('r', "resume the autoscaler of", ("v1/autoscaler/", "/resume"), "clawpool autoscaler resume");

const fn order(
    key: char,
    verb: &'static str,
    path: (&'static str, &'static str),
    command: &'static str,
) -> Order {
    Order { key, verb, path, command, is_asked: false }
}

impl Order {
    const fn asked(self) -> Self {
        Self { is_asked: true, ..self }
    }
}

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
