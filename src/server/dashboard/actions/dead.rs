//! What is done to dead letters: to those of a group, or to all that match.

use clawpool_backends::store::DeadFilter;
use clawpool_core::task::TaskName;
use clawpool_engine::client::Selection;

use super::many::{self, Change, Order};
use crate::dashboard::{
    form::Form,
    pages::filter::{DEAD, Filter},
    refusal::Refusal,
    register::Shown,
    visit::Visit,
    words::quoted,
};

pub(crate) async fn requeue(visit: &Visit, form: &Form) -> Shown {
    change(visit, form, "requeue", ("Requeue", "on their way again"), false).await
}

pub(crate) async fn discard(visit: &Visit, form: &Form) -> Shown {
    change(visit, form, "discard", ("Discard", "discarded"), true).await
}

async fn change(
    visit: &Visit,
    form: &Form,
    order: &'static str,
    (name, verb): (&'static str, &'static str),
    is_danger: bool,
) -> Shown {
    let filter = Filter::read(form, &DEAD);
    let ids = form.all("ids");
    let flags = if ids.is_empty() {
        filter.flags()
    } else {
        ids.iter().map(|id| format!(" {}", quoted(id))).collect()
    };
    let mut hidden = filter.hidden();
    hidden.extend(ids.iter().map(|id| ("ids".to_owned(), id.clone())));
    let yes = if is_danger && ids.is_empty() { " --yes" } else { "" };
    let change = Change {
        name,
        verb,
        what: "dead letters",
        is_danger,
        action: format!("/dead/{order}"),
        command: format!("clawpool dead {order}{flags}{yes}"),
        hidden,
        back: filter.address("/dead").text(),
    };
    let path = format!("/v1/dead/{order}");
    let selection = selection(&filter, &ids)?;
    many::run(visit, form, change, Order::Dead { path, selection }).await
}

fn selection(filter: &Filter, ids: &[String]) -> Result<Selection, Refusal> {
    if !ids.is_empty() {
        let named =
            ids.iter().map(|id| id.parse().map_err(|error| Refusal::wrong(format!("{id:?}: {error}"))));
        let named: Result<Vec<TaskName>, Refusal> = named.collect();
        return Ok(Selection { ids: Some(named?), ..Selection::default() });
    }
    if filter.is_empty() {
        return Ok(Selection { all: true, ..Selection::default() });
    }
    let text = |name| filter.text(name).map(str::to_owned);
    let asked = DeadFilter {
        kind: filter.parsed("kind")?,
        reason: filter.parsed("reason")?,
        priority: filter.parsed("priority")?,
        tenant: text("tenant"),
        session: text("session"),
        tag: text("tag"),
        text: text("text"),
        since: filter.moment("since")?,
        until: filter.moment("until")?,
    };
    Ok(Selection { filter: Some(asked), ..Selection::default() })
}
