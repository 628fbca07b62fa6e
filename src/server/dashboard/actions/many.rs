//! A change of many, as the API does it: some thousands a request, for some seconds, and then the page says
//! how far it is.

use std::time::{Duration, Instant};

use axum::response::Response;
use clawpool_engine::client::{
    Selection, TaskSelection,
    view::{DeadChangedView, TasksChangedView},
};

use super::confirm::{Question, ask};
use crate::dashboard::{form::Form, refusal::Refusal, told::Told, visit::Visit, words::count};

/// A page is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What one request of the API did.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) changed: u64,
    /// Running ones whose handlers were told to stop.
    pub(super) signalled: u64,
    /// Left alone.
    pub(super) left: u64,
    /// What they hold cannot be read.
    pub(super) hidden: u64,
}

impl Done {
    fn add(&mut self, other: Self) {
        self.changed += other.changed;
        self.signalled += other.signalled;
        self.left += other.left;
        self.hidden += other.hidden;
    }

    pub(super) fn text(self, verb: &str) -> String {
        let mut text = format!("{} {verb}", count(self.changed));
        for (number, what) in [
            (self.signalled, "running: their handlers have been told to stop"),
            (self.left, "left alone"),
            (self.hidden, "left alone: what they hold cannot be read where it is"),
        ] {
            if number > 0 {
                text.push_str(&format!("; {} {what}", count(number)));
            }
        }
        text
    }
}

/// What is done to all that match.
pub(super) struct Change {
    /// `Cancel`, on the button.
    pub(super) name: &'static str,
    /// `cancelled`, in what is told.
    pub(super) verb: &'static str,
    /// `tasks`.
    pub(super) what: &'static str,
    pub(super) is_danger: bool,
    pub(super) action: String,
    pub(super) command: String,
    pub(super) hidden: Vec<(String, String)>,
    pub(super) back: String,
}

/// What the API is asked.
pub(super) enum Order {
    Tasks { path: &'static str, selection: TaskSelection },
    Dead { path: String, selection: Selection },
}

impl Order {
    /// One request of the API, from a cursor on; it may only count.
    pub(super) async fn step(
        &self,
        visit: &Visit,
        cursor: Option<String>,
        dry_run: bool,
    ) -> Result<(Done, Option<String>), Refusal> {
        match self {
            Self::Tasks { path, selection } => {
                let asked = TaskSelection { cursor, dry_run, ..selection.clone() };
                let TasksChangedView { changed, signalled, left, hidden, next, .. } =
                    visit.order(path, &asked).await?;
                Ok((Done { changed, signalled, left, hidden }, next))
            }
            Self::Dead { path, selection } => {
                let asked = Selection { cursor, dry_run, ..selection.clone() };
                let DeadChangedView { counts, next, .. } = visit.order(path, &asked).await?;
                Ok((Done { changed: counts.count, left: counts.kept, ..Done::default() }, next))
            }
        }
    }
}

/// Asks first, then changes, and says how far it is.
pub(super) async fn run(
    visit: &Visit,
    form: &Form,
    change: Change,
    order: Order,
) -> Result<Response, Refusal> {
    let is_confirmed = form.text("confirm") == Some("yes");
    let before = |name: &str| form.text(name).and_then(|text| text.parse().ok()).unwrap_or_default();
    let mut sum =
        Done { changed: before("changed"), signalled: before("signalled"), left: before("left"), hidden: 0 };
    let mut cursor = form.text("cursor").map(str::to_owned);
    let begun = Instant::now();
    loop {
        let (done, next) = order.step(visit, cursor, !is_confirmed).await?;
        sum.add(done);
        cursor = next;
        if cursor.is_none() || begun.elapsed() >= PATIENCE {
            break;
        }
    }
    match (is_confirmed, cursor) {
        (false, cursor) => ask(visit, question(&change, sum, cursor.is_some())),
        (true, None) => visit.done(&change.back, &Told::done(sum.text(change.verb), change.command)),
        (true, Some(cursor)) => ask(visit, progress(change, sum, cursor)),
    }
}

fn question(change: &Change, found: Done, is_part: bool) -> Question {
    let all = found.changed + found.signalled;
    let least = if is_part { "at least " } else { "" };
    let hidden = match found.hidden {
        0 => String::new(),
        number => format!(" What {} others hold cannot be read where it is.", count(number)),
    };
    let mut sent = change.hidden.clone();
    sent.push(("confirm".to_owned(), "yes".to_owned()));
    Question {
        title: format!("{} {} {}?", change.name, count(all), change.what),
        text: format!("{least}{} {} match.{hidden}", count(all), change.what),
        command: change.command.clone(),
        action: change.action.clone(),
        hidden: sent,
        button: format!("{} {least}{} {}", change.name, count(all), change.what),
        is_danger: change.is_danger,
        is_empty: all == 0,
        goes_on: false,
        back: change.back.clone(),
    }
}

fn progress(change: Change, sum: Done, cursor: String) -> Question {
    let mut sent = change.hidden;
    let numbers = [("changed", sum.changed), ("signalled", sum.signalled), ("left", sum.left)];
    sent.extend(numbers.map(|(name, number)| (name.to_owned(), number.to_string())));
    sent.extend([("confirm".to_owned(), "yes".to_owned()), ("cursor".to_owned(), cursor)]);
    Question {
        title: format!("{} {} so far", count(sum.changed), change.verb),
        text: format!("{}. There are more.", sum.text(change.verb)),
        command: change.command,
        action: change.action,
        hidden: sent,
        button: "Go on".to_owned(),
        is_danger: false,
        is_empty: false,
        goes_on: true,
        back: change.back,
    }
}
