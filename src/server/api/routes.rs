//! Every route: who may use it, and whether it changes something.
//!
//! Guarantees: there is no other way to a handler, so that no route is open, unguarded or unrecorded by
//! oversight. Never does: know what a handler does beyond that.

use std::sync::Arc;

use axum::{
    Router,
    handler::Handler,
    http::{Method, StatusCode},
    middleware,
    routing::{MethodRouter, delete, get, post},
};

use super::{
    Api, alerts, audit, auth, autoscaler, bulk, config, dead, enqueue, error::ApiError, figures, health,
    hosts, metrics, open_queues, queues, reroute, schedule, story, task_bulk, task_counts, tasks, tokens,
    workers,
};
use clawpool_core::config::Scope;

/// One method of one path.
pub(super) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "by it the tests know that they have every route"))]
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: Access,
    handler: MethodRouter<Arc<Api>>,
}

/// What [`auth::admit`] holds the callers of a route to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Access {
    /// One of these scopes; any known caller where the list is empty, everybody where there is none.
    pub(super) needs: Option<&'static [Scope]>,
    pub(super) changes: Changes,
}

/// What becomes different by a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Changes {
    Nothing,
    /// There are new tasks, which keep the name of the token that enqueued them.
    Tasks,
    /// Something that the audit log tells, under this verb.
    Audited(&'static str),
}

const ENQUEUE: &[Scope] = &[Scope::Enqueue];
const READ: &[Scope] = &[Scope::Read];
const OPERATE: &[Scope] = &[Scope::Operate];
const ADMIN: &[Scope] = &[Scope::Admin];

/// Every route there is.
pub(super) fn all() -> Vec<Route> {
    vec![
        Route::post("/v1/tasks", ENQUEUE, Changes::Tasks, enqueue::enqueue),
        Route::look("/v1/tasks", READ, tasks::list),
        Route::look("/v1/tasks/counts", READ, task_counts::show),
        Route::look("/v1/tasks/{id}", &[Scope::Enqueue, Scope::Read], story::show),
        Route::look("/v1/tasks/{id}/logs", &[Scope::Enqueue, Scope::Read], story::logs),
        Route::remove("/v1/tasks/{id}", &[Scope::Enqueue, Scope::Operate], "task.cancel", tasks::cancel),
        Route::order("/v1/tasks/{id}/run", OPERATE, "task.run", tasks::run),
        Route::order("/v1/tasks/cancel", OPERATE, "tasks.cancel", task_bulk::cancel),
        Route::order("/v1/tasks/run", OPERATE, "tasks.run", task_bulk::run),
        Route::order("/v1/tasks/priority", OPERATE, "tasks.priority", reroute::priority),
        Route::post("/v1/explain", ENQUEUE, Changes::Nothing, enqueue::explain),
        Route::look("/v1/queues", READ, queues::list),
        Route::order("/v1/queues", ADMIN, "queue.add", open_queues::add),
        Route::remove("/v1/queues/{queue}", ADMIN, "queue.remove", open_queues::remove),
        Route::order("/v1/queues/{queue}/pause", OPERATE, "queue.pause", queues::pause),
        Route::order("/v1/queues/{queue}/resume", OPERATE, "queue.resume", queues::resume),
        Route::look("/v1/dead", READ, dead::list),
        Route::look("/v1/dead/export", READ, dead::export),
        Route::order("/v1/dead/requeue", OPERATE, "dead.requeue", bulk::requeue),
        Route::order("/v1/dead/discard", OPERATE, "dead.discard", bulk::discard),
        Route::look("/v1/dead/{id}", READ, dead::show),
        Route::look("/v1/scheduled", READ, schedule::list),
        Route::look("/v1/workers", READ, workers::list),
        Route::look("/v1/workers/crashes", READ, workers::crashes),
        Route::order("/v1/workers/{id}/drain", OPERATE, "worker.drain", workers::drain),
        Route::order("/v1/pools/{pool}/restart", OPERATE, "pool.restart", workers::restart),
        Route::look("/v1/hosts", READ, hosts::list),
        Route::look("/v1/alerts", READ, alerts::list),
        Route::look("/v1/sla", READ, figures::sla),
        Route::look("/v1/figures", READ, figures::list),
        Route::look("/v1/autoscaler", READ, autoscaler::status),
        Route::look("/v1/autoscaler/history", READ, autoscaler::history),
        Route::order("/v1/autoscaler/pause", OPERATE, "autoscaler.pause", autoscaler::pause_all),
        Route::order("/v1/autoscaler/resume", OPERATE, "autoscaler.resume", autoscaler::resume_all),
        Route::order("/v1/autoscaler/{pool}/pause", OPERATE, "autoscaler.pause", autoscaler::pause),
        Route::order("/v1/autoscaler/{pool}/resume", OPERATE, "autoscaler.resume", autoscaler::resume),
        Route::order("/v1/autoscaler/{pool}/scale", OPERATE, "autoscaler.scale", autoscaler::scale),
        Route::look("/v1/tokens", ADMIN, tokens::list),
        Route::order("/v1/tokens", ADMIN, "token.add", tokens::add),
        Route::remove("/v1/tokens/{name}", ADMIN, "token.revoke", tokens::revoke),
        Route::look("/v1/audit", READ, audit::list),
        Route::order("/v1/config/reload", ADMIN, "config.reload", config::reload),
        Route::look("/metrics", READ, metrics::metrics),
        Route::open("/livez", health::live),
        Route::open("/readyz", health::ready),
        Route::open("/health", health::health),
    ]
}

