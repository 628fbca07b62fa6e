use crate::autoscale::sense::{ReplicaState, Replicas};

/// The replicas to drain when a pool shrinks: idle ones first, then the least loaded, of equals the youngest.
///
/// A worker that has not come up yet has nothing to finish. One without a heartbeat may still run tasks, so
/// it counts as full.
pub(super) fn replicas_to_drain(replicas: &Replicas, count: u32) -> Vec<&ReplicaState> {
    let mut staying: Vec<&ReplicaState> = replicas.staying.iter().collect();
    staying.sort_by_key(|replica| (load(replica), std::cmp::Reverse(replica.started_at)));
    staying.truncate(count as usize);
    staying
}

const fn load(replica: &ReplicaState) -> u32 {
    match (replica.worker, replica.alive) {
        (None, _) => 0,
        (Some(_), true) => replica.running,
        (Some(_), false) => u32::MAX,
    }
}
