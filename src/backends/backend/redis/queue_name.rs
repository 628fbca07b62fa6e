//! How Redis's keys and scripts name queues: the own queue of a priority by its number, as earlier versions
//! do, another one as it is written.

use std::borrow::Cow;

use clawpool_core::task::{Priority, Queue};

/// A queue as scripts name it: the own queue of a priority by its number.
pub(crate) fn name(queue: Queue) -> Cow<'static, str> {
    const NUMBERS: [&str; Priority::ALL.len()] = ["0", "1", "2", "3", "4", "5", "6"];
    if queue.is_class() { Cow::Borrowed(NUMBERS[queue.priority().index()]) } else { queue.written() }
}

/// The queue of such a name.
pub(crate) fn named(name: &str) -> Option<Queue> {
    match name.parse() {
        Ok(number) => Priority::from_index(number).map(Priority::queue),
        Err(_) => name.parse().ok(),
    }
}

/// The queue of a priority's byte, after which the name of a user's own queue follows.
pub(crate) fn queue_after_priority(bytes: &[u8]) -> Option<Queue> {
    match bytes.split_first()? {
        (priority, []) => Priority::from_index((*priority).into()).map(Priority::queue),
        (_, own) => std::str::from_utf8(own).ok()?.parse().ok(),
    }
}

/// The name of a queue's bell.
pub(crate) fn bell(base: &str, queue: Queue) -> String {
    format!("{base}:bell:{}", queue.written())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawpool_core::task::Lane;

    #[test]
    fn each_name_is_that_of_one_queue() {
        let own = Queue::new("calls", Priority::P2, Lane::Critical).unwrap();
        for queue in Queue::CLASSES.into_iter().chain([own]) {
            assert_eq!(named(&name(queue)), Some(queue));
        }
        assert_eq!((&*name(Queue::P3), &*name(own)), ("3", "calls@P2/critical"));
        assert_eq!((named("7"), named("calls")), (None, None));
        assert_eq!(bell("base", Queue::P3), "base:bell:high.p3");
    }
}
