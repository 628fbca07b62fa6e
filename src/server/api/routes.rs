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
use utoipa::openapi::{RefOr, schema::Schema};

use super::{
    Api, about, access, alerts, audit, auth, autoscaler, bulk, config, dead, doctor, enqueue,
    error::ApiError,
    events, figures, health, host_series, hosts, metrics, open_queues,
    openapi::{self, About, Answer, Answering, Schemas},
    queues, reroute, schedule, story, task_bulk, task_counts, tasks, tokens, workers,
};
use clawpool_core::config::Scope;

/// One method of one path.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) access: Access,
    handler: MethodRouter<Arc<Api>>,
    /// For the document of the API.
    pub(super) about: fn() -> About,
    pub(super) answer: fn(&mut Schemas) -> Option<RefOr<Schema>>,
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
/// Every caller that is known.
const ANY: &[Scope] = &Scope::ALL;

/// Each row names its handler first; what is said of it is the function of the same name in `about`.
macro_rules! rows {
    [$($kind:ident($topic:ident::$handler:ident, $($rest:expr),+),)*] => {
        vec![$(Route::$kind($topic::$handler, about::$topic::$handler, $($rest),+)),*]
    };
}

/// Every route there is.
pub(super) fn all() -> Vec<Route> {
    rows![
        post(enqueue::enqueue, "/v1/tasks", ENQUEUE, Changes::Tasks),
        look(tasks::list, "/v1/tasks", READ),
        look(task_counts::show, "/v1/tasks/counts", READ),
        look(story::show, "/v1/tasks/{id}", &[Scope::Enqueue, Scope::Read]),
        look(story::logs, "/v1/tasks/{id}/logs", &[Scope::Enqueue, Scope::Read]),
        remove(tasks::cancel, "/v1/tasks/{id}", &[Scope::Enqueue, Scope::Operate], "task.cancel"),
        order(tasks::run, "/v1/tasks/{id}/run", OPERATE, "task.run"),
        order(task_bulk::cancel, "/v1/tasks/cancel", OPERATE, "tasks.cancel"),
        order(task_bulk::run, "/v1/tasks/run", OPERATE, "tasks.run"),
        order(reroute::priority, "/v1/tasks/priority", OPERATE, "tasks.priority"),
        post(enqueue::explain, "/v1/explain", ENQUEUE, Changes::Nothing),
        look(queues::list, "/v1/queues", READ),
        order(open_queues::add, "/v1/queues", ADMIN, "queue.add"),
        remove(open_queues::remove, "/v1/queues/{queue}", ADMIN, "queue.remove"),
        order(queues::pause, "/v1/queues/{queue}/pause", OPERATE, "queue.pause"),
        order(queues::resume, "/v1/queues/{queue}/resume", OPERATE, "queue.resume"),
        look(dead::list, "/v1/dead", READ),
        look(dead::export, "/v1/dead/export", READ),
        order(bulk::requeue, "/v1/dead/requeue", OPERATE, "dead.requeue"),
        order(bulk::discard, "/v1/dead/discard", OPERATE, "dead.discard"),
        look(dead::show, "/v1/dead/{id}", READ),
        look(schedule::list, "/v1/scheduled", READ),
        look(workers::list, "/v1/workers", READ),
        look(workers::crashes, "/v1/workers/crashes", READ),
        order(workers::drain, "/v1/workers/{id}/drain", OPERATE, "worker.drain"),
        order(workers::restart, "/v1/pools/{pool}/restart", OPERATE, "pool.restart"),
        look(hosts::list, "/v1/hosts", READ),
        look(host_series::list, "/v1/hosts/series", READ),
        look(alerts::list, "/v1/alerts", READ),
        look(figures::sla, "/v1/sla", READ),
        look(figures::list, "/v1/figures", READ),
        look(autoscaler::status, "/v1/autoscaler", READ),
        look(autoscaler::history, "/v1/autoscaler/history", READ),
        order(autoscaler::pause_all, "/v1/autoscaler/pause", OPERATE, "autoscaler.pause"),
        order(autoscaler::resume_all, "/v1/autoscaler/resume", OPERATE, "autoscaler.resume"),
        order(autoscaler::pause, "/v1/autoscaler/{pool}/pause", OPERATE, "autoscaler.pause"),
        order(autoscaler::resume, "/v1/autoscaler/{pool}/resume", OPERATE, "autoscaler.resume"),
        order(autoscaler::scale, "/v1/autoscaler/{pool}/scale", OPERATE, "autoscaler.scale"),
        look(access::show, "/v1/access", ANY),
        look(tokens::list, "/v1/tokens", ADMIN),
        order(tokens::add, "/v1/tokens", ADMIN, "token.add"),
        remove(tokens::revoke, "/v1/tokens/{name}", ADMIN, "token.revoke"),
        look(audit::list, "/v1/audit", READ),
        look(config::show, "/v1/config", READ),
        order(config::reload, "/v1/config/reload", ADMIN, "config.reload"),
        look(doctor::show, "/v1/doctor", READ),
        look(events::follow, "/v1/events", READ),
        look(metrics::metrics, "/metrics", READ),
        open(openapi::json, "/openapi.json"),
        open(openapi::read, "/docs"),
        open(health::live, "/livez"),
        open(health::ready, "/readyz"),
        open(health::health, "/health"),
    ]
}

impl Route {
    /// Changes nothing, and is for everybody.
    fn open<H: Described<T>, T: 'static>(handler: H, about: fn() -> About, path: &'static str) -> Self {
        let access = Access { needs: None, changes: Changes::Nothing };
        Self::new(Method::GET, handler, about, path, access)
    }

    /// Changes nothing.
    fn look<H: Described<T>, T: 'static>(
        handler: H,
        about: fn() -> About,
        path: &'static str,
        needs: &'static [Scope],
    ) -> Self {
        let access = Access { needs: Some(needs), changes: Changes::Nothing };
        Self::new(Method::GET, handler, about, path, access)
    }

    /// Changes something, and leaves an entry in the audit log.
    fn order<H: Described<T>, T: 'static>(
        handler: H,
        about: fn() -> About,
        path: &'static str,
        needs: &'static [Scope],
        verb: &'static str,
    ) -> Self {
        Self::post(handler, about, path, needs, Changes::Audited(verb))
    }

    /// The same with DELETE.
    fn remove<H: Described<T>, T: 'static>(
        handler: H,
        about: fn() -> About,
        path: &'static str,
        needs: &'static [Scope],
        verb: &'static str,
    ) -> Self {
        let access = Access { needs: Some(needs), changes: Changes::Audited(verb) };
        Self::new(Method::DELETE, handler, about, path, access)
    }

    fn post<H: Described<T>, T: 'static>(
        handler: H,
        about: fn() -> About,
        path: &'static str,
        needs: &'static [Scope],
        changes: Changes,
    ) -> Self {
        Self::new(Method::POST, handler, about, path, Access { needs: Some(needs), changes })
    }

    fn new<H: Described<T>, T: 'static>(
        method: Method,
        handler: H,
        about: fn() -> About,
        path: &'static str,
        access: Access,
    ) -> Self {
        let handler = match method {
            Method::POST => post(handler),
            Method::DELETE => delete(handler),
            _ => get(handler),
        };
        Self { method, path, access, handler, about, answer: H::Answer::body }
    }
}

/// A handler whose answer is told by its type.
trait Described<T>: Handler<T, Arc<Api>> + Answering<T> {}

impl<H: Handler<T, Arc<Api>> + Answering<T>, T> Described<T> for H {}

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
