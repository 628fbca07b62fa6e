use crate::api::{
    open_queues::NewQueue,
    openapi::{About, query},
};

pub(in crate::api) fn add() -> About {
    About::new("add_queue", "Makes a queue")
        .takes::<NewQueue>()
        .answers(201, "It is there, as asked for.")
        .refuses([409])
}

pub(in crate::api) fn remove() -> About {
    About::new("remove_queue", "Removes a queue that was made at run time")
        .with([
            query::name("queue", "The name of the queue."),
            query::flag("drain", "With unfinished tasks: it takes no new ones. Ask again until it is gone."),
            query::text("move_to", "The same; and some of what waits moves to this queue at each call."),
        ])
        .answers(200, "It is gone.")
        .answers(202, "It takes no new tasks. Ask again.")
        .refuses([404, 409])
}
