//! Looking for messages that should wait, and putting back those that fell out of their list.

use super::{
    scripts,
    scripts::priorities,
    shared::{Shared, failure},
};
use crate::{
    backend::redis::packed,
    broker::{BrokerError, Found, Missing},
};
use clawpool_core::task::{Priority, WorkerId};

/// How far into a list one question looks: some hundred microseconds of the server's time.
const DEPTH: usize = 20_000;

/// Questions in one script.
const BATCH: usize = 20;

pub(super) async fn restore(
    shared: &Shared,
    missing: &[Missing],
    living: &[WorkerId],
) -> Result<Vec<Found>, BrokerError> {
    let mut found = vec![Found::Unknown; missing.len()];
    let living: Vec<u8> = living.iter().flat_map(|worker| *worker.as_bytes()).collect();
    for priority in Priority::ALL {
        let places: Vec<usize> = (0..missing.len()).filter(|place| missing[*place].priority == priority).collect();
        for places in places.chunks(BATCH) {
            let entries = places.iter().flat_map(|place| packed::entry(missing[*place].id, missing[*place].generation));
            let mut call = shared.call(&scripts::RESTORE);
            call.arg(priority.index()).arg(priority.queue().name()).arg(priorities(priority.queue()));
            call.arg(DEPTH).arg(&living[..]).arg(entries.collect::<Vec<u8>>());
            let letters: String = shared.link.run(&call).await.map_err(|error| failure(&error))?;
            for (place, letter) in places.iter().zip(letters.bytes()) {
                found[*place] = match letter {
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
