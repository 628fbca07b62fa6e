//! Dead letters that wait for a person.

use super::{Site, finding::Finding};

pub(super) async fn check(site: &Site) -> Vec<Finding> {
    let pool = match site.pool().await {
        Ok(pool) => pool,
        Err(skipped) => return vec![skipped],
    };
    vec![match pool.dead {
        (0, _) => Finding::ok("there are none"),
        (count, more) => {
            let most = if more { "more than " } else { "" };
            let text = format!("{most}{count} tasks have ended without success and wait for a decision");
            let fix = "clawpool dead list says why; then clawpool dead requeue, or clawpool dead discard";
            Finding::warning(text, fix)
        }
    }]
}
