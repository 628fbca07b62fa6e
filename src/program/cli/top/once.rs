use super::{
    columns::Row,
    console::Console,
    panels::{PANELS, Panel},
    snapshot::Snapshot,
    summary::Summary,
};

/// All tables as text, one below the other; those without rows are left out.
pub(super) fn text(console: &Console, snapshot: &Snapshot) -> String {
    let Summary { state, figures, .. } = Summary::of(snapshot);
    let mut text = format!("{state}\n{figures}\n");
    for (number, panel) in PANELS.iter().enumerate() {
        let rows = console.rows_of(number, snapshot);
        if !rows.is_empty() {
            text.push('\n');
            text.push_str(&table(panel, &rows));
        }
    }
    text
}

fn table(panel: &Panel, rows: &[Row]) -> String {
    let shown: Vec<usize> = (0..panel.columns.len()).filter(|place| !panel.columns[*place].is_wide).collect();
    let width = |place: usize| {
        let cells = rows.iter().map(|row| row.cells[place].text.chars().count());
        cells.chain([panel.columns[place].title.len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = shown.iter().map(|place| width(*place)).collect();
    let line = |text: &dyn Fn(usize) -> String| {
        let cells = shown.iter().zip(&widths).map(|(place, width)| {
            let text = text(*place);
            if panel.columns[*place].is_number {
                format!("{text:>width$}")
            } else {
                format!("{text:<width$}")
            }
        });
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    let head = line(&|place| panel.columns[place].title.to_owned());
    let body = rows.iter().map(|row| line(&|place| row.cells[place].text.clone()));
    std::iter::once(head).chain(body).collect()
}
