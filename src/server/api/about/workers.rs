use crate::api::openapi::{About, query};

pub(in crate::api) fn list() -> About {
    About::new("list_workers", "Lists who works").answers(200, "All workers, on one page.")
}

pub(in crate::api) fn crashes() -> About {
    About::new("list_crashes", "Lists which workers died of what, the latest first")
        .with([query::pool()])
        .with(query::page())
        .answers(200, "A page of reports.")
}

pub(in crate::api) fn drain() -> About {
    About::new("drain_worker", "Has a worker finish what it runs and leave")
        .with([query::id("The id of the worker.")])
        .answers(202, "It learns of it with its next heartbeat.")
        .refuses([404])
}

pub(in crate::api) fn restart() -> About {
    About::new("restart_pool", "Starts the workers of a pool that are down, whatever its policy says")
        .with([query::name("pool", "The name of the pool.")])
        .answers(202, "Its supervisor learns of it with its next look.")
}
