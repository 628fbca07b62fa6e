use std::fmt::Write;

use super::{Outcome, Sample};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 200.0;
const MARGIN: f64 = 40.0;

/// One panel for each outcome: load, wanted and running workers on the left scale, waiting tasks on the right
/// one.
pub fn svg(title: &str, outcomes: &[Outcome]) -> String {
    let panel = HEIGHT + 2.0 * MARGIN;
    let width = WIDTH + 2.0 * MARGIN;
    let height = panel * outcomes.len() as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<title>{}</title>\n<rect width=\"100%\" \
         height=\"100%\" fill=\"white\"/>\n",
        escaped(title)
    );
    for (index, outcome) in outcomes.iter().enumerate() {
        let top = panel * index as f64 + MARGIN;
        let _ = writeln!(svg, "<g transform=\"translate({MARGIN} {top})\">{}</g>", panel_of(outcome));
    }
    svg + "</svg>\n"
}

fn panel_of(outcome: &Outcome) -> String {
    let samples = &outcome.samples;
    let workers = samples.iter().map(|sample| f64::from(sample.wanted).max(sample.load)).fold(1.0, f64::max);
    let waiting = samples.iter().map(|sample| sample.waiting as f64).fold(1.0, f64::max);
    let load = curve(samples, workers, |sample| sample.load);
    let wanted = curve(samples, workers, |sample| f64::from(sample.wanted));
    let running = curve(samples, workers, |sample| f64::from(sample.running));
    let waits = curve(samples, waiting, |sample| sample.waiting as f64);
    format!(
        "<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"none\" stroke=\"#ccc\"/>\
         <path d=\"{load} L{WIDTH} {HEIGHT} L0 {HEIGHT} Z\" fill=\"#dbe9f6\"/>\
         <path d=\"{wanted}\" fill=\"none\" stroke=\"#f28e2b\"/>\
         <path d=\"{running}\" fill=\"none\" stroke=\"#1f5c99\"/>\
         <path d=\"{waits}\" fill=\"none\" stroke=\"#d62728\" stroke-width=\"0.8\"/>\
         <text y=\"-8\">{}: load (blue area, in fully busy workers), wanted (orange), running (blue), \
         waiting tasks (red, right)</text>\
         <text x=\"-6\" y=\"10\" text-anchor=\"end\">{workers:.0}</text>\
         <text x=\"{}\" y=\"10\">{waiting:.0}</text>",
        escaped(&outcome.scaler),
        WIDTH + 4.0
    )
}

fn curve(samples: &[Sample], most: f64, value: impl Fn(&Sample) -> f64) -> String {
    let step = WIDTH / (samples.len().max(2) - 1) as f64;
    let mut path = String::new();
    for (index, sample) in samples.iter().enumerate() {
        let x = index as f64 * step;
        let y = HEIGHT * (1.0 - value(sample) / most);
        let _ = write!(path, "{}{x:.0} {y:.0}", if index == 0 { "M" } else { " L" });
    }
    path
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
