//! Looking for messages that should wait, and putting back those that fell out of their list.

use std::collections::BTreeSet;

use super::{
    scripts,
    shared::{Shared, failure},
};
use crate::backend::redis::queue_name::name;
use crate::{
    backend::redis::packed,
    broker::{BrokerError, Found, Missing},
};
use clawpool_core::task::{ProcessId, Queue};

/// How far into a list one search goes: some hundred microseconds of the server's time.
const DEPTH: usize = 20_000;

/// Messages in one script.
const BATCH: usize = 20;

pub(super) async fn restore(
    shared: &Shared,
    missing: &[Missing],
    living: &[ProcessId],
) -> Result<Vec<Found>, BrokerError> {
    let mut found = vec![Found::Unknown; missing.len()];
    let living: Vec<u8> = living.iter().flat_map(|worker| *worker.as_bytes()).collect();
    let queues: BTreeSet<Queue> = missing.iter().map(|missing| missing.queue).collect();
    for queue in queues {
        let positions: Vec<usize> =
            (0..missing.len()).filter(|position| missing[*position].queue == queue).collect();
        for positions in positions.chunks(BATCH) {
            let entries = positions
                .iter()
                .flat_map(|position| packed::entry(missing[*position].id, missing[*position].generation));
            let mut call = shared.call(&scripts::RESTORE);
            call.arg(&*name(queue)).arg(DEPTH).arg(&living[..]).arg(entries.collect::<Vec<u8>>());
            let answers: String = shared.link.run(&call).await.map_err(|error| failure(&error))?;
            for (position, answer) in positions.iter().zip(answers.bytes()) {
                found[*position] = match answer {
                    b'T' => Found::There,
                    b'R' => Found::Restored,
                    b'G' => Found::Gone,
                    _ => Found::Unknown,
                };
            }
        }
    }
    Ok(found)
}
