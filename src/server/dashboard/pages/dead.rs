//! Dead letters, those with the same reason and the same trouble together.

use std::collections::BTreeMap;

use askama::Template;
use axum::http::StatusCode;
use clawpool_backends::store::Page;
use clawpool_core::{config::Scope, task::DeadReason};
use clawpool_engine::client::view::DeadView;

use super::{
    PAGE, advice,
    filter::{DEAD, Filter},
};
use crate::dashboard::{
    layout::Layout,
    register::Shown,
    visit::Visit,
    words::{self, When},
};

#[derive(Template)]
#[template(path = "dead.html")]
struct Dead {
    layout: Layout,
    filter: Filter,
    reasons: Vec<ReasonOption>,
    trouble: Option<String>,
    groups: Vec<Group>,
    shown: usize,
    newest: Option<String>,
    older: Option<String>,
    may_operate: bool,
    command: String,
}

struct ReasonOption {
    name: &'static str,
    is_chosen: bool,
}

/// Letters that ended alike.
struct Group {
    reason: String,
    class: String,
    signature: String,
    advice: &'static str,
    letters: Vec<Line>,
    latest: When,
}

struct Line {
    id: String,
    end: String,
    kind: String,
    priority: String,
    tenant: String,
    died: When,
    message: String,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    let filter = Filter::read(&visit.query, &DEAD);
    let asked = filter.address("/v1/dead").with("cursor", visit.query.text("cursor"));
    let asked = asked.with("limit", Some(PAGE.to_string())).text();
    let (found, trouble) = match visit.get::<Page<DeadView>>(&asked).await {
        Ok(found) => (found, None),
        Err(refusal)
            if refusal.status == StatusCode::BAD_REQUEST
                || refusal.view.field.as_deref() == Some("tenant") =>
        {
            (Page::new(Vec::new(), None), Some(refusal.view.message))
        }
        Err(refusal) => return Err(refusal),
    };
    let chosen = filter.value("reason");
    let option =
        |reason: DeadReason| ReasonOption { name: reason.name(), is_chosen: reason.name() == chosen };
    let page = Dead {
        layout: visit.layout("Dead letters"),
        reasons: DeadReason::ALL.map(option).into(),
        trouble,
        shown: found.items.len(),
        groups: groups(&found.items),
        newest: visit.query.is_set("cursor").then(|| filter.address("/dead").text()),
        older: found.next.map(|next| filter.address("/dead").with("cursor", Some(next)).text()),
        may_operate: visit.may(Scope::Operate),
        command: format!(
            "clawpool dead list{}",
            if filter.is_empty() { String::new() } else { filter.flags() }
        ),
        filter,
    };
    visit.answer(&page)
}

/// The largest first.
fn groups(letters: &[DeadView]) -> Vec<Group> {
    let mut alike: BTreeMap<(&str, &str, String), Vec<&DeadView>> = BTreeMap::new();
    for letter in letters {
        let signature = signature(letter.failure.summary());
        alike.entry((letter.reason.name(), letter.failure.class.name(), signature)).or_default().push(letter);
    }
    let group = |((_, class, signature), letters): ((&str, &str, String), Vec<&DeadView>)| {
        let first = letters.first()?;
        Some(Group {
            reason: first.reason.to_string(),
            class: class.replace('_', " "),
            signature,
            advice: advice::of_reason(first.reason),
            latest: When(letters.iter().map(|letter| letter.died_at).max()?),
            letters: letters.into_iter().map(line).collect(),
        })
    };
    let mut groups: Vec<Group> = alike.into_iter().filter_map(group).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.letters.len()));
    groups
}

fn line(letter: &DeadView) -> Line {
    Line {
        id: letter.id.to_string(),
        end: words::end(letter.id),
        kind: letter.kind.clone(),
        priority: letter.priority.to_string(),
        tenant: letter.tenant.clone().unwrap_or_default(),
        died: When(letter.died_at),
        message: words::first_line(letter.failure.summary(), 160),
    }
}

/// A message without what differs from one failure to the next: numbers and ids.
fn signature(message: &str) -> String {
    let line = words::first_line(message, 200);
    let mut text = String::with_capacity(line.len());
    for word in line.split_inclusive(|character: char| !character.is_ascii_alphanumeric() && character != '-')
    {
        let bare = word.trim_end_matches(|character: char| !character.is_ascii_alphanumeric());
        let digits = bare.bytes().filter(u8::is_ascii_digit).count();
        let is_hexadecimal =
            bare.len() >= 8 && bare.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        if digits == 0 || (digits < bare.len() && !is_hexadecimal && bare.len() < 8) {
            text.push_str(word);
        } else {
            text.push('#');
            text.push_str(&word[bare.len()..]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_failure_to_failure_is_left_out() {
        for (message, alike) in [
            ("no answer within 1503 ms", "no answer within # ms"),
            ("user 01920000-0000-7000-8000-000000000001 is gone", "user # is gone"),
            ("HTTP 503 from api.example", "HTTP # from api.example"),
            ("id 9f8e7d6c5b4a: bad", "id #: bad"),
            ("utf8 and P4 stay", "utf8 and P4 stay"),
        ] {
            assert_eq!(signature(message), alike);
        }
    }
}
