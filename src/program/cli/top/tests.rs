use std::time::Duration;

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent, KeyModifiers},
};
use serde_json::json;

use super::{
    console::{Console, Mode},
    frame::{self, Look},
    keys::Deed,
    once,
    panels::{PANELS, named},
    snapshot::Snapshot,
};
use clawpool_backends::store::{Beat, WorkerInfo, conformance::beat_of};
use clawpool_core::task::{ProcessId, Timestamp};

const HOSTILE: &str = "evil\u{1b}[2J\u{202e}\0\nname";

fn snapshot() -> Snapshot {
    let queue = |queue: &str, ready: u64, paused: bool| {
        json!({
            "queue": queue, "priority": "P0", "lane": "critical", "ready": ready, "in_flight": 2,
            "oldest_age_ms": 1500, "limit": 1000, "paused": paused, "workers": 1,
            "enqueued": 10, "completed": 7, "retried": 1, "dead": 1, "cancelled": 0,
            "enqueued_per_second": 2.5, "finished_per_second": 2.0,
        })
    };
    let read = |value| serde_json::from_value(value).unwrap();
    let span = json!({
        "starts": 100, "late": 2, "kept": 0.98, "p50_ms": 3.0, "p95_ms": 40.0, "p99_ms": 210.0,
        "burn_rate": 20.0, "budget_left": -19.0,
    });
    Snapshot {
        at: Timestamp::now(),
        health: serde_json::from_value(json!({
            "status": "degraded", "instance_id": "i", "version": "1.2.3", "timestamp": Timestamp::now(),
            "services": {}, "reasons": [{
                "subject": "redis", "event": "store_trouble", "code": "CP-1301", "text": "it takes nothing",
                "since": Timestamp::now(),
            }],
        }))
        .unwrap(),
        queues: vec![
            read(queue("critical.p0", 3, false)),
            read(queue("critical.p1", 40, true)),
            read(queue("normal.p4", 20, false)),
        ],
        workers: vec![worker([1; 16], "main"), worker([2; 16], HOSTILE)],
        pools: Vec::new(),
        classes: vec![
            serde_json::from_value(json!({
                "priority": "P0", "promise_ms": 200, "objective": 0.999, "spans": {"1h": span, "30d": span},
            }))
            .unwrap(),
        ],
        alerts: vec![
            serde_json::from_value(json!({
                "at": Timestamp::now(), "pool": "main", "level": "error", "event": "no_handler",
                "code": "CP-1501", "text": HOSTILE, "fix": "add one",
            }))
            .unwrap(),
        ],
    }
}

fn worker(id: [u8; 16], pool: &str) -> WorkerInfo {
    let beat = Beat { pool: pool.into(), ..beat_of(ProcessId::from_bytes(id), Duration::from_secs(3)) };
    WorkerInfo { beat, beats: 3, last_beat: Timestamp::now(), alive: true }
}

fn console() -> Console {
    Console::new("http://127.0.0.1:7070", String::new())
}

/// What a terminal of this size shows.
fn screen(console: &Console, snapshot: &Snapshot, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let look = Look { has_colours: false };
    terminal.draw(|frame| frame::draw(frame, console, snapshot, look)).unwrap();
    let buffer = terminal.backend().buffer();
    let symbol = |x, y| buffer[(x, y)].symbol();
    (0..height).map(|y| (0..width).map(|x| symbol(x, y)).collect::<String>().trim_end().to_owned()).collect()
}

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (200, 50);

fn press(console: &mut Console, snapshot: &Snapshot, keys: &str) -> Deed {
    let code = |letter| match letter {
        '\n' => KeyCode::Enter,
        '\u{1b}' => KeyCode::Esc,
        '\t' => KeyCode::Tab,
        letter => KeyCode::Char(letter),
    };
    let press = |letter| console.press(KeyEvent::new(code(letter), KeyModifiers::NONE), snapshot);
    keys.chars().map(press).last().unwrap()
}

/// The first column of the rows that are shown.
fn names(console: &Console, snapshot: &Snapshot) -> Vec<String> {
    console.rows(snapshot).into_iter().map(|row| row.cells[0].text.clone()).collect()
}

