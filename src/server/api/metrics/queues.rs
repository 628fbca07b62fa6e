use super::Page;
use crate::{
    api::{Api, error::ApiError, queues},
    telemetry::AttemptTotals,
};
use clawpool_core::task::Timestamp;
use clawpool_engine::client::view::QueueView;

/// What waits, where, and how it is promised; and what is overdue in the schedule set.
pub(super) async fn show(api: &Api, attempts: &AttemptTotals, page: &mut Page) -> Result<(), ApiError> {
    let classes = &api.config().classes;
    for view in queues::all(api).await? {
        let queue = [view.queue.name()];
        show_queue(&view, page);
        let class = classes.get(view.queue.priority());
        page.set("clawpool_queue_promise_seconds", &queue, class.sla.as_secs_f64());
        page.set("clawpool_queue_objective_ratio", &queue, class.objective);
        // From the first look on, so that the first one that is late can be seen to rise.
        let starts = attempts.starts(view.queue.name());
        page.count("clawpool_starts_total", &queue, starts.all);
        page.count("clawpool_late_starts_total", &queue, starts.late);
    }
    let earliest = api.store.scheduled(None, 1).await?.items.into_iter().next();
    let lag = earliest.map(|task| Timestamp::now().since(task.at)).unwrap_or_default();
    page.set("clawpool_schedule_lag_seconds", &[], lag.as_secs_f64());
    Ok(())
}

fn show_queue(view: &QueueView, page: &mut Page) {
    let queue = [view.queue.name()];
    if let Some(ready) = view.ready {
        page.count("clawpool_queue_ready", &queue, ready);
        let oldest = std::time::Duration::from_millis(view.oldest_age_ms.unwrap_or_default());
        page.set("clawpool_queue_oldest_seconds", &queue, oldest.as_secs_f64());
    }
    page.count("clawpool_queue_in_flight", &queue, view.in_flight);
    page.count("clawpool_queue_paused", &queue, view.paused.into());
    let totals = &view.totals;
    for (name, count) in [
        ("clawpool_tasks_enqueued_total", totals.enqueued),
        ("clawpool_tasks_completed_total", totals.completed),
        ("clawpool_tasks_retried_total", totals.retried),
        ("clawpool_tasks_dead_total", totals.dead),
        ("clawpool_tasks_cancelled_total", totals.cancelled),
    ] {
        page.count(name, &queue, count);
    }
}
