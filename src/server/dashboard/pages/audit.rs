//! Who changed what.

use askama::Template;
use axum::http::StatusCode;
use clawpool_backends::store::Page;
use clawpool_engine::client::access::{AuditView, Outcome};

use super::{PAGE, filter::Filter};
use crate::dashboard::{
    layout::Layout,
    register::Shown,
    visit::Visit,
    words::{self, When, cut},
};

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    layout: Layout,
    filter: Filter,
    outcomes: Vec<(&'static str, bool)>,
    trouble: Option<String>,
    rows: Vec<Line>,
    newest: Option<String>,
    older: Option<String>,
    command: String,
}

struct Line {
    at: When,
    by: String,
    verb: String,
    subject: String,
    parameters: String,
    address: String,
    outcome: String,
    class: &'static str,
    code: String,
}

const NAMES: [&str; 6] = ["by", "verb", "subject", "outcome", "since", "until"];

pub(crate) async fn show(visit: &Visit) -> Shown {
    let filter = Filter::read(&visit.query, &NAMES);
    let asked = filter.address("/v1/audit").with("cursor", visit.query.text("cursor"));
    let asked = asked.with("limit", Some(PAGE.to_string())).text();
    let (found, trouble) = match visit.get::<Page<AuditView>>(&asked).await {
        Ok(found) => (found, None),
        Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => {
            (Page::new(Vec::new(), None), Some(refusal.view.message))
        }
        Err(refusal) => return Err(refusal),
    };
    let chosen = filter.value("outcome");
    let page = Audit {
        layout: visit.layout("Audit"),
        outcomes: ["done", "refused", "failed"].map(|name| (name, name == chosen)).into(),
        trouble,
        rows: found.items.into_iter().map(line).collect(),
        newest: visit.query.is_set("cursor").then(|| filter.address("/audit").text()),
        older: found.next.map(|next| filter.address("/audit").with("cursor", Some(next)).text()),
        command: format!("clawpool audit{}", if filter.is_empty() { String::new() } else { filter.flags() }),
        filter,
    };
    visit.answer(&page)
}

fn line(view: AuditView) -> Line {
    Line {
        at: When(view.at),
        by: view.by.unwrap_or_else(|| "without a token".to_owned()),
        verb: view.verb,
        subject: cut(&view.subject, 200),
        parameters: if view.parameters.is_null() {
            String::new()
        } else {
            cut(&view.parameters.to_string(), 300)
        },
        address: view.address.map(|address| address.to_string()).unwrap_or_default(),
        outcome: words::word(&view.outcome),
        class: match view.outcome {
            Outcome::Done => "good",
            Outcome::Refused => "warn",
            Outcome::Failed => "bad",
        },
        code: view.code.unwrap_or_default(),
    }
}
