use crate::api::openapi::{About, query};
use clawpool_engine::client::event::EventTopic;

/// As ids of events are; a program takes them as they come. An empty one is as none.
const ID: &str = "^[ -~]*$";

pub(in crate::api) fn follow() -> About {
    let topics = EventTopic::ALL.map(EventTopic::name).into_iter().chain(["journal"]);
    let task = "Follows this task, until it has ended, in place of topics.";
    About::new("follow_events", "Follows what happens, as server-sent events")
        .more(
            "The data of each event is `{\"type\", \"at_ms\", …}`. `alert`, `scaling`, `audit`, `crash` and \
             `restart` have an `item`, as the list of their topic shows it, and an id to go on after. \
             `queues`, `workers`, `pools` and `health` have `items`: all of them at first (`whole`), then \
             those that changed, and the names of those that are `gone`. `task` has an `item`. `open` comes \
             first; `gap` says of which `topic` events are forgotten that were not told; `end` says for what \
             `reason` the dispatcher ends the stream.",
        )
        .with([
            query::words(
                "topics",
                "All that the token may see by default; `journal`: the first five.",
                topics,
            ),
            query::form("task", task, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
            query::text("after", "Go on after the event with this id."),
            query::header("Last-Event-ID", "The same, as browsers send it; it counts for more.", ID),
        ])
        .answers_as(200, "text/event-stream", "Events, until either side ends it.")
        .answers(204, "The task has ended, and that was told.")
        .refuses([404])
}
