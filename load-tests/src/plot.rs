//! Bars as SVG, a group for each unit.

use std::fmt::Write;

use crate::{report::number, rounds::Series};

const LABEL: f64 = 380.0;
const WIDTH: f64 = 420.0;
const LINE: f64 = 20.0;

/// A bar is the median; the thin line across it goes from the lowest to the highest round.
pub fn bars(title: &str, figures: &[Series]) -> String {
    let mut units: Vec<&str> = Vec::new();
    for series in figures {
        if !units.contains(&series.unit) {
            units.push(series.unit);
        }
    }
    let height = LINE * (figures.len() as f64 + 2.0 * units.len() as f64 + 1.0);
    let width = LABEL + WIDTH + 120.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<title>{}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        escaped(title)
    );
    let mut y = LINE;
    for unit in units {
        let _ = writeln!(svg, "<text x=\"8\" y=\"{:.0}\" font-weight=\"bold\">{}</text>", y + 14.0, escaped(unit));
        y += LINE;
        let group: Vec<&Series> = figures.iter().filter(|series| series.unit == unit).collect();
        let most = group
            .iter()
            .map(|series| series.range().1)
            .filter(|most| most.is_finite())
            .fold(f64::MIN_POSITIVE, f64::max);
        for series in group {
            svg.push_str(&bar(series, most, y));
            y += LINE;
        }
        y += LINE;
    }
    svg + "</svg>\n"
}

fn bar(series: &Series, most: f64, y: f64) -> String {
    // What did not end in its time is longer than everything that did.
    let scale = |value: f64| (value / most * WIDTH).clamp(0.0, WIDTH);
    let (low, high) = series.range();
    let (median, middle) = (series.median(), y + LINE / 2.0);
    let colour = match series.name.split(' ').next() {
        Some("ceiling") => "#bab0ac",
        Some("peer") => "#59a14f",
        _ => "#1f5c99",
    };
    format!(
        "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
         <rect x=\"{LABEL}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>\
         <line x1=\"{:.1}\" y1=\"{middle:.0}\" x2=\"{:.1}\" y2=\"{middle:.0}\" stroke=\"#f28e2b\"/>\
         <text x=\"{:.1}\" y=\"{:.0}\">{}</text>\n",
        LABEL - 6.0,
        y + 14.0,
        escaped(&series.name),
        y + 3.0,
        scale(median),
        LINE - 6.0,
        LABEL + scale(low),
        LABEL + scale(high),
        LABEL + scale(high) + 6.0,
        y + 14.0,
        number(median)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
