//! The figures at the top of the overview.

use clawpool_backends::store::WorkerInfo;
use clawpool_engine::client::{figures::FiguresView, view::QueueView};

use super::{
    queues::is_overdue,
    span::{Span, ended},
};
use crate::dashboard::words;

pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    pub(super) note: String,
    pub(super) class: &'static str,
    pub(super) link: &'static str,
}

pub(super) fn load(queues: &[QueueView], promised: &dyn Fn(&QueueView) -> Option<u64>) -> Vec<Tile> {
    let known: Option<u64> = queues.iter().map(|view| view.ready).sum();
    let waiting = known.map_or_else(|| "?".to_owned(), words::count);
    let paused = queues.iter().filter(|view| view.paused).count();
    let running: u64 = queues.iter().map(|view| view.in_flight).sum();
    let oldest =
        queues.iter().filter_map(|view| Some((view.oldest_age_ms?, view))).max_by_key(|(age, _)| *age);
    let overdue = queues.iter().any(|view| is_overdue(view, promised(view)));
    let note = match oldest {
        Some((_, view)) => format!("on {}", view.queue.name()),
        None => "nothing waits".to_owned(),
    };
    let paused = match paused {
        0 => format!("on {} queues", queues.len()),
        paused => format!("{paused} of {} queues paused", queues.len()),
    };
    vec![
        Tile { name: "Waiting", value: waiting, note: paused, class: "", link: "/queues" },
        Tile {
            name: "Oldest wait",
            value: oldest.map_or_else(|| "–".to_owned(), |(age, _)| words::millis(age as f64)),
            note,
            class: if overdue { "warn" } else { "" },
            link: "/queues",
        },
        Tile {
            name: "Running",
            value: words::count(running),
            note: "as the workers last said".to_owned(),
            class: "",
            link: "/tasks?state=running",
        },
    ]
}

pub(super) fn outcomes(figures: &FiguresView, span: &Span) -> Vec<Tile> {
    let [completed, retried, dead] = ["completed", "retried", "dead"].map(|name| ended(figures, name));
    let all = (completed + retried + dead).max(1);
    let failed = (retried + dead) as f64 / all as f64;
    vec![
        Tile {
            name: "Completed",
            value: words::count(completed),
            note: format!("in {}", span.title),
            class: "",
            link: "/tasks?state=completed",
        },
        Tile {
            name: "Failing",
            value: words::count(retried + dead),
            note: format!("{} of attempts; {} for good", words::percent(failed), words::count(dead)),
            class: if failed > 0.05 {
                "bad"
            } else if retried + dead > 0 {
                "warn"
            } else {
                ""
            },
            link: "/dead",
        },
    ]
}

pub(super) fn crew(workers: &[WorkerInfo]) -> Tile {
    let alive: Vec<&WorkerInfo> = workers.iter().filter(|worker| worker.alive).collect();
    let slots: u64 = alive.iter().map(|worker| u64::from(worker.beat.slots)).sum();
    let busy: u64 = alive.iter().flat_map(|worker| &worker.beat.running).copied().map(u64::from).sum();
    let lost = workers.len() - alive.len();
    let lost_text = if lost > 0 { format!("; {lost} silent") } else { String::new() };
    Tile {
        name: "Workers",
        value: alive.len().to_string(),
        note: format!("{} of {} slots busy{lost_text}", words::count(busy), words::count(slots)),
        class: if alive.is_empty() || lost > 0 { "warn" } else { "" },
        link: "/workers",
    }
}
