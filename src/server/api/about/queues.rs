use utoipa::openapi::path::Parameter;

use crate::api::openapi::{About, query};

fn queue() -> [Parameter; 1] {
    [query::name("queue", "The name of a queue.")]
}

pub(in crate::api) fn list() -> About {
    About::new("list_queues", "Lists all queues, the most urgent first")
        .answers(200, "What waits and runs on each.")
}

pub(in crate::api) fn pause() -> About {
    About::new("pause_queue", "Starts none of its tasks any more")
        .more("Answered when every live worker has said so, or has had the time of a lease for it.")
        .with(queue())
        .answers(200, "The queue. `unconfirmed`: workers that have not said so.")
        .refuses([404])
}

pub(in crate::api) fn resume() -> About {
    About::new("resume_queue", "Goes on with its tasks")
        .with(queue())
        .answers(200, "The queue.")
        .refuses([404])
}
