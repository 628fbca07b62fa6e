//! What is wrong, looked for now.

use askama::Template;
use clawpool_engine::client::doctor::{DoctorView, FindingView};

use crate::dashboard::{layout::Layout, register::Shown, visit::Visit, words::cut};

#[derive(Template)]
#[template(path = "doctor.html")]
struct Doctor {
    layout: Layout,
    errors: usize,
    warnings: usize,
    lines: Vec<Line>,
}

struct Line {
    finding: FindingView,
    class: &'static str,
}

pub(crate) async fn show(visit: &Visit) -> Shown {
    let view: DoctorView = visit.get("/v1/doctor").await?;
    let line = |mut finding: FindingView| {
        finding.text = cut(&finding.text, 2_000);
        let class = match &*finding.status {
            "ok" => "good",
            "warning" => "warn",
            "error" => "bad",
            _ => "off",
        };
        Line { finding, class }
    };
    let page = Doctor {
        layout: visit.layout("Doctor"),
        errors: view.errors,
        warnings: view.warnings,
        lines: view.findings.into_iter().map(line).collect(),
    };
    visit.answer(&page)
}
