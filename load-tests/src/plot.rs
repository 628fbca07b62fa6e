//! Bars as SVG, a chart for each unit.

use anyhow::Result;
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use crate::{report::number, rounds::Series};

const WIDTH: u32 = 920;
/// For the names before the bars, and for the number behind the longest.
const NAME: u32 = 380;
const NUMBER: u32 = 120;
const LINE: u32 = 20;
/// What a chart has beside its bars: the unit, and space below.
const REST: u32 = 3 * LINE / 2;
/// Plotters draws letters a fifth smaller than it is told.
const FONT: (&str, u32) = ("sans-serif", 15);

/// A bar is the median; the thin line across it goes from the lowest to the highest round.
pub fn bars(title: &str, figures: &[Series]) -> Result<String> {
    let mut units: Vec<&str> = Vec::new();
    for series in figures {
        if !units.contains(&series.unit) {
            units.push(series.unit);
        }
    }
    let height = 2 * LINE + LINE * u32::try_from(figures.len())? + REST * u32::try_from(units.len())?;
    let mut svg = String::new();
    let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let mut free = root.titled(title, ("sans-serif", 17))?;
    for unit in units {
        let group: Vec<&Series> = figures.iter().filter(|series| series.unit == unit).collect();
        let (area, below) = free.split_vertically(REST + LINE * u32::try_from(group.len())?);
        chart(&area, unit, &group)?;
        free = below;
    }
    root.present()?;
    drop((root, free));
    Ok(svg)
}

fn chart(area: &DrawingArea<SVGBackend, Shift>, unit: &str, group: &[&Series]) -> Result<()> {
    let longest = group.iter().map(|series| series.range().1).filter(|most| most.is_finite());
    let most = longest.fold(f64::MIN_POSITIVE, f64::max);
    // What did not end in its time is longer than everything that did.
    let drawn = |value: f64| value.clamp(0.0, most);
    // Rows are counted from below.
    let last = i32::try_from(group.len())? - 1;
    let rows = || (0..=last).rev().zip(group);
    let name = |row: &SegmentValue<i32>| match row {
        SegmentValue::CenterOf(row) => {
            rows().find(|(known, _)| known == row).map(|(_, series)| series.name.clone())
        }
        _ => None,
    };
    let mut chart = ChartBuilder::on(area)
        .caption(unit, FONT.into_font().style(FontStyle::Bold))
        .margin_right(NUMBER)
        .margin_bottom(LINE / 2)
        .y_label_area_size(NAME)
        .build_cartesian_2d(0.0..most, (0..last).into_segmented())?;
    chart
        .configure_mesh()
        .disable_mesh()
        .disable_x_axis()
        .axis_style(TRANSPARENT)
        .y_labels(group.len())
        .y_label_formatter(&|row| name(row).unwrap_or_default())
        .label_style(FONT)
        .draw()?;
    chart.draw_series(rows().map(|(row, series)| {
        let ends = [(0.0, SegmentValue::Exact(row)), (drawn(series.median()), SegmentValue::Exact(row + 1))];
        let mut bar = Rectangle::new(ends, colour(&series.name).filled());
        bar.set_margin(3, 3, 0, 0);
        bar
    }))?;
    chart.draw_series(rows().map(|(row, series)| {
        let (low, high) = series.range();
        let ends = [low, high].map(|end| (drawn(end), SegmentValue::CenterOf(row)));
        PathElement::new(ends, RGBColor(0xf2, 0x8e, 0x2b))
    }))?;
    let behind = FONT.into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    chart.draw_series(rows().map(|(row, series)| {
        let end = (drawn(series.range().1), SegmentValue::CenterOf(row));
        EmptyElement::at(end) + Text::new(number(series.median()), (6, 0), behind.clone())
    }))?;
    Ok(())
}

fn colour(name: &str) -> RGBColor {
    match name.split(' ').next() {
        Some("ceiling") => RGBColor(0xba, 0xb0, 0xac),
        Some("peer") => RGBColor(0x59, 0xa1, 0x4f),
        _ => RGBColor(0x1f, 0x5c, 0x99),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_has_its_bar_its_name_and_its_number_in_the_chart_of_its_unit() {
        let series =
            |name: &str, unit, values: &[f64]| Series { name: name.into(), unit, values: values.to_vec() };
        let figures = [
            series("ceiling <raw> & fast", "tasks/s", &[12_000.0, 9_000.0, 15_000.0]),
            series("claim", "ms", &[2.5, f64::INFINITY, 1.5]),
            series("peer apalis", "tasks/s", &[3_000.0]),
            series("settle", "ms", &[f64::INFINITY]),
        ];
        let svg = bars("drain", &figures).unwrap();
        let texts: Vec<&str> =
            svg.split("<text").skip(1).filter_map(|text| text.split(['\n', '<']).nth(1)).collect();
        for text in [
            "drain",
            "tasks/s",
            "ms",
            "ceiling &lt;raw&gt; &amp; fast",
            "12,000",
            "peer apalis",
            "3,000",
            "2.50",
        ] {
            assert!(texts.contains(&text), "{text:?} is not in {texts:?}");
        }
        assert!(!svg.contains("NaN") && svg.ends_with("</svg>\n"), "{svg}");
        for (colour, bars) in [("#BAB0AC", 1), ("#59A14F", 1), ("#1F5C99", 2)] {
            assert_eq!(svg.matches(&format!("fill=\"{colour}\"")).count(), bars, "{colour}");
        }
    }
}