#[test]
fn a_small_terminal_shows_what_matters() {
    let (console, snapshot) = (console(), snapshot());
    let lines = screen(&console, &snapshot, SMALL);
    assert_eq!(lines[0], "clawpool http://127.0.0.1:7070  degraded: redis: it takes nothing");
    assert!(
        lines[1].starts_with("waiting 63  running 6  in 7.5/s  out 6.0/s  died 3  workers 2"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with(" 1 queues  2 workers  3 pools"), "{lines:?}");
    assert!(lines[3].contains("QUEUE") && lines[3].contains("WORKERS"), "{lines:?}");
    assert!(!lines[3].contains("COMPLETED"), "no room for it: {lines:?}");
    assert!(lines[5].contains("critical.p1") && lines[5].contains("paused"), "{lines:?}");
    assert!(lines[23].starts_with("p pause   r resume   s sort"), "{lines:?}");
}

#[test]
fn a_large_one_shows_all_columns() {
    let lines = screen(&console(), &snapshot(), LARGE);
    assert!(lines[3].contains("COMPLETED") && lines[3].contains("NO HANDLER FOR"), "{lines:?}");
}

#[test]
fn every_table_fits_every_size() {
    let snapshot = snapshot();
    for panel in 0..PANELS.len() {
        for size in [(1, 1), (20, 5), SMALL, LARGE] {
            let mut console = console();
            console.choose(panel);
            screen(&console, &snapshot, size);
            console.mode = Mode::Help;
            screen(&console, &snapshot, size);
        }
    }
}

#[test]
fn rows_of_a_small_terminal_are_not_cut() {
    let snapshot = snapshot();
    for (number, panel) in PANELS.iter().enumerate().filter(|(_, panel)| panel.name != "alerts") {
        let mut console = console();
        console.choose(number);
        let lines = screen(&console, &snapshot, SMALL);
        let titles = panel.columns.iter().filter(|column| !column.is_wide).map(|column| column.title);
        titles.for_each(|title| assert!(lines[3].contains(title), "{title}: {lines:?}"));
    }
}

#[test]
fn what_others_wrote_does_not_steer_the_terminal() {
    let snapshot = snapshot();
    let steers = |text: &str| text.chars().any(|letter| "\u{1b}\u{202e}\0".contains(letter));
    for panel in 0..PANELS.len() {
        let mut console = console();
        console.choose(panel);
        let lines = screen(&console, &snapshot, LARGE);
        assert!(!lines.iter().any(|line| steers(line)), "{lines:?}");
    }
    let text = once::text(&console(), &snapshot);
    assert!(text.contains("evil") && !steers(&text), "{text:?}");
}

#[test]
fn keys_change_table_order_and_filter() {
    let (mut console, snapshot) = (console(), snapshot());
    // By the third column: most waiting first, then fewest.
    press(&mut console, &snapshot, "sss");
    assert_eq!(names(&console, &snapshot), ["critical.p1", "normal.p4", "critical.p0"]);
    assert!(screen(&console, &snapshot, SMALL)[3].contains("WAITINGv"));
    press(&mut console, &snapshot, "S");
    assert_eq!(names(&console, &snapshot), ["critical.p0", "normal.p4", "critical.p1"]);
    press(&mut console, &snapshot, "/CRIT\n");
    assert_eq!(names(&console, &snapshot), ["critical.p0", "critical.p1"]);
    assert!(screen(&console, &snapshot, SMALL)[2].contains("only with \"CRIT\""));
    press(&mut console, &snapshot, "\u{1b}");
    assert_eq!(names(&console, &snapshot).len(), 3);
    press(&mut console, &snapshot, "\t");
    assert_eq!(console.panel().name, "workers");
    press(&mut console, &snapshot, "4");
    assert_eq!(console.panel().name, "classes");
    assert!(matches!(press(&mut console, &snapshot, "q"), Deed::Leave));
}

#[test]
fn a_pause_is_asked_first() {
    let (mut console, snapshot) = (console(), snapshot());
    assert!(matches!(press(&mut console, &snapshot, "jp"), Deed::Draw));
    let last = screen(&console, &snapshot, SMALL).pop().unwrap();
    assert_eq!(last, "pause critical.p1? y or n   (clawpool queues pause critical.p1)");
    assert!(matches!(press(&mut console, &snapshot, "n"), Deed::Draw));
    let Deed::Order(wanted) = press(&mut console, &snapshot, "py") else { panic!("nothing is ordered") };
    assert_eq!(wanted.words(), "pause critical.p1");
    let Deed::Order(wanted) = press(&mut console, &snapshot, "r") else { panic!("nothing is ordered") };
    assert_eq!(wanted.command(), "clawpool queues resume critical.p1");
    assert!(matches!(press(&mut console, &snapshot, "d"), Deed::Draw), "no key of this table");
}

#[test]
fn the_chosen_row_stays_chosen_when_others_come_before_it() {
    let (mut console, mut snapshot) = (console(), snapshot());
    press(&mut console, &snapshot, "jj");
    let chosen = |console: &Console, snapshot: &Snapshot| {
        let rows = console.rows(snapshot);
        console.index(&rows).map(|index| rows[index].key.clone())
    };
    assert_eq!(chosen(&console, &snapshot).as_deref(), Some("normal.p4"));
    let first = snapshot.queues.remove(0);
    assert_eq!(chosen(&console, &snapshot).as_deref(), Some("normal.p4"));
    snapshot.queues.insert(0, first);
    snapshot.queues.pop();
    assert_eq!(chosen(&console, &snapshot).as_deref(), Some("critical.p1"), "what is last now");
    snapshot.queues.clear();
    assert_eq!(chosen(&console, &snapshot), None);
    press(&mut console, &snapshot, "jkp");
}

#[test]
fn the_last_picture_stays_while_nobody_answers() {
    let (mut console, mut snapshot) = (console(), snapshot());
    console.see(Err("no dispatcher answers".into()), &mut snapshot);
    let lines = screen(&console, &snapshot, SMALL);
    assert!(lines[0].contains("no answer for") && lines[0].ends_with("no dispatcher answers"), "{lines:?}");
    assert!(lines[4].contains("critical.p0"), "{lines:?}");
    let new = Box::new(snapshot.clone());
    console.see(Ok(new), &mut snapshot);
    assert!(!screen(&console, &snapshot, SMALL)[0].contains("no answer"));
}

#[test]
fn tables_are_known_by_their_names() {
    assert_eq!(named("pools"), Ok(2));
    assert_eq!(named("x").unwrap_err(), "queues, workers, pools, classes, alerts");
}