impl Route {
    /// Changes nothing, and is for everybody.
    fn open<H: Handler<T, Arc<Api>>, T: 'static>(path: &'static str, handler: H) -> Self {
        let access = Access { needs: None, changes: Changes::Nothing };
        Self { method: Method::GET, path, access, handler: get(handler) }
    }

    /// Changes nothing.
    fn look<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        needs: &'static [Scope],
        handler: H,
    ) -> Self {
        let access = Access { needs: Some(needs), changes: Changes::Nothing };
        Self { method: Method::GET, path, access, handler: get(handler) }
    }

    /// Changes something, and leaves an entry in the audit log.
    fn order<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        needs: &'static [Scope],
        verb: &'static str,
        handler: H,
    ) -> Self {
        Self::post(path, needs, Changes::Audited(verb), handler)
    }

    /// The same with DELETE.
    fn remove<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        needs: &'static [Scope],
        verb: &'static str,
        handler: H,
    ) -> Self {
        let access = Access { needs: Some(needs), changes: Changes::Audited(verb) };
        Self { method: Method::DELETE, path, access, handler: delete(handler) }
    }

    fn post<H: Handler<T, Arc<Api>>, T: 'static>(
        path: &'static str,
        needs: &'static [Scope],
        changes: Changes,
        handler: H,
    ) -> Self {
        let access = Access { needs: Some(needs), changes };
        Self { method: Method::POST, path, access, handler: post(handler) }
    }
}

/// All routes behind their guard. What is at no route is told to known callers alone.
pub(super) fn router(api: &Arc<Api>) -> Router<Arc<Api>> {
    let guard = |access| middleware::from_fn_with_state((Arc::clone(api), access), auth::admit);
    let add = |router: Router<Arc<Api>>, route: Route| {
        router.route(route.path, route.handler.route_layer(guard(route.access)))
    };
    let known = Access { needs: Some(&[]), changes: Changes::Nothing };
    all()
        .into_iter()
        .fold(Router::new(), add)
        .fallback(nowhere.layer(guard(known)))
        .method_not_allowed_fallback(wrong_method.layer(guard(known)))
}

async fn nowhere() -> ApiError {
    ApiError::not_found("there is nothing at this address")
}

async fn wrong_method() -> ApiError {
    let message = "this address does not take this method";
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "CP-1406", message)
}
