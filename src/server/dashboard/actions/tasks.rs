//! What is done to tasks: to one, to those that were chosen, to all that match.

use axum::http::Method;
use clawpool_core::{
    config::Scope,
    task::{NewTask, Payload, State, TaskName},
};
use clawpool_engine::client::{
    Selection, TaskFilter, TaskSelection,
    task::TaskDetail,
    view::{AcceptedView, DeadChangedView},
};

use super::many::{self, Change, Order};
use crate::dashboard::{
    form::{Form, part},
    pages::filter::{Filter, TASKS},
    refusal::Refusal,
    register::Shown,
    told::Told,
    visit::Visit,
    words::quoted,
};

pub(crate) async fn cancel(visit: &Visit) -> Shown {
    let name = part(visit.named());
    visit.tell(Method::DELETE, &format!("/v1/tasks/{name}")).await?;
    let text = "Cancelled. A handler that runs has been told to stop.";
    let told = Told::done(text, format!("clawpool tasks cancel {}", quoted(visit.named())));
    visit.done(&format!("/tasks/{name}"), &told)
}

pub(crate) async fn run(visit: &Visit) -> Shown {
    let name = part(visit.named());
    visit.tell(Method::POST, &format!("/v1/tasks/{name}/run")).await?;
    let told = Told::done("It is on its way.", format!("clawpool tasks run {}", quoted(visit.named())));
    visit.done(&format!("/tasks/{name}"), &told)
}

/// Of a dead letter; with another payload where the form has one.
pub(crate) async fn requeue(visit: &Visit, form: &Form) -> Shown {
    let payload = payload(form)?;
    let mut command = format!("clawpool dead requeue {}", quoted(visit.named()));
    if let Some(text) = form.text("payload") {
        command.push_str(&format!(" --payload {}", quoted(text)));
    }
    let selection = Selection { ids: Some(vec![task(visit.named())?]), payload, ..Selection::default() };
    let changed: DeadChangedView = visit.order("/v1/dead/requeue", &selection).await?;
    let told = match changed.counts {
        counts if counts.count > 0 => Told::done("It runs again, as new.", command),
        counts if counts.kept > 0 => {
            Told::failed("It stays: another task with its unique key is not finished.", command)
        }
        _ => Told::failed("There is no such dead letter any more.", command),
    };
    visit.done(&format!("/tasks/{}", part(visit.named())), &told)
}

/// Another task with the same, or with an edited payload.
pub(crate) async fn again(visit: &Visit, form: &Form) -> Shown {
    let detail: TaskDetail = visit.get(&format!("/v1/tasks/{}", part(visit.named()))).await?;
    let TaskDetail { record, story } = detail;
    let payload = payload(form)?.or(story.payload);
    let payload = payload.ok_or_else(|| Refusal::wrong("The payload of this task is not known any more."))?;
    let json = serde_json::to_string(&payload).map_err(|error| Refusal::unreadable(&error))?;
    let mut command = format!("clawpool enqueue {} {}", quoted(&record.kind), quoted(&json));
    // Without the scope its kind decides, as for any producer's task.
    let place = visit.may(Scope::Priority).then_some(record.queue);
    if let Some(queue) = place {
        command.push_str(&format!(" --queue {}", quoted(queue.name())));
    }
    let new = NewTask {
        kind: record.kind,
        payload,
        queue: place.map(|queue| queue.name().to_owned()),
        tenant: record.tenant,
        tier: story.tier,
        session: story.session,
        meta: story.meta,
        ..NewTask::default()
    };
    let accepted: AcceptedView = visit.order("/v1/tasks", &new).await?;
    let warnings: String = accepted.warnings.iter().map(|warning| format!(" {warning}.")).collect();
    let told = Told::done(format!("This is the new task.{warnings}"), command);
    visit.done(&format!("/tasks/{}", accepted.id), &told)
}

/// As somebody wrote it. Nothing is sent that is no JSON.
fn payload(form: &Form) -> Result<Option<Payload>, Refusal> {
    let Some(text) = form.text("payload") else { return Ok(None) };
    let read = serde_json::from_str(text);
    read.map(Some)
        .map_err(|error| Refusal::wrong(format!("The payload is not JSON: {error}. Go back and mend it.")))
}

fn task(name: &str) -> Result<TaskName, Refusal> {
    name.parse().map_err(|error| Refusal::wrong(format!("{name:?}: {error}")))
}

/// Those that were chosen, or all that match.
pub(crate) async fn bulk(visit: &Visit, form: &Form) -> Shown {
    let order = form.text("do").unwrap_or_default();
    let (order, of_chosen) = match order.strip_suffix("-chosen") {
        Some(order) => (order, true),
        None => (order, false),
    };
    let (path, name, verb, is_danger) = match order {
        "cancel" => ("/v1/tasks/cancel", "Cancel", "cancelled", true),
        "run" => ("/v1/tasks/run", "Start", "on their way", false),
        _ => return Err(Refusal::wrong("Say what is to be done: cancel or run.")),
    };
    let filter = Filter::read(form, &TASKS);
    let back = filter.address("/tasks").text();
    if of_chosen {
        return chosen(visit, form, (path, verb, order), &back).await;
    }
    let selection = selection(&filter)?;
    let yes = if is_danger { " --yes" } else { "" };
    let mut hidden = filter.hidden();
    hidden.push(("do".to_owned(), order.to_owned()));
    let change = Change {
        name,
        verb,
        what: "tasks",
        is_danger,
        action: "/tasks/bulk".to_owned(),
        command: format!("clawpool tasks {order}{}{yes}", filter.flags()),
        hidden,
        back,
    };
    many::run(visit, form, change, Order::Tasks { path, selection }).await
}

async fn chosen(
    visit: &Visit,
    form: &Form,
    (path, verb, order): (&'static str, &str, &str),
    back: &str,
) -> Shown {
    let ids = form.all("ids");
    if ids.is_empty() {
        return visit.done(back, &Told::failed("No task was chosen: tick some first.", ""));
    }
    let names: Result<Vec<TaskName>, Refusal> = ids.iter().map(|id| task(id)).collect();
    let selection = TaskSelection { ids: Some(names?), ..TaskSelection::default() };
    let (done, _) = Order::Tasks { path, selection }.step(visit, None, false).await?;
    let all = ids.iter().map(|id| quoted(id)).collect::<Vec<_>>().join(" ");
    let told = Told::done(done.text(verb), format!("clawpool tasks {order} {all}"));
    visit.done(back, &told)
}

/// Of all tasks that match; without a condition of all tasks.
fn selection(filter: &Filter) -> Result<TaskSelection, Refusal> {
    if filter.is_empty() {
        return Ok(TaskSelection { all: true, ..TaskSelection::default() });
    }
    let states = filter.value("state");
    let states: Result<Vec<State>, Refusal> = states
        .split(',')
        .filter(|state| !state.is_empty())
        .map(|state| state.parse().map_err(|error| Refusal::wrong(format!("state: {error}"))))
        .collect();
    let text = |name| filter.text(name).map(str::to_owned);
    let asked = TaskFilter {
        states: states?,
        kind: filter.parsed("kind")?,
        priority: filter.parsed("priority")?,
        queue: text("queue"),
        tenant: text("tenant"),
        session: text("session"),
        tag: text("tag"),
        text: text("text"),
        since: filter.moment("since")?,
        until: filter.moment("until")?,
    };
    Ok(TaskSelection { filter: Some(asked), ..TaskSelection::default() })
}
