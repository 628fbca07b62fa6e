use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span, Text},
    widgets::{Block, Cell, Clear, Paragraph, Row, Table, TableState},
};

use super::{
    columns::{self, Column, Tone},
    console::{Console, Mode},
    keys::KEYS,
    panels::PANELS,
    snapshot::Snapshot,
    summary::Summary,
};
use crate::cli::output::age;

/// From this width on the wide columns are shown too.
const WIDE: u16 = 130;

/// Colours, or what is left without them.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub has_colours: bool,
}

impl Look {
    fn tone(self, tone: Tone) -> Style {
        match (tone, self.has_colours) {
            (Tone::Usual, _) => Style::new(),
            (Tone::Quiet, true) => Style::new().fg(Color::DarkGray),
            (Tone::Warning, true) => Style::new().fg(Color::Yellow),
            (Tone::Bad, true) => Style::new().fg(Color::Red),
            (Tone::Quiet, false) => Style::new().add_modifier(Modifier::DIM),
            (Tone::Warning | Tone::Bad, false) => Style::new().add_modifier(Modifier::BOLD),
        }
    }
}

pub(super) fn draw(frame: &mut Frame<'_>, console: &Console, snapshot: &Snapshot, look: Look) {
    let parts = Layout::vertical([
        Constraint::Length(2),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ]);
    let [head, menu, body, foot] = parts.areas(frame.area());
    frame.render_widget(heading(console, snapshot, look), head);
    frame.render_widget(names(console), menu);
    table(frame, body, console, snapshot, look);
    frame.render_widget(Paragraph::new(last_line(console, look)), foot);
    if matches!(console.mode, Mode::Help) {
        help(frame, body);
    }
}

fn heading(console: &Console, snapshot: &Snapshot, look: Look) -> Paragraph<'static> {
    let summary = Summary::of(snapshot);
    let tone = if summary.is_well { Tone::Usual } else { Tone::Bad };
    let state = match &console.trouble {
        Some((since, why)) => {
            let text = format!("no answer for {}: {why}", age(*since));
            Span::styled(text, look.tone(Tone::Bad))
        }
        None => Span::styled(summary.state, look.tone(tone)),
    };
    let place = Span::raw(format!("clawpool {}  ", console.url));
    Paragraph::new(vec![Line::from(vec![place, state]), Line::raw(summary.figures)])
}

fn names(console: &Console) -> Line<'static> {
    let chosen = Style::new().add_modifier(Modifier::REVERSED);
    let mut spans = Vec::new();
    for (place, panel) in PANELS.iter().enumerate() {
        let style = if place == console.chosen_panel() { chosen } else { Style::new() };
        spans.push(Span::styled(format!(" {} {} ", place + 1, panel.name), style));
    }
    if !console.filter.is_empty() {
        spans.push(Span::raw(format!("  only with {:?}", console.filter)));
    }
    Line::from(spans)
}

fn table(frame: &mut Frame<'_>, area: Rect, console: &Console, snapshot: &Snapshot, look: Look) {
    let columns = console.panel().columns;
    let shown: Vec<usize> =
        (0..columns.len()).filter(|place| area.width >= WIDE || !columns[*place].is_wide).collect();
    let rows = console.rows(snapshot);
    let widths = widths(&shown, columns, &rows);
    let cells = |row: &columns::Row| {
        let cells =
            shown.iter().map(|place| aligned(&row.cells[*place].text, columns[*place])).collect::<Vec<_>>();
        Row::new(cells).style(look.tone(row.tone))
    };
    let titles = shown.iter().map(|place| title(*place, console)).collect::<Vec<_>>();
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let widget = Table::new(rows.iter().map(cells), widths)
        .header(Row::new(titles).style(bold))
        .column_spacing(2)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(console.index(&rows));
    frame.render_stateful_widget(widget, area, &mut state);
    if rows.is_empty() {
        let empty = format!("no {}", console.panel().name);
        let below = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        frame.render_widget(Paragraph::new(empty), below);
    }
}

fn title(place: usize, console: &Console) -> Cell<'static> {
    let column = console.panel().columns[place];
    let sign = console
        .sort()
        .filter(|sort| sort.column == place)
        .map_or("", |sort| if sort.descending { "v" } else { "^" });
    aligned(&format!("{}{sign}", column.title), column)
}

fn aligned(text: &str, column: Column) -> Cell<'static> {
    let alignment = if column.is_number { Alignment::Right } else { Alignment::Left };
    Cell::new(Text::raw(text.to_owned()).alignment(alignment))
}

/// As wide as what is in it, and the last one as wide as there is room.
fn widths(shown: &[usize], columns: &[Column], rows: &[columns::Row]) -> Vec<Constraint> {
    let width = |place: usize| {
        let cells = rows.iter().map(|row| row.cells[place].text.chars().count());
        // With room for the sign of the order.
        cells.chain([columns[place].title.len() + 1]).max().unwrap_or_default()
    };
    let last = shown.last().copied();
    let constraint = |place: &usize| match u16::try_from(width(*place)) {
        Ok(width) if Some(*place) != last || columns[*place].is_number => Constraint::Length(width),
        _ => Constraint::Fill(1),
    };
    shown.iter().map(constraint).collect()
}

fn last_line(console: &Console, look: Look) -> Line<'static> {
    match &console.mode {
        Mode::Filtering => Line::raw(format!("only rows with: {}_", console.filter)),
        Mode::Asking(wanted) => {
            let text = format!("{}? y or n   ({})", wanted.words(), wanted.command());
            Line::styled(text, look.tone(Tone::Warning))
        }
        Mode::Looking | Mode::Help => match &console.said {
            Some(said) => Line::raw(said.clone()),
            None => Line::raw(hints(console)),
        },
    }
}

fn hints(console: &Console) -> String {
    let orders = console.panel().orders.iter().map(|order| format!("{} {}", order.key, order.verb));
    let all = orders.chain(["s sort", "/ filter", "Tab next", "? help", "q quit"].map(str::to_owned));
    all.collect::<Vec<_>>().join("   ")
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let width = KEYS.iter().map(|(keys, _)| keys.len()).max().unwrap_or_default();
    let lines: Vec<Line<'_>> =
        KEYS.iter().map(|(keys, what)| Line::raw(format!("{keys:<width$}  {what}"))).collect();
    let area = Rect {
        x: area.x + 2,
        y: area.y,
        width: area.width.saturating_sub(4).min(76),
        height: area.height.min(KEYS.len() as u16 + 2),
    };
    frame.render_widget(Clear, area);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title("keys")), area);
}
