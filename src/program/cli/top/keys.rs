use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    console::{Console, Mode},
    orders::Wanted,
    panels::PANELS,
    snapshot::Snapshot,
};

/// What is to be done after a key.
#[derive(Debug)]
pub(super) enum Deed {
    Draw,
    Ask,
    Order(Wanted),
    Leave,
}

/// For the help: keys, and what they do.
pub(super) const KEYS: [(&str, &str); 10] = [
    ("1-5 Tab", "another table"),
    ("up down", "another row (also j k, page up and down, home and end)"),
    ("s S", "sort by the next column; the other way round"),
    ("/", "only rows with a text; Esc shows all again"),
    ("p", "pause the queue, or the autoscaler of the pool"),
    ("r", "resume it"),
    ("d", "drain the worker: it finishes what it runs and leaves"),
    ("space", "ask the dispatcher now"),
    ("?", "this help"),
    ("q", "leave (also Ctrl-C)"),
];

/// Rows of a page, whatever the terminal has room for.
const PAGE: isize = 10;

impl Console {
    pub(super) fn press(&mut self, key: KeyEvent, snapshot: &Snapshot) -> Deed {
        let interrupts = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
        if interrupts {
            return Deed::Leave;
        }
        match self.mode.clone() {
            Mode::Looking => self.look(key.code, snapshot),
            Mode::Filtering => self.write(key.code),
            Mode::Asking(wanted) => self.decide(key.code, wanted),
            Mode::Help => {
                self.mode = Mode::Looking;
                Deed::Draw
            }
        }
    }

    fn look(&mut self, key: KeyCode, snapshot: &Snapshot) -> Deed {
        self.said = None;
        let rows = self.rows(snapshot);
        match key {
            KeyCode::Char('q') => return Deed::Leave,
            KeyCode::Char(' ') => return Deed::Ask,
            KeyCode::Char('?') => self.mode = Mode::Help,
            KeyCode::Char('/') => self.mode = Mode::Filtering,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Char('s') => self.sort_next(),
            KeyCode::Char('S') => self.sort_back(),
            KeyCode::Tab | KeyCode::Right => self.choose(self.chosen_panel() + 1),
            KeyCode::BackTab | KeyCode::Left => self.choose(self.chosen_panel() + PANELS.len() - 1),
            KeyCode::Down | KeyCode::Char('j') => self.step(1, &rows),
            KeyCode::Up | KeyCode::Char('k') => self.step(-1, &rows),
            KeyCode::PageDown => self.step(PAGE, &rows),
            KeyCode::PageUp => self.step(-PAGE, &rows),
            KeyCode::Home => self.step(isize::MIN, &rows),
            KeyCode::End => self.step(isize::MAX, &rows),
            KeyCode::Char(key) => return self.other(key, snapshot),
            _ => {}
        }
        Deed::Draw
    }

    /// The number of a table, or the key of an order.
    fn other(&mut self, key: char, snapshot: &Snapshot) -> Deed {
        if let Some(panel) = key.to_digit(10).and_then(|number| (number as usize).checked_sub(1)) {
            if panel < PANELS.len() {
                self.choose(panel);
            }
            return Deed::Draw;
        }
        match self.wanted(key, &self.rows(snapshot)) {
            Some(wanted) if wanted.order.is_asked => {
                self.mode = Mode::Asking(wanted);
                Deed::Draw
            }
            Some(wanted) => Deed::Order(wanted),
            None => Deed::Draw,
        }
    }

    fn write(&mut self, key: KeyCode) -> Deed {
        match key {
            KeyCode::Enter => self.mode = Mode::Looking,
            KeyCode::Esc => {
                self.filter.clear();
                self.mode = Mode::Looking;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(letter) => self.filter.push(letter),
            _ => {}
        }
        Deed::Draw
    }

    fn decide(&mut self, key: KeyCode, wanted: Wanted) -> Deed {
        self.mode = Mode::Looking;
        match key {
            KeyCode::Char('y') => Deed::Order(wanted),
            _ => {
                self.said = Some("nothing was changed".to_owned());
                Deed::Draw
            }
        }
    }
}
