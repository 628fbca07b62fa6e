//! Due tasks: off the schedule set and on their queues in one step.

use super::{RedisPath, scripts};
use crate::{
    backend::redis::queue_name::{name, named},
    broker::{BrokerError, redis::BATCH},
    path::{Path, PathError, Promoted},
    store::{
        Fence,
        redis::{MARGIN, millis},
    },
};
use clawpool_core::task::Timestamp;

/// As `scripts/promote.lua` answers.
type Answer = (usize, usize, String, usize, Option<u64>);

impl RedisPath {
    pub(super) async fn promote_due(&self, fence: Fence, limit: usize) -> Result<Promoted, PathError> {
        let limits = &self.shared.limits;
        let mut call = self.store.call(&scripts::PROMOTE);
        call.arg(fence.role.name()).arg(fence.number).arg(limit.clamp(1, BATCH)).arg(millis(MARGIN));
        call.arg(&*self.lanes).arg(limits.common());
        for (queue, limit) in limits.own() {
            call.arg(&*name(queue)).arg(limit);
        }
        let answer = self.store.run_fenced::<Answer>(fence, &call).await?;
        let (moved, left, full, others, next) = answer;
        let full = named(&full).map(|queue| BrokerError::Full { queue, limit: limits.get(queue) });
        let next = next.map(Timestamp::from_millis);
        let own = Promoted { moved, left, refusal: full.map(PathError::from), next };
        if others == 0 { Ok(own) } else { self.promote_others(fence, limit, own).await }
    }

    /// The others see what is left of the own ones as well.
    async fn promote_others(&self, fence: Fence, limit: usize, own: Promoted) -> Result<Promoted, PathError> {
        let others = self.others.promote(fence, limit).await?;
        Ok(Promoted {
            moved: own.moved + others.moved,
            left: others.left,
            refusal: others.refusal.or(own.refusal),
            next: others.next,
        })
    }
}
