//! The list `[[pools]]`.

mod check;
mod driver;
mod limits;
mod restart;
mod served;

use bytesize::ByteSize;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::check::check;
pub use self::{
    driver::PoolDriver,
    limits::PoolLimits,
    restart::{Breaker, Restart, RestartPolicy},
};
use super::{Autoscale, reading::size};
use crate::task::{KindPattern, QueuePattern};

/// Workers that `clawpool up` and `clawpool autoscaler` start and keep.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pool {
    /// Part of addresses and of names in the store: no slash, no control characters, no other pool's.
    pub name: String,
    /// Always this many, in place of min and max.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<u32>,
    /// Workers at least, in place of autoscale.min.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// Workers at most, in place of autoscale.max.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
    /// Where they run.
    #[serde(default)]
    pub driver: PoolDriver,
    /// Program and arguments; `clawpool-worker` beside this program by default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Tasks at once in each of its workers, in place of worker.slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u16>,
    /// Of them, kept free for P0 and P1, in place of worker.reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved: Option<u16>,
    /// The queues it serves: names, patterns (`llm.*`), priorities or lanes, which stand for their queues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queues: Option<Vec<QueuePattern>>,
    /// Kinds (`email.send`) and patterns (`email.*`): the queues on which the rules put such tasks are served
    /// as well.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindPattern>,
    /// When a worker that died is replaced.
    #[serde(default)]
    pub restart: Restart,
    /// A worker that has run so many tasks is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tasks: Option<u64>,
    /// A worker that takes more memory is replaced.
    #[serde(default, with = "size::option", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub max_memory: Option<ByteSize>,
    /// Windows: what the system holds each worker to, with all that it starts.
    #[serde(default)]
    pub limits: PoolLimits,
    /// Keys of the section [autoscale] that are different for this pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscale: Option<Autoscale>,
}

impl Pool {
    /// How large this pool is kept, with the pool's own bounds.
    pub fn autoscale(&self, section: &Autoscale) -> Autoscale {
        let base = self.autoscale.as_ref().unwrap_or(section);
        let min = self.workers.or(self.min).unwrap_or(base.min);
        let max = self.workers.or(self.max).unwrap_or(base.max);
        Autoscale { min, max, ..base.clone() }
    }
}

#[cfg(test)]
mod tests;
