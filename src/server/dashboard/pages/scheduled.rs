//! What is due later: delayed by its producer, or waiting for its next attempt.

use askama::Template;
use clawpool_backends::store::{Page, ScheduledTask};
use clawpool_core::config::Scope;

use super::PAGE;
use crate::dashboard::{
    form::{Address, part},
    layout::Layout,
    register::Shown,
    visit::Visit,
    words::{self, When},
};

#[derive(Template)]
#[template(path = "scheduled.html")]
struct Scheduled {
    layout: Layout,
    rows: Vec<Line>,
    first: bool,
    later: Option<String>,
    may_operate: bool,
}

struct Line {
    id: String,
    end: String,
    queue: String,
    queue_part: String,
    priority: String,
    due: When,
    generation: u32,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    let cursor = visit.query.text("cursor");
    let asked = Address::new("/v1/scheduled").with("limit", Some(PAGE.to_string())).with("cursor", cursor);
    let found: Page<ScheduledTask> = visit.get(&asked.text()).await?;
    let page = Scheduled {
        layout: visit.layout("Scheduled"),
        rows: found.items.iter().map(line).collect(),
        first: cursor.is_none(),
        later: found.next.map(|next| Address::new("/scheduled").with("cursor", Some(next)).text()),
        may_operate: visit.may(Scope::Operate),
    };
    visit.answer(&page)
}

fn line(task: &ScheduledTask) -> Line {
    Line {
        id: task.id.to_string(),
        end: words::end(task.id),
        queue: task.queue.name().to_owned(),
        queue_part: part(task.queue.name()),
        priority: task.priority.to_string(),
        due: When(task.at),
        generation: task.generation,
    }
}
